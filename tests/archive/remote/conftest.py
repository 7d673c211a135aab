"""A study on disk, Orthanc and dcmtk, and the nodes that reach them."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import RLELossless

from medviewer.archive.remote import Node, Progress, Stop
from tests.interop.servers import PASSWORD, USER, Orthanc, orthanc, orthanc_process

__all__ = ["orthanc", "orthanc_process"]

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
    kept.SOPInstanceUID = kept.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.{k + 1}"
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pynetdicom and urllib3 leave sockets of failed connections to the collector, which warns in some later test."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A series of eight slices."""
    folder = tmp_path_factory.mktemp("slices")
    return [make_slice(folder, k) for k in range(8)]


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slice of another series of the study, RLE."""
    folder = tmp_path_factory.mktemp("compressed")
    path = make_slice(folder, 90, SeriesInstanceUID=f"{SERIES}.9", SeriesDescription="Packed")
    dataset = dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    return path


@pytest.fixture
def node(orthanc: Orthanc) -> Node:
    """Orthanc by DIMSE."""
    return Node(
        name="Orthanc",
        host="127.0.0.1",
        port=orthanc.dicom_port,
        ae_title="ORTHANC",
        receiver_host="127.0.0.1",
        receiver_port=orthanc.receiver_port,
    )


@pytest.fixture
def web(orthanc: Orthanc) -> Node:
    """Orthanc by DICOMweb."""
    return Node(name="Web", kind="dicomweb", url=orthanc.url, auth="basic", user=USER, secret=PASSWORD)


@pytest.fixture
def stop() -> Stop:
    """Nobody wants to stop."""
    return Stop()


def changed(node: Node, **values: object) -> Node:
    """The node with other values, checked."""
    return Node(**{**node.model_dump(), **values})


def silent(_: Progress) -> None:
    """Watch no progress."""


@dataclass
class Proxy:
    """Passes on what comes to `port`, and cuts every connection once so many bytes came back from the server."""

    port: int
    cuts: list[int]
    """Bytes until the cut, for each connection to come; connections after the last are not cut."""
    connections: int = 0


@contextmanager
def cutting(target: int, cuts: list[int]) -> Iterator[Proxy]:
    """A proxy on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1], cuts)
    opened: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, room: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if room is not None:
                    data = data[:room]
                    room -= len(data)
                sink.sendall(data)
                if room == 0:
                    break
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


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    # by the module: the package has a function of that name
    monkeypatch.setattr(sys.modules["medviewer.archive.remote.retrieve"], "_PAUSES_S", (0.0, 0.0, 0.0))
