"""Where retrieved objects go: ``studies/<study>/<series>/<object>.dcm``, by hashes of their UIDs.

A UID comes from outside, so it never becomes part of a path itself. A file has its name only once it is whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from medviewer.archive.home import make_folder
from medviewer.errors import RemoteError, StoreError
from medviewer.formats.dicom.quiet import quiet

FOLDER = "studies"
MAX_OBJECT = 2 << 30
"""Bytes of the largest object that is taken from the network."""

_TAGS = ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"]


def hashed(uid: str) -> str:
    """A file name for a UID: 32 hexadecimal digits."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def study_folder(home: Path, study_uid: str) -> Path:
    """The folder of a study below the archive's folder."""
    return home / FOLDER / hashed(study_uid)


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
    """

    def __init__(
        self,
        home: Path,
        study_uid: str,
        series_uid: str,
        wanted: Sequence[str],
        arrived: Callable[[], None] = lambda: None,
        max_object: int = MAX_OBJECT,
    ) -> None:
        self.study_uid, self.series_uid = study_uid, series_uid
        self.folder = study_folder(home, study_uid) / hashed(series_uid)
        self.wanted = frozenset(wanted)
        self.max_object = max_object
        self._arrived = arrived

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
            If the disk does not take it.
        """
        make_folder(self.folder)
        temporary = self.folder / f".{uuid4().hex}.tmp"
        try:
            with temporary.open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            target = self.path(self._identify(temporary))
            new = not target.exists()
            temporary.replace(target)
        except OSError as error:
            raise StoreError(
                f"A retrieved object could not be written to {self.folder.parent.parent}; free some space.", str(error)
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        if new:
            self._arrived()

    def _identify(self, file: Path) -> str:
        """The SOP Instance UID of a file that belongs here."""
        try:
            with quiet():
                header = dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
                sop, series, study = (str(header.get(keyword, "")) for keyword in _TAGS)
        except (InvalidDicomError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
            raise RemoteError(
                "The archive should send DICOM objects, but sent something else; ask who runs it.", type(error).__name__
            ) from None
        if (series, study) != (self.series_uid, self.study_uid) or not sop or not self.admits(sop):
            raise RemoteError("The archive sent an object that was not asked for; it was refused.")
        return sop
