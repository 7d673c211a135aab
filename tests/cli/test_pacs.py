"""The hospital's archive by command line, against Orthanc."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from pydicom import dcmread

from medviewer import formats
from tests.cli.conftest import STUDY, UID, Run, one_sentence
from tests.interop.servers import PASSWORD, USER, Orthanc


@pytest.fixture
def nodes(run: Run, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """Orthanc is set up by DIMSE and by DICOMweb."""
    call = ("pacs", "add", "PACS", "--host", "127.0.0.1", "--port", orthanc.dicom_port, "--aet", "ORTHANC")
    assert run(*call).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    told = run("pacs", "add", "Web", "--url", orthanc.url, "--user", USER, "--secret-stdin")
    assert (told.code, "as it is" in told.err) == (0, True)
    return orthanc


def test_list_never_shows_a_password(nodes: Orthanc, run: Run) -> None:
    told = run("pacs", "list", "--json")
    assert [node["name"] for node in json.loads(told.out)["nodes"]] == ["PACS", "Web"]
    assert PASSWORD not in told.out + run("pacs", "list").out
    assert run("pacs", "remove", "PACS").code == 0
    assert one_sentence(run("pacs", "test", "PACS").err)


def test_wrong_settings_name_their_option(run: Run) -> None:
    told = run("pacs", "add", "PACS", "--host", "h", "--aet", "")
    assert (told.code, "--aet" in told.err) == (2, True)


@pytest.mark.parametrize("name", ["PACS", "Web"])
def test_send_query_retrieve(name: str, nodes: Orthanc, head: Path, run: Run) -> None:
    assert run("pacs", "test", name).out.startswith(f"{name} answers")
    assert json.loads(run("pacs", "send", name, head, "--json").out) == {"sent": 6}
    (study,) = json.loads(run("pacs", "query", name, "--name", "doe", "--modality", "MR", "--json").out)["studies"]
    assert (study["study_uid"], study["patient_name"], study["instance_count"]) == (STUDY.uid, "Doe^Jane", 6)
    assert "A small head" in run("pacs", "query", name, "--study", STUDY.uid).out
    told = run("pacs", "retrieve", name, STUDY.uid, "--json")
    assert told.code == 0, told.err
    (outcome,) = json.loads(told.out)["studies"]
    assert (outcome["present"], outcome["complete"]) == (6, True)
    (series,) = formats.scan([Path(outcome["folder"])]).series
    assert series.instance_uid == UID
    originals = {dcmread(file).SOPInstanceUID: dcmread(file) for file in head.iterdir()}
    for file in series.files:
        assert dcmread(file) == originals[dcmread(file).SOPInstanceUID]


def test_what_is_not_there_is_told(nodes: Orthanc, tmp_path: Path, run: Run) -> None:
    told = run("pacs", "retrieve", "PACS", "1.2.3")
    assert (told.code, "no series of that study" in told.err) == (1, True)
    assert run("pacs", "send", "PACS", tmp_path).code == 1
    assert one_sentence(run("pacs", "query", "PACS", "--from", "yesterday").err)
