"""No pauses between small messages.

A DIMSE message is a small command followed by its data. With Nagle's algorithm (RFC 896) on one side, the data waits
for the command's acknowledgement, which the other side delays by about 40 ms (RFC 1122 4.2.3.2): for each object of a
series, and for each question.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import cast

from pynetdicom import evt
from pynetdicom.transport import AssociationSocket

_ACKNOWLEDGE = getattr(socket, "TCP_QUICKACK", None)  # Linux


def hurry(event: evt.Event) -> None:
    """Send at once, and acknowledge at once what came; a handler of ``EVT_CONN_OPEN``, after the meter's."""
    channel = cast(AssociationSocket, event.assoc.dul.socket)
    _set(channel, socket.TCP_NODELAY)
    if _ACKNOWLEDGE is None:
        return
    option, receive = _ACKNOWLEDGE, channel.recv

    def recv(count: int) -> bytearray:
        data = receive(count)
        _set(channel, option)  # it holds until the kernel thinks better of it
        return data

    channel.recv = recv  # type: ignore[method-assign,assignment]  # there is no other place between two reads


def _set(channel: AssociationSocket, option: int) -> None:
    if channel.socket is not None:
        with suppress(OSError):  # it is about speed only, and a connection that is gone is told by who reads
            channel.socket.setsockopt(socket.IPPROTO_TCP, option, 1)
