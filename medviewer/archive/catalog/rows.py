"""Writing into the catalogue: what a scan found becomes rows, within one transaction that somebody else opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from medviewer.archive.catalog.entries import State, clean, identity_of, images_of
from medviewer.archive.catalog.paths import Known, from_text, to_text
from medviewer.archive.catalog.search import words_of
from medviewer.archive.tables import (
    AttachmentRow,
    FileRow,
    FolderRow,
    PatientRow,
    SeriesRow,
    StudyRow,
    TagRow,
    ThumbnailRow,
)
from medviewer.domain.study import Attachment, Patient, Series, Study

_ASKED = 1000
"""Values in one question: SQLite takes no more than 32,766."""


def patient_row(session: Session, patient: Patient, study_uid: str, now: str) -> PatientRow:
    """The row of a person, brought up to date; made where there is none."""
    known = bool(patient.id or patient.name)
    identity = identity_of(patient) if known else f"study\n{study_uid}"
    row = session.scalar(select(PatientRow).where(PatientRow.identity == identity))
    if row is None:
        row = PatientRow(identity=identity, patient_id=clean(patient.id), name=clean(patient.name))
        session.add(row)
    row.birth_date, row.sex, row.seen = clean(patient.birth_date), clean(patient.sex), now
    session.flush()
    return row


def study_row(session: Session, study: Study, now: str) -> tuple[StudyRow, bool]:
    """The row of a study, brought up to date, and whether it is new.

    Reports and documents alone do not rename a study that is listed: their headers often name themselves in it.
    """
    if not study.series:
        listed = session.scalar(select(StudyRow).where(StudyRow.uid == study.uid))
        if listed is not None and listed.images:
            listed.seen = session.get_one(PatientRow, listed.patient).seen = now
            return listed, False
    patient = patient_row(session, study.patient, study.uid, now)
    row = session.scalar(select(StudyRow).where(StudyRow.uid == study.uid))
    fresh = row is None
    former = None
    if row is None:
        row = StudyRow(uid=study.uid, state=State.NEW.value, images=0, copied=False, modalities="")
        session.add(row)
    elif row.patient != patient.number:
        former = row.patient
    row.patient, row.seen = patient.number, now
    row.date, row.description = clean(study.date), clean(study.description)
    row.accession = clean(study.accession)
    session.flush()
    if former is not None:
        forget_patient(session, former)
    return row, fresh


def listed_series(session: Session, uids: Sequence[str]) -> set[str]:
    """Those of the series that the catalogue has."""
    found: set[str] = set()
    for start in range(0, len(uids), _ASKED):
        found.update(session.scalars(select(SeriesRow.uid).where(SeriesRow.uid.in_(uids[start : start + _ASKED]))))
    return found


def series_row(session: Session, study: int, series: Series, files: Sequence[Known], alone: bool) -> bool:
    """Write a series and its files; tells whether it is new.

    A scan of a part of its files does not make the series smaller.

    Parameters
    ----------
    alone
        Whether the study is new, and so has no such series.
    """
    row = None
    if not alone:
        row = session.scalar(select(SeriesRow).where(SeriesRow.study == study, SeriesRow.uid == series.uid))
    fresh = row is None
    if row is None:
        row = SeriesRow(study=study, uid=series.uid, images=0)
        session.add(row)
    images = images_of(series)
    if images >= row.images:
        row.slices, row.rows, row.columns = series.grid.shape
        row.images, row.size_text = images, series.size_text
        row.warnings = [clean(warning.text) for warning in series.warnings]
    row.modality, row.description = clean(series.modality), clean(series.description)
    row.series_number, row.body_part, row.reader = series.number, clean(series.body_part), series.reader
    session.flush()
    if fresh or not _are_same(files, files_of(session, row.number)):
        _write_files(session, row.number, files, fresh)
    return fresh


def _are_same(files: Sequence[Known], former: Sequence[Known]) -> bool:
    return [(file, file.mark, file.sop) for file in files] == [(file, file.mark, file.sop) for file in former]


def files_of(session: Session, series: int) -> list[Known]:
    """The files of a series in their order."""
    query = (
        select(FolderRow.path, FileRow.name, FileRow.size, FileRow.mtime_ns, FileRow.mark, FileRow.sop)
        .join(FolderRow, FolderRow.number == FileRow.folder)
        .where(FileRow.series == series)
        .order_by(FileRow.position)
    )
    return [
        Known(Path(from_text(folder), from_text(name)), size, mtime_ns, mark, sop)
        for folder, name, size, mtime_ns, mark, sop in session.execute(query)
    ]


def listed_among(session: Session, files: Sequence[Path]) -> set[Path]:
    """Those of the files that the catalogue lists, as images or attachments, and what lies beside them."""
    found: set[Path] = set()
    for folder in {file.parent for file in files}:
        names = select(FileRow.name).join(FolderRow, FolderRow.number == FileRow.folder)
        within = session.scalars(names.where(FolderRow.path == to_text(str(folder))))
        found.update(folder / from_text(name) for name in within)
    for file in files:
        if session.scalar(select(AttachmentRow.number).where(AttachmentRow.path == to_text(str(file))).limit(1)):
            found.add(file)
    return found


def _write_files(session: Session, series: int, files: Sequence[Known], fresh: bool) -> None:
    former: set[int] = set()
    if not fresh:
        former = set(session.scalars(select(FileRow.folder).where(FileRow.series == series)))
        session.execute(delete(FileRow).where(FileRow.series == series))
    folders: dict[Path, int] = {}
    for file in files:
        if file.path.parent not in folders:
            folders[file.path.parent] = _folder(session, file.path.parent)
    rows = [
        {
            "series": series,
            "position": k,
            "folder": folders[file.path.parent],
            "name": to_text(file.path.name),
            "size": file.size,
            "mtime_ns": file.mtime_ns,
            "mark": file.mark,
            "sop": file.sop,
        }
        for k, file in enumerate(files)
    ]
    if rows:
        session.execute(FileRow.__table__.insert(), rows)  # type: ignore[attr-defined]  # declared as its base
    forget_folders(session, former - set(folders.values()))


def _folder(session: Session, path: Path) -> int:
    name = to_text(str(path))
    row = session.scalar(select(FolderRow).where(FolderRow.path == name))
    if row is None:
        row = FolderRow(path=name)
        session.add(row)
        session.flush()
    return row.number


def attachment_row(session: Session, study: int, attachment: Attachment) -> None:
    """Write an attachment, or bring it up to date."""
    row = session.scalar(select(AttachmentRow).where(AttachmentRow.study == study, AttachmentRow.uid == attachment.uid))
    if row is None:
        row = AttachmentRow(study=study, uid=attachment.uid)
        session.add(row)
    row.kind, row.title, row.path = attachment.kind, clean(attachment.title), to_text(str(attachment.file))
    row.modality, row.date = clean(attachment.modality), clean(attachment.date)
    row.series_uid, row.of_series = attachment.series_uid, list(attachment.of_series)
    session.flush()


def sum_up(session: Session, row: StudyRow, fresh: bool = False) -> None:
    """Bring what a study says of its series, and the index of the search, up to date; a new one is not in it yet."""
    series = session.scalars(select(SeriesRow).where(SeriesRow.study == row.number)).all()
    row.modalities = " ".join(sorted({one.modality for one in series if one.modality}))
    row.images = sum(one.images for one in series)
    patient = session.get_one(PatientRow, row.patient)
    tags = [] if fresh else session.scalars(select(TagRow.tag).where(TagRow.study == row.number)).all()
    parts = [patient.name, patient.patient_id, row.description, row.accession, row.modalities, *tags]
    parts += sorted({word for one in series for word in (one.description, one.body_part)})
    session.flush()
    if not fresh:
        _unindex(session, row.number)
    session.execute(
        text("INSERT INTO catalog_search (rowid, words) VALUES (:number, :words)"),
        {"number": row.number, "words": words_of(parts, [row.date])},
    )


def remove_study(session: Session, row: StudyRow) -> None:
    """Forget a study with all that hangs on it, and its patient where it was the last one."""
    series = session.scalars(select(SeriesRow).where(SeriesRow.study == row.number)).all()
    numbers = [one.number for one in series]
    folders = set(session.scalars(select(FileRow.folder).where(FileRow.series.in_(numbers))))
    session.execute(delete(FileRow).where(FileRow.series.in_(numbers)))
    session.execute(delete(ThumbnailRow).where(ThumbnailRow.series_uid.in_([one.uid for one in series])))
    for table in (SeriesRow, AttachmentRow, TagRow):
        session.execute(delete(table).where(table.study == row.number))
    _unindex(session, row.number)
    patient = row.patient
    session.delete(row)
    session.flush()
    forget_folders(session, folders)
    forget_patient(session, patient)
    # Without this the words of what was removed stay readable in the index until it happens to be merged.
    session.execute(text("INSERT INTO catalog_search (catalog_search) VALUES ('optimize')"))


def forget_patient(session: Session, number: int) -> None:
    """Forget a patient who has no study any more."""
    if not session.scalar(select(func.count()).select_from(StudyRow).where(StudyRow.patient == number)):
        session.execute(delete(PatientRow).where(PatientRow.number == number))


def forget_folders(session: Session, numbers: set[int]) -> None:
    """Forget folders in which no file lies any more."""
    for number in numbers:
        if session.scalar(select(FileRow.series).where(FileRow.folder == number).limit(1)) is None:
            session.execute(delete(FolderRow).where(FolderRow.number == number))


def _unindex(session: Session, number: int) -> None:
    session.execute(text("DELETE FROM catalog_search WHERE rowid = :number"), {"number": number})
