"""The demo's whole job, with the real study and plugin and a paper screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.errors import StoreError
from tests.cli.conftest import PaperScreen, Run

pytestmark = pytest.mark.usefixtures("warm_workers")  # each command is a program


def test_the_demo_does_its_job_and_says_what_it_left_out(tmp_path: Path, run: Run, screen: PaperScreen) -> None:
    out = tmp_path / "new" / "demo"
    told = run("demo", "--out", out)
    assert told.code == 0, told.err
    summary = json.loads((out / "summary.json").read_text())
    assert sorted(summary["files"]) == sorted(path.name for path in out.iterdir())
    assert set(summary["files"]) >= {"brain.dcm", "brain.heatmap.nii.gz", "brain.png", "brain-why.png", "chest.png"}
    assert (out / "summary.txt").read_text().startswith("medviewer ")
    (row,) = summary["results"]["brain-extraction"]["segments"]
    mask = formats.load_segmentation(out / "brain.dcm")
    assert np.count_nonzero(mask.labels) / 1000 == pytest.approx(row["volume_ml"])
    assert len(summary["left_out"]) == 1
    for words in ("Left out: classifying", "medviewer plugin fetch chest-xray", "Research use only", "Wrote brain.dcm"):
        assert words in told.out
    volumes = [session for session in screen.sessions if session.view.layout == "mpr"]
    assert [session.mask is not None for session in volumes] == [True, False]
    assert [session.heatmap is not None for session in volumes] == [False, True]


def test_a_machine_that_cannot_draw_leaves_out_the_pictures_only(
    tmp_path: Path, run: Run, screen: PaperScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(*_: object) -> None:
        raise StoreError("A picture needs a display, and there is none; start one.")

    monkeypatch.setattr(screen, "render", blind)
    monkeypatch.setattr("medviewer.cli.demo._segment", lambda *_: None)  # the other test runs it
    told = run("demo", "--out", tmp_path / "demo", "--json")
    assert told.code == 0
    summary = json.loads(told.out)
    assert summary["files"] == ["summary.json", "summary.txt"]
    assert any("A picture needs a display" in what for what in summary["left_out"])
    assert "Left out: chest.png" in told.err


def test_a_folder_that_cannot_be_made(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("in the way")
    told = run("demo", "--out", tmp_path / "file" / "demo")
    assert (told.code, "--out" in told.err) == (1, True)
