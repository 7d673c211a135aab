"""What one connection may take: the size of a message part, of an object, and the time that it may be silent."""

from __future__ import annotations

import time
from typing import cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from medviewer.archive.remote.landing import MAX_OBJECT
from medviewer.archive.remote.peer import Stop

MAX_PDU = 1 << 17
"""Bytes of a protocol data unit that we offer to take; pynetdicom's 16 KiB are slow."""
CONNECT_S, ANSWER_S, MOVE_S = 10.0, 60.0, 600.0
"""Seconds for a connection to come about, for the next answer, and for the next word during a C-MOVE, which many
archives carry out without any."""

_LARGEST_PDU = 1 << 20
_STALL_S = 60.0
_LOOK_S = 0.5


class Meter:
    """Counts what each connection brings. pynetdicom itself reads whatever length a peer announces, and waits for ever.

    Parameters
    ----------
    max_object
        Bytes between two finished objects.
    stop
        Ends the reading too.
    """

    def __init__(self, stop: Stop, max_object: int = MAX_OBJECT) -> None:
        self.exceeded = False
        self._room = max_object + _LARGEST_PDU
        self._left: dict[Association, int] = {}  # of each connection: one could free what another one fills
        self._stop = stop

    def restart(self, association: Association) -> None:
        """An object of a connection is done with."""
        self._left[association] = self._room

    def attach(self, event: evt.Event) -> None:
        """Read for a connection that has just been opened; a handler of ``EVT_CONN_OPEN``."""
        channel = cast(AssociationSocket, event.assoc.dul.socket)

        def recv(count: int) -> bytearray:
            return self._receive(event.assoc, channel, count)

        self.restart(event.assoc)
        channel.recv = recv  # type: ignore[method-assign,assignment]  # the one place where a limit fits

    def _receive(self, association: Association, channel: AssociationSocket, count: int) -> bytearray:
        if count > min(_LARGEST_PDU, self._left[association]):
            self.exceeded = True
            raise OSError("the peer sends more than is taken")  # pynetdicom closes the connection then
        self._left[association] -= count
        raw = channel.socket
        if raw is None:
            raise OSError("the connection is closed")
        data, got = bytearray(count), 0
        deadline = time.monotonic() + _STALL_S
        raw.settimeout(_LOOK_S)
        try:
            while got < count:
                try:
                    size = raw.recv_into(memoryview(data)[got:])
                except TimeoutError:
                    if self._stop.cancelled.is_set() or time.monotonic() > deadline:
                        raise
                    continue
                if not size:
                    return data[:got]
                got += size
                deadline = time.monotonic() + _STALL_S
        finally:
            raw.settimeout(None)
        return data
