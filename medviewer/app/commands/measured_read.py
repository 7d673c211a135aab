"""Measurements out of DICOM reports, ours and those of other programs, onto the series that they were made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.app.commands import measuring
from medviewer.app.commands.catalog import HURRY_S
from medviewer.domain.measure.measurement import Measurement, new_uid
from medviewer.domain.measure.values import Value
from medviewer.domain.provenance import utc_now
from medviewer.errors import InputError
from medviewer.jobs import Job

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.domain.study import ScanResult, Series
    from medviewer.formats.dicom.measurement_read import ReadReport


def read(services: Services, path: Path) -> Job[ReadReport]:
    """Take over the measurements of a report (TID 1500), and say what of it was not.

    Those of the open study can be undone one by one. One that is here already stays as it is.

    Raises
    ------
    InputError
        If no study is listed that it could belong to.
    """
    listed = _listed(services)
    if not listed:
        raise InputError("A report of measurements needs the images that were measured; open them first.")
    job = services.runner.submit(lambda _: formats.read_report(path, listed), title=f"Reading {path.name}")
    return services.when_done(job, lambda found: _take(services, found))


def dropped(services: Services, paths: Sequence[Path], found: ScanResult) -> list[Job[ReadReport]]:
    """Take over the measurements of reports that were opened by name, where their images are listed.

    Reports in a folder are left alone, for nobody asked for them; and a report without measurements is a document.
    """
    named = {path.absolute() for path in paths if path.is_file()}
    listed = _listed(services)
    reports = [one.file for one in found.attachments if one.kind == "report" and one.file.absolute() in named]
    return [_quietly(services, path, listed) for path in reports if listed]


def _listed(services: Services) -> list[Series]:
    """Every series that is listed, those of the open study first: files may be in two studies of a list."""
    session = services.session
    mine = session.study.uid if session.study is not None else ""
    ordered = sorted(session.studies, key=lambda study: study.uid != mine)
    return [series for study in ordered for series in study.series]


def _quietly(services: Services, path: Path, listed: list[Series]) -> Job[ReadReport]:
    job = services.runner.submit(lambda _: formats.read_report(path, listed), title="")

    def finished() -> None:
        # what holds no measurements is listed as a document, which has been said
        if job.error is None and job.result().measured:
            services.attempt(lambda: _take(services, job.result()))

    job.finished.connect(finished)
    return job


def _take(services: Services, found: ReadReport) -> None:
    session = services.session
    studies = {series.uid: study.uid for study in session.studies for series in study.series}
    kept = services.archive.measurements.of_studies(set(studies.values()))
    known = {one.measurement.uid for one in kept}
    new = [(m, values) for m, values in found.measured if not m.uid or m.uid not in known]
    open_uid = session.study.uid if session.study is not None else ""
    for m, values in new:
        study_uid = studies[m.series_uid]
        made = replace(m, uid=m.uid or new_uid(), author=m.author or services.author, created=m.created or utc_now())
        if study_uid == open_uid:
            _add(services, made, values)
        else:
            services.archive.measurements.save(made, values, study_uid, HURRY_S)
    _tell(services, found, len(new), {studies[m.series_uid] for m, _ in new}, open_uid)


def _add(services: Services, m: Measurement, values: tuple[Value, ...]) -> None:
    """One of the open study; of a series that is not open, the report's own numbers stand until it is."""
    session = services.session
    session.measured = {**session.measured, m.uid: values}
    measuring.add(services, m)


def _tell(services: Services, found: ReadReport, count: int, where: set[str], open_uid: str) -> None:
    parts = [f"Took over {count} measurement{'' if count == 1 else 's'}."]
    here = len(found.measured) - count
    if here:
        parts.append(f"{here} {'was' if here == 1 else 'were'} here already.")
    if found.not_listed:
        parts.append(f"{found.not_listed} lie on images that are not listed; open those, and read the report again.")
    if found.not_understood:
        parts.append(f"{found.not_understood} have shapes that are not measured here; open the report as a document.")
    elsewhere = where - {open_uid}
    if elsewhere:
        parts.append("They are with their own study.")
    left = found.not_listed or found.not_understood
    services.session.say(" ".join(parts), "warning" if left or not count else "ok")
