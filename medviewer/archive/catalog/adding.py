"""Importing: from what a scan found to what the catalogue lists."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from medviewer.archive.catalog import rows
from medviewer.archive.catalog.copies import Copies
from medviewer.archive.catalog.entries import Added
from medviewer.archive.catalog.paths import Known, is_fleeting, look, reconciled
from medviewer.archive.database import Database
from medviewer.archive.incoming import tidy
from medviewer.archive.tables import SeriesRow
from medviewer.domain.provenance import utc_now
from medviewer.domain.study import Attachment, ScanResult, Series, Study
from medviewer.errors import JobCancelled


@dataclass
class _Batch:
    """What is written in one transaction: files are on the disk by then, so what is listed is there."""

    study: Study
    series: list[tuple[Series, list[Known]]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    copied: bool = False


def add(
    database: Database,
    copies: Copies,
    found: ScanResult,
    copy: bool,
    progress: Callable[[float, str], None] | None,
    cancelled: threading.Event | None,
) -> Added:
    """Note what a scan found; see `Catalog.add`."""
    now = utc_now()
    copying = [study for study in found.studies if copy or _is_fleeting(study)]
    if copying:
        tidy(copies.folder)
        copies.refuse_too_much(sum(_size(study) for study in copying))
    total = sum(len(series.files) for series in found.series) or 1
    done = 0
    summary = Added()
    for study in found.studies:  # the newest comes last, and is listed first
        for part, lost in _batches(copies, study, study in copying, cancelled):
            if cancelled is not None and cancelled.is_set():
                raise JobCancelled("The import was cancelled; what was listed by then is kept.")
            summary += _write(database, copies, part, now) + Added(skipped=lost)
            done += sum(len(series.files) for series, _ in part.series)
            if progress is not None:
                progress(min(done / total, 1.0), f"{done} of {total} files")
    return summary


def _is_fleeting(study: Study) -> bool:
    files = [series.files[0] for series in study.series if series.files]
    return any(is_fleeting(file) for file in (*files, *(attachment.file for attachment in study.attachments)))


def _size(study: Study) -> int:
    files = {file for series in study.series for file in series.files}
    return sum(known.size for file in files if (known := look(file)) is not None)


def _looked(study: Study) -> list[tuple[Series, list[Known]]]:
    """Every series with its files as the disk has them now; those that vanished since the scan are left out."""
    return [
        (series, [known for file in dict.fromkeys(series.files) if (known := look(file)) is not None])
        for series in study.series
    ]


def _batches(
    copies: Copies, study: Study, copying: bool, cancelled: threading.Event | None
) -> Iterator[tuple[_Batch, int]]:
    """What to write of a study, and how many files vanished. Of a study that is copied, one series after the other."""
    if not copying:
        looked = _looked(study)
        lost = sum(len(set(series.files)) - len(known) for series, known in looked)
        yield _Batch(study, looked, list(study.attachments)), lost
        return
    for series in study.series:
        files = list(dict.fromkeys(series.files))
        taken = copies.take(study.uid, files, cancelled)
        yield _Batch(study, [(series, [known for _, known in taken])], copied=True), len(files) - len(taken)
    if study.attachments:
        of_file = dict(copies.take(study.uid, [attachment.file for attachment in study.attachments], cancelled))
        made = [replace(one, file=of_file[one.file].path) for one in study.attachments if one.file in of_file]
        yield _Batch(study, attachments=made, copied=True), len(study.attachments) - len(made)


def _write(database: Database, copies: Copies, part: _Batch, now: str) -> Added:
    series_count = files_count = already = 0
    with database.write() as session:
        study, fresh = rows.study_row(session, part.study, now)
        for series, found in part.series:
            if not found:
                continue
            known = _known_files(session, study.number, series.uid)
            files = _merged(copies, series, known, found, part.copied)
            series_count += rows.series_row(session, study.number, series, files)
            same = len(set(known) & set(files))
            already += same
            files_count += len(files) - same
        for attachment in part.attachments:
            rows.attachment_row(session, study.number, attachment)
        # What was retrieved from an archive on the network lies there too, and goes with the study.
        inside = any(copies.holds(file.path) for _, found in part.series for file in found)
        inside = inside or any(copies.holds(attachment.file) for attachment in part.attachments)
        study.copied = study.copied or part.copied or inside
        rows.sum_up(session, study)
    return Added(int(fresh), series_count, files_count, already, uids=(part.study.uid,))


def _known_files(session: Session, study: int, uid: str) -> list[Known]:
    number = session.scalar(select(SeriesRow.number).where(SeriesRow.study == study, SeriesRow.uid == uid))
    return [] if number is None else rows.files_of(session, number)


def _merged(copies: Copies, series: Series, known: list[Known], found: list[Known], copied: bool) -> list[Known]:
    """The files of a series after an import: copies take the place of what lies elsewhere."""
    if not copied:
        return reconciled(known, found)
    if series.reader != "dicom":
        return found  # such a series is the file at its place: one that was changed takes the place of the former one
    names = {file.likeness for file in found}
    own = [file for file in known if copies.holds(file.path) or file.likeness not in names]
    files = reconciled(own, found)
    there = {file.path for file in files}
    # Alike by name and size, but surely not the same: slices of one series from two discs.
    return [*files, *(file for file in found if file.path not in there and copies.is_apart(file.path))]
