"""Deflated files (PS3.5 A.5), unpacked only as far as they are read: their headers cost no memory for their pixels."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from medviewer.errors import UnreadableError

MAX_HEADER = 512 * 1024**2
"""Bytes that may lie before the pixels; functional groups of 200 000 frames take less."""

_START = 132
_HEAD = 4096
_CHUNK = 256 * 1024
_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT")
_SYNTAX_TAG = b"\x02\0\x10\0UI"


class Inflating(io.RawIOBase):
    """A deflated file as it would be had nobody deflated it; what was read once is kept for going back.

    Parameters
    ----------
    file
        The open file, which is closed with this.
    start
        Where its file meta information ends.
    """

    def __init__(self, file: BinaryIO, start: int) -> None:
        super().__init__()
        self._file = file
        self._file.seek(start)
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        self._packed = b""
        syntax = str(ExplicitVRLittleEndian).encode() + b"\0"
        self._plain = bytearray(bytes(128) + b"DICM" + _SYNTAX_TAG + len(syntax).to_bytes(2, "little") + syntax)
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, but not from its end."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere, from the start or from here; from the end it cannot be done without unpacking it all."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a deflated file is not known before it is unpacked")
        self._at = max(offset + (self._at if whence == io.SEEK_CUR else 0), 0)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer, less at the end of the file.

        Raises
        ------
        UnreadableError
            If that needs more than `MAX_HEADER`.
        zlib.error
            If the file is damaged.
        """
        view = memoryview(buffer).cast("B")
        self._unpack(self._at + len(view))
        piece = self._plain[self._at : self._at + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()

    def _unpack(self, end: int) -> None:
        while len(self._plain) < end and not self._unpacker.eof:
            if len(self._plain) > MAX_HEADER:
                raise UnreadableError(
                    f"{Path(self._file.name).name} has more than {MAX_HEADER // 1024**2} MB before its pixels; it was "
                    "left out, export it again."
                )
            packed = self._packed or self._file.read(_CHUNK)
            if not packed:
                return
            self._plain += self._unpacker.decompress(packed, _CHUNK)
            self._packed = self._unpacker.unconsumed_tail


def open_plain(path: Path) -> BinaryIO:
    """Open a DICOM file for reading its header, a deflated one so that it need not be unpacked whole."""
    file = path.open("rb")
    head = file.read(_HEAD)
    start = _end_of_meta(head) if _is_deflated(head) else 0
    if start:
        return cast(BinaryIO, Inflating(file, start))
    file.seek(0)
    return file


def _is_deflated(head: bytes) -> bool:
    return head[128:_START] == b"DICM" and str(DeflatedExplicitVRLittleEndian).encode() in head


def _end_of_meta(head: bytes) -> int:
    """Where the file meta information ends; 0 where that is not in `head`, or it does not say that it is deflated."""
    at, deflated = _START, False
    while head[at : at + 2] == b"\x02\0":
        long = head[at + 4 : at + 6] in _LONG
        length, value = (head[at + 8 : at + 12], at + 12) if long else (head[at + 6 : at + 8], at + 8)
        end = value + int.from_bytes(length, "little")
        if head[at : at + 6] == _SYNTAX_TAG:
            deflated = head[value:end].strip(b" \0") == str(DeflatedExplicitVRLittleEndian).encode()
        at = end
    return at if deflated and at < len(head) else 0
