"""What single viewports show differently from the others of their series: pure functions of the session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medviewer.app.hanging.companions import companion_of
from medviewer.app.hanging.layouts import Look, Pane
from medviewer.domain.image import Image, Window

if TYPE_CHECKING:
    from medviewer.app.state import Session


def pane_of(session: Session, number: int) -> Pane | None:
    """Pane `number`; None where the layout has none of that number."""
    panes = session.view.hung
    return panes[number] if 0 <= number < len(panes) else None


def look_of(session: Session, number: int) -> Look | None:
    """How pane `number` shows its series in its own way; None where it does not."""
    pane = pane_of(session, number)
    return pane.look if pane is not None else None


def worn(session: Session, look: Look | None) -> Session:
    """A session in which everything is shown as a viewport's own look has it; the same one without a look."""
    if look is None:
        return session
    view = session.view
    changed: dict[str, Any] = {}
    if look.window is not None:
        changed["window"] = look.window
    if look.inverted is not None:
        changed["inverted"] = look.inverted
    if look.colours:
        changed["colours"] = look.colours
    if look.slab_mode is not None:
        changed["slab_mode"], changed["slab_mm"] = look.slab_mode, look.slab_mm
    return replace(session, view=replace(view, **changed))


def window_of(session: Session, number: int) -> tuple[Window, bool]:
    """The window of pane `number`, and whether black and white change places there."""
    look, companion = look_of(session, number), companion_of(session, number)
    of_series = session.view if companion is None else companion
    if look is None:
        return of_series.window, of_series.inverted
    window = of_series.window if look.window is None else look.window
    return window, of_series.inverted if look.inverted is None else look.inverted


def relooked(panes: tuple[Pane, ...], number: int, **changed: Any) -> tuple[Pane, ...]:
    """The panes with other fields of the look of one of them."""
    pane = panes[number]
    own = replace(pane.look or Look(), **changed)
    return (*panes[:number], replace(pane, look=own), *panes[number + 1 :])


def image_of(session: Session, number: int) -> Image | None:
    """The image whose window pane `number` shows, whatever its phase; None where it shows none."""
    pane, companion = pane_of(session, number), companion_of(session, number)
    if pane is None or pane.is_empty:
        return None
    return session.image if companion is None else companion.image
