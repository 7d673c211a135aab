"""A structured report goes to the archive and comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from medviewer import formats
from medviewer.archive.remote import Stop, Wanted, connect, retrieve
from tests.interop.archives import data_set, make_report, silent
from tests.interop.servers import Orthanc


@pytest.mark.parametrize("kind", ["node", "web"])
def test_a_report_is_stored_and_comes_back_byte_for_byte(
    kind: str, request: pytest.FixtureRequest, orthanc: Orthanc, slices: list[Path], tmp_path: Path
) -> None:
    report = make_report(tmp_path / "report.dcm", slices[:1])
    uid, study = (str(dcmread(report)[word].value) for word in ("SOPInstanceUID", "StudyInstanceUID"))
    peer = connect(request.getfixturevalue(kind))
    peer.send([report], lambda: None, Stop())
    assert data_set(orthanc.stored(uid)) == data_set(report.read_bytes())
    if kind == "web":
        assert orthanc.stored(uid) == report.read_bytes()
    outcome = retrieve(peer, tmp_path / "home", Wanted(study), silent, Stop())
    (back,) = outcome.folder.rglob("*.dcm")
    assert data_set(back.read_bytes()) == data_set(report.read_bytes())
    (attachment,) = formats.scan([outcome.folder]).attachments
    assert (attachment.uid, attachment.kind) == (uid, "report")
    assert "Läsion 1" in formats.read_document(attachment).text
