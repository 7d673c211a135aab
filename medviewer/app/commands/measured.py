"""What was measured, beyond the open image: written to files, and beside earlier studies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.app.commands import measuring
from medviewer.app.hanging.companions import share_a_frame
from medviewer.domain.geometry import Vector
from medviewer.domain.measure.follow_up import RESPONSES, Change, Course, Measured, TimePoint, changes, course_of
from medviewer.domain.measure.matching import suggest
from medviewer.domain.measure.measurement import NO_PRIOR
from medviewer.domain.measure.target_table import TargetTable, table_of
from medviewer.domain.measure.values import percent_text
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError, NotFoundError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session
    from medviewer.archive import Kept

NAMES = (".csv", ".dcm")
"""Endings of what measurements are written to: a table, or a DICOM structured report."""


@dataclass(frozen=True)
class FollowUp:
    """The open study's measurements beside those of the patient's earlier studies.

    Parameters
    ----------
    prior
        The nearest earlier study that has measurements, or None.
    changes
        What has a label, beside its prior.
    course
        How the RECIST targets went over all studies up to this one.
    table
        The same, target by target.
    """

    prior: TimePoint | None
    changes: tuple[Change, ...]
    course: Course
    table: TargetTable = field(default_factory=TargetTable)


def export(services: Services, path: Path) -> Job[None]:
    """Write the measurements of the open study, by the name's ending, off the home thread: ``.csv`` or ``.dcm``.

    Raises
    ------
    InputError
        If no study is open, it has no measurements, or the ending is another.
    NotFoundError
        If a DICOM report is asked for and the series of a measurement is not listed.
    """
    session = services.session
    if session.study is None:
        raise InputError("Measurements belong to a study; open one first.")
    kept = services.archive.measurements.of_studies([session.study.uid])
    write = writer(session.study, kept, path, services.author)

    def work(_: RunContext) -> None:
        write()

    job = services.runner.submit(work, title=f"Saving {path.name}", must_finish=True)
    return services.when_done(job, lambda _: session.say(f"Saved the measurements to {path.name}.", "ok"))


def writer(study: Study, kept: Sequence[Kept], path: Path, author: str) -> Callable[[], None]:
    """Check what is to be written; what comes back writes it, on any thread.

    Parameters
    ----------
    study
        The study, whose series lie where they were scanned.
    kept
        Its measurements.
    path
        The file, ``.csv`` or ``.dcm``.
    author
        Who measured.

    Raises
    ------
    InputError
        If there are no measurements, or the ending is another.
    NotFoundError
        If a DICOM report is asked for and the series of a measurement is not listed.
    """
    if path.suffix.lower() not in NAMES:
        raise InputError(f"Measurements are saved as {' or '.join(NAMES)}, not as {path.name}; choose such a name.")
    if not kept:
        raise InputError("The study has no measurements to save; measure something first.")
    if path.suffix.lower() == ".csv":
        return lambda: formats.save_measurement_table([(one.measurement, one.values) for one in kept], path)
    measured = [formats.Measured(one.measurement, one.values, _series_of(study, one)) for one in kept]
    return lambda: formats.write_measurements(measured, path, author)


def compare(services: Services, study_uid: str = "") -> FollowUp:
    """The measurements of a study, by default the open one, beside the same patient's earlier ones.

    A study without a date, or of a patient without ID and name, has no earlier ones.

    Raises
    ------
    InputError
        If no study is open and none is named.
    """
    session = services.session
    uid = study_uid or (session.study.uid if session.study is not None else "")
    if not uid:
        raise InputError("A follow-up needs a study; open one first.")
    points = _points(services, uid)
    earlier = [point for point in points[:-1] if point.measured]
    prior = earlier[-1] if earlier else None
    before = prior.measured if prior is not None else ()
    guesses = suggest(points[-1].measured, before, _places(session, before))
    found = changes(points[-1].measured, before, guesses)
    return FollowUp(prior, found, course_of(points), table_of(points))


def link(services: Services, uid: str, prior_uid: str) -> None:
    """Say that a measurement of the open study and one of an earlier study are of the same lesion.

    It takes over what the earlier one is called, where it has no label, and whether that is a target, a node, and of
    which organ. Undo takes it back.

    Raises
    ------
    NotFoundError
        If there is no such measurement, in the open study or in the patient's earlier ones.
    StoreError
        If it cannot be kept.
    """
    m = measuring.found(services.session, uid)
    earlier = [one for point in _points(services, _open_study(services))[:-1] for one in point.measured]
    prior = next((one.measurement for one in earlier if one.measurement.uid == prior_uid), None)
    if prior is None:
        raise NotFoundError("The patient's earlier studies have no such measurement any more; choose one of the list.")
    target = m.target or prior.target
    measuring.change(
        services,
        replace(
            m,
            prior=prior_uid,
            label=m.label or prior.label,
            target=target,
            node=m.node or (target and prior.node),
            organ=m.organ or prior.organ,
        ),
    )


def unlink(services: Services, uid: str, prior: str = NO_PRIOR) -> None:
    """Say that a lesion was not there before; or, with an empty `prior`, that nobody has said anything.

    Raises as `link` does.
    """
    measuring.change(services, replace(measuring.found(services.session, uid), prior=prior))


def set_organ(services: Services, uid: str, organ: str) -> None:
    """Say which organ a measurement lies in. Raises as `link` does."""
    measuring.change(services, replace(measuring.found(services.session, uid), organ=" ".join(organ.split())))


def _open_study(services: Services) -> str:
    study = services.session.study
    if study is None:
        raise InputError("A follow-up needs a study; open one first.")
    return study.uid


def _places(session: Session, prior: Sequence[Measured]) -> dict[str, Vector]:
    """Where earlier measurements lie in the open series' frame of reference: those of which that is known.

    It is where both share a frame of reference, or where a person linked the two series.
    """
    here = session.series
    if here is None:
        return {}
    listed = {series.uid: series for study in session.studies for series in study.series}
    offsets = {one.series.uid: one.offset for one in session.companions if one.offset is not None and not one.guessed}
    found: dict[str, Vector] = {}
    for one in prior:
        m = one.measurement
        series = listed.get(m.series_uid)
        if series is not None and share_a_frame(here, series):
            found[m.uid] = m.centre
        elif m.series_uid in offsets:
            x, y, z = (a - b for a, b in zip(m.centre, offsets[m.series_uid], strict=True))
            found[m.uid] = x, y, z
    return found


def follow_up_lines(found: FollowUp) -> list[str]:
    """What changed, as lines of text."""
    prior, course = found.prior, found.course
    lines = [f"Prior: {prior.date}" if prior is not None else "No earlier study of this patient was measured."]
    for change in found.changes:
        now, before = change.now.main, change.prior.main if change.prior is not None else None
        if now is not None:
            told = "no prior" if before is None else f"before {before.text}"
            part = f", {percent_text(change.percent)}" if change.percent is not None else ""
            part += "" if change.confirmed else " (suggested by its place)"
            lines.append(f"{change.now.measurement.title}: {now.name.lower()} {now.text}, {told}{part}")
    lines += [f"Sum of targets {total.date or 'now'}: {total.mm:.1f} mm" for total in course.sums]
    notes = [note for total in course.sums for note in total.notes] + list(course.notes)
    if course.from_baseline is not None:
        lines.append(f"Since the first study: {percent_text(course.from_baseline)}")
    if course.from_nadir is not None:
        lines.append(f"Since the smallest sum: {percent_text(course.from_nadir)}")
    if course.response is not None:
        lines.append(f"Targets by RECIST 1.1: {RESPONSES[course.response]} ({course.response})")
    return lines + notes


def _series_of(study: Study, one: Kept) -> Series:
    for series in study.series:
        if series.uid == one.measurement.series_uid:
            return series
    raise NotFoundError("A report needs the images that were measured; open the folder that holds all of the study.")


def _points(services: Services, study_uid: str) -> list[TimePoint]:
    """The same patient's studies up to one, the earliest first, with their measurements; the last is that one."""
    session, catalog = services.session, services.archive.catalog
    try:
        entry = catalog.get(study_uid)
        date, others = entry.date, catalog.of_same_patient(study_uid)
    except NotFoundError:  # it is still being noted
        known = (study for study in session.studies if study.uid == study_uid)
        date, others = next((study.date for study in known), ""), []
    earlier = sorted((other.date, other.uid) for other in others if date and "" < other.date < date)
    chosen = [*earlier, (date, study_uid)]
    by_study: dict[str, list[Measured]] = {}
    for one in services.archive.measurements.of_studies(uid for _, uid in chosen):
        by_study.setdefault(one.study_uid, []).append(Measured(one.measurement, one.values))
    return [TimePoint(uid, day, tuple(by_study.get(uid, ()))) for day, uid in chosen]
