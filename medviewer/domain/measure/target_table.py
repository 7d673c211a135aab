"""The targets of RECIST 1.1 over all time points, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medviewer.domain.measure.follow_up import (
    Course,
    Response,
    TimePoint,
    course_of,
    diameter_of,
    lesions,
    percent,
)


@dataclass(frozen=True)
class TargetRow:
    """One target.

    Parameters
    ----------
    title
        Its label, as it was written last.
    organ
        Where it lies, if a person said so.
    node
        Whether it is a lymph node, of which the short axis counts.
    mm
        Its diameter at each time point; None where it was not measured.
    """

    title: str
    organ: str
    node: bool
    mm: tuple[float | None, ...]


@dataclass(frozen=True)
class TargetTable:
    """All targets at all time points that have some.

    Parameters
    ----------
    dates
        Of the time points, the earliest first: the first is the baseline.
    rows
        The targets.
    sums
        In mm.
    from_baseline, from_nadir
        Change of each sum in % of the first, and of the smallest before it; None for the first, or where that was 0.
    responses
        Of the targets, at each time point; None for the first, and where the sums do not compare.
    nadir
        The time point whose sum was the smallest before the last one; the first where there is only one.
    course
        The last time point's own, with its notes.
    current
        Whether the last of these is the study that is read: False where none of its measurements is a target.
    """

    dates: tuple[str, ...] = ()
    rows: tuple[TargetRow, ...] = ()
    sums: tuple[float, ...] = ()
    from_baseline: tuple[float | None, ...] = ()
    from_nadir: tuple[float | None, ...] = ()
    responses: tuple[Response | None, ...] = ()
    nadir: int = 0
    course: Course = field(default_factory=Course)
    current: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be read beside it, one sentence each."""
        told = [note for total in self.course.sums for note in total.notes]
        return tuple(dict.fromkeys((*told, *self.course.notes)))


def table_of(points: Sequence[TimePoint]) -> TargetTable:
    """The targets of some time points, the earliest first; empty where none has any."""
    judged = [point for point in points if any(one.measurement.target for one in point.measured)]
    if not judged:
        return TargetTable()
    names = lesions(points)
    found: dict[str, dict[int, float | None]] = {}
    about: dict[str, tuple[str, str, bool]] = {}
    for at, point in enumerate(judged):
        for one in point.measured:
            m = one.measurement
            if m.target:
                key = names.get(m.uid) or one.label or f"#{m.uid}"
                while at in found.get(key, ()):  # twice in one study, which a note tells: each has its row
                    key += "'"
                found.setdefault(key, {})[at] = diameter_of(one)
                about[key] = m.title, m.organ or about.get(key, ("", "", False))[1], m.node
    steps = range(len(judged))
    rows = tuple(TargetRow(*about[key], tuple(sizes.get(at) for at in steps)) for key, sizes in found.items())
    # one course a time point, as it was judged then
    courses = [course_of(points[: points.index(point) + 1]) for point in judged]
    sums = tuple(course.sums[-1].mm for course in courses)
    before = sums[:-1] or sums
    return TargetTable(
        tuple(point.date for point in judged),
        rows,
        sums,
        tuple(percent(now, sums[0]) if at else None for at, now in enumerate(sums)),
        tuple(percent(now, min(sums[:at])) if at else None for at, now in enumerate(sums)),
        tuple(course.response for course in courses),
        before.index(min(before)),
        courses[-1],
        judged[-1] is points[-1],
    )
