"""Change how the series of a viewport is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medviewer.app.hanging.companions import companion_of
from medviewer.app.hanging.wearing import image_of, look_of, relooked, window_of
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


def drag(session: Session, number: int, right: float, down: float) -> None:
    """Window/level by dragging in viewport `number`, as `dragged` says."""
    image = image_of(session, number)
    if image is None:
        return
    window, inverted = window_of(session, number)
    made, turned = dragged(window, image, right, down)
    _window(session, number, made, inverted != turned)


def shown_window(session: Session) -> Window:
    """The window of the active viewport's series."""
    return window_of(session, session.view.active)[0]


def give_window(session: Session, window: Window, number: int | None = None) -> None:
    """Show the series of viewport `number`, or of the active one, with a window."""
    number = session.view.active if number is None else number
    _window(session, number, window, window_of(session, number)[1])


def invert(session: Session) -> None:
    """Exchange black and white in the active viewport."""
    number = session.view.active
    window, inverted = window_of(session, number)
    _window(session, number, window, not inverted)


def set_phase(session: Session, companion: Companion, steps: int) -> None:
    """Go along a companion's 4th axis, and round from its end to its start."""
    if companion.image.dynamic is not None:
        change(session, companion, phase=(companion.phase + steps) % len(companion.image.dynamic.axis))


def _window(session: Session, number: int, window: Window, inverted: bool) -> None:
    """Set a viewport's window, and that of all others of its modality where they go together.

    One that has a look of its own keeps to itself; else all that show its series follow.
    """
    view, companion, image = session.view, companion_of(session, number), image_of(session, number)
    if image is None:
        return
    if view.sync_window:
        _everywhere(session, image.modality, window, inverted)
    elif look_of(session, number) is not None:
        view.panes = relooked(view.hung, number, window=window, inverted=inverted)
    elif companion is None:
        view.window, view.inverted = window, inverted
    else:
        change(session, companion, window=window, inverted=inverted)


def _everywhere(session: Session, modality: str, window: Window, inverted: bool) -> None:
    view, panes = session.view, session.view.hung
    of_modality = [image is not None and image.modality == modality for image in _images(session)]
    for number, pane in enumerate(panes):
        if of_modality[number] and pane.look is not None:
            panes = relooked(panes, number, window=window, inverted=inverted)
    if panes != view.hung:
        view.panes = panes
    if session.image is not None and session.image.modality == modality:
        view.window, view.inverted = window, inverted
    if session.companions:
        session.companions = tuple(
            replace(one, window=window, inverted=inverted) if one.image.modality == modality else one
            for one in session.companions
        )


def _images(session: Session) -> list[Image | None]:
    return [image_of(session, number) for number in range(len(session.view.hung))]


def change(session: Session, companion: Companion, **changed: Any) -> None:
    """Give a companion other fields."""
    session.companions = tuple(replace(one, **changed) if one is companion else one for one in session.companions)
