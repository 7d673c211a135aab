"""What was measured, beyond the open image: written to files, beside earlier studies, and key images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.app.commands.catalog import HURRY_S
from medviewer.domain.image import Window
from medviewer.domain.measure.follow_up import RESPONSES, Change, Course, Measured, TimePoint, changes, course_of
from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.measure.measurement import new_uid
from medviewer.domain.provenance import utc_now
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError, NotFoundError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
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
    """

    prior: TimePoint | None
    changes: tuple[Change, ...]
    course: Course


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
    found = changes(points[-1].measured, prior.measured if prior is not None else ())
    return FollowUp(prior, found, course_of(points))


def follow_up_lines(found: FollowUp) -> list[str]:
    """What changed, as lines of text."""
    prior, course = found.prior, found.course
    lines = [f"Prior: {prior.date}" if prior is not None else "No earlier study of this patient was measured."]
    for change in found.changes:
        now, before = change.now.main, change.prior.main if change.prior is not None else None
        if now is not None:
            told = "no prior" if before is None else f"before {before.text}"
            part = f", {change.percent:+.0f} %" if change.percent is not None else ""
            lines.append(f"{change.now.measurement.label}: {now.name.lower()} {now.text}, {told}{part}")
    lines += [f"Sum of targets {total.date or 'now'}: {total.mm:.1f} mm" for total in course.sums]
    notes = [note for total in course.sums for note in total.notes] + list(course.notes)
    if course.from_baseline is not None:
        lines.append(f"Since the first study: {course.from_baseline:+.0f} %")
    if course.from_nadir is not None:
        lines.append(f"Since the smallest sum: {course.from_nadir:+.0f} %")
    if course.response is not None:
        lines.append(f"Targets by RECIST 1.1: {RESPONSES[course.response]} ({course.response})")
    return lines + notes


def add_key_image(services: Services, axis: int, note: str = "") -> KeyImage:
    """Mark the slice across an array axis that the crosshair is on, as it is looked at.

    Raises
    ------
    InputError
        If no image is open.
    StoreError
        If it cannot be kept.
    """
    session = services.session
    if session.series is None or session.image is None:
        raise InputError("A key image needs an open image; open a study first.")
    view = session.view
    image = KeyImage(
        uid=new_uid(),
        series_uid=session.series.uid,
        axis=axis,
        slice=view.cursor[axis],
        cursor=view.cursor,
        center=view.window.center,
        width=view.window.width,
        inverted=view.inverted,
        phase=view.phase,
        note=note,
        author=services.author,
        created=utc_now(),
    )
    study_uid = session.study.uid if session.study is not None else ""
    services.archive.measurements.save_key_image(image, study_uid, HURRY_S)
    session.key_images = (*session.key_images, image)
    return image


def note_key_image(services: Services, uid: str, note: str) -> None:
    """Say something of a key image. Raises NotFoundError if there is none of that UID, StoreError if it is not kept."""
    session = services.session
    changed = replace(_key_image(services, uid), note=note)
    study_uid = session.study.uid if session.study is not None else ""
    services.archive.measurements.save_key_image(changed, study_uid, HURRY_S)
    session.key_images = tuple(changed if one.uid == uid else one for one in session.key_images)


def remove_key_image(services: Services, uid: str) -> None:
    """Take a mark away. Raises StoreError if the archive refuses."""
    services.archive.measurements.remove_key_image(uid, HURRY_S)
    session = services.session
    session.key_images = tuple(one for one in session.key_images if one.uid != uid)


def show_key_image(services: Services, uid: str) -> None:
    """Look at a key image as it was marked; its series is opened first where needed.

    Raises
    ------
    NotFoundError
        If the study has no such key image, or its series is no longer listed.
    """
    session = services.session
    image = _key_image(services, uid)

    def opened() -> bool:
        return session.series is not None and session.series.uid == image.series_uid and session.image is not None

    def look() -> None:
        assert session.image is not None  # it is opened
        view = session.view
        if session.image.dynamic is not None:
            view.phase = min(image.phase, len(session.image.dynamic.axis) - 1)
        view.window, view.inverted = Window(image.center, image.width), image.inverted
        view.cursor = session.image.grid.clamp(image.cursor)

    if opened():
        look()
        return
    from medviewer.app.commands import study  # it restores key images by the measurements' module

    for listed in session.studies:
        for series in listed.series:
            if series.uid == image.series_uid:
                services.when_done(study.show(services, series), lambda _: look(), wanted=opened)
                return
    raise NotFoundError("The series of this key image is not listed; open the folder that holds it too.")


def _key_image(services: Services, uid: str) -> KeyImage:
    for image in services.session.key_images:
        if image.uid == uid:
            return image
    raise NotFoundError("The open study has no such key image any more; choose one of its list.")


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
