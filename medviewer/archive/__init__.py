"""What medviewer keeps on this machine: a database, and files beside it.

The folder holds ``medviewer.db``, ``masks/``, ``heatmaps/``, ``images/`` (the voxels of queued cases), ``studies/``
(copies of image files, where somebody asked for them), ``models/`` (weights), ``journal/`` (strokes not yet saved),
``backups/`` and ``patient.key``.

Who was imaged stands in two of them: the catalogue in ``medviewer.db``, and its copies in ``backups/``, hold the names,
IDs, birth dates and study texts of what was opened, and the reports that were written; ``studies/`` holds files as
they came. All else has neither names nor IDs. The folder, the database and the copies can be read by this user only.
"""

from __future__ import annotations

import hashlib
import importlib
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from medviewer.archive import journal as journals
from medviewer.archive.catalog import Catalog
from medviewer.archive.database import FILE_NAME, Database
from medviewer.archive.home import home as default_home
from medviewer.archive.journal import Journal, JournalHeader
from medviewer.archive.patient_key import patient_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medviewer.archive.blobs import ReadAhead
    from medviewer.archive.masks import MaskRecord, MaskStore
    from medviewer.archive.measurements import Kept, MeasurementStore
    from medviewer.archive.reports import ReportStore
    from medviewer.archive.results import HeatmapRecord, ResultStore

__all__ = [
    "Archive",
    "Catalog",
    "HeatmapRecord",
    "Journal",
    "JournalHeader",
    "Kept",
    "MaskRecord",
    "MaskStore",
    "MeasurementStore",
    "ReportStore",
    "ResultStore",
]

_JOURNALS = "journal"
_HOMES = {
    "HeatmapRecord": "results",
    "Kept": "measurements",
    "MaskRecord": "masks",
    "MaskStore": "masks",
    "MeasurementStore": "measurements",
    "ReportStore": "reports",
    "ResultStore": "results",
}
"""What brings in SQLAlchemy, and where it is: a window that lists its studies does without it."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


class Archive:
    """One open archive; a context manager. Safe to use from several threads and several processes.

    Parameters
    ----------
    home
        Its folder.
    database
        Its open database.

    Attributes
    ----------
    catalog
        What was opened. It can be read at once; the other stores import SQLAlchemy when they are first asked for.
    """

    def __init__(self, home: Path, database: Database) -> None:
        self.home = home
        self.catalog = Catalog(home, database)
        self._database = database

    @cached_property
    def ahead(self) -> ReadAhead:
        """Masks and heat maps that were read before they are asked for."""
        from medviewer.archive.blobs import ReadAhead

        return ReadAhead()

    @cached_property
    def masks(self) -> MaskStore:
        """The store of segmentations."""
        from medviewer.archive.masks import MaskStore

        return MaskStore(self.home, self._database, self.ahead)

    @cached_property
    def results(self) -> ResultStore:
        """The store of classifications, detections and heat maps."""
        from medviewer.archive.results import ResultStore

        return ResultStore(self.home, self._database, self.ahead)

    @cached_property
    def measurements(self) -> MeasurementStore:
        """The store of what people measure and mark."""
        from medviewer.archive.measurements import MeasurementStore

        return MeasurementStore(self._database)

    @cached_property
    def reports(self) -> ReportStore:
        """The store of what people write."""
        from medviewer.archive.reports import ReportStore

        return ReportStore(self._database)

    @classmethod
    def open(cls, home: Path | None = None) -> Archive:
        """Open the archive in a folder, by default the user's; make or upgrade it where needed.

        Raises
        ------
        StoreError
            If it cannot be opened, or is from a newer medviewer.
        """
        folder = default_home() if home is None else home
        return cls(folder, Database(folder / FILE_NAME))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def session(self) -> AbstractContextManager[Session]:
        """A transaction that may write, and commits at its end; the only writer while it is open."""
        return self._database.write()

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that only reads and waits for nobody."""
        return self._database.read()

    def journal_for(self, series_uid: str) -> Journal:
        """The crash journal of a series; nothing is opened yet."""
        key = hashlib.sha256(series_uid.encode()).hexdigest()[:32]
        return Journal(self.home / _JOURNALS / f"{key}{journals.SUFFIX}")

    def abandoned_journals(self) -> list[tuple[JournalHeader, Journal]]:
        """Journals that a program which ended left behind with strokes in them: what a crash did not lose."""
        found = []
        for path in sorted((self.home / _JOURNALS).glob(f"*{journals.SUFFIX}")):
            header = journals.read_header(path)
            if header is not None and journals.abandoned(path) and journals.read(path):
                found.append((header, Journal(path)))
        return found

    def patient_key(self, patient_id: str, study_uid: str = "") -> str:
        """Keyed hash of a patient's ID, or of the study's UID where there is none. See `patient_key`."""
        return patient_key(self.home, patient_id, study_uid)
