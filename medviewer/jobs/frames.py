"""Messages off a connection, without ever waiting for the rest of one that was cut short."""

from __future__ import annotations

import os
import struct
import sys
from multiprocessing.connection import Connection
from typing import Any

from medviewer.errors import ContractError

_CHUNK = 1 << 16


class FrameReader:
    """Takes whole messages off a connection.

    `Connection.recv_bytes` waits without end for a message whose sender stopped in the middle of it, and so would the
    job, its cancel and its lane. Here the bytes that came wait instead. On Windows a message arrives whole or not at
    all, so there is nothing to guard against.

    Parameters
    ----------
    connection
        Its other end sends with `Connection.send_bytes`.
    limit
        Bytes that a message may have.
    """

    def __init__(self, connection: Connection[Any, Any], limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._data = bytearray()

    def receive(self, seconds: float) -> bytes | None:
        """The next message, or None when it was not complete within that time.

        Raises
        ------
        EOFError, OSError
            If the other end hung up.
        ContractError
            If it announces a message above the limit.
        """
        if sys.platform == "win32":
            return self._connection.recv_bytes(self._limit) if self._connection.poll(seconds) else None
        if (message := self._whole()) is not None:
            return message
        while self._connection.poll(seconds):
            chunk = os.read(self._connection.fileno(), _CHUNK)
            if not chunk:
                raise EOFError
            self._data += chunk
            if (message := self._whole()) is not None:
                return message
            seconds = 0.0  # the rest may be there already; else it is for the next call
        return None

    def _whole(self) -> bytes | None:
        """The first message, if all of it came: a length in 4 bytes, or -1 and a length in 8, and the message."""
        if len(self._data) < 4:
            return None
        (size,), start = struct.unpack_from("!i", self._data), 4
        if size == -1:
            if len(self._data) < 12:
                return None
            (size,), start = struct.unpack_from("!Q", self._data, 4), 12
        if not 0 <= size <= self._limit:
            raise ContractError(f"A message may have {self._limit >> 20} MiB, but one of {size >> 20} MiB came.")
        if len(self._data) < start + size:
            return None
        message = bytes(self._data[start : start + size])
        del self._data[: start + size]
        return message
