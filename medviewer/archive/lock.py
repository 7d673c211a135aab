"""A lock on an open file that ends with the process that holds it, however it ends."""

from __future__ import annotations

import sys
from typing import IO

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
