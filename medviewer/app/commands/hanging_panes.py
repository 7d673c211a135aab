"""What a place of a hanging protocol makes of a viewport: its series, look and turn, or why it is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.hanging.choosing import Place, chosen, what
from medviewer.app.hanging.companions import share_a_frame
from medviewer.app.hanging.layouts import NOTHING, Look, Pane, plane_for
from medviewer.app.hanging.orienting import turn_to
from medviewer.app.hanging.protocol import Hung, Overlay
from medviewer.app.presets import found_window, windows_for
from medviewer.domain.image import Image, Window
from medviewer.domain.plane import UNTURNED
from medviewer.domain.study import Series

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session


def pane_at(services: Services, place: Place) -> Pane:
    """The pane of a place: of the main series at once, else one that waits."""
    session = services.session
    main, image, hung = session.series, session.image, place.hung
    if place.series is None:
        return Pane(hung.plane, NOTHING, note=_missing(session, hung))
    if main is not None and image is not None and place.series.uid == main.uid:
        return filled(services, hung, main, image, "")
    return Pane(hung.plane, NOTHING, note=f"Loading {place.series.description or place.series.modality}…")


def _missing(session: Session, hung: Hung) -> str:
    hanging = session.hanging
    if not hung.series:
        return ""
    if hung.of == "current":
        return f"This study has no {what(hung)}"
    prior = hanging.prior if hanging is not None else None
    if prior is None:
        return "There is no earlier study to compare"
    if prior.study is None:
        return f"Looking for the study of {prior.date}…"
    return f"The study of {prior.date} has no {what(hung)}"


def filled(services: Services, hung: Hung, series: Series, image: Image, uid: str) -> Pane:
    """The pane of a place whose series is there; `uid` is empty for the main series."""
    turn = UNTURNED
    if hung.orient and all(warning.code != "no-orientation" for warning in series.warnings):
        turn = turn_to(plane_for(image.grid, hung.plane), *hung.orient)
    look = _look(services, hung, image)
    fused = hung.overlay is not None or overlay_of(services.session) is None
    return Pane(hung.plane, uid, turn, look=look, fused=fused, hung=turn, side=hung.side, hung_look=look)


def _look(services: Services, hung: Hung, image: Image) -> Look | None:
    if image.is_colour:
        return None
    made = Look(window_named(services, hung.window, image), hung.invert, hung.colours, hung.slab_mode, hung.slab_mm)
    return None if made == Look(slab_mm=hung.slab_mm) else made


def window_named(services: Services, wanted: str | tuple[float, float] | None, image: Image) -> Window | None:
    """The window that a protocol names, for an image; None where none is named, or there is none of that name."""
    if wanted is None:
        return None
    if isinstance(wanted, tuple):
        return Window(*wanted)
    if wanted.casefold() == "auto":
        return found_window(image)
    unit = image.rescale.unit
    own = [one.window for one in services.session.own_windows if one.fits(image.modality, unit)]
    offered = (*own, *windows_for(image.modality, unit), *image.windows)
    return next((one for one in offered if one.name.casefold() == wanted.casefold()), None)


def overlay_of(session: Session) -> tuple[Overlay, Series] | None:
    """What the protocol lays over the main series, and which series that is; None where it lays nothing over it."""
    hanging, main, study = session.hanging, session.series, session.study
    if hanging is None or main is None or study is None:
        return None
    for place in hanging.places:
        over = place.hung.overlay
        if over is not None and place.series is not None and place.series.uid == main.uid:
            series = chosen(over.series, [one for one in study.series if one.uid != main.uid], main)
            if series is not None and series.grid.shape[0] > 1 and share_a_frame(main, series):
                return over, series
    return None
