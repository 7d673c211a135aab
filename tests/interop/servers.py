"""Real peers on loopback, on free ports: Orthanc with DICOMweb, and dcmtk's dcmqrscp and storescp."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = {
    "Orthanc": "orthanc",
    "dcmqrscp": "dcmtk",
    "storescp": "dcmtk",
    "openssl": "openssl",
}
"""Program and the Debian package that brings it."""
_PLUGIN = "libOrthancDicomWeb.so"
_PLUGIN_FOLDERS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc"))
USER, PASSWORD = "reader", "Wort-für-Tests"
START_S = 20.0


def program(name: str) -> str:
    """The path of a program; without it the tests fail, because what is not run is not known to work."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.fail(f"These tests need {name}; install the Debian package {PACKAGES[name]}.")
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


@contextmanager
def running(command: Sequence[str], ports: Sequence[int], folder: Path) -> Iterator[None]:
    """A server, from the moment that its ports answer to the end of the block."""
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=folder)
        try:
            deadline = time.monotonic() + START_S
            while not all(listens(port) for port in ports):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.02)  # there is no other way to learn that a server is up
            yield
        finally:
            process.kill()  # what it stored is thrown away anyhow, and Orthanc takes seconds to end by itself
            process.wait()


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc. It knows MEDVIEWER, whose receiver it expects at `receiver_port`."""

    dicom_port: int
    http_port: int
    receiver_port: int

    @property
    def url(self) -> str:
        """Base of its DICOMweb services."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def request(self, path: str, data: bytes | None = None, method: str | None = None) -> bytes:
        """Its own REST interface, which is not what is tested."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data, method=method)
        request.add_header("Authorization", f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            raise

    def upload(self, *files: Path) -> None:
        """Put files into it."""
        for file in files:
            self.request("/instances", file.read_bytes())

    def stored(self, sop_uid: str) -> bytes:
        """An object as it lies there."""
        found = json.loads(self.request("/tools/lookup", sop_uid.encode(), "POST"))
        return self.request(f"/instances/{found[0]['ID']}/file")

    def clear(self) -> None:
        """Forget everything."""
        for patient in json.loads(self.request("/patients")):
            self.request(f"/patients/{patient}", method="DELETE")


def plugin() -> str:
    """Orthanc's DICOMweb plugin."""
    for folder in _PLUGIN_FOLDERS:
        if (folder / _PLUGIN).exists():
            return str(folder / _PLUGIN)
    pytest.fail("These tests need Orthanc's DICOMweb plugin; install the Debian package orthanc-dicomweb.")


@contextmanager
def orthanc_server(folder: Path, tls: tuple[Path, Path] | None = None) -> Iterator[Orthanc]:
    """An Orthanc of its own; with a certificate and its key, DICOM is encrypted both ways and both sides have it."""
    dicom, http, receiver = free_ports(3)
    modality = {"AET": "MEDVIEWER", "Host": "127.0.0.1", "Port": receiver, "UseDicomTls": tls is not None}
    settings = {
        "Name": "TEST",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowFind": False,
        "DicomAlwaysAllowGet": False,
        "DicomModalities": {"medviewer": modality},
        "SynchronousCMove": True,
        "OverwriteInstances": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DefaultEncoding": "Utf8",
        "Plugins": [plugin()],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "HttpThreadsCount": 4,
    }
    if tls is not None:
        settings |= {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(tls[0]),
            "DicomTlsPrivateKey": str(tls[1]),
            "DicomTlsTrustedCertificates": str(tls[0]),
            "DicomTlsRemoteCertificateRequired": True,
        }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    with running([program("Orthanc"), str(folder / "orthanc.json")], (dicom, http), folder):
        yield Orthanc(dicom, http, receiver)


@contextmanager
def dcmqrscp_server(folder: Path, receiver_port: int) -> Iterator[int]:
    """A dcmqrscp called DCMTK that knows MEDVIEWER; gives its port."""
    (port,) = free_ports(1)
    (folder / "db").mkdir()
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 8\n"
        f"HostTable BEGIN\nmedviewer = (MEDVIEWER, 127.0.0.1, {receiver_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMTK {folder / 'db'} RW (200, 1024mb) ANY\nAETable END\n"
    )
    with running([program("dcmqrscp"), "-c", str(folder / "dcmqrscp.cfg")], (port,), folder):
        yield port


@contextmanager
def storescp_server(folder: Path, *options: str) -> Iterator[int]:
    """A storescp called STORE that writes what it is sent to ``folder/out``, as it came; gives its port."""
    (port,) = free_ports(1)
    (folder / "out").mkdir()
    command = [program("storescp"), "+B", "-aet", "STORE", "-od", str(folder / "out"), *options, str(port)]
    with running(command, (port,), folder):
        yield port


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="session")
def orthanc_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One Orthanc for all tests of a run."""
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def orthanc(orthanc_process: Orthanc) -> Orthanc:
    """The Orthanc of this run, empty."""
    orthanc_process.clear()
    return orthanc_process
