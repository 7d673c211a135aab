"""A lock on an open file that ends with the process that holds it, however it ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from medviewer.errors import StoreError

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """Windows locks bytes and then refuses to read them, so a byte beyond any content is taken."""

    def try_lock(stream: IO[bytes]) -> bool:
        """Take the lock without waiting; False if another process, or another open file here, has it."""
        here = stream.tell()
        try:
            stream.seek(_FAR)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            stream.seek(here)
        return True

else:
    import fcntl

    def try_lock(stream: IO[bytes]) -> bool:
        """Take the lock without waiting; False if another process, or another open file here, has it."""
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def alone(path: Path, wait_s: float = 1.0) -> Iterator[None]:
    """Nobody else is in such a block for this file, which lies beside what it protects and stays empty.

    Raises
    ------
    StoreError
        If another process is in it for longer than `wait_s` seconds, or the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"{path} could not be written; check the folder's permissions.", str(error)) from error
    with os.fdopen(handle, "r+b") as stream:
        give_up = time.monotonic() + wait_s
        while not try_lock(stream):
            if time.monotonic() > give_up:
                raise StoreError(f"Another medviewer is changing {path.stem}; try again when it is done.")
            time.sleep(0.01)
        yield
