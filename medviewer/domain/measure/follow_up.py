"""How measurements changed since an earlier study, and the RECIST 1.1 sum of target lesions.

A measurement's prior is what a person confirmed, else what has the same label; `medviewer.domain.measure.matching`
suggests others by their place.

RECIST 1.1: Eisenhauer et al., New response evaluation criteria in solid tumours, Eur J Cancer 45 (2009) 228-247. Of a
target lesion its longest diameter counts, of a target lymph node its short axis. What the guideline says about new
lesions and lesions that are no targets is for the reader to judge: the response here is that of the targets alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from medviewer.domain.measure.measurement import NO_PRIOR, Measurement
from medviewer.domain.measure.values import Value

Response = Literal["CR", "PR", "SD", "PD"]

RESPONSES: Final[Mapping[Response, str]] = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progressive disease",
}

MOST_TARGETS, MOST_OF_AN_ORGAN = 5, 2
"""RECIST 1.1, 3.1.2: at most five target lesions, and at most two of one organ."""

Others = Literal["none", "CR", "non-CR/non-PD", "PD", "NE"]
"""What a reader says of the lesions that are no targets (RECIST 1.1, 4.3.3): none there, gone, still there, clearly
more, not evaluable."""

OTHERS: Final[Mapping[Others, str]] = {
    "none": "none",
    "CR": "all gone",
    "non-CR/non-PD": "still there",
    "PD": "unequivocal progression",
    "NE": "not evaluable",
}

_LEAST_MM, _LEAST_NODE_MM, _NORMAL_NODE_MM = 10.0, 15.0, 10.0
"""RECIST 1.1, 3.1.1 and 4.3.1: least longest diameter of a target, least short axis of a target node, and the short
axis below which a node is no longer sick."""

_MAIN: Final = ("Long axis", "Length", "Volume", "Area", "Angle", "Cobb angle", "Value")
"""Which of its values tells how a measurement changed, the first that it has."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Measured:
    """A measurement with what it came to."""

    measurement: Measurement
    values: tuple[Value, ...]

    @property
    def label(self) -> str:
        """Its label as labels are compared: without case and doubled blanks."""
        return " ".join(self.measurement.label.split()).casefold()

    @property
    def main(self) -> Value | None:
        """The value that tells how it changed: of a target lymph node the short axis; None where it has none."""
        names = ("Short axis", *_MAIN) if self.measurement.node else _MAIN
        known = {value.name: value for value in self.values}
        return next((known[name] for name in names if name in known), None)


@dataclass(frozen=True)
class TimePoint:
    """One study of a patient, with its measurements.

    Parameters
    ----------
    study_uid, date
        The study; ISO date, empty where it has none.
    measured
        Its measurements in their order.
    """

    study_uid: str
    date: str
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True)
class Change:
    """One measurement beside its prior.

    Parameters
    ----------
    now, prior
        The same lesion in both studies; `prior` is None where the earlier study has none that compares.
    percent
        Change in % of the prior's value; None without a prior, or where that was 0.
    confirmed
        Whether a person said so, or gave both the same label; False for what is only suggested.
    """

    now: Measured
    prior: Measured | None = None
    percent: float | None = None
    confirmed: bool = True

    @property
    def is_new(self) -> bool:
        """Whether a person said that it was not there before: where nothing goes with it, it may be unmeasured only."""
        return self.prior is None and self.now.measurement.prior == NO_PRIOR

    @property
    def difference(self) -> Value | None:
        """How much more it is now, in the value's unit; None without a prior."""
        now, before = self.now.main, self.prior.main if self.prior is not None else None
        return None if now is None or before is None else Value("Change", now.number - before.number, now.unit)


@dataclass(frozen=True)
class TargetSum:
    """The RECIST 1.1 sum of diameters of one time point.

    Parameters
    ----------
    date
        Of its study.
    mm
        The sum in mm.
    diameters
        Diameter in mm by label, as it was written, in their order.
    notes
        What has to be read beside the sum, one sentence each.
    whole
        Whether every target is in it.
    """

    date: str
    mm: float
    diameters: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Course:
    """How the targets went.

    Parameters
    ----------
    sums
        Those of all time points that have targets, the earliest first; the last is the one that is judged.
    from_baseline, from_nadir
        Change in % of the last sum against the first, and against the smallest before it; None where there is none or
        it was 0.
    response
        Of the targets alone; None for a first time point, or where the sums do not compare.
    notes
        Why not, one sentence each.
    """

    sums: tuple[TargetSum, ...] = ()
    from_baseline: float | None = None
    from_nadir: float | None = None
    response: Response | None = None
    notes: tuple[str, ...] = field(default=())


def changes(
    now: Iterable[Measured], prior: Iterable[Measured], suggested: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    """Each measurement that has a prior or a label beside its prior, if that is of a value that compares.

    A length and the long axis of a bidirectional compare; numbers of different units do not. Where a study has a label
    twice, the later measurement counts as the prior.

    Parameters
    ----------
    suggested
        UID of a measurement -> UID of the one that may be its prior, where nobody has said yet.
    """
    earlier, guesses = list(prior), suggested or {}
    known = {one.measurement.uid: one for one in earlier if one.measurement.uid}
    found = []
    for one in now:
        said = one.measurement.prior
        before = known.get(said)
        if said != NO_PRIOR and before is None and one.label:
            same = [other for other in earlier if other.label == one.label and _compare(one.main, other.main)]
            before = same[-1] if same else None
        if before is not None and not _compare(one.main, before.main):
            before = None
        guess = known.get(guesses.get(one.measurement.uid, "")) if before is None and not said else None
        if one.label or said or guess is not None:
            told = before if before is not None else guess
            found.append(Change(one, told, _percent_of(one, told), confirmed=guess is None))
    return tuple(found)


def percent(now: float, before: float) -> float | None:
    """Change in % of what was before; None where that was 0."""
    return 100 * (now - before) / before if before else None


def diameter_of(one: Measured) -> float | None:
    """What RECIST 1.1 adds up of a target, in mm: the short axis of a node, the longest diameter of all else.

    A region has its Area only, so it is no target; of a node that is a single length, that length is taken for its
    short axis. None where there is no diameter in mm.
    """
    names = ("Short axis", "Length") if one.measurement.node else ("Long axis", "Length", "Diameter")
    known = {value.name: value for value in one.values if value.unit == "mm"}
    return next((known[name].number for name in names if name in known), None)


def organ_of(one: Measured) -> str:
    """The organ that a target counts for; all lymph nodes are one organ where nobody says which. Empty if unknown."""
    named = " ".join(one.measurement.organ.split()).casefold()
    return named or ("lymph nodes" if one.measurement.node else "")


def sum_of_targets(point: TimePoint) -> TargetSum | None:
    """The sum of the diameters of a time point's targets; None if it has no targets."""
    targets = [one for one in point.measured if one.measurement.target]
    if not targets:
        return None
    diameters, notes = [], []
    for number, one in enumerate(targets, start=1):
        title, size = one.measurement.title, diameter_of(one)
        if size is None:
            notes.append(f"{title} has no diameter in mm, so it is not in the sum; measure its length.")
            continue
        diameters.append((title if one.measurement.label else f"{title} {number}", size))
    if len(targets) > MOST_TARGETS:
        notes.append(f"There are {len(targets)} targets, but RECIST 1.1 takes {MOST_TARGETS} at most.")
    for label, count in Counter(one.label for one in targets if one.label).items():
        if count > 1:
            title = next(one.measurement.label for one in targets if one.label == label)
            notes.append(f"{title} is a target {count} times in one study; take all but one out of the sum.")
    for organ, count in Counter(filter(None, (organ_of(one) for one in targets))).items():
        if count > MOST_OF_AN_ORGAN:
            notes.append(f"There are {count} targets in {organ}, but RECIST 1.1 takes {MOST_OF_AN_ORGAN} of an organ.")
    return TargetSum(
        point.date, sum(size for _, size in diameters), tuple(diameters), tuple(notes), len(diameters) == len(targets)
    )


def course_of(points: Sequence[TimePoint]) -> Course:
    """How the targets went from the first time point that has some (the baseline) to the last, by RECIST 1.1, 4.3.1.

    CR: every target is gone (measured as 0 mm) and every node below 10 mm. PD: at least 20 % and 5 mm above the
    smallest sum so far (nadir). PR: at least 30 % below the baseline. SD: neither.

    Parameters
    ----------
    points
        The earliest first; the last is judged.
    """
    judged = [(point, total) for point in points if (total := sum_of_targets(point)) is not None]
    sums = tuple(total for _, total in judged)
    if not judged or judged[-1][0] is not points[-1]:
        return Course(sums)
    first, last = judged[0][0], judged[-1][0]
    if len(judged) == 1:
        return Course(sums, notes=_too_small(first))
    nadir, now, baseline = min(total.mm for total in sums[:-1]), sums[-1].mm, sums[0].mm
    notes = _unlike(first, last, lesions(points))
    whole = all(total.whole for total in sums)
    response = None if notes or not whole else judge(baseline, nadir, now, _all_gone(last))
    return Course(sums, percent(now, baseline), percent(now, nadir), response, notes)


def judge(baseline_mm: float, nadir_mm: float, now_mm: float, all_gone: bool) -> Response:
    """Response of the targets by the sums of their diameters, in mm.

    Parameters
    ----------
    all_gone
        Whether every target is gone and every node below 10 mm.
    """
    if all_gone:
        return "CR"
    grown = now_mm - nadir_mm
    if grown >= 5 - _ROUNDING and grown >= 0.2 * nadir_mm - _ROUNDING:
        return "PD"
    return "PR" if baseline_mm - now_mm >= 0.3 * baseline_mm - _ROUNDING and baseline_mm > 0 else "SD"


def overall(targets: Response | None, others: Others, new_lesions: bool) -> Response | None:
    """The response of all lesions (RECIST 1.1, Table 1); None where it is not evaluable.

    Parameters
    ----------
    targets
        Response of the targets; None where it is not evaluable.
    others
        What the reader says of the lesions that are no targets.
    new_lesions
        Whether there are new ones.
    """
    if new_lesions or "PD" in (targets, others):
        return "PD"
    if targets == "CR":
        return "CR" if others in ("none", "CR") else "PR"
    return targets


def lesions(points: Iterable[TimePoint]) -> dict[str, str]:
    """Which lesion each measurement is of: UID of a measurement -> a name that is the same in all studies.

    Empty for one that has neither a label nor a prior, nor is the prior of another.
    """
    found: dict[str, str] = {}
    for point in points:
        for one in point.measured:
            m = one.measurement
            name = found.get(m.prior, "") if m.prior != NO_PRIOR else ""
            if m.prior in found and not name:  # the prior has no label: it is known by its UID from now on
                name = found[m.prior] = f"#{m.prior}"
            if m.uid:
                found[m.uid] = name or (f"#{m.uid}" if m.prior == NO_PRIOR and not one.label else one.label)
    return found


def _compare(now: Value | None, before: Value | None) -> bool:
    if now is None or before is None or now.unit != before.unit:
        return False
    return _quantity(now) == _quantity(before)


def _quantity(value: Value) -> str:
    return "Length" if value.name == "Long axis" else value.name


def _percent_of(now: Measured, before: Measured | None) -> float | None:
    if before is None or now.main is None or before.main is None:
        return None
    return percent(now.main.number, before.main.number)


def _targets(point: TimePoint) -> list[Measured]:
    return [one for one in point.measured if one.measurement.target]


def _all_gone(point: TimePoint) -> bool:
    sizes = [(one.measurement.node, diameter_of(one)) for one in _targets(point)]
    return all(size is not None and (size < _NORMAL_NODE_MM if node else size == 0) for node, size in sizes)


def _unlike(first: TimePoint, last: TimePoint, names: Mapping[str, str]) -> tuple[str, ...]:
    """Why two sums do not compare: they are of other lesions."""
    before, now = (
        {names.get(one.measurement.uid) or one.label: one.measurement.title for one in _targets(point)}
        for point in (first, last)
    )
    if "" in before or "" in now:
        return ("A target has no label, so it cannot be found in the other studies; name every target.",)
    lacking = [before[key] for key in before if key not in now]
    new = [now[key] for key in now if key not in before]
    return (
        *(f"{title} was a target at first and is not measured now." for title in lacking),
        *(f"{title} was no target at first; targets are chosen once." for title in new),
    )


def _too_small(point: TimePoint) -> tuple[str, ...]:
    """Targets that are too small to be chosen (RECIST 1.1, 3.1.1)."""
    notes = []
    for one in _targets(point):
        size, least = diameter_of(one), _LEAST_NODE_MM if one.measurement.node else _LEAST_MM
        if size is not None and size < least:
            of = "short axis" if one.measurement.node else "longest diameter"
            notes.append(f"{one.measurement.title} has a {of} of {size:.1f} mm; a target has {least:.0f} mm at least.")
    return tuple(notes)
