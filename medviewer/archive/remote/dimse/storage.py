"""Storage classes and transfer syntaxes that are negotiated, and how an object that comes in is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, cast

from pydicom import uid
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom import AllStoragePresentationContexts, build_context, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from medviewer.archive.remote.dimse.limits import Meter
from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.peer import Stop
from medviewer.errors import MedviewerError, RemoteError, StoreError

SYNTAXES: tuple[str, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.MPEG2MPML,
    uid.MPEG2MPHL,
    uid.MPEG4HP41,
    uid.MPEG4HP41BD,
    uid.MPEG4HP422D,
    uid.MPEG4HP423D,
    uid.MPEG4HP42STEREO,
    uid.HEVCMP51,
    uid.HEVCM10P51,
)
"""What an object may be stored in; each is offered by itself, so that nothing is converted on the way."""

ROOM = 127
"""Presentation contexts beside that of the query: a connection has 128 (PS3.8 9.3.2.2)."""

ALL_CLASSES: tuple[str, ...] = tuple(str(c.abstract_syntax) for c in AllStoragePresentationContexts)

_REFUSED_NOT_ASKED, _REFUSED_NO_ROOM, _REFUSED_NO_MATCH = 0x0124, 0xA700, 0xA900


def offers(classes: Sequence[str]) -> Iterator[tuple[tuple[str, ...], list[PresentationContext]]]:
    """Storage classes in groups that fit into a connection, with the contexts of each group.

    Parameters
    ----------
    classes
        SOP Class UIDs; empty where they are not known. Then all classes are offered, each with every syntax in one
        context, of which the peer chooses.
    """
    if not classes:
        for start in range(0, len(ALL_CLASSES), ROOM):
            group = ALL_CLASSES[start : start + ROOM]
            yield group, [build_context(known, list(SYNTAXES)) for known in group]
        return
    step = ROOM // len(SYNTAXES)
    for start in range(0, len(classes), step):
        group = tuple(classes[start : start + step])
        yield group, [build_context(known, syntax) for known in group for syntax in SYNTAXES]


def distinct(classes: Iterable[str]) -> list[str]:
    """Each class once; nothing at all where one is not known."""
    found = list(dict.fromkeys(classes))
    return [] if "" in found else found


class Taker:
    """Handles ``EVT_C_STORE``: takes what was asked for, byte for byte, and remembers why something was not taken."""

    def __init__(self, landing: Landing, meter: Meter, stop: Stop) -> None:
        self._landing = landing
        self._stop = stop
        self._meter = meter
        self.error: MedviewerError | None = None

    def store(self, event: evt.Event) -> int:
        """Take an object; returns the status of the response."""
        request = cast(C_STORE, event.request)
        if not self._landing.admits(str(request.AffectedSOPInstanceUID)):
            self._meter.restart(event.assoc)
            return _REFUSED_NOT_ASKED
        if self._stop.cancelled.is_set() or isinstance(self.error, StoreError):
            return _REFUSED_NO_ROOM
        try:
            self._landing.take(lambda stream: _write(event, request, stream))
        except RemoteError as error:
            self.error = error
            return _REFUSED_NO_MATCH
        except MedviewerError as error:
            self.error = error
            return _REFUSED_NO_ROOM
        finally:
            if not self._landing.is_full:  # else the connection ends when its room does: some send for ever
                self._meter.restart(event.assoc)
        return 0x0000

    def check(self) -> None:
        """Raise why something was not taken, if that was so."""
        if self.error is not None:
            raise self.error
        if self._meter.exceeded:
            size = self._landing.max_object / (1 << 20)
            raise RemoteError(f"An object of up to {size:.0f} MB is taken, but the archive sent more; it was refused.")


def _write(event: evt.Event, request: C_STORE, stream: BinaryIO) -> None:
    """A file around the data set as it came: not decoded, so private elements and padding stay as they are."""
    stream.write(b"\0" * 128 + b"DICM")
    header = DicomBytesIO()
    write_file_meta_info(header, event.file_meta)
    stream.write(header.getvalue())
    if request.DataSet is not None:
        stream.write(request.DataSet.getbuffer())
