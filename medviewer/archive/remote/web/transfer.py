"""WADO-RS and STOW-RS: whole objects, byte for byte.

dicomweb-client would decode each object and write it anew, by which private elements and padding may change; so these
two services use its session, and the bytes as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pydicom.dataset import Dataset
from requests import Response

from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.parcel import Parcel, parcel, with_header
from medviewer.archive.remote.peer import Stop
from medviewer.archive.remote.web.multipart import Parts, boundary_of
from medviewer.archive.remote.web.session import NodeSession, mapped, refusal
from medviewer.errors import RemoteError

_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_CHUNK = 1 << 18
_FETCH, _SEND = "send the series", "take the object"


def fetch(session: NodeSession, landing: Landing, sop_uid: str, stop: Stop) -> None:
    """Bring a series to its landing, or one object of it where `sop_uid` is given (WADO-RS, PS3.18 10.4)."""
    node = session.node
    url = f"{node.url}/studies/{landing.study_uid}/series/{landing.series_uid}"
    url += f"/instances/{sop_uid}" if sop_uid else ""
    stop.check()
    with mapped(node, _FETCH), session.get(url, headers={"Accept": _ACCEPT}, stream=True) as response:
        if response.status_code >= 400:
            raise refusal(node, response)
        with _breaking(response, stop):
            _land(response, landing, stop)


def _land(response: Response, landing: Landing, stop: Stop) -> None:
    chunks = _chunks(response, stop)
    boundary = boundary_of(response.headers.get("Content-Type", ""))
    if not boundary:  # some archives send a single object as it is
        landing.take(lambda stream: _copy(chunks, stream, landing.max_object))
        return
    parts = Parts(chunks, boundary)
    while parts.next():
        landing.take(lambda stream: parts.copy(stream.write, landing.max_object))


def _chunks(response: Response, stop: Stop) -> Iterator[bytes]:
    for chunk in response.iter_content(_CHUNK):
        stop.check()
        yield chunk
    stop.check()


def _copy(chunks: Iterator[bytes], stream: BinaryIO, limit: int) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise RemoteError(f"An object of up to {limit >> 20} MB is taken, but the archive sent more.")
        stream.write(chunk)


@contextmanager
def _breaking(response: Response, stop: Stop) -> Iterator[None]:
    """End the reading when the user wants to stop, even while the archive is silent."""
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if stop.cancelled.wait(0.1):
                if not done.is_set():
                    response.raw.shutdown()
                return

    threading.Thread(target=watch, name="medviewer-abort", daemon=True).start()
    try:
        yield
    except Exception:
        stop.check()
        raise
    finally:
        done.set()


def send(session: NodeSession, files: Sequence[Path], sent: Callable[[], None], stop: Stop) -> None:
    """Hand files over, one a request, so that each has its own answer (STOW-RS, PS3.18 10.5)."""
    for one in [parcel(file) for file in files]:
        stop.check()
        boundary = uuid4().hex
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        with mapped(session.node, _SEND), _Body(one, boundary, stop) as body:
            response = session.post(f"{session.node.url}/studies", data=body, headers=headers)
            _check(session, response)
        sent()


def _check(session: NodeSession, response: Response) -> None:
    """Raise unless the object was stored; an archive may refuse it with a success of the request."""
    if response.status_code >= 400:
        raise refusal(session.node, response)
    if "json" not in response.headers.get("Content-Type", "") or not response.content:
        return
    answer = response.json()
    told = Dataset.from_json(answer[0] if isinstance(answer, list) else answer)
    if told.get("FailedSOPSequence"):
        code = int(told.FailedSOPSequence[0].get("FailureReason", 0))
        raise RemoteError(f"{session.node.name} did not take the object (status {code:04X}); ask who runs it.")


class _Body:
    """A request's body around a file, of known length, read as it is sent."""

    def __init__(self, one: Parcel, boundary: str, stop: Stop) -> None:
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        middle: BinaryIO = BytesIO(with_header(one)) if one.bare else one.file.open("rb")
        self._left: list[BinaryIO] = [BytesIO(head), middle, BytesIO(tail)]
        self._size = len(head) + len(tail) + middle.seek(0, 2)
        middle.seek(0)
        self._stop = stop

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._left:
            stream.close()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; nothing at the end."""
        self._stop.check()
        while self._left:
            data = self._left[0].read(size)
            if data:
                return data
            self._left.pop(0).close()
        return b""
