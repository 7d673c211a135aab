"""A plugin on many series: a row a case, refusals with reasons, and going on after a stop."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.case_table import CaseRow, CaseTable
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.errors import InputError
from medviewer.jobs import Runner
from tests.cli.conftest import SERIES, STUDY, Run
from tests.inference.tiny_plugins import write_plugin

pytestmark = pytest.mark.usefixtures("warm_workers")  # each command is a program


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segmenter of MR."""
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tmp_path / "plugins"))
    write_plugin(tmp_path / "plugins", "tiny")
    return tmp_path / "plugins"


@pytest.fixture
def studies(tmp_path: Path, image: Image) -> Path:
    """Two heads, and a picture that no segmenter of volumes wants."""
    root = tmp_path / "studies"
    for number in (1, 2):
        folder = root / f"head{number}"
        folder.mkdir(parents=True)
        series = replace(SERIES, uid=f"{SERIES.uid}.{number}", number=number, description="=1+1")
        patient = replace(STUDY.patient, id=f"ID{number}")
        study = replace(STUDY, uid=f"{STUDY.uid}.{number}", patient=patient)
        formats.write_dicom_series(image, folder, study=study, series=series)
    grid = Grid((1, 20, 30))
    picture = Image(np.arange(600, dtype=np.uint16).reshape(grid.shape), grid, "DX")
    folder = root / "film"
    folder.mkdir()
    series = replace(SERIES, uid=f"{SERIES.uid}.3", modality="DX", grid=grid)
    formats.write_dicom_series(picture, folder, study=replace(STUDY, uid=f"{STUDY.uid}.3"), series=series)
    return root


def rows_of(table: Path) -> list[dict[str, Any]]:
    if table.suffix == ".json":
        return json.loads(table.read_text())
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_one_row_a_case_and_what_is_done_is_passed_by(run: Run, tiny: Path, studies: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "cases.csv", tmp_path / "out"
    call = ("predict", studies, "-p", "tiny", "-o", out, "--table", table, "--device", "cpu", "--json")
    told = run(*call)
    assert told.code == 0, told.err
    counts = {"done": 2, "refused": 1, "failed": 0, "skipped": 0}
    assert json.loads(told.out) == {"table": str(table), "output": str(out), **counts}
    rows = {row["series_uid"]: row for row in rows_of(table)}
    assert len(rows) == 3
    first = rows[f"{SERIES.uid}.1"]
    assert (first["status"], first["plugin"], first["model_version"]) == ("done", "tiny", "1.2.3")
    assert float(first["Part 1_ml"]) > 0
    assert float(first["seconds"]) > 0
    assert (out / first["output"]).is_file()
    assert len(first["patient"]) == 16
    assert first["patient"] != rows[f"{SERIES.uid}.2"]["patient"]
    (refused,) = (row for row in rows.values() if row["modality"] == "DX")
    assert (refused["status"], "expects images of modality MR, but this is DX" in refused["reason"]) == (
        "refused",
        True,
    )
    text = table.read_text()
    assert "Doe" not in text
    assert "ID1" not in text
    assert ",'=1+1," in text, "no spreadsheet takes it for a formula"

    before = table.read_bytes()
    assert json.loads(run(*call).out)["skipped"] == 3
    assert table.read_bytes() == before


def test_what_fails_is_told_and_runs_again_next_time(run: Run, studies: Path, tmp_path: Path, tiny: Path) -> None:
    write_plugin(tiny, "raises", "    def normalise(self, values):\n        raise ValueError('no')\n")
    table = tmp_path / "cases.csv"
    call = ("predict", studies / "head1", "-p", "raises", "-o", tmp_path / "out", "--table", table, "--device", "cpu")
    told = run(*call)
    assert (told.code, "1 cases failed" in told.err) == (1, True), told.err
    (row,) = rows_of(table)
    assert (row["status"], "ValueError: no" in row["reason"]) == ("failed", True)


def test_a_list_names_paths_and_series(run: Run, tiny: Path, studies: Path, tmp_path: Path) -> None:
    listed = studies / "list.txt"
    listed.write_text(f"# heads\nhead1\t{SERIES.uid}.1\n\nhead2\t1.2.3\nnowhere\n")
    table = tmp_path / "cases.json"
    told = run(
        "predict",
        "-p",
        "tiny",
        "-o",
        tmp_path / "out",
        "--table",
        table,
        "--list",
        listed,
        "--device",
        "cpu",
        "--names",
    )
    assert told.code == 1
    rows = rows_of(table)
    assert [row["status"] for row in rows] == ["done", "failed", "failed"]
    assert (rows[0]["patient_name"], rows[0]["patient_id"]) == ("Doe^Jane", "ID1")
    assert "does not exist" in rows[2]["reason"]


def test_ctrl_c_leaves_a_whole_table_that_is_gone_on_with(
    run: Run, tiny: Path, studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "cases.csv"
    call = ("predict", studies, "-p", "tiny", "-o", tmp_path / "out", "--table", table, "--device", "cpu")
    real, add = Runner.wait, CaseTable.add
    stop: list[bool] = []

    def added(self: CaseTable, row: CaseRow) -> None:
        add(self, row)
        stop.append(True)

    def wait(self: Runner, job: Any, timeout: float | None = None) -> None:
        if len(stop) == 1:
            stop.append(True)
            raise KeyboardInterrupt
        real(self, job, timeout)

    monkeypatch.setattr(CaseTable, "add", added)
    monkeypatch.setattr(Runner, "wait", wait)
    told = run(*call)
    assert (told.code, "goes on from here" in told.err) == (1, True), told.err
    assert len(rows_of(table)) == 1
    monkeypatch.undo()
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tiny))
    monkeypatch.setenv("MEDVIEWER_HOME", str(tmp_path / "medviewer-home"))
    assert run(*call, "--again").code == 0
    assert len(rows_of(table)) == 3


@pytest.mark.parametrize(
    "call",
    [
        ["--table", "x.txt"],
        ["--list", "x"],
        ["--again"],
        [],
        ["a", "b"],
        ["a", "--set", "speed"],
        ["a", "--tta", "some"],
        ["a", "--samples", "-1"],
    ],
    ids=" ".join,
)
def test_wrong_usage(run: Run, call: list[str], tmp_path: Path) -> None:
    assert run("predict", *call, "-p", "brain-extraction", "-o", tmp_path / "x.dcm").code == 2


# -- the table itself


def row(uid: str, **more: Any) -> CaseRow:
    return CaseRow(uid, plugin="p", plugin_version="1.0.0", **more)


@pytest.mark.parametrize("name", ["t.csv", "t.json"])
def test_a_table_is_whole_after_every_row(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    table = CaseTable(path, ["a_ml"])
    for k in range(3):
        table.add(
            row(f"1.{k}", status="done", values={"a_ml": k + 0.5}, flags=("one,", 'two "x"\nthree'), description="é")
        )
        assert len(rows_of(path)) == k + 1
    again = CaseTable(path, ["a_ml"])
    assert (len(again), again.has(row("1.1")), again.has(row("1.9"))) == (3, True, False)
    again.add(row("1.1", status="failed", reason="x"))
    assert not CaseTable(path, ["a_ml"]).has(row("1.1"))
    assert len(rows_of(path)) == 3
    with pytest.raises(InputError, match="name another file"):
        CaseTable(path, ["b_ml"])


@pytest.mark.parametrize("name", ["t.csv", "t.json"])
def test_a_label_may_be_called_as_a_column_is_and_be_no_number(tmp_path: Path, name: str) -> None:
    path, labels = tmp_path / name, ["status", "label_status", "patient_id", "b"]
    table = CaseTable(path, labels)
    table.add(row("1", status="done", values={"status": 0.5, "label_status": 0.25, "b": float("nan")}, distance=np.inf))
    assert table.header.count("status") == 1
    (found,) = rows_of(path)
    assert (found["status"], float(found["label_status"])) == ("done", 0.25)
    assert float(found["label_label_status"]) == 0.5
    assert all(found[column] in (None, "") for column in ("b", "distance", "label_patient_id"))
    assert "NaN" not in path.read_text()
    assert CaseTable(path, labels).has(row("1"))


def test_a_line_that_a_crash_cut_off_goes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table = CaseTable(path, ["a_ml"])
    table.add(row("1.1", status="done"))
    table.add(row("1.2", status="done"))
    path.write_bytes(path.read_bytes()[:-9])
    table = CaseTable(path, ["a_ml"])
    assert [table.has(row(uid)) for uid in ("1.1", "1.2")] == [True, False]
    table.add(row("1.2", status="done"))
    assert [one["series_uid"] for one in rows_of(path)] == ["1.1", "1.2"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"not a table\n", b"{}", b"[3]", b""])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    for name in ("t.csv", "t.json"):
        (tmp_path / name).write_bytes(content)
        if name == "t.csv" and content == b"":
            assert len(CaseTable(tmp_path / name, ["a_ml"])) == 0
            continue
        with pytest.raises(InputError):
            CaseTable(tmp_path / name, ["a_ml"])
        assert (tmp_path / name).read_bytes() == content


def test_another_version_of_the_model_is_another_case(tmp_path: Path) -> None:
    first = CaseRow("1", status="done", plugin="p", plugin_version="1", model_version="1", created="now")
    table = CaseTable(tmp_path / "cases.csv", ())
    table.add(first)
    assert table.has(first)
    assert not table.has(replace(first, model_version="2"))
    table.add(replace(first, model_version="2"))
    assert [row["model_version"] for row in rows_of(tmp_path / "cases.csv")] == ["1", "2"]


def test_a_table_that_is_written_anew_asks_nothing_of_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("something else\n")
    CaseTable(path, (), anew=True).fill([CaseRow("1"), CaseRow("2")])
    assert [row["series_uid"] for row in rows_of(path)] == ["1", "2"]
