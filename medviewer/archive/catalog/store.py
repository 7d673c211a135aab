"""The catalogue of an archive: looking things up, and what people say of studies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from medviewer.archive.catalog import reading
from medviewer.archive.catalog.copies import Copies
from medviewer.archive.catalog.entries import Added, SeriesEntry, State, StudyEntry, identity_of
from medviewer.archive.catalog.paths import look
from medviewer.archive.catalog.search import Query
from medviewer.archive.database import BUSY_S, Database
from medviewer.domain.study import Attachment, Patient, ScanResult
from medviewer.errors import StoreError

PAGE = 200
"""Studies of a listing, unless more are asked for."""


class Catalog:
    """The studies of an archive. Safe to use from several threads and several processes.

    What is only read needs nothing but SQLite; what changes something imports SQLAlchemy with its first call.

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
        from medviewer.archive.catalog import adding

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
        from medviewer.archive.catalog import changing

        if not changing.forget(self._database, self._copies, study_uid, wait_s):
            return False
        self._set_aside()
        return True

    def sweep(self) -> None:
        """Delete the files of studies that were removed, those of earlier starts too. May take long.

        Raises
        ------
        StoreError
            If the disk refuses. What is left goes with the next call.
        """
        with self._database.look() as connection:
            waiting = reading.has_removals(connection)
        if waiting:
            self._set_aside()
        self._copies.delete_aside()

    def _set_aside(self) -> None:
        from medviewer.archive.catalog import changing

        changing.set_aside(self._database, self._copies)

    # -- looking things up

    def search(self, query: Query | str = "", limit: int = PAGE, offset: int = 0) -> list[StudyEntry]:
        """A page of the studies that match, by their patients; the patient that was seen last comes first."""
        return self.page(Query(query) if isinstance(query, str) else query, limit, offset)[0]

    def page(self, query: Query, limit: int = PAGE, offset: int = 0) -> tuple[list[StudyEntry], int]:
        """As `search`, with the number of all that match, both of one moment."""
        with self._database.look() as connection:
            count = reading.count(connection, query)
            return reading.page(connection, query, count, limit, offset), count

    def count(self, query: Query | str = "") -> int:
        """How many studies match."""
        with self._database.look() as connection:
            return reading.count(connection, Query(query) if isinstance(query, str) else query)

    def listed(self, study_uids: Iterable[str]) -> frozenset[str]:
        """Those of the studies that the catalogue has."""
        with self._database.look() as connection:
            return reading.listed(connection, study_uids)

    def get(self, study_uid: str) -> StudyEntry:
        """One study. Raises NotFoundError if the catalogue has none of that UID."""
        with self._database.look() as connection:
            return reading.study(connection, study_uid)

    def of_same_patient(self, study_uid: str) -> list[StudyEntry]:
        """The other studies of a study's patient. Raises NotFoundError if the catalogue has no such study."""
        with self._database.look() as connection:
            return reading.of_same_patient(connection, study_uid)

    def of_patient(self, patient: Patient) -> list[StudyEntry]:
        """The studies of a patient, by their date; empty for one without name and ID: nothing says who that is."""
        if not (patient.id or patient.name):
            return []
        with self._database.look() as connection:
            return reading.of_patient(connection, identity_of(patient))

    def series_of(self, study_uid: str) -> list[SeriesEntry]:
        """The series of a study, by their number."""
        with self._database.look() as connection:
            return reading.series_of(connection, study_uid)

    def attachments_of(self, study_uid: str) -> list[Attachment]:
        """Masks, reports and documents of a study."""
        with self._database.look() as connection:
            return reading.attachments_of(connection, study_uid)

    def files_of(self, series_uid: str) -> tuple[Path, ...]:
        """Where the files of a series were when it was last scanned."""
        with self._database.look() as connection:
            return reading.files_of(connection, series_uid)

    def files_of_study(self, study_uid: str) -> tuple[Path, ...]:
        """Where all files of a study were when they were last scanned, attachments too; each once."""
        with self._database.look() as connection:
            return reading.files_of_study(connection, study_uid)

    def missing(self, study_uid: str) -> tuple[Path, ...]:
        """The files of a study that are no longer where they were. Looks at every one of them."""
        return tuple(path for path in self.files_of_study(study_uid) if look(path) is None)

    def absent(self, study_uids: Iterable[str]) -> frozenset[str]:
        """Those of the studies of which a series has lost its first or its last file: a quick look, for a list."""
        with self._database.look() as connection:
            places = reading.ends(connection, study_uids)
        return frozenset(uid for uid, path in places if look(path) is None)

    def choices(self) -> tuple[list[str], list[str]]:
        """The modalities and the tags that there are, sorted."""
        with self._database.look() as connection:
            return reading.choices(connection)

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
        from medviewer.archive.catalog import changing

        try:
            wanted = State(state)
        except ValueError as error:
            names = ", ".join(State)
            raise StoreError(f"A study is one of {names}, but {state!r} was asked for; choose one of these.") from error
        changing.set_state(self._database, study_uid, wanted, wait_s)

    def set_tags(self, study_uid: str, tags: Iterable[str], wait_s: float = BUSY_S) -> tuple[str, ...]:
        """Give a study these tags and no others. Returns them as they are kept: sorted, without blanks around."""
        from medviewer.archive.catalog import changing

        return changing.set_tags(self._database, study_uid, tags, wait_s)

    def tag(self, study_uid: str, tag: str) -> None:
        """Add a tag to a study."""
        self.set_tags(study_uid, [*self.get(study_uid).tags, tag])

    def untag(self, study_uid: str, tag: str) -> None:
        """Take a tag off a study."""
        self.set_tags(study_uid, [other for other in self.get(study_uid).tags if other != tag])

    def touch(self, study_uid: str) -> None:
        """Note that a study was opened now; one that is not in the catalogue is no error."""
        from medviewer.archive.catalog import changing

        changing.touch(self._database, study_uid)

    # -- thumbnails

    def thumbnail(self, series_uid: str) -> bytes | None:
        """The small picture of a series as PNG, or None."""
        with self._database.look() as connection:
            return reading.thumbnail(connection, series_uid)

    def set_thumbnail(self, series_uid: str, png: bytes) -> bool:
        """Keep a small picture of a series as PNG; False, and nothing is kept, where the series is not listed."""
        from medviewer.archive.catalog import changing

        return changing.set_thumbnail(self._database, series_uid, png)
