"""Memory that two processes share, and that no crash of either leaves behind."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import UnreadableError


@dataclass(frozen=True)
class Token:
    """How another process finds a `SharedBlock`: a path, or on Windows the name of a mapping; and its bytes."""

    name: str
    size: int


class SharedBlock:
    """Zeroed memory that children of this process may open by its `token` until it is closed.

    On Linux it is an anonymous file, reached through this process's entry in ``/proc``: with the process it is gone.
    On Windows it is a mapping in the paging file, gone with the last handle. Elsewhere it is a temporary file, removed
    by `close`, or by the child that sees its parent end. What `array` returned stays valid after `close`.

    Parameters
    ----------
    size
        Bytes, at least 1.

    Raises
    ------
    UnreadableError
        If there is not so much memory.
    """

    def __init__(self, size: int) -> None:
        self._file = -1
        self._path: Path | None = None
        try:
            name = self._open(size)
        except (OSError, MemoryError, OverflowError) as error:
            self.close()
            text = f"{size / 1e9:.1f} GB of memory are needed, which is more than there is; close other programs."
            raise UnreadableError(text) from error
        self.token = Token(name, size)

    def _open(self, size: int) -> str:
        if sys.platform == "win32":
            name = f"medviewer-{secrets.token_hex(16)}"
            self._map = mmap.mmap(-1, size, tagname=name)
            return name
        if sys.platform == "linux":
            self._file = os.memfd_create("medviewer", os.MFD_CLOEXEC)
            name = f"/proc/{os.getpid()}/fd/{self._file}"
        else:
            self._file, name = tempfile.mkstemp(prefix="medviewer-")
            self._path = Path(name)
        os.ftruncate(self._file, size)
        self._map = mmap.mmap(self._file, size)
        return name

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The memory as an array, from its start; the memory lives as long as the array."""
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self._map, dtype, count).reshape(shape)

    def close(self) -> None:
        """No other process can open the memory any more; those that have it keep it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def __enter__(self) -> SharedBlock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def window(token: Token, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """A part of another process's block as an array; do not keep it.

    Parameters
    ----------
    token
        Of a block that is still open.
    offset
        Where the part begins, in bytes.
    shape, dtype
        What it is.
    """
    count = int(np.prod(shape, dtype=np.int64))
    start = offset - offset % mmap.ALLOCATIONGRANULARITY
    length = offset - start + count * dtype.itemsize
    if sys.platform == "win32":
        mapped = mmap.mmap(-1, length, tagname=token.name, offset=start)
    else:
        file = os.open(token.name, os.O_RDWR | os.O_CLOEXEC)
        try:
            mapped = mmap.mmap(file, length, offset=start)
        finally:
            os.close(file)
    array = np.frombuffer(mapped, dtype, count, offset - start).reshape(shape)
    try:
        yield array
    finally:
        del array
        # Somebody still holds a view, of an exception's frames for example: then it goes with them.
        with contextlib.suppress(BufferError):
            mapped.close()
