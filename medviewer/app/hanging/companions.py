"""Series that are looked at beside the main one, and where each stands: pure functions of the session.

The main series has a crosshair (`View.cursor`), set from everywhere. Where a companion is linked to it, its place is
not kept but worked out from the world position of that crosshair, so that the two cannot come apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer.app.hanging.layouts import LAYOUTS, Pane, plane_for
from medviewer.domain.geometry import Grid, Vector
from medviewer.domain.plane import Plane
from medviewer.domain.study import Series

if TYPE_CHECKING:
    from medviewer.app.state import Companion, Session
    from medviewer.domain.image import Image

SAME_PLACE: Vector = (0.0, 0.0, 0.0)
_THICK = 2.0
"""Voxels that are so much longer than wide are shown in the plane that they were made in."""


def companion_of(session: Session, number: int) -> Companion | None:
    """The companion that pane `number` shows; None for the main series."""
    panes = session.view.hung
    uid = panes[number].series if number < len(panes) else ""
    return next((one for one in session.companions if uid and one.series.uid == uid), None)


def looked_at(session: Session, number: int | None = None) -> Image | None:
    """The image of pane `number`, or of the active one, at its phase; None where nothing is open or shown there."""
    number = session.view.active if number is None else number
    panes = session.view.hung
    if number < len(panes) and panes[number].is_empty:
        return None
    companion = companion_of(session, number)
    if companion is None or session.image is None:
        return session.shown
    dynamic = companion.image.dynamic
    return companion.image if dynamic is None else companion.image.at_phase(companion.phase)


def at_hand(session: Session, uid: str) -> Image | None:
    """The image of a series that is in memory already, all of it; None where it has to be read."""
    if session.series is not None and session.series.uid == uid and session.arrival is None:
        return session.image
    if session.fusion is not None and session.fusion.series.uid == uid:
        return session.fusion.image
    return next((one.image for one in session.companions if one.series.uid == uid), None)


def share_a_frame(one: Series, other: Series) -> bool:
    """Whether positions in mm mean the same in both: one Frame of Reference UID, or, where neither says, one grid."""
    if one.frame_of_reference or other.frame_of_reference:
        return one.frame_of_reference == other.frame_of_reference
    return one.grid.shape[0] > 1 and one.grid.matches(other.grid)


def point(session: Session) -> Vector:
    """World position of the crosshair, in the main series' frame of reference; (0, 0, 0) where nothing is open.

    Exact where it was put on a companion: its voxels may be finer than the main series', or reach further.
    """
    view, image = session.view, session.image
    if image is None:
        return SAME_PLACE
    if view.focus is not None and view.focus.cursor == view.cursor:
        return view.focus.world
    x, y, z = image.grid.index_to_world(view.cursor).tolist()
    return x, y, z


def index_of(session: Session, companion: Companion) -> tuple[float, float, float]:
    """Where a companion stands: index (z, y, x), not rounded, and outside its grid where the crosshair is."""
    if companion.offset is None:
        return companion.cursor
    world = np.array(point(session)) + companion.offset
    z, y, x = companion.image.grid.world_to_index(world).tolist()
    return z, y, x


def cursor_of(session: Session, companion: Companion) -> tuple[int, int, int]:
    """The voxel of a companion that is nearest to where it stands."""
    return companion.image.grid.clamp(index_of(session, companion))


def plane_of(session: Session, number: int) -> Plane | None:
    """The plane that pane `number` shows, of whatever series; None where nothing is open.

    A companion is shown in the plane in which the main series was acquired, so that both can be compared; in its own
    where its slices are too thick to be cut across.
    """
    image, panes = session.image, session.view.hung
    if image is None or number >= len(panes):
        return None
    pane, companion = panes[number], companion_of(session, number)
    if companion is None:
        return plane_for(image.grid, pane.kind).turned(pane.turn)
    grid = companion.image.grid
    if pane.kind == "acquired" and image.is_volume and grid.shape[0] > 1 and not _is_thick(grid):
        return Plane.of(grid, image.grid.plane_name(0)).turned(pane.turn)
    return plane_for(grid, pane.kind).turned(pane.turn)


def _is_thick(grid: Grid) -> bool:
    return max(grid.spacing) > _THICK * min(grid.spacing)


def aside(session: Session, companion: Companion, pane: Pane | None = None) -> Session:
    """A session that is about a companion: what is shown of an image is worked out from it as from the main one's.

    What belongs to the main series only (masks, models' results, what is painted) is not in it. Its first pane is
    turned as `pane` is.
    """
    view = session.view
    first, *others = LAYOUTS["mpr"].panes
    made = replace(
        view,
        cursor=cursor_of(session, companion),
        phase=companion.phase,
        playing=False,
        window=companion.window,
        inverted=companion.inverted,
        tool="crosshair",
        layout="mpr",
        panes=(first if pane is None else replace(pane, series=""), *others),
        active=0,
        focus=None,
        turned=None,
    )
    if view.sync_window and session.image is not None and session.image.modality == companion.image.modality:
        made.window, made.inverted = view.window, view.inverted
    return type(session)(series=companion.series, study=companion.study, image=companion.image, view=made)


def shown_series(session: Session) -> frozenset[str]:
    """UIDs of the companions that panes show, whether they are seen now or behind a large one."""
    return frozenset(pane.series for pane in session.view.hung if pane.series)


def rehung(panes: tuple[Pane, ...], number: int, uid: str) -> tuple[Pane, ...]:
    """The panes with another series in one of them, in the plane that it was acquired in."""
    kind = "acquired" if uid else panes[number].kind
    return (*panes[:number], Pane(kind, uid), *panes[number + 1 :])
