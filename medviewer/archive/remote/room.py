"""How much a retrieval may bring: what the disk has room for, and a bound on what the archive does not list."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from medviewer.archive.home import make_folder
from medviewer.errors import RemoteError, StoreError

RESERVE = 256 * 1024**2
"""Bytes that stay free on the disk, so that masks can still be saved."""
MAX_OBJECTS, MAX_BYTES = 100_000, 256 << 30
"""What is taken of a study whose objects the archive does not list."""
_ENOUGH = 8
"""Objects of a series after which its others are believed to be of their size: an archive does not tell it before."""


class Room:
    """Counts what a retrieval brings. Safe to use from several threads.

    Parameters
    ----------
    folder
        Where it goes; made when missing.
    """

    def __init__(self, folder: Path, max_objects: int = MAX_OBJECTS, max_bytes: int = MAX_BYTES) -> None:
        self._folder = make_folder(folder)
        self._objects_left, self._bytes_left = max_objects, max_bytes
        self._max_objects, self._max_bytes = max_objects, max_bytes
        self._lock = threading.Lock()

    def check(self, needed: int = 0) -> None:
        """Raise StoreError unless that many bytes fit on the disk."""
        free = shutil.disk_usage(self._folder).free
        if needed + RESERVE > free:
            raise StoreError(
                f"The retrieval needs about {(needed + RESERVE) / 1024**3:.1f} GB more, but only "
                f"{free / 1024**3:.1f} GB are free in {self._folder}; free some space, and retrieve again for the rest."
            )

    def check_rest(self, sizes: int, count: int, missing: int) -> None:
        """Raise StoreError unless the rest of a series fits, by what `count` objects of `sizes` bytes tell of it."""
        self.check(sizes * missing // count if count >= _ENOUGH else 0)

    def unlisted(self, size: int) -> None:
        """An object came that the archive had not listed. Raises RemoteError if there are too many."""
        with self._lock:
            self._objects_left -= 1
            self._bytes_left -= size
        if self.is_spent:
            raise RemoteError(
                f"Up to {self._max_objects} objects and {self._max_bytes >> 30} GB of a study are taken that the "
                "archive does not list, but it sent more; retrieve single series, or ask who runs it."
            )

    @property
    def is_spent(self) -> bool:
        """Whether the bound was passed."""
        return self._objects_left < 0 or self._bytes_left < 0
