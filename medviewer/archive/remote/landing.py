"""Where retrieved objects go: ``studies/<study>/<series>/<object>.dcm``, by hashes of their UIDs.

A UID comes from outside, so it never becomes part of a path itself. A file has its name only once it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from medviewer.archive.home import make_folder
from medviewer.archive.incoming import FOLDER, hashed, incoming, study_folder
from medviewer.archive.remote.room import Room
from medviewer.errors import RemoteError, StoreError, UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import read_header

MAX_OBJECT = 2 << 30
"""Bytes of the largest object that is taken from the network."""


class Landing:
    """Takes the objects of one series that were asked for, and no others. Safe to use from several threads.

    Parameters
    ----------
    home
        The archive's folder.
    study_uid, series_uid
        The series.
    wanted
        SOP Instance UIDs that may land; empty where the archive could not list them: then any of the series may.
    arrived
        Called after each new object.
    max_object
        Bytes that one object may have.
    room
        What the whole retrieval may bring.
    """

    def __init__(
        self,
        home: Path,
        study_uid: str,
        series_uid: str,
        wanted: Sequence[str],
        arrived: Callable[[], None] = lambda: None,
        max_object: int = MAX_OBJECT,
        room: Room | None = None,
    ) -> None:
        self.study_uid, self.series_uid = study_uid, series_uid
        self.folder = study_folder(home, study_uid) / hashed(series_uid)
        self._studies = home / FOLDER
        self.wanted = frozenset(wanted)
        self.max_object = max_object
        self._arrived = arrived
        self._room = Room(self._studies) if room is None else room
        self._sizes = self._count = 0  # a little off where connections run side by side: an estimate
        self._missing: int | None = None

    def path(self, sop_uid: str) -> Path:
        """Where an object lies, or will lie."""
        return self.folder / f"{hashed(sop_uid)}.dcm"

    def has(self, sop_uid: str) -> bool:
        """Whether an object is on disk, whole."""
        return self.path(sop_uid).is_file()

    def count(self) -> int:
        """How many objects of the series are on disk."""
        return sum(1 for _ in self.folder.glob("*.dcm"))

    def admits(self, sop_uid: str) -> bool:
        """Whether that object was asked for."""
        return not self.wanted or sop_uid in self.wanted

    @property
    def is_full(self) -> bool:
        """Whether more came that nobody listed than is taken."""
        return self._room.is_spent

    def take(self, write: Callable[[BinaryIO], object]) -> None:
        """Write an object as it came, check what it is, and give it its name.

        Parameters
        ----------
        write
            Writes the whole file, preamble and all, to the stream that it is given.

        Raises
        ------
        RemoteError
            If it is no DICOM, or an object that was not asked for.
        StoreError
            If the disk does not take it, or will not take the rest of the series.
        """
        make_folder(self.folder)
        self._room.check()
        if self._missing is None:
            self._missing = sum(not self.has(uid) for uid in self.wanted)
        missing = self._missing
        try:
            with incoming(self._studies) as (temporary, stream):
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
                target = self.path(self._identify(temporary))
                size = stream.tell()
                if not self.wanted:
                    self._room.unlisted(size)
                if os.name == "nt":
                    stream.close()  # Windows renames no open file
                new = not target.exists()
                temporary.replace(target)
        except OSError as error:
            raise StoreError(
                f"A retrieved object could not be written to {self.folder.parent.parent}; free some space.", str(error)
            ) from error
        if new:
            self._arrived()
            self._sizes, self._count = self._sizes + size, self._count + 1
            if self.wanted:
                self._room.check_rest(self._sizes, self._count, max(missing - self._count, 0))

    def _identify(self, file: Path) -> str:
        """The SOP Instance UID of a file that belongs here."""
        try:
            header = read_header(file)  # bounded, whatever the bytes are
        except UnreadableError as error:
            raise RemoteError(
                "The archive should send DICOM objects, but sent something else; ask who runs it.", error.details
            ) from None
        uids = (t.SOP_INSTANCE_UID, t.SERIES_INSTANCE_UID, t.STUDY_INSTANCE_UID)
        sop, series, study = (header.plain(tag) for tag in uids)
        if (series, study) != (self.series_uid, self.study_uid) or not sop or not self.admits(sop):
            raise RemoteError("The archive sent an object that was not asked for; it was refused.")
        return sop
