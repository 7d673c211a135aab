"""Arrays and other large things as files that are either whole or not there.

Arrays are NumPy's own format inside gzip (``.npy.gz``): any tool reads it, and its checksum tells a damaged file.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from medviewer.archive.home import make_folder
from medviewer.errors import StoreError

SUFFIX = ".npy.gz"

_log = logging.getLogger(__name__)

_LEVEL = 1
"""Images barely shrink more at higher levels, which take several times as long; label maps shrink 100-fold at any."""


def write_atomic(path: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a reader, or a power cut, sees the whole of it or the former one.

    Parameters
    ----------
    path
        Where the file will be; its folder is made when missing.
    writer
        Writes the content to the open file that it is given.

    Raises
    ------
    StoreError
        If the disk does not take it; what was there before is untouched.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as stream:
            writer(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path.name} could not be written to {path.parent}; free some space or check its permissions.", str(error)
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut. Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Store an array of numbers, any shape, atomically. Raises StoreError if the disk does not take it."""

    def write(stream: BinaryIO) -> None:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=stream, mtime=0) as packed:
            np.lib.format.write_array(cast("BinaryIO", packed), np.ascontiguousarray(array), allow_pickle=False)

    write_atomic(path, write)


def read_array(path: Path) -> NDArray[Any]:
    """Read back what `write_array` stored.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    """
    try:
        with gzip.open(path, "rb") as stream:
            array: NDArray[Any] = np.lib.format.read_array(cast("BinaryIO", stream), allow_pickle=False)
            stream.read(1)  # reaching the end is what checks the checksum
        return array
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise StoreError(
            f"{path.name} of the archive should hold an array, but is missing or damaged; restore it from a backup.",
            f"{path}: {error}",
        ) from error


class ReadAhead:
    """Arrays that will be asked for in a moment, read in another thread: a large one takes a second to unpack.

    What was read is what the file holds: an archive's arrays are written once and never changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrays: dict[Path, NDArray[Any]] = {}

    def fetch(self, path: Path) -> NDArray[Any] | None:
        """Read one; any thread may call it. None where it cannot be read, which `take` tells."""
        try:
            array = read_array(path)
        except StoreError as error:
            _log.info("An array was not read ahead: %s", error)
            return None
        with self._lock:
            self._arrays[path] = array
        return array

    def take(self, path: Path) -> NDArray[Any]:
        """The array of a file, which is the caller's; read now where it was not before. Raises as `read_array`."""
        with self._lock:
            array = self._arrays.pop(path, None)
        return read_array(path) if array is None else array

    def clear(self) -> None:
        """Let go of what nobody asked for."""
        with self._lock:
            self._arrays.clear()


def array_sha256(array: NDArray[Any]) -> str:
    """SHA-256 over type, shape and values of an array, as lower-case hexadecimal."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    for part in array:  # slice by slice: a view of a volume is not copied whole
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
