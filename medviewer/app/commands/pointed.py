"""What a right click asks of a viewport or of a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medviewer.app.colours import GREY
from medviewer.app.commands import companion_looks, panes
from medviewer.app.commands.measuring import found
from medviewer.app.controllers.measures import text_of
from medviewer.app.controllers.texts import read_out
from medviewer.app.hanging.companions import aside, companion_of, cursor_of, looked_at
from medviewer.app.hanging.layouts import Look, Pane
from medviewer.app.hanging.wearing import look_of, relooked, worn
from medviewer.app.presets import first_window, opens_inverted
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import TITLES
from medviewer.domain.measure.values import summary
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.state import Session


def reset(session: Session) -> None:
    """Show the active viewport with the window, the colours and the side up that it opened with, or was hung with."""
    image = looked_at(session)
    if image is None:
        return
    panes.turn(session, None)
    view = session.view
    companion = companion_of(session, view.active)
    if look_of(session, view.active) is not None:  # it alone was changed
        view.panes = relooked(view.hung, view.active, **_hung(view.hung[view.active], image))
    elif companion is None:
        session.view.window, session.view.inverted = first_window(image), opens_inverted(image)
        session.view.colours = GREY
    else:
        companion_looks.change(session, companion, window=first_window(image), inverted=opens_inverted(image))


def _hung(pane: Pane, image: Image) -> dict[str, Any]:
    """The fields of the look that a viewport was hung with; what it left open is as the image opens."""
    hung = pane.hung_look or Look()
    return {
        "window": first_window(image) if hung.window is None else hung.window,
        "inverted": opens_inverted(image) if hung.inverted is None else hung.inverted,
        "colours": hung.colours,
        "slab_mode": hung.slab_mode,
        "slab_mm": hung.slab_mm,
    }


def value_at_crosshair(session: Session) -> str:
    """Position and value under the crosshair, of the active viewport's series, as the status bar writes them.

    Raises
    ------
    InputError
        If the crosshair is nowhere on that image.
    """
    companion = companion_of(session, session.view.active)
    if companion is None:
        text = read_out(worn(session, look_of(session, session.view.active)), session.view.cursor)
    else:
        text = read_out(aside(session, companion), cursor_of(session, companion))
    if not text:
        raise InputError("A value needs an open image with the crosshair on it; click on the image first.")
    return text


def measured_text(session: Session, uid: str) -> str:
    """What a measurement comes to, its name first, in one line. Raises NotFoundError if there is none of that UID."""
    m = found(session, uid)
    here = session.series is not None and session.series.uid == m.series_uid
    lines = text_of(session, m) if here else summary(m, session.measured.get(uid, ()))
    return ", ".join(lines if m.label else (TITLES[m.kind], *lines))
