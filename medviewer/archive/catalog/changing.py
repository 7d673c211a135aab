"""Changing what the catalogue says of studies that it has: each function is one transaction, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from medviewer.archive.catalog import rows
from medviewer.archive.catalog.copies import Copies
from medviewer.archive.catalog.entries import State, clean
from medviewer.archive.catalog.reading import not_listed
from medviewer.archive.database import Database
from medviewer.archive.tables import PatientRow, RemovalRow, SeriesRow, StudyRow, TagRow, ThumbnailRow
from medviewer.domain.provenance import utc_now


def forget(database: Database, copies: Copies, study_uid: str, wait_s: float) -> bool:
    """Forget a study, and note that its files in the archive are to go; tells whether there are some."""
    with database.write(wait_s) as session:
        row = _study(session, study_uid)
        rows.remove_study(session, row)
        folder = copies.folder_of(study_uid)
        if not folder.exists():
            return False
        # Noted in the same transaction: whenever the program is ended, no files stay that no list has.
        session.merge(RemovalRow(folder=folder.name))
    return True


def set_aside(database: Database, copies: Copies) -> None:
    """Set the files of studies that were removed aside, unless they were imported again since."""
    with database.write() as session:
        waiting = session.scalars(select(RemovalRow)).all()
        listed = {copies.folder_of(uid).name for uid in session.scalars(select(StudyRow.uid))}
        for row in waiting:
            if row.folder not in listed:  # else it was imported again before its files went
                copies.set_aside(row.folder)
            session.delete(row)


def set_state(database: Database, study_uid: str, state: State, wait_s: float) -> None:
    """Say where a study stands on the worklist."""
    with database.write(wait_s) as session:
        _study(session, study_uid).state = state.value


def set_tags(database: Database, study_uid: str, tags: Iterable[str], wait_s: float) -> tuple[str, ...]:
    """Give a study these tags and no others. Returns them as they are kept: sorted, without blanks around."""
    wanted = sorted({" ".join(clean(tag).split()) for tag in tags} - {""})
    with database.write(wait_s) as session:
        row = _study(session, study_uid)
        session.execute(delete(TagRow).where(TagRow.study == row.number))
        session.add_all([TagRow(study=row.number, tag=tag) for tag in wanted])
        session.flush()
        rows.sum_up(session, row)
    return tuple(wanted)


def touch(database: Database, study_uid: str) -> None:
    """Note that a study was opened now; one that is not in the catalogue is no error."""
    with database.write() as session:
        row = session.scalar(select(StudyRow).where(StudyRow.uid == study_uid))
        if row is not None:
            row.seen = session.get_one(PatientRow, row.patient).seen = utc_now()


def set_thumbnail(database: Database, series_uid: str, png: bytes) -> bool:
    """Keep a small picture of a series as PNG; False, and nothing is kept, where the series is not listed."""
    with database.write() as session:
        if session.scalar(select(SeriesRow.number).where(SeriesRow.uid == series_uid).limit(1)) is None:
            return False
        made = insert(ThumbnailRow).values(series_uid=series_uid, png=png)
        session.execute(made.on_conflict_do_update(index_elements=["series_uid"], set_={"png": png}))
        return True


def _study(session: Session, study_uid: str) -> StudyRow:
    row = session.scalar(select(StudyRow).where(StudyRow.uid == study_uid))
    if row is None:
        raise not_listed(study_uid)
    return row
