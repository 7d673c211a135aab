"""What tests about archives send and retrieve, and a network that breaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes
from pydicom.uid import UID, generate_uid

from medviewer.archive.remote import Node, Progress
from medviewer.formats.dicom.quiet import quiet

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.70", "1.2.826.0.1.3680043.8.498.71"
PRIVATE = (0x0009, 0x1010)
SECRET = b"\x00\x01 ours \xff\xfe"


def make_slice(folder: Path, k: int, *, name: str = "Müller^Änne", charset: str = "ISO_IR 100", **more: object) -> Path:
    """A CT slice with an accent in its name and a private element, in the form in which peers keep it."""
    file = get_testdata_file("CT_small.dcm")
    assert isinstance(file, str)
    dataset = dcmread(file)
    # what servers drop or write anew when they forward: padding, and private groups without a creator
    kept = Dataset()
    for element in dataset:
        if not element.tag.is_private and element.keyword != "DataSetTrailingPadding":
            kept.add(element)
    kept.file_meta, kept.SpecificCharacterSet, kept.PatientName = dataset.file_meta, charset, name
    kept.PatientID, kept.AccessionNumber, kept.StudyDescription = "ID-4711", "A-17", "Head without contrast"
    kept.StudyDate, kept.SeriesDescription = "20200301", "Axial"
    kept.StudyInstanceUID, kept.SeriesInstanceUID, kept.InstanceNumber = STUDY, SERIES, k + 1
    kept.SOPInstanceUID = kept.file_meta.MediaStorageSOPInstanceUID = UID(f"{SERIES}.{k + 1}")
    kept.add_new((0x0009, 0x0010), "LO", "MEDVIEWER TEST")
    kept.add_new(PRIVATE, "OB", SECRET)
    for keyword, value in more.items():
        setattr(kept, keyword, value)
    path = folder / f"{kept.SOPInstanceUID}.dcm"
    kept.save_as(path, enforce_file_format=True)
    return path


def data_set(file: bytes) -> bytes:
    """The bytes behind the file header, which each machine writes by itself."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


def changed(node: Node, **values: object) -> Node:
    """The node with other values, checked."""
    return Node(**{**node.model_dump(), **values})


def silent(_: Progress) -> None:
    """Watch no progress."""


@dataclass
class Proxy:
    """Passes on what comes to `port`, and cuts every connection once so many bytes came back from the server.

    With a gate, it does not cut but is silent from there on, until the gate opens.
    """

    port: int
    cuts: list[int]
    """Bytes until the cut, for each connection to come; connections after the last are not cut."""
    connections: int = 0
    gate: threading.Event | None = None


@contextmanager
def cutting(target: int, cuts: list[int], gate: threading.Event | None = None) -> Iterator[Proxy]:
    """A proxy on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1], cuts, gate=gate)
    opened: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, room: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if room is not None:
                    data = data[:room]
                    room -= len(data)
                sink.sendall(data)
                if room == 0 and gate is None:
                    break
                if room == 0 and gate is not None:
                    gate.wait(30)
                    room = None
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            room = proxy.cuts.pop(0) if proxy.cuts else None
            proxy.connections += 1
            server = socket.create_connection(("127.0.0.1", target))
            opened.extend((client, server))
            threading.Thread(target=pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=pump, args=(server, client, room), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for one in opened:
            one.close()


def make_report(file: Path, images: Sequence[Path]) -> Path:
    """A measurement report about images, of their patient and study, with letters beyond ASCII."""
    from highdicom import sr  # takes a second

    with quiet():
        measured = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier="Läsion 1", uid=generate_uid()),
            finding_type=codes.SCT.Nodule,
            measurements=[sr.Measurement(name=codes.SCT.Diameter, value=7.5, unit=codes.UCUM.Millimeter)],
        )
        reader = sr.ObserverContext(codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(name="Reader^Rita"))
        content = sr.MeasurementReport(
            sr.ObservationContext(observer_person_context=reader), codes.LN.CTUnspecifiedBodyRegion, [measured]
        )
        made = sr.Comprehensive3DSR(
            [dcmread(image) for image in images],
            content,
            generate_uid(),
            9,
            generate_uid(),
            1,
            "Maker",
            is_complete=True,
        )
        made.SpecificCharacterSet = "ISO_IR 192"
        made.save_as(file, enforce_file_format=True)
    return file
