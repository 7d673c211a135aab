"""Looking things up in the catalogue, in plain SQL: the window lists studies before SQLAlchemy is imported.

Each function takes a connection of `Database.look`, so that several answers are of one moment.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from medviewer.archive.catalog.entries import SeriesEntry, State, StudyEntry
from medviewer.archive.catalog.paths import from_text
from medviewer.archive.catalog.search import Query, counting, listing
from medviewer.domain.study import Attachment, Patient
from medviewer.errors import NotFoundError

_ANY = "(SELECT value FROM json_each(?))"
"""Any of a list that is given as JSON: as many as there are, where SQLite limits the number of values."""

_STUDY = """
SELECT s.number AS number, s.uid AS uid, s.date AS date, s.description AS description, s.accession AS accession,
       s.modalities AS modalities, s.images AS images, s.state AS state, s.copied AS copied, s.seen AS seen,
       s.patient AS patient, p.patient_id AS patient_id, p.name AS name, p.birth_date AS birth_date, p.sex AS sex
FROM catalog_studies s JOIN catalog_patients p ON p.number = s.patient
"""

_FILES = """
SELECT d.path AS folder, f.name AS name
FROM catalog_files f JOIN catalog_folders d ON d.number = f.folder
WHERE f.series = ? ORDER BY f.position
"""

_ENDS = f"""
SELECT s.uid AS uid, d.path AS folder, f.name AS name
FROM (
    SELECT f.series AS series, min(f.position) AS first, max(f.position) AS last
    FROM catalog_studies s
    JOIN catalog_series r ON r.study = s.number
    JOIN catalog_files f ON f.series = r.number
    WHERE s.uid IN {_ANY} GROUP BY f.series
) ends
JOIN catalog_series r ON r.number = ends.series
JOIN catalog_studies s ON s.number = r.study
JOIN catalog_files f ON f.series = ends.series AND f.position IN (ends.first, ends.last)
JOIN catalog_folders d ON d.number = f.folder
"""


def count(connection: sqlite3.Connection, query: Query) -> int:
    """How many studies match."""
    statement, values = counting(query)
    return int(connection.execute(statement, values).fetchone()[0])


def page(connection: sqlite3.Connection, query: Query, matching: int, limit: int, offset: int) -> list[StudyEntry]:
    """A page of the studies that match, by their patients; the patient that was seen last comes first.

    Parameters
    ----------
    matching
        How many match.
    """
    statement, values = listing(query, matching)
    found = connection.execute(statement, {**values, "limit": limit, "offset": offset}).fetchall()
    numbers = json.dumps([row["number"] for row in found])
    tags: dict[int, list[str]] = {}
    for row in connection.execute(f"SELECT study, tag FROM catalog_tags WHERE study IN {_ANY} ORDER BY tag", [numbers]):
        tags.setdefault(row["study"], []).append(row["tag"])
    return [_entry(row, tags.get(row["number"], ())) for row in found]


def listed(connection: sqlite3.Connection, study_uids: Iterable[str]) -> frozenset[str]:
    """Those of the studies that the catalogue has."""
    found = connection.execute(f"SELECT uid FROM catalog_studies WHERE uid IN {_ANY}", [json.dumps(list(study_uids))])
    return frozenset(row["uid"] for row in found)


def study(connection: sqlite3.Connection, study_uid: str) -> StudyEntry:
    """One study, with its tags. Raises NotFoundError if the catalogue has none of that UID."""
    row = _study(connection, study_uid)
    tags = connection.execute("SELECT tag FROM catalog_tags WHERE study = ? ORDER BY tag", [row["number"]])
    return _entry(row, [tag["tag"] for tag in tags])


def of_same_patient(connection: sqlite3.Connection, study_uid: str) -> list[StudyEntry]:
    """The other studies of a study's patient, by their date, without tags. Raises NotFoundError as `study` does."""
    row = _study(connection, study_uid)
    others = f"{_STUDY} WHERE s.patient = ? AND s.number != ? ORDER BY s.date"
    return [_entry(other, ()) for other in connection.execute(others, [row["patient"], row["number"]])]


def of_patient(connection: sqlite3.Connection, identity: str) -> list[StudyEntry]:
    """The studies of a patient, by their date, without tags."""
    found = connection.execute(f"{_STUDY} WHERE p.identity = ? ORDER BY s.date", [identity])
    return [_entry(row, ()) for row in found]


def series_of(connection: sqlite3.Connection, study_uid: str) -> list[SeriesEntry]:
    """The series of a study, by their number; those without one come last."""
    query = """
    SELECT r.* FROM catalog_series r JOIN catalog_studies s ON s.number = r.study
    WHERE s.uid = ? ORDER BY r.series_number IS NULL, r.series_number, r.number
    """
    return [_series_entry(row, study_uid) for row in connection.execute(query, [study_uid])]


def attachments_of(connection: sqlite3.Connection, study_uid: str) -> list[Attachment]:
    """Masks, reports and documents of a study."""
    query = """
    SELECT a.* FROM catalog_attachments a JOIN catalog_studies s ON s.number = a.study
    WHERE s.uid = ? ORDER BY a.number
    """
    return [_attachment(row) for row in connection.execute(query, [study_uid])]


def files_of(connection: sqlite3.Connection, series_uid: str) -> tuple[Path, ...]:
    """Where the files of a series were when it was last scanned, in each study that has it."""
    series = connection.execute("SELECT number FROM catalog_series WHERE uid = ? ORDER BY number", [series_uid])
    return tuple(path for row in series.fetchall() for path in _files(connection, row["number"]))


def files_of_study(connection: sqlite3.Connection, study_uid: str) -> tuple[Path, ...]:
    """Where all files of a study were when they were last scanned, attachments too; each once."""
    query = """
    SELECT r.number AS number FROM catalog_series r JOIN catalog_studies s ON s.number = r.study
    WHERE s.uid = ? ORDER BY r.number
    """
    series = connection.execute(query, [study_uid]).fetchall()
    files = [path for row in series for path in _files(connection, row["number"])]
    files += [attachment.file for attachment in attachments_of(connection, study_uid)]
    return tuple(dict.fromkeys(files))


def ends(connection: sqlite3.Connection, study_uids: Iterable[str]) -> list[tuple[str, Path]]:
    """The first and the last file of each series of the studies, each with its study's UID."""
    found = connection.execute(_ENDS, [json.dumps(list(study_uids))])
    return [(row["uid"], _path(row)) for row in found]


def has_removals(connection: sqlite3.Connection) -> bool:
    """Whether files of studies that were removed are still to be set aside."""
    return connection.execute("SELECT 1 FROM catalog_removals LIMIT 1").fetchone() is not None


def choices(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """The modalities and the tags that there are, sorted."""
    modalities = connection.execute("SELECT DISTINCT modality FROM catalog_series WHERE modality != ''")
    tags = connection.execute("SELECT DISTINCT tag FROM catalog_tags ORDER BY tag")
    return sorted(row["modality"] for row in modalities), [row["tag"] for row in tags]


def thumbnail(connection: sqlite3.Connection, series_uid: str) -> bytes | None:
    """The small picture of a series as PNG, or None."""
    row = connection.execute("SELECT png FROM catalog_thumbnails WHERE series_uid = ?", [series_uid]).fetchone()
    return None if row is None else bytes(row["png"])


def not_listed(study_uid: str) -> NotFoundError:
    """What is raised where the catalogue has no study of that UID."""
    return NotFoundError(f"The catalogue has no study {study_uid}; open or add it first.")


def _study(connection: sqlite3.Connection, study_uid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(f"{_STUDY} WHERE s.uid = ?", [study_uid]).fetchone()
    if row is None:
        raise not_listed(study_uid)
    return row


def _files(connection: sqlite3.Connection, series: int) -> list[Path]:
    return [_path(row) for row in connection.execute(_FILES, [series])]


def _path(row: sqlite3.Row) -> Path:
    return Path(from_text(row["folder"]), from_text(row["name"]))


def _entry(row: sqlite3.Row, tags: Iterable[str]) -> StudyEntry:
    """A study of a row that has its patient too."""
    return StudyEntry(
        row["uid"],
        Patient(row["patient_id"], row["name"], row["birth_date"], row["sex"]),
        row["date"],
        row["description"],
        row["accession"],
        tuple(row["modalities"].split()),
        row["images"],
        State(row["state"]),
        tuple(tags),
        bool(row["copied"]),
        row["seen"],
    )


def _series_entry(row: sqlite3.Row, study_uid: str) -> SeriesEntry:
    return SeriesEntry(
        row["uid"],
        study_uid,
        row["modality"],
        row["description"],
        row["series_number"],
        row["body_part"],
        row["reader"],
        row["size_text"],
        row["slices"],
        row["rows"],
        row["columns"],
        row["images"],
        tuple(json.loads(row["warnings"])),
    )


def _attachment(row: sqlite3.Row) -> Attachment:
    return Attachment(
        row["uid"],
        row["kind"],
        row["title"],
        Path(from_text(row["path"])),
        row["modality"],
        row["date"],
        row["series_uid"],
        tuple(json.loads(row["of_series"])),
    )
