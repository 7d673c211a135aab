"""The lines where the slice of the active viewport meets those of other series."""

from __future__ import annotations

from collections.abc import Sequence

from medviewer.app.hanging.companions import SAME_PLACE, companion_of, cursor_of
from medviewer.app.state import Session
from medviewer.domain.linking import Segment, crossing
from medviewer.domain.plane import Plane


def slice_of(session: Session, planes: Sequence[Plane], number: int) -> int:
    """The slice that pane `number` shows."""
    companion = companion_of(session, number)
    cursor = session.view.cursor if companion is None else cursor_of(session, companion)
    return cursor[planes[number].axis]


def reference_lines(session: Session, planes: Sequence[Plane], number: int) -> tuple[Segment, ...]:
    """Where the active viewport's slice cuts that of pane `number`; within one series the crosshair shows it."""
    view = session.view
    active = view.active
    if not view.show_lines or number == active or active >= len(planes):
        return ()
    if view.hung[number].series == view.hung[active].series or not _placed(session, number, active):
        return ()
    line = crossing(
        planes[number], slice_of(session, planes, number), planes[active], slice_of(session, planes, active)
    )
    return () if line is None else (line,)


def _placed(session: Session, *numbers: int) -> bool:
    """Whether these panes show places in one frame of reference, of which the file says that it is one."""
    frames = set()
    for number in numbers:
        companion = companion_of(session, number)
        series = session.series if companion is None else companion.series
        if series is None:
            return False
        if companion is not None and companion.offset == SAME_PLACE:
            series = session.series or series  # linked as one place, also where files have no name for it
        frames.add(series.frame_of_reference or series.uid)
    return len(frames) == 1
