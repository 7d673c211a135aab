"""Importing: from what a scan found to what the catalogue lists."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from medviewer.archive.catalog import rows
from medviewer.archive.catalog.copies import Copies, companions
from medviewer.archive.catalog.entries import Added
from medviewer.archive.catalog.paths import Known, Marks, MarkUnreadError, is_fleeting, look, reconciled
from medviewer.archive.database import Database
from medviewer.archive.incoming import tidy
from medviewer.archive.tables import SeriesRow, StudyRow
from medviewer.domain.provenance import utc_now
from medviewer.domain.study import Attachment, ScanResult, Series, Study
from medviewer.errors import JobCancelled, StoreError

_STUDIES, _FILES = 50, 20_000
"""What is written in one transaction at most: each waits for the disk, but the next writer waits for it."""
_TRIES = 3


class _GoneError(Exception):
    """Copies went before they were listed: another program's import of the same files was cancelled."""


@dataclass
class _Part:
    """What is noted of a study at once: files are on the disk by then, so what is listed is there."""

    study: Study
    series: list[tuple[Series, list[Known]]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    copied: bool = False
    lost: int = 0

    @property
    def size(self) -> int:
        """How many files it has."""
        return sum(len(files) for _, files in self.series)


def add(
    database: Database,
    copies: Copies,
    found: ScanResult,
    copy: bool,
    progress: Callable[[float, str], None] | None,
    cancelled: threading.Event | None,
) -> Added:
    """Note what a scan found; see `Catalog.add`."""
    copying = [study for study in found.studies if copy or _is_fleeting(study)]
    if copying:
        tidy(copies.folder)
        copies.refuse_too_much(sum(_size(study) for study in copying))
    total = sum(len(series.files) for series in found.series) or 1
    done = 0
    summary = Added()
    writer = _Writer(database, copies, cancelled)
    for added, count in writer.write(found.studies, copying):  # the newest comes last, and is listed first
        summary += added
        done += count
        if progress is not None:
            progress(min(done / total, 1.0), f"{done} of {total} files")
    return summary


def _is_fleeting(study: Study) -> bool:
    files = [series.files[0] for series in study.series if series.files]
    return any(is_fleeting(file) for file in (*files, *(attachment.file for attachment in study.attachments)))


def _size(study: Study) -> int:
    files = {file for series in study.series for file in series.files}
    return sum(known.size for file in files if (known := look(file)) is not None)


class _Writer:
    """One import."""

    def __init__(self, database: Database, copies: Copies, cancelled: threading.Event | None) -> None:
        self._database, self._copies, self._cancelled = database, copies, cancelled
        self._now = utc_now()
        self._marks = Marks()

    def write(self, studies: Iterable[Study], copying: list[Study]) -> Iterator[tuple[Added, int]]:
        """Note studies in their order; gives what came of each transaction, and how many files it was about."""
        waiting: list[_Part] = []
        for study in studies:
            self._check()
            if any(study is one for one in copying):
                yield from self._listed(waiting)
                waiting = []
                yield from self._copied(study)
                continue
            waiting.append(_looked(study))
            if len(waiting) >= _STUDIES or sum(part.size for part in waiting) >= _FILES:
                yield from self._listed(waiting)
                waiting = []
        yield from self._listed(waiting)

    def _check(self) -> None:
        if self._cancelled is not None and self._cancelled.is_set():
            raise JobCancelled("The import was cancelled; what was listed by then is kept.")

    def _listed(self, parts: list[_Part]) -> Iterator[tuple[Added, int]]:
        if parts:
            self._check()
            yield self._transaction(parts), sum(part.size + part.lost for part in parts)

    def _copied(self, study: Study) -> Iterator[tuple[Added, int]]:
        """Copy a study, one series after the other: what was copied is listed even when a later one fails."""
        for series in study.series:
            added = self._tried(lambda series=series: self._copy_series(study, series))  # type: ignore[misc]
            yield added, len(series.files)
        if study.attachments:
            yield self._tried(lambda: self._copy_attachments(study)), 0

    def _tried(self, made: Callable[[], _Part]) -> Added:
        for _ in range(_TRIES):
            part = made()
            self._check()
            try:
                return self._transaction([part])
            except _GoneError:
                continue
        raise StoreError("The copies were deleted before they could be listed; import again when no other import runs.")

    def _copy_series(self, study: Study, series: Series) -> _Part:
        instances = _instances(series)
        taken = self._copies.take(study.uid, list(instances), self._discard, self._cancelled)
        copies = [replace(known, sop=instances[file]) for file, known in taken]
        return _Part(study, [(series, copies)], copied=True, lost=len(instances) - len(taken))

    def _copy_attachments(self, study: Study) -> _Part:
        files = [attachment.file for attachment in study.attachments]
        of_file = dict(self._copies.take(study.uid, files, self._discard, self._cancelled))
        made = [replace(one, file=of_file[one.file].path) for one in study.attachments if one.file in of_file]
        return _Part(study, attachments=made, copied=True, lost=len(study.attachments) - len(made))

    def _discard(self, made: list[Path]) -> None:
        """Delete copies, but none that another program has listed meanwhile: it found them there."""
        with self._database.write() as session:  # whoever wants to list them waits, and looks whether they are there
            listed = rows.listed_among(session, made)
            listed |= {beside for file in listed for beside in companions(file)}
            for path in made:
                if path not in listed:
                    path.unlink(missing_ok=True)

    def _transaction(self, parts: list[_Part]) -> Added:
        self._marks.may_read = False
        try:
            return self._written(parts)
        except MarkUnreadError:  # rare: a series at two places
            self._marks.may_read = True
            self._read_marks(parts)
            return self._written(parts)

    def _written(self, parts: list[_Part]) -> Added:
        summary = Added()
        with self._database.write() as session:
            for part in parts:
                summary += self._write(session, part)
        return summary

    def _read_marks(self, parts: list[_Part]) -> None:
        """Compare files that have to be compared while nobody waits: reading them may take long."""
        with self._database.read() as session:
            uids = [series.uid for part in parts for series, _ in part.series]
            listed = rows.listed_series(session, uids)
            pairs = [
                (part, series, found, _known_files(session, part.study.uid, series.uid))
                for part in parts
                for series, found in part.series
                if series.uid in listed
            ]
        for part, series, found, known in pairs:
            self._merged(series, known, found, part.copied)

    def _write(self, session: Session, part: _Part) -> Added:
        files_count = series_count = already = 0
        paths = [known.path for _, found in part.series for known in found]
        paths += [attachment.file for attachment in part.attachments]
        study, fresh = rows.study_row(session, part.study, self._now)
        if part.copied and any(look(path) is None for path in paths):  # now that nobody else writes
            raise _GoneError
        for series, found in part.series:
            if not found:
                continue
            known = [] if fresh else _known_files(session, part.study.uid, series.uid)
            files = self._merged(series, known, found, part.copied)
            series_count += rows.series_row(session, study.number, series, files, fresh)
            same = len(set(known) & set(files))
            already += same
            files_count += len(files) - same
        for attachment in part.attachments:
            rows.attachment_row(session, study.number, attachment)
        # What was retrieved from an archive on the network lies there too, and goes with the study.
        study.copied = study.copied or part.copied or any(self._copies.holds(path) for path in paths)
        rows.sum_up(session, study, fresh)
        return Added(int(fresh), series_count, files_count, already, part.lost, (part.study.uid,))

    def _merged(self, series: Series, known: list[Known], found: list[Known], copied: bool) -> list[Known]:
        """The files of a series after an import: copies take the place of what lies elsewhere."""
        if not copied:
            return reconciled(known, found, self._marks, self._copies.holds)
        if series.reader != "dicom":
            return found  # such a series is the file at its place: one that was changed takes the place of the former
        alike: dict[tuple[str, int], list[Known]] = {}
        for file in found:
            alike.setdefault(file.likeness, []).append(file)
        left = [file for file in known if not self._is_replaced(file, alike.get(file.likeness, []))]
        return reconciled(left, found, self._marks, self._copies.holds)

    def _is_replaced(self, file: Known, alike: list[Known]) -> bool:
        """Whether a file that lies elsewhere is one of those that were copied now."""
        if not alike or self._copies.holds(file.path):
            return False
        gone = look(file.path) is None
        return any(self._marks.are_one(file, one, gone) for one in alike)


def _looked(study: Study) -> _Part:
    """Every series with its files as the disk has them now; those that vanished since the scan are left out."""
    looked = [
        (series, [known for file, sop in _instances(series).items() if (known := look(file, sop)) is not None])
        for series in study.series
    ]
    lost = sum(len(set(series.files)) - len(known) for series, known in looked)
    return _Part(study, looked, list(study.attachments), lost=lost)


def _instances(series: Series) -> dict[Path, str]:
    """Every file with its SOP Instance UID, or nothing where the format has none."""
    return dict(zip(series.files, series.instances or [""] * len(series.files), strict=True))


def _known_files(session: Session, study_uid: str, uid: str) -> list[Known]:
    query = select(SeriesRow.number).join(StudyRow, StudyRow.number == SeriesRow.study)
    number = session.scalar(query.where(StudyRow.uid == study_uid, SeriesRow.uid == uid))
    return [] if number is None else rows.files_of(session, number)
