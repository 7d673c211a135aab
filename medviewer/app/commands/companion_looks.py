"""Change how a companion is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medviewer.app.hanging.companions import companion_of
from medviewer.domain.image import Image, Window

if TYPE_CHECKING:
    from medviewer.app.state import Companion, Session


def dragged(window: Window, image: Image, right: float, down: float) -> tuple[Window, bool]:
    """The window that dragging makes of another, and whether black and white change places with it.

    Parameters
    ----------
    right, down
        Part of the viewport's size that the pointer moved; one whole viewport is twice the present width, at least.
    """
    # A table or a sigmoid has no width to drag: it goes on as the linear window that looks most alike.
    plain, turned = window.plain
    span = max(plain.width, image.auto_window().width * 0.05)
    width = max(plain.width + right * 2 * span, 1e-3 * span)
    return Window(plain.center + down * 2 * span, width, ""), turned


def drag_window(session: Session, companion: Companion, right: float, down: float) -> None:
    """Window/level by dragging, as `dragged` says."""
    window, turned = dragged(companion.window, companion.image, right, down)
    _window(session, companion, window=window, inverted=companion.inverted != turned)


def shown_window(session: Session) -> Window:
    """The window of the active viewport's series."""
    companion = companion_of(session, session.view.active)
    return session.view.window if companion is None else companion.window


def give_window(session: Session, window: Window) -> None:
    """Show the series of the active viewport with a window."""
    companion = companion_of(session, session.view.active)
    if companion is None:
        session.view.window = window
    else:
        _window(session, companion, window=window, inverted=companion.inverted)


def invert(session: Session, companion: Companion) -> None:
    """Exchange black and white of a companion."""
    _window(session, companion, window=companion.window, inverted=not companion.inverted)


def set_phase(session: Session, companion: Companion, steps: int) -> None:
    """Go along a companion's 4th axis, and round from its end to its start."""
    if companion.image.dynamic is not None:
        change(session, companion, phase=(companion.phase + steps) % len(companion.image.dynamic.axis))


def _window(session: Session, companion: Companion, window: Window, inverted: bool) -> None:
    """Set a companion's window, and that of all others of its modality where they go together."""
    modality, view = companion.image.modality, session.view
    if not view.sync_window:
        change(session, companion, window=window, inverted=inverted)
        return
    if session.image is not None and session.image.modality == modality:
        view.window, view.inverted = window, inverted
    session.companions = tuple(
        replace(one, window=window, inverted=inverted) if one.image.modality == modality else one
        for one in session.companions
    )


def change(session: Session, companion: Companion, **changed: Any) -> None:
    """Give a companion other fields."""
    session.companions = tuple(replace(one, **changed) if one is companion else one for one in session.companions)
