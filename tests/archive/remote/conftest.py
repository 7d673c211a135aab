"""A study on disk, and the nodes that reach it in Orthanc."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from medviewer.archive.remote import Node, Stop
from tests.interop.archives import SERIES, make_slice
from tests.interop.servers import PASSWORD, USER, Orthanc


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


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    # by the module: the package has a function of that name
    monkeypatch.setattr(sys.modules["medviewer.archive.remote.retrieve"], "_PAUSES_S", (0.0, 0.0, 0.0))
