"""The catalogue of an archive: looking things up, and what people say of studies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from medviewer.archive.catalog import adding, rows
from medviewer.archive.catalog.copies import Copies
from medviewer.archive.catalog.entries import Added, SeriesEntry, State, StudyEntry
from medviewer.archive.catalog.paths import from_text, look
from medviewer.archive.catalog.search import Query, counting, listing
from medviewer.archive.database import BUSY_S, Database
from medviewer.archive.tables import (
    AttachmentRow,
    FileRow,
    FolderRow,
    PatientRow,
    RemovalRow,
    SeriesRow,
    StudyRow,
    TagRow,
    ThumbnailRow,
)
from medviewer.domain.provenance import utc_now
from medviewer.domain.study import Attachment, Patient, ScanResult
from medviewer.errors import NotFoundError, StoreError

PAGE = 200
"""Studies of a listing, unless more are asked for."""


class Catalog:
    """The studies of an archive. Safe to use from several threads and several processes.

    Parameters
    ----------
    home
        The archive's folder.
    database
        Its open database.
    """

    def __init__(self, home: Path, database: Database) -> None:
        self._database = database
        self._copies = Copies(home)

    # -- what comes in and goes

    def add(
        self,
        found: ScanResult,
        copy: bool = False,
        progress: Callable[[float, str], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Added:
        """Note what a scan found. What is known already is brought up to date, never doubled.

        Parameters
        ----------
        copy
            Whether the archive makes copies of the files and lists these. Files that were unpacked from a ZIP
            archive are always copied: they would be gone with the program.
        progress
            Told the part that is done, 0 to 1, and what is being done.
        cancelled
            Set by whoever wants it to stop.

        Raises
        ------
        StoreError
            If the disk or the database does not take it. What was listed by then is whole.
        JobCancelled
            If `cancelled` was set. What was listed by then is whole, and stays.
        """
        return adding.add(self._database, self._copies, found, copy, progress, cancelled)

    def remove(self, study_uid: str, wait_s: float = BUSY_S) -> None:
        """Forget a study, and delete its files in the archive: copied, unpacked, retrieved. Others are left alone.

        Masks, results and corrections of it stay.

        Raises
        ------
        NotFoundError
            If the catalogue has no such study.
        StoreError
            If the copies could not be deleted.
        """
        self.forget(study_uid, wait_s)
        self.sweep()

    def forget(self, study_uid: str, wait_s: float = BUSY_S) -> bool:
        """As `remove`, but the files are only set aside; tells whether there are some, for `sweep` to delete.

        Raises
        ------
        NotFoundError
            If the catalogue has no such study.
        StoreError
            If another program keeps the database for longer than `wait_s` seconds.
        """
        with self._database.write(wait_s) as session:
            row = _study(session, study_uid)
            rows.remove_study(session, row)
            folder = self._copies.folder_of(study_uid)
            if not folder.exists():
                return False
            # Noted in the same transaction: whenever the program is ended, no files stay that no list has.
            session.merge(RemovalRow(folder=folder.name))
        self._set_aside()
        return True

    def sweep(self) -> None:
        """Delete the files of studies that were removed, those of earlier starts too. May take long.

        Raises
        ------
        StoreError
            If the disk refuses. What is left goes with the next call.
        """
        with self._database.read() as session:
            waiting = session.scalar(select(RemovalRow.folder).limit(1)) is not None
        if waiting:
            self._set_aside()
        self._copies.delete_aside()

    def _set_aside(self) -> None:
        with self._database.write() as session:
            waiting = session.scalars(select(RemovalRow)).all()
            listed = {self._copies.folder_of(uid).name for uid in session.scalars(select(StudyRow.uid))}
            for row in waiting:
                if row.folder not in listed:  # else it was imported again before its files went
                    self._copies.set_aside(row.folder)
                session.delete(row)

    # -- looking things up

    def search(self, query: Query | str = "", limit: int = PAGE, offset: int = 0) -> list[StudyEntry]:
        """A page of the studies that match, by their patients; the patient that was seen last comes first."""
        asked = Query(query) if isinstance(query, str) else query
        with self._database.read() as session:
            return _listed(session, asked, _count(session, asked), limit, offset)

    def page(self, query: Query, limit: int = PAGE, offset: int = 0) -> tuple[list[StudyEntry], int]:
        """As `search`, with the number of all that match, both of one moment."""
        with self._database.read() as session:
            count = _count(session, query)
            return _listed(session, query, count, limit, offset), count

    def count(self, query: Query | str = "") -> int:
        """How many studies match."""
        with self._database.read() as session:
            return _count(session, Query(query) if isinstance(query, str) else query)

    def listed(self, study_uids: Iterable[str]) -> frozenset[str]:
        """Those of the studies that the catalogue has."""
        with self._database.read() as session:
            return frozenset(session.scalars(select(StudyRow.uid).where(StudyRow.uid.in_(list(study_uids)))))

    def get(self, study_uid: str) -> StudyEntry:
        """One study. Raises NotFoundError if the catalogue has none of that UID."""
        with self._database.read() as session:
            row = _study(session, study_uid)
            patient = session.get_one(PatientRow, row.patient)
            tags = session.scalars(select(TagRow.tag).where(TagRow.study == row.number).order_by(TagRow.tag))
            return _entry(row, patient, tags)

    def of_same_patient(self, study_uid: str) -> list[StudyEntry]:
        """The other studies of a study's patient. Raises NotFoundError if the catalogue has no such study."""
        with self._database.read() as session:
            row = _study(session, study_uid)
            patient = session.get_one(PatientRow, row.patient)
            query = select(StudyRow).where(StudyRow.patient == row.patient, StudyRow.number != row.number)
            return [_entry(other, patient, ()) for other in session.scalars(query.order_by(StudyRow.date))]

    def of_patient(self, patient: Patient) -> list[StudyEntry]:
        """The studies of a patient, by their date; empty for one without name and ID: nothing says who that is."""
        if not (patient.id or patient.name):
            return []
        query = select(StudyRow, PatientRow).join(PatientRow, PatientRow.number == StudyRow.patient)
        query = query.where(PatientRow.identity == rows.identity_of(patient))
        with self._database.read() as session:
            return [_entry(study, person, ()) for study, person in session.execute(query.order_by(StudyRow.date))]

    def series_of(self, study_uid: str) -> list[SeriesEntry]:
        """The series of a study, by their number."""
        query = _of_study(select(SeriesRow), SeriesRow, study_uid)
        order = SeriesRow.series_number.is_(None), SeriesRow.series_number, SeriesRow.number
        with self._database.read() as session:
            return [_series_entry(row, study_uid) for row in session.scalars(query.order_by(*order))]

    def attachments_of(self, study_uid: str) -> list[Attachment]:
        """Masks, reports and documents of a study."""
        query = _of_study(select(AttachmentRow), AttachmentRow, study_uid).order_by(AttachmentRow.number)
        with self._database.read() as session:
            return [_attachment(row) for row in session.scalars(query)]

    def files_of(self, series_uid: str) -> tuple[Path, ...]:
        """Where the files of a series were when it was last scanned."""
        query = select(SeriesRow.number).where(SeriesRow.uid == series_uid)
        with self._database.read() as session:
            return tuple(file.path for number in session.scalars(query) for file in rows.files_of(session, number))

    def files_of_study(self, study_uid: str) -> tuple[Path, ...]:
        """Where all files of a study were when they were last scanned, attachments too; each once."""
        series = _of_study(select(SeriesRow.number), SeriesRow, study_uid).order_by(SeriesRow.number)
        with self._database.read() as session:
            files = [file.path for number in session.scalars(series) for file in rows.files_of(session, number)]
        files += [attachment.file for attachment in self.attachments_of(study_uid)]
        return tuple(dict.fromkeys(files))

    def missing(self, study_uid: str) -> tuple[Path, ...]:
        """The files of a study that are no longer where they were. Looks at every one of them."""
        return tuple(path for path in self.files_of_study(study_uid) if look(path) is None)

    def absent(self, study_uids: Iterable[str]) -> frozenset[str]:
        """Those of the studies of which a series has lost its first or its last file: a quick look, for a list."""
        ends = (
            select(FileRow.series, func.min(FileRow.position).label("first"), func.max(FileRow.position).label("last"))
            .join(SeriesRow, SeriesRow.number == FileRow.series)
            .join(StudyRow, StudyRow.number == SeriesRow.study)
            .where(StudyRow.uid.in_(list(study_uids)))
            .group_by(FileRow.series)
            .subquery()
        )
        query = (
            select(StudyRow.uid, FolderRow.path, FileRow.name)
            .join(SeriesRow, SeriesRow.study == StudyRow.number)
            .join(ends, ends.c.series == SeriesRow.number)
            .join(FileRow, (FileRow.series == ends.c.series) & FileRow.position.in_([ends.c.first, ends.c.last]))
            .join(FolderRow, FolderRow.number == FileRow.folder)
        )
        with self._database.read() as session:
            places = session.execute(query).all()
        return frozenset(uid for uid, folder, name in places if look(Path(from_text(folder), from_text(name))) is None)

    def choices(self) -> tuple[list[str], list[str]]:
        """The modalities and the tags that there are, sorted."""
        with self._database.read() as session:
            modalities = set(session.scalars(select(SeriesRow.modality).distinct())) - {""}
            return sorted(modalities), list(session.scalars(select(TagRow.tag).distinct().order_by(TagRow.tag)))

    # -- what people say

    def set_state(self, study_uid: str, state: State | str, wait_s: float = BUSY_S) -> None:
        """Say where a study stands on the worklist.

        Raises
        ------
        NotFoundError
            If the catalogue has no such study.
        StoreError
            If there is no such state, or another program keeps the database for longer than `wait_s` seconds.
        """
        try:
            wanted = State(state)
        except ValueError as error:
            names = ", ".join(State)
            raise StoreError(f"A study is one of {names}, but {state!r} was asked for; choose one of these.") from error
        with self._database.write(wait_s) as session:
            _study(session, study_uid).state = wanted.value

    def set_tags(self, study_uid: str, tags: Iterable[str], wait_s: float = BUSY_S) -> tuple[str, ...]:
        """Give a study these tags and no others. Returns them as they are kept: sorted, without blanks around."""
        wanted = sorted({" ".join(rows.clean(tag).split()) for tag in tags} - {""})
        with self._database.write(wait_s) as session:
            row = _study(session, study_uid)
            session.execute(delete(TagRow).where(TagRow.study == row.number))
            session.add_all([TagRow(study=row.number, tag=tag) for tag in wanted])
            session.flush()
            rows.sum_up(session, row)
        return tuple(wanted)

    def tag(self, study_uid: str, tag: str) -> None:
        """Add a tag to a study."""
        self.set_tags(study_uid, [*self.get(study_uid).tags, tag])

    def untag(self, study_uid: str, tag: str) -> None:
        """Take a tag off a study."""
        self.set_tags(study_uid, [other for other in self.get(study_uid).tags if other != tag])

    def touch(self, study_uid: str) -> None:
        """Note that a study was opened now; one that is not in the catalogue is no error."""
        with self._database.write() as session:
            row = session.scalar(select(StudyRow).where(StudyRow.uid == study_uid))
            if row is not None:
                row.seen = session.get_one(PatientRow, row.patient).seen = utc_now()

    # -- thumbnails

    def thumbnail(self, series_uid: str) -> bytes | None:
        """The small picture of a series as PNG, or None."""
        with self._database.read() as session:
            return session.scalar(select(ThumbnailRow.png).where(ThumbnailRow.series_uid == series_uid))

    def set_thumbnail(self, series_uid: str, png: bytes) -> bool:
        """Keep a small picture of a series as PNG; False, and nothing is kept, where the series is not listed."""
        with self._database.write() as session:
            if session.scalar(select(SeriesRow.number).where(SeriesRow.uid == series_uid).limit(1)) is None:
                return False
            made = insert(ThumbnailRow).values(series_uid=series_uid, png=png)
            session.execute(made.on_conflict_do_update(index_elements=["series_uid"], set_={"png": png}))
            return True


def _study(session: Session, study_uid: str) -> StudyRow:
    row = session.scalar(select(StudyRow).where(StudyRow.uid == study_uid))
    if row is None:
        raise NotFoundError(f"The catalogue has no study {study_uid}; open or add it first.")
    return row


def _of_study(query: Any, table: Any, study_uid: str) -> Any:
    return query.join(StudyRow, StudyRow.number == table.study).where(StudyRow.uid == study_uid)


def _count(session: Session, query: Query) -> int:
    statement, values = counting(query)
    return int(session.scalar(text(statement), values) or 0)


def _listed(session: Session, query: Query, count: int, limit: int, offset: int) -> list[StudyEntry]:
    statement, values = listing(query, count)
    found = session.execute(text(statement), {**values, "limit": limit, "offset": offset}).all()
    tags: dict[int, list[str]] = {}
    for number, tag in session.execute(
        select(TagRow.study, TagRow.tag).where(TagRow.study.in_([row.number for row in found])).order_by(TagRow.tag)
    ):
        tags.setdefault(number, []).append(tag)
    return [_entry(row, row, tags.get(row.number, ())) for row in found]


def _entry(study: Any, person: Any, tags: Iterable[str]) -> StudyEntry:
    """A study of its row and its patient's, or of one row that has both."""
    return StudyEntry(
        study.uid,
        Patient(person.patient_id, person.name, person.birth_date, person.sex),
        study.date,
        study.description,
        study.accession,
        tuple(study.modalities.split()),
        study.images,
        State(study.state),
        tuple(tags),
        bool(study.copied),
        study.seen,
    )


def _series_entry(row: SeriesRow, study_uid: str) -> SeriesEntry:
    return SeriesEntry(
        row.uid,
        study_uid,
        row.modality,
        row.description,
        row.series_number,
        row.body_part,
        row.reader,
        row.size_text,
        row.slices,
        row.rows,
        row.columns,
        row.images,
        tuple(row.warnings),
    )


def _attachment(row: AttachmentRow) -> Attachment:
    return Attachment(
        row.uid,
        row.kind,
        row.title,
        Path(from_text(row.path)),
        row.modality,
        row.date,
        row.series_uid,
        tuple(row.of_series),
    )
