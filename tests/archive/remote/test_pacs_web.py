"""DICOMweb against Orthanc: search, retrieve, store; and small servers of our own for what Orthanc never does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import RLELossless

from medviewer.archive.remote import Node, Progress, Query, Stop, Wanted, connect, retrieve
from medviewer.archive.remote.web.multipart import Parts, boundary_of
from medviewer.errors import JobCancelled, RemoteError
from tests.interop.archives import SERIES, STUDY, changed, cutting, data_set, silent
from tests.interop.servers import PASSWORD, Orthanc, make_certificate


def test_ping_and_every_level(web: Node, orthanc: Orthanc, slices: list[Path], compressed: Path) -> None:
    orthanc.upload(*slices, compressed)
    peer = connect(web)
    peer.ping(Stop())
    (study,) = peer.studies(Query(study_uid=STUDY), Stop())
    assert (study.patient_name, study.modalities, study.instance_count) == ("Müller^Änne", ("CT",), 9)
    assert {series.instance_count for series in peer.series(STUDY, Stop())} == {1, 8}
    assert {one.sop_uid for one in peer.instances(STUDY, SERIES, Stop())} == {file.stem for file in slices}


def test_a_study_is_retrieved_as_it_is_stored(
    web: Node, orthanc: Orthanc, slices: list[Path], compressed: Path, tmp_path: Path
) -> None:
    orthanc.upload(*slices, compressed)
    told: list[Progress] = []
    outcome = retrieve(connect(web), tmp_path, Wanted(STUDY), told.append, Stop())
    assert (outcome.present, outcome.total, outcome.complete) == (9, 9, True)
    assert [state.present for state in told] == list(range(10))
    files = {str(dcmread(file).SOPInstanceUID): file for file in outcome.folder.rglob("*.dcm")}
    for original in (*slices, compressed):
        assert files[original.stem].read_bytes() == original.read_bytes()
    assert dcmread(files[compressed.stem]).file_meta.TransferSyntaxUID == RLELossless


def test_what_is_stored_is_byte_for_byte(web: Node, orthanc: Orthanc, slices: list[Path], compressed: Path) -> None:
    sent: list[None] = []
    connect(web).send([slices[0], compressed], lambda: sent.append(None), Stop())
    assert len(sent) == 2
    for file in (slices[0], compressed):
        assert orthanc.stored(file.stem) == file.read_bytes()


def test_a_file_without_a_header_is_sent(web: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(data_set(slices[0].read_bytes()))
    connect(web).send([bare], lambda: None, Stop())
    assert data_set(orthanc.stored(slices[0].stem)) == data_set(slices[0].read_bytes())


def test_a_broken_connection_resumes_what_is_missing(
    web: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path, no_pauses: None
) -> None:
    orthanc.upload(*slices)
    # searches come first: the third connection is the one that sends the series
    with cutting(orthanc.http_port, [1 << 30, 1 << 30, 100_000]) as proxy:
        through = changed(web, url=f"http://127.0.0.1:{proxy.port}/dicom-web")
        told: list[Progress] = []
        outcome = retrieve(connect(through), tmp_path, Wanted(STUDY), told.append, Stop())
        assert proxy.connections > 3
    assert outcome.complete
    assert [state.present for state in told] == list(range(9)), "nothing comes twice"


def test_cancel(web: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path) -> None:
    orthanc.upload(*slices)
    stop = Stop(threading.Event())

    def tell(state: Progress) -> None:
        if state.present == 2:
            stop.cancelled.set()

    with pytest.raises(JobCancelled):
        retrieve(connect(web), tmp_path, Wanted(STUDY), tell, stop)
    assert not list(tmp_path.rglob("*.tmp"))
    assert retrieve(connect(web), tmp_path, Wanted(STUDY), silent, Stop()).complete


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"secret": "wrong"}, "refused the log-in"),
        ({"auth": "none"}, "refused the log-in"),
        ({"auth": "bearer", "secret": "token"}, "refused the log-in"),
        ({"url": "http://127.0.0.1:1/dicom-web"}, "Nothing answers at http://127.0.0.1:1/dicom-web"),
        ({"url": "http://no-such-host.invalid/dicom-web"}, "Nothing answers"),
    ],
)
def test_wrong_settings_are_told(values: dict[str, object], words: str, web: Node) -> None:
    with pytest.raises(RemoteError, match=words) as caught:
        connect(changed(web, **values)).ping(Stop())
    told = f"{caught.value} {caught.value.details}"
    assert PASSWORD not in told
    assert "wrong" not in told


def test_a_wrong_path_is_told(web: Node) -> None:
    with pytest.raises(RemoteError, match="check the address"):
        connect(changed(web, url=web.url.replace("dicom-web", "nowhere"))).ping(Stop())


def test_neither_names_nor_secrets_are_logged(
    web: Node, node: Node, orthanc: Orthanc, slices: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orthanc.upload(*slices[:2])
    with caplog.at_level(logging.DEBUG):
        for one in (web, node):
            connect(one).studies(Query(name="Müller", patient_id="ID-4711"), Stop())
            retrieve(connect(one), tmp_path / one.name, Wanted(STUDY), silent, Stop())
    for word in ("ller", "4711", PASSWORD, "Basic"):
        assert word not in caplog.text
    assert PASSWORD not in repr(web)


# -- servers that misbehave


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """A web server on loopback whose every answer is ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def reply(handler: BaseHTTPRequestHandler, body: bytes, kind: str = "application/dicom+json", code: int = 200) -> None:
    """A whole answer."""
    handler.send_response(code)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_redirect_to_another_host_is_not_followed() -> None:
    seen: list[str | None] = []

    def there(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        reply(handler, b"[]")

    with answering(there) as other:

        def elsewhere(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", f"http://127.0.0.1:{other}/dicom-web/studies")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with answering(elsewhere) as port, pytest.raises(RemoteError, match="another host, which is not followed"):
            connect(_node(port)).ping(Stop())
    assert seen == []


def test_a_redirect_within_the_host_is_followed() -> None:
    def within(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/moved"):
            reply(handler, b"[]")
            return
        handler.send_response(307)
        handler.send_header("Location", "/moved/studies")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with answering(within) as port:
        assert connect(_node(port)).studies(Query(), Stop()) == []


@pytest.mark.parametrize("body", [b"<html>", b'{"a": 1}', b'[{"0020000D": 3}]', b"[1]", b"\xff", b"[" * 200_000])
def test_an_answer_that_is_no_dicomweb_is_told(body: bytes) -> None:
    with answering(lambda handler: reply(handler, body)) as port, pytest.raises(RemoteError):
        connect(_node(port)).studies(Query(), Stop())


def test_a_list_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medviewer.archive.remote.web.session.MAX_ANSWER", 100_000)
    body = b"[" + b" " * 400_000 + b"]"
    with (
        answering(lambda handler: reply(handler, body)) as port,
        pytest.raises(RemoteError, match="narrow the search"),
    ):
        connect(_node(port)).studies(Query(), Stop())


def test_oversized_and_foreign_objects_are_refused(slices: list[Path], tmp_path: Path, no_pauses: None) -> None:
    listed = f'[{{"00080018": {{"vr": "UI", "Value": ["{slices[0].stem}"]}}}}]'.encode()

    def sending(data: bytes) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            if "/instances" in handler.path and "?" in handler.path:
                reply(handler, listed)
                return
            body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--x--\r\n"
            reply(handler, body, 'multipart/related; type="application/dicom"; boundary=x')

        return answer

    wanted = Wanted(STUDY, (SERIES,))
    with answering(sending(slices[1].read_bytes())) as port:
        outcome = retrieve(connect(_node(port)), tmp_path, wanted, silent, Stop())
        assert "not asked for" in outcome.problem
    with answering(sending(b"MZ" + bytes(5000))) as port:
        outcome = retrieve(connect(_node(port)), tmp_path, wanted, silent, Stop())
        assert "should send DICOM objects" in outcome.problem
    with answering(sending(slices[0].read_bytes())) as port:
        outcome = retrieve(connect(_node(port)), tmp_path, wanted, silent, Stop(), max_object=10_000)
        assert "the archive sent more" in outcome.problem
        assert (outcome.present, list(tmp_path.rglob("*.dcm"))) == (0, [])
        assert retrieve(connect(_node(port)), tmp_path, wanted, silent, Stop()).complete
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    import ssl

    cert, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what is tested
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        node = Node(name="S", kind="dicomweb", url=f"https://127.0.0.1:{server.server_port}/dicom-web")
        with pytest.raises(RemoteError, match="cannot be trusted"):
            connect(node).ping(Stop())
        connect(changed(node, ca_file=str(cert))).ping(Stop())
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        reply(self, b"[]")

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def _node(port: int) -> Node:
    url = f"http://127.0.0.1:{port}/dicom-web"
    return Node(name="Small", kind="dicomweb", url=url, auth="basic", user="u", secret="p")


# -- answers of several parts


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    size=st.integers(1, 50),
    headers=st.sampled_from([b"", b"Content-Type: application/dicom\r\nX: y"]),
)
def test_parts_come_back_however_they_are_cut(parts: list[bytes], size: int, headers: bytes) -> None:
    lead = headers + b"\r\n" if headers else b""
    body = b"preamble\r\n" + b"".join(b"--mark\r\n" + lead + b"\r\n" + part + b"\r\n" for part in parts) + b"--mark--"
    read = Parts((body[k : k + size] for k in range(0, len(body), size)), "mark")
    got = []
    while read.next():
        stream = BytesIO()
        read.copy(stream.write, 1000)
        got.append(stream.getvalue())
    assert got == list(parts)


@given(cut=st.integers(0, 60))
def test_parts_that_end_too_early_are_told(cut: int) -> None:
    body = b"--mark\r\nA: b\r\n\r\n" + bytes(30) + b"\r\n--mark--"
    read = Parts(iter([body[:cut]] if cut else []), "mark")
    if cut >= len(body):
        return

    def everything() -> None:
        while read.next():
            read.copy(lambda data: None, 1000)

    with pytest.raises(RemoteError, match="broke off"):
        everything()


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary="a b"', "a b"),
        ("multipart/related; boundary=abc", "abc"),
        ("application/dicom", ""),
        ("", ""),
    ],
)
def test_boundary(kind: str, boundary: str) -> None:
    assert boundary_of(kind) == boundary
