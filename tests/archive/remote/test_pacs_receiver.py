"""Our storage receiver: closed but during a C-MOVE, and picky while it is open."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import IO
from unittest.mock import Mock

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, MRImageStorage
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from medviewer.archive.incoming import tidy
from medviewer.archive.remote import Node, Progress, Stop, Wanted, connect, retrieve
from medviewer.archive.remote.dimse.fetch import receiving
from medviewer.archive.remote.dimse.limits import Meter
from medviewer.archive.remote.landing import Landing
from medviewer.errors import RemoteError, StoreError
from tests.interop.archives import SERIES, STUDY, changed, make_slice
from tests.interop.servers import Orthanc, free_ports, listens


@pytest.fixture
def local() -> Node:
    """A node that sends from PACS, and a receiver on a free port."""
    (port,) = free_ports(1)
    return Node(
        name="P", host="127.0.0.1", ae_title="PACS", retrieve_by="move", receiver_host="127.0.0.1", receiver_port=port
    )


def call(
    node: Node, *, calling: str = "PACS", called: str = "MEDVIEWER", sop_class: str = CTImageStorage
) -> Association:
    """A connection to our receiver."""
    ae = AE(calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 5
    return ae.associate("127.0.0.1", node.receiver_port, [build_context(sop_class)], called)


def test_it_listens_during_a_move_only(node: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path) -> None:
    orthanc.upload(*slices)
    port = node.receiver_port
    seen: list[bool] = []

    def tell(state: Progress) -> None:
        seen.append(listens(port))

    assert not listens(port)
    assert retrieve(connect(node), tmp_path / "get", Wanted(STUDY), tell, Stop()).complete
    assert not any(seen), "C-GET needs no receiver"
    seen.clear()
    moving = connect(changed(node, retrieve_by="move"))
    assert retrieve(moving, tmp_path / "move", Wanted(STUDY), tell, Stop()).complete
    assert (seen[0], all(seen[1:])) == (False, True), "the list is asked for before anything is open"
    assert not listens(port)


def test_a_failed_move_closes_it_too(node: Node, tmp_path: Path) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, ["1.2.3"])
    with pytest.raises(RemoteError):
        connect(changed(node, retrieve_by="move", port=1)).fetch(landing, [], True, Stop())
    assert not listens(node.receiver_port)


@pytest.mark.parametrize(
    ("calling", "called"), [("STRANGER", "MEDVIEWER"), ("PACS", "SOMEBODY"), ("pacs", "MEDVIEWER")]
)
def test_unknown_titles_are_refused(calling: str, called: str, local: Node, tmp_path: Path) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, ["1.2.3"])
    with receiving(local, landing, [CTImageStorage], Stop()):
        association = call(local, calling=calling, called=called)
        assert association.is_rejected
        known = call(local)
        assert known.is_established
        known.release()


def test_classes_that_were_not_asked_for_are_not_taken(local: Node, tmp_path: Path) -> None:
    with receiving(local, Landing(tmp_path, STUDY, SERIES, ["1.2.3"]), [CTImageStorage], Stop()):
        assert not call(local, sop_class=MRImageStorage).is_established


def test_objects_that_were_not_asked_for_are_not_taken(local: Node, slices: list[Path], tmp_path: Path) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, [slices[0].stem])
    with receiving(local, landing, [CTImageStorage], Stop()):
        association = call(local)
        assert association.send_c_store(dcmread(slices[1])).Status == 0x0124
        assert association.send_c_store(dcmread(slices[0])).Status == 0x0000
        # one that claims a UID that was asked for in its command, and is another
        liar = dcmread(slices[0])
        liar.SeriesInstanceUID = "1.2.3.4"
        assert association.send_c_store(liar).Status == 0xA900
        association.release()
    assert [file.name for file in tmp_path.rglob("*.dcm")] == [landing.path(slices[0].stem).name]
    assert not list(tmp_path.rglob("*.tmp"))


def test_names_of_files_are_ours(local: Node, tmp_path: Path) -> None:
    """A UID that would be a path lands as a hash, inside the folder."""
    evil = "1.2.3/../../../evil"
    landing = Landing(tmp_path / "home", STUDY, SERIES, [evil])
    path = landing.path(evil)
    assert path.parent == landing.folder
    assert path.resolve().is_relative_to((tmp_path / "home").resolve())


def test_an_object_that_is_too_large_is_refused(local: Node, tmp_path: Path) -> None:
    large = make_slice(tmp_path, 1, PixelData=bytes(3 << 20), Rows=1024, Columns=1536)
    landing = Landing(tmp_path / "home", STUDY, SERIES, [large.stem], max_object=1 << 20)
    with receiving(local, landing, [CTImageStorage], Stop()) as taker:
        association = call(local)
        try:
            status = association.send_c_store(dcmread(large))
        except RuntimeError:  # it noticed between two parts
            status = None
        assert not status or "Status" not in status
        channel = association.dul.socket.socket  # which pynetdicom leaves to the collector after an abort
        association.abort()
        if channel is not None:
            channel.close()
        with pytest.raises(RemoteError, match="up to 1 MB is taken, but the archive sent more"):
            taker.check()
    assert list((tmp_path / "home").rglob("*")) in ([], [tmp_path / "home" / "studies"])


def test_one_connection_makes_no_room_for_another() -> None:
    """An object that never ends does not grow while refused ones come and go beside it."""
    meter = Meter(Stop(), max_object=1 << 20)
    busy, other = Mock(), Mock()
    busy.dul.socket.socket.recv_into = len
    meter.attach(Mock(assoc=busy))
    meter.attach(Mock(assoc=other))
    receive = busy.dul.socket.recv
    assert len(receive(1 << 20)) == 1 << 20
    meter.restart(other)
    assert len(receive(1 << 20)) == 1 << 20
    with pytest.raises(OSError, match="more than is taken"):
        receive(1)
    assert meter.exceeded


def test_what_a_killed_retrieval_left_is_met_by_no_scan(tmp_path: Path) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, [])
    seen: list[Path] = []

    def write(stream: IO[bytes]) -> None:
        stream.write(b"half")
        tidy(tmp_path / "studies")
        seen.extend(tmp_path.rglob("*.tmp"))
        raise OSError("the disk is full")

    with pytest.raises(StoreError):
        landing.take(write)
    (temporary,) = seen
    assert not temporary.is_relative_to(landing.folder)
    temporary.write_bytes(b"half")
    tidy(tmp_path / "studies")
    assert not temporary.exists()


def test_a_message_part_of_any_length_is_not_read(local: Node, tmp_path: Path) -> None:
    """A header that announces 4 GB: the connection is closed, and nothing is put aside for it."""
    with receiving(local, Landing(tmp_path, STUDY, SERIES, ["1.2.3"]), [CTImageStorage], Stop()):
        with socket.create_connection(("127.0.0.1", local.receiver_port), 5) as raw:
            raw.sendall(struct.pack(">BBL", 0x04, 0, 0xFFFFFFF0))
            raw.settimeout(5)
            answer = raw.recv(100)
            assert len(answer) < 20
        association = call(local)
        assert association.is_established, "it still serves"
        association.release()


# pynetdicom leaves the socket that it could not bind to the collector
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_is_taken_is_told(local: Node, tmp_path: Path) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, ["1.2.3"])
    with (
        socket.create_server(("127.0.0.1", local.receiver_port)),
        pytest.raises(RemoteError, match=r"should listen on 127\.0\.0\.1"),
        receiving(local, landing, [], Stop()),
    ):
        pass
