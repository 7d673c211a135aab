"""Image files on their way into the archive's folder ``studies``: written beside it, and named once they are whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from medviewer.archive.home import make_folder
from medviewer.archive.lock import try_lock

FOLDER = "studies"
_INCOMING = ".incoming"


def hashed(text: str, length: int = 32) -> str:
    """A name for a file or folder, in hexadecimal digits: what comes from outside is no part of a path."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:length]


def study_folder(home: Path, study_uid: str) -> Path:
    """The folder of a study below the archive's folder."""
    return home / FOLDER / hashed(study_uid)


@contextlib.contextmanager
def incoming(studies: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file, for this user only, that no scan meets; what is left of it at the end is removed.

    Parameters
    ----------
    studies
        The folder ``studies`` of an archive. The file can be renamed to any place in it.
    """
    temporary = make_folder(studies / _INCOMING) / f"{uuid4().hex}.tmp"
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "r+b") as stream:
            try_lock(stream)  # as long as it is held, `tidy` of another process leaves the file alone
            yield temporary, stream
    finally:
        temporary.unlink(missing_ok=True)


def tidy(studies: Path) -> None:
    """Remove what was left unfinished by processes that ended."""
    for path in (studies / _INCOMING).glob("*.tmp"):
        # One that another process has just finished, or is writing, is left alone.
        with contextlib.suppress(OSError), path.open("r+b") as stream:
            if try_lock(stream):
                path.unlink(missing_ok=True)
