"""The crash journal: every stroke on a mask, on disk before it is acknowledged.

A file is a magic line and then frames: length and CRC-32 of the payload, little endian, 4 bytes each, and the payload.
The first frame is the header as JSON. A process that is killed in the middle of a frame leaves a torn tail; reading
stops before it, and writing goes on from there.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType

from medviewer.archive.blobs import sync_folder
from medviewer.archive.home import make_folder
from medviewer.archive.lock import try_lock
from medviewer.domain.geometry import Shape
from medviewer.errors import StoreError

SUFFIX = ".journal"
_MAGIC = b"medviewer journal 1\n"
_FRAME = struct.Struct("<II")


@dataclass(frozen=True)
class JournalHeader:
    """What a journal's strokes belong to.

    Parameters
    ----------
    series_uid
        The series whose mask is being corrected.
    shape
        Shape (z, y, x) of its grid.
    base_mask
        The saved mask that the strokes start from; empty when they start from nothing.
    """

    series_uid: str
    shape: Shape
    base_mask: str = ""


class Journal:
    """The journal of one series, written by one window at a time. A context manager; nothing is open before `begin`.

    Parameters
    ----------
    path
        Its file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: FileIO | None = None

    def begin(self, header: JournalHeader) -> None:
        """Start with an empty journal of that header; records that it held are set aside, never thrown away.

        Raises
        ------
        StoreError
            If another window is writing it, or the disk does not take it.
        """
        stream = self._locked()
        self.set_aside()
        try:
            stream.truncate(0)
            stream.write(_MAGIC + _framed(json.dumps(asdict(header)).encode()))
            os.fsync(stream.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def set_aside(self) -> Path | None:
        """Move records that nobody could bring back to a file beside the journal; None if there are none.

        Raises
        ------
        StoreError
            If another window is writing it, or the disk does not take it; the journal stays as it was then.
        """
        if not self.path.is_file():
            return None
        stream = self._locked()
        data = _content(self.path)
        if len(list(_spans(data))) == 1 or not data:
            return None  # a header alone
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        kept = self.path.with_name(f"{self.path.name}.{stamp}.kept")
        try:
            # A copy, and then an empty journal: the lock is on the open file, which cannot change its name.
            with kept.open("xb") as copy:
                copy.write(data)
                copy.flush()
                os.fsync(copy.fileno())
            sync_folder(kept.parent)
            stream.truncate(0)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return kept

    def resume(self) -> JournalHeader:
        """Go on behind what the journal holds, without its torn tail.

        Raises
        ------
        StoreError
            If there is nothing to go on from, or another window is writing it.
        """
        stream = self._locked() if self.path.is_file() else None
        header = read_header(self.path)
        if stream is None or header is None:
            self.close()
            raise StoreError(f"{self.path.name} should hold a journal to go on with, but does not; begin a new one.")
        stream.truncate(_end(_content(self.path)))
        return header

    def append(self, record: bytes, sync: bool = True) -> None:
        """Add one record. Once this returns it outlives the process, and with `sync` a power cut too.

        Raises
        ------
        StoreError
            If `begin` or `resume` was not called, or the disk does not take it.
        """
        if self._stream is None:
            raise StoreError("A journal takes records after it was begun; begin it first.")
        try:
            end = self._stream.seek(0, os.SEEK_END)
            frame = _framed(record)
            if self._stream.write(frame) != len(frame):
                self._stream.truncate(end)  # a half frame would hide every later one
                raise OSError("the disk is full")
            if sync:
                os.fsync(self._stream.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def clear(self) -> None:
        """Forget everything: the mask was saved. Removes the file.

        Raises
        ------
        StoreError
            If another window is writing it, or it cannot be removed.
        """
        self._locked()
        if os.name == "nt":
            self.close()  # Windows removes no open file; elsewhere the lock is kept until the file is gone
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Stop writing; the records stay."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _locked(self) -> FileIO:
        if self._stream is not None:
            return self._stream
        make_folder(self.path.parent)
        try:
            stream = FileIO(self.path, "a+")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if not try_lock(stream):
            stream.close()
            raise StoreError("Another medviewer window is correcting this series; finish there before starting here.")
        self._stream = stream
        return stream


def read(path: Path) -> list[bytes]:
    """Every whole record of a journal, oldest first; none if the file is missing or torn at its header."""
    return _frames(path)[1:]


def read_header(path: Path) -> JournalHeader | None:
    """What a journal belongs to; None if the file is missing or torn at its header."""
    frames = _frames(path)
    if not frames:
        return None
    data = json.loads(frames[0])
    z, y, x = data["shape"]
    return JournalHeader(data["series_uid"], (z, y, x), data["base_mask"])


def abandoned(path: Path) -> bool:
    """Whether nobody is writing the journal: the program that did has ended."""
    try:
        with FileIO(path, "r+") as stream:
            return try_lock(stream)
    except FileNotFoundError:
        return False


def _frames(path: Path) -> list[bytes]:
    data = _content(path)
    return [data[start:end] for start, end in _spans(data)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"The journal {path} cannot be read; check its permissions.", str(error)) from error


def _end(data: bytes) -> int:
    return max((end for _, end in _spans(data)), default=0)


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each whole payload, up to the first torn one."""
    position = len(_MAGIC)
    if not data.startswith(_MAGIC):
        return
    while position + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, position)
        start = position + _FRAME.size
        if start + length > len(data) or zlib.crc32(data[start : start + length]) != checksum:
            return
        yield start, start + length
        position = start + length


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The stroke could not be kept safe in {path.parent}; save the mask, then check the disk's space.", str(error)
    )
