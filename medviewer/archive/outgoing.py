"""Files on their way out: a folder for them that goes when they are sent, or at the next start."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from medviewer.archive.lock import try_lock

_PREFIX = ".send-"
_HELD = "held"
_NEW_S = 3600.0
"""A folder without a lock is left alone as long as somebody may be just about to make it."""


@contextlib.contextmanager
def sending(home: Path) -> Iterator[Path]:
    """A new folder in the archive's folder, for this user only; it is removed at the end.

    Parameters
    ----------
    home
        The archive's folder.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=home) as name, (Path(name) / _HELD).open("wb") as held:
        try_lock(held)  # as long as it is held, `tidy_sending` of another process leaves the folder alone
        yield Path(name)


def tidy_sending(home: Path) -> None:
    """Remove the folders of processes that ended."""
    for folder in home.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it goes just now, or another process has it
            if _is_abandoned(folder):
                shutil.rmtree(folder)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _HELD).open("r+b") as held:
            return try_lock(held)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _NEW_S
