"""Answers of several parts (RFC 2046 5.1.1), read as they come: a series never lies in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.message import Message

from medviewer.errors import RemoteError

_MOST_HEADERS = 1 << 16
_BROKEN = "The archive should send a series in parts, but the answer broke off; try again."


def boundary_of(content_type: str) -> str:
    """The boundary that a Content-Type names; empty where it is not of several parts."""
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_maintype() != "multipart":
        return ""
    return message.get_boundary("")


class Parts:
    """The parts of an answer, one after the other.

    Parameters
    ----------
    chunks
        The answer, in pieces of any size.
    boundary
        What stands between two parts.
    """

    def __init__(self, chunks: Iterator[bytes], boundary: str) -> None:
        self._chunks = chunks
        self._mark = b"\r\n--" + boundary.encode()
        self._started = False
        self._buffer = bytearray(b"\r\n")  # the first boundary may stand at the very beginning

    def next(self) -> bool:
        """Go to the next part, behind its headers; False at the end. Call it once the last part was copied."""
        if not self._started:
            self.copy(lambda data: None, _MOST_HEADERS)
            self._started = True
        if self._peek(2) == b"--":
            return False
        self._skip_headers()
        return True

    def copy(self, write: Callable[[bytes], object], limit: int) -> None:
        """Hand a part over, up to the next boundary.

        Raises
        ------
        RemoteError
            If it is larger than `limit` bytes, or the answer ends within it.
        """
        size = 0
        while (at := self._buffer.find(self._mark)) < 0:
            sure = max(0, len(self._buffer) - len(self._mark) + 1)  # what is left may be the begin of a boundary
            size += sure
            self._emit(write, sure, size, limit)
            self._fill()
        self._emit(write, at, size + at, limit)
        del self._buffer[: len(self._mark)]

    def _emit(self, write: Callable[[bytes], object], count: int, size: int, limit: int) -> None:
        if size > limit:
            raise RemoteError(
                f"An object of up to {limit / (1 << 20):.0f} MB is taken, but the archive sent more; it was refused."
            )
        write(bytes(self._buffer[:count]))
        del self._buffer[:count]

    def _skip_headers(self) -> None:
        """Behind the empty line; a part without any header begins with it."""
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MOST_HEADERS:
                raise RemoteError("The archive should send DICOM objects, but sent something else; ask who runs it.")
            self._fill()
        del self._buffer[: at + 4]

    def _peek(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        return bytes(self._buffer[:count])

    def _fill(self) -> None:
        chunk = next(self._chunks, b"")
        if not chunk:
            raise RemoteError(_BROKEN)
        self._buffer += chunk
