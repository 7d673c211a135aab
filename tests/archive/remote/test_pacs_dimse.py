"""DIMSE against Orthanc and dcmtk: test, search, retrieve both ways, send, encryption, and what goes wrong."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, RLELossless

from medviewer.archive.remote import Node, Progress, Query, Stop, Wanted, connect, retrieve
from medviewer.archive.remote.dimse.fetch import receiving
from medviewer.archive.remote.dimse.peer import DimsePeer
from medviewer.archive.remote.landing import Landing
from medviewer.errors import InputError, JobCancelled, RemoteError
from tests.interop.archives import PRIVATE, SECRET, SERIES, STUDY, changed, cutting, data_set, make_slice, silent
from tests.interop.servers import (
    Orthanc,
    dcmqrscp_server,
    free_ports,
    listens,
    make_certificate,
    orthanc_server,
    storescp_server,
)


def fetched(folder: Path) -> dict[str, bytes]:
    """The data sets that arrived, by their UID."""
    return {str(dcmread(file).SOPInstanceUID): data_set(file.read_bytes()) for file in folder.rglob("*.dcm")}


def test_echo(node: Node, stop: Stop) -> None:
    connect(node).ping(stop)


def test_every_level_can_be_asked(node: Node, orthanc: Orthanc, slices: list[Path], compressed: Path) -> None:
    orthanc.upload(*slices, compressed)
    peer = DimsePeer(node)
    (patient,) = peer.patients(Query(patient_id="ID-47*"), Stop())
    assert (patient.patient_id, patient.name) == ("ID-4711", "Müller^Änne")
    (study,) = peer.studies(Query(study_uid=STUDY), Stop())
    assert (study.patient_name, study.date, study.modalities) == ("Müller^Änne", "2020-03-01", ("CT",))
    assert (study.series_count, study.instance_count, study.accession) == (2, 9, "A-17")
    series = peer.series(STUDY, Stop())
    assert {(one.series_uid, one.description, one.instance_count) for one in series} == {
        (SERIES, "Axial", 8),
        (f"{SERIES}.9", "Packed", 1),
    }
    instances = peer.instances(STUDY, SERIES, Stop())
    assert {instance.sop_uid for instance in instances} == {file.stem for file in slices}
    assert {instance.sop_class for instance in instances} == {dcmread(slices[0]).SOPClassUID}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(name="Mül"), True),
        (Query(name="müller, ä"), True),
        (Query(name="*nne"), True),
        (Query(name="Müll?r*"), True),
        (Query(name="Mueller"), False),
        (Query(patient_id="ID-4711"), True),
        (Query(patient_id="ID-47"), False),
        (Query(accession="A-1?"), True),
        (Query(date_from="2020-03-01", date_to="2020-03-01"), True),
        (Query(date_from="2020-02-29"), True),
        (Query(date_from="2020-03-02"), False),
        (Query(date_to="2020-02-29"), False),
        (Query(modality="ct"), True),
        (Query(modality="MR"), False),
        (Query(description="without"), True),
    ],
)
@pytest.mark.parametrize("kind", ["node", "web"])
def test_a_search_finds_what_it_should(
    kind: str, query: Query, found: bool, request: pytest.FixtureRequest, orthanc: Orthanc, slices: list[Path]
) -> None:
    orthanc.upload(slices[0])
    studies = connect(request.getfixturevalue(kind)).studies(query, Stop())
    assert [study.study_uid for study in studies] == [STUDY] * found


@pytest.mark.parametrize(
    ("name", "charset"), [("Müller^Änne", "ISO_IR 100"), ("Μαρία^Ελένη", "ISO_IR 192"), ("Łukasz^Ż", "ISO_IR 192")]
)
def test_names_in_other_scripts(
    name: str, charset: str, node: Node, web: Node, orthanc: Orthanc, tmp_path: Path
) -> None:
    orthanc.upload(make_slice(tmp_path, 0, name=name, charset=charset))
    (study,) = connect(web).studies(Query(name=name[:3]), Stop())
    assert study.patient_name == name
    with dcmqrscp_server(tmp_path, node.receiver_port) as port:
        peer = connect(changed(node, name="dcmtk", port=port, ae_title="DCMTK"))
        peer.send(list(tmp_path.glob("*.dcm")), lambda: None, Stop())
        (study,) = peer.studies(Query(patient_id="ID-4711"), Stop())
        assert study.patient_name == name


@pytest.mark.parametrize("way", ["get", "move"])
def test_a_study_is_retrieved_byte_for_byte(
    way: str, node: Node, orthanc: Orthanc, slices: list[Path], compressed: Path, tmp_path: Path
) -> None:
    orthanc.upload(*slices, compressed)
    told: list[Progress] = []
    peer = connect(changed(node, retrieve_by=way))
    outcome = retrieve(peer, tmp_path, Wanted(STUDY), told.append, Stop())
    assert (outcome.present, outcome.total, outcome.complete) == (9, 9, True)
    assert [(state.present, state.total) for state in told] == [(k, 9) for k in range(10)]
    got = fetched(outcome.folder)
    assert got == {file.stem: data_set(file.read_bytes()) for file in (*slices, compressed)}
    syntaxes = {dcmread(file).file_meta.TransferSyntaxUID for file in outcome.folder.rglob("*.dcm")}
    assert RLELossless in syntaxes, "nothing is unpacked on the way"
    assert dcmread(next(outcome.folder.rglob("*.dcm")))[PRIVATE].value == SECRET
    assert {file.suffix for file in outcome.folder.rglob("*") if file.is_file()} == {".dcm"}
    again = retrieve(peer, tmp_path, Wanted(STUDY), told.append, Stop())
    assert again.complete
    assert told[-1].present == 9


def test_one_series_alone(node: Node, orthanc: Orthanc, slices: list[Path], compressed: Path, tmp_path: Path) -> None:
    orthanc.upload(*slices, compressed)
    outcome = retrieve(connect(node), tmp_path, Wanted(STUDY, (f"{SERIES}.9",)), silent, Stop())
    assert (outcome.present, outcome.total) == (1, 1)


@pytest.mark.parametrize("way", ["get", "move"])
def test_dcmtk_is_sent_to_and_retrieved_from(way: str, node: Node, slices: list[Path], tmp_path: Path) -> None:
    with dcmqrscp_server(tmp_path, node.receiver_port) as port:
        peer = connect(changed(node, name="dcmtk", port=port, ae_title="DCMTK", retrieve_by=way))
        peer.ping(Stop())
        sent: list[None] = []
        peer.send(slices[:3], lambda: sent.append(None), Stop())
        assert len(sent) == 3
        outcome = retrieve(peer, tmp_path / "home", Wanted(STUDY), silent, Stop())
        assert outcome.complete
        assert fetched(outcome.folder) == {file.stem: data_set(file.read_bytes()) for file in slices[:3]}


def test_what_is_sent_arrives_byte_for_byte(slices: list[Path], compressed: Path, tmp_path: Path) -> None:
    with storescp_server(tmp_path, "-xf", _every_syntax(tmp_path), "All") as port:
        store = Node(name="Store", host="127.0.0.1", port=port, ae_title="STORE")
        connect(store).send([slices[0], compressed], lambda: None, Stop())
    got = {data_set(file.read_bytes()) for file in (tmp_path / "out").iterdir()}
    assert got == {data_set(slices[0].read_bytes()), data_set(compressed.read_bytes())}


def _every_syntax(folder: Path) -> str:
    """A profile of dcmtk that takes RLE too."""
    path = folder / "scp.cfg"
    path.write_text(
        "[[TransferSyntaxes]]\n[Any]\nTransferSyntax1 = RLELossless\nTransferSyntax2 = LittleEndianExplicit\n"
        "TransferSyntax3 = LittleEndianImplicit\n[[PresentationContexts]]\n[Images]\n"
        "PresentationContext1 = CTImageStorage\\Any\nPresentationContext2 = VerificationSOPClass\\Any\n"
        "[[Profiles]]\n[All]\nPresentationContexts = Images\n"
    )
    return str(path)


def test_a_peer_that_knows_the_plainest_syntax_only(slices: list[Path], tmp_path: Path) -> None:
    with storescp_server(tmp_path, "+xi") as port:
        store = Node(name="Store", host="127.0.0.1", port=port, ae_title="STORE")
        connect(store).send([slices[0]], lambda: None, Stop())
    (file,) = (tmp_path / "out").iterdir()
    assert dcmread(file).pixel_array.tolist() == dcmread(slices[0]).pixel_array.tolist()


def test_packed_objects_that_a_peer_does_not_take(compressed: Path, tmp_path: Path) -> None:
    with storescp_server(tmp_path) as port:
        store = Node(name="Store", host="127.0.0.1", port=port, ae_title="STORE")
        with pytest.raises(RemoteError, match="does not take CT Image Storage"):
            connect(store).send([compressed], lambda: None, Stop())


def test_what_is_no_dicom_is_not_sent(node: Node, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear colleague")
    with pytest.raises(InputError, match=r"letter\.txt"):
        connect(node).send([text], lambda: None, Stop())


# -- encryption


def test_tls(slices: list[Path], tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    with storescp_server(tmp_path, "+tls", str(key), str(cert), "-ic") as port:
        store = Node(name="Store", host="127.0.0.1", port=port, ae_title="STORE", tls=True, ca_file=str(cert))
        connect(store).ping(Stop())
        connect(store).send([slices[0]], lambda: None, Stop())
        with pytest.raises(RemoteError, match=r"certificate of Store .* cannot be trusted"):
            connect(changed(store, ca_file="")).ping(Stop())
        connect(changed(store, ca_file="", verify=False)).ping(Stop())
        with pytest.raises(RemoteError, match="expects TLS"):
            connect(changed(store, tls=False)).ping(Stop())
        with pytest.raises(InputError, match=r"gone\.pem"):
            connect(changed(store, ca_file=str(tmp_path / "gone.pem"))).ping(Stop())
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_both_ways_over_tls(slices: list[Path], tmp_path: Path) -> None:
    """Orthanc demands our certificate, and our receiver demands Orthanc's when it connects back."""
    cert, key = make_certificate(tmp_path)
    with orthanc_server(tmp_path, (cert, key)) as server:
        plain = Node(
            name="Safe",
            host="127.0.0.1",
            port=server.dicom_port,
            ae_title="ORTHANC",
            receiver_host="127.0.0.1",
            receiver_port=server.receiver_port,
        )
        safe = changed(plain, tls=True, ca_file=str(cert), cert_file=str(cert), key_file=str(key))
        connect(safe).ping(Stop())
        connect(safe).send(slices[:3], lambda: None, Stop())
        assert server.stored(slices[0].stem)
        for way in ("get", "move"):
            outcome = retrieve(connect(changed(safe, retrieve_by=way)), tmp_path / way, Wanted(STUDY), silent, Stop())
            assert fetched(outcome.folder) == {file.stem: data_set(file.read_bytes()) for file in slices[:3]}, way
        assert not listens(server.receiver_port)
        with pytest.raises(RemoteError, match=r"expects TLS"):
            connect(plain).ping(Stop())
        with pytest.raises(RemoteError, match="expects our certificate"):
            connect(changed(safe, cert_file="", key_file="")).ping(Stop())
        without = connect(changed(safe, cert_file="", key_file="", retrieve_by="move"))
        with pytest.raises(InputError, match="our receiver needs a certificate"):
            without.fetch(Landing(tmp_path / "none", STUDY, SERIES, ["1.2.3"]), [], True, Stop())


def test_our_receiver_refuses_who_has_no_certificate(slices: list[Path], tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    (port,) = free_ports(1)
    local = Node(
        name="P",
        host="127.0.0.1",
        ae_title="PACS",
        retrieve_by="move",
        receiver_host="127.0.0.1",
        receiver_port=port,
        tls=True,
        ca_file=str(cert),
        cert_file=str(cert),
        key_file=str(key),
    )
    landing = Landing(tmp_path / "home", STUDY, SERIES, [slices[0].stem])
    sender = Node(name="Us", host="127.0.0.1", port=port, ae_title="MEDVIEWER", own_ae_title="PACS")
    known = changed(sender, tls=True, ca_file=str(cert), cert_file=str(cert), key_file=str(key))
    with receiving(local, landing, [CTImageStorage], Stop()):
        for stranger in (sender, changed(sender, tls=True, ca_file=str(cert))):
            with pytest.raises(RemoteError):
                connect(stranger).send(slices[:1], lambda: None, Stop())
        assert landing.count() == 0
        connect(known).send(slices[:1], lambda: None, Stop())
    assert landing.count() == 1


def test_tls_where_nobody_speaks_it(node: Node) -> None:
    with pytest.raises(RemoteError, match="TLS"):
        connect(changed(node, tls=True)).ping(Stop())


# -- what goes wrong


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"own_ae_title": "STRANGER"}, "refused|broke off|does not"),
        ({"ae_title": "WRONG"}, "it is not called WRONG"),
        ({"port": 1}, "Nothing answers at 127.0.0.1:1;"),
        ({"host": "no-such-host.invalid"}, "No machine called no-such-host.invalid"),
    ],
)
def test_wrong_settings_are_told(values: dict[str, object], words: str, node: Node) -> None:
    with pytest.raises(RemoteError, match=words) as caught:
        connect(changed(node, **values)).studies(Query(), Stop())
    assert "\n" not in str(caught.value)


def test_a_server_of_another_kind(node: Node, orthanc: Orthanc) -> None:
    with pytest.raises(RemoteError, match="does not take a DICOM connection"):
        connect(changed(node, port=orthanc.http_port)).ping(Stop())


def test_a_destination_that_the_archive_does_not_know(
    node: Node, slices: list[Path], tmp_path: Path, no_pauses: None
) -> None:
    with dcmqrscp_server(tmp_path, free_ports(1)[0]) as port:
        peer = connect(changed(node, port=port, ae_title="DCMTK", retrieve_by="move"))
        peer.send(slices[:1], lambda: None, Stop())
        outcome = retrieve(peer, tmp_path / "home", Wanted(STUDY), silent, Stop())
    assert (outcome.present, outcome.total, outcome.complete) == (0, 1, False)
    assert "could not send" in outcome.problem or "A7" in outcome.problem or "broke off" in outcome.problem


def test_a_study_that_is_not_there(node: Node, tmp_path: Path) -> None:
    outcome = retrieve(connect(node), tmp_path, Wanted("1.2.3.4.5"), silent, Stop())
    assert not outcome.complete
    assert "no series of that study" in outcome.problem


# -- broken connections


@pytest.mark.parametrize("cut", [9_000, 90_000, 200_000])
def test_a_broken_connection_resumes_what_is_missing(
    cut: int, node: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path, no_pauses: None
) -> None:
    orthanc.upload(*slices)
    peer = connect(node)
    listed = len(peer.series(STUDY, Stop()) and peer.instances(STUDY, SERIES, Stop()))
    asked: list[int] = []
    with cutting(orthanc.dicom_port, [1 << 30, 1 << 30, cut]) as proxy:
        through = DimsePeer(changed(node, port=proxy.port))
        original = through.fetch

        def counted(landing: object, missing: list[object], whole: bool, stop: Stop) -> None:
            asked.append(len(missing))
            original(landing, missing, whole, stop)  # type: ignore[arg-type]

        through.fetch = counted  # type: ignore[method-assign,assignment]
        outcome = retrieve(through, tmp_path, Wanted(STUDY), silent, Stop())
        assert proxy.connections > 3
    assert outcome.complete
    assert (asked[0], len(asked)) == (listed, 2)
    if cut > 80_000:
        assert 0 < asked[1] < listed, "what arrived is not asked for again"
    assert fetched(outcome.folder) == {file.stem: data_set(file.read_bytes()) for file in slices}


def test_a_connection_that_always_breaks_is_given_up_and_said(
    node: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path, no_pauses: None
) -> None:
    orthanc.upload(*slices)
    with cutting(orthanc.dicom_port, [1 << 30, 1 << 30, 90_000, *[3_000] * 20]) as proxy:
        outcome = retrieve(connect(changed(node, port=proxy.port)), tmp_path, Wanted(STUDY), silent, Stop())
    assert 0 < outcome.present < outcome.total == 8
    assert not outcome.complete
    assert "broke off" in outcome.problem or "does not take" in outcome.problem
    assert not list(outcome.folder.rglob("*.tmp"))


@pytest.mark.parametrize("way", ["get", "move"])
def test_cancel_keeps_what_arrived(way: str, node: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path) -> None:
    orthanc.upload(*slices)
    stop = Stop(threading.Event())

    def tell(state: Progress) -> None:
        if state.present == 3:
            stop.cancelled.set()

    peer = connect(changed(node, retrieve_by=way))
    with pytest.raises(JobCancelled):
        retrieve(peer, tmp_path, Wanted(STUDY), tell, stop)
    here = list(tmp_path.rglob("*.dcm"))
    assert 3 <= len(here) < 8
    assert not list(tmp_path.rglob("*.tmp"))
    assert retrieve(peer, tmp_path, Wanted(STUDY), silent, Stop()).complete


def test_nothing_of_ours_listens_while_no_move_runs(node: Node) -> None:
    assert not listens(node.receiver_port)
