"""All seven steps on the demo's head, by command line: what a script can do, from the first look to the rollback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medviewer import formats
from medviewer.__main__ import main
from medviewer.domain.mask import dice

HEAD = Path(__file__).parents[2] / "resources" / "demo" / "colin27"
REFERENCE = Path(__file__).parents[1] / "data" / "colin27_brain.nii.gz"
PLUGIN = ("--plugin", "brain-extraction")


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


def apart(*arguments: object) -> Ran:
    """Run a command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "medviewer", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def done(ran: Ran) -> str:
    """The report of a command that has to have worked."""
    assert ran.code == 0, ran.err
    return ran.out


def brain_dice(path: Path) -> float:
    """Dice of a mask against the head's reference, on the reference's grid: a SEG leaves out slices that are empty."""
    reference = formats.load_segmentation(REFERENCE)
    return dice(formats.load_segmentation(path, reference.grid).labels, reference.labels)


def coloured(path: Path) -> float:
    """The part of a picture's pixels that are not grey."""
    with Picture.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return float((np.ptp(pixels, axis=2) > 20).mean())


@pytest.mark.usefixtures("warm_workers")  # of the commands that run here: each is a program
def test_the_whole_loop(tmp_path: Path, here: Run) -> None:
    # 1: open
    (study,) = json.loads(done(apart("info", HEAD, "--json")))["studies"]
    (series,) = study["series"]
    assert (series["modality"], series["shape"], series["warnings"]) == ("MR", [181, 217, 181], [])

    # 3: segment
    seg = tmp_path / "brain.dcm"
    told = json.loads(done(here("predict", HEAD, *PLUGIN, "-o", seg, "--json")))
    assert told["provenance"]["model_version"] == "1.0.0"
    assert told["notes"] == []
    assert brain_dice(seg) >= 0.92
    _is_valid_dicom(seg)

    # 4, and 2: explain, and see both on the image
    heat = tmp_path / "why.nii.gz"
    told = json.loads(done(here("explain", HEAD, *PLUGIN, "--method", "gradcam", "-o", heat, "--json")))
    assert (told["method"], told["target"]) == ("Grad-CAM", "Brain")
    shown = formats.load_heatmap(heat, formats.load_segmentation(REFERENCE).grid)
    assert 0 <= shown.values.min() < shown.values.max() == pytest.approx(1, abs=1e-3)
    done(apart("screenshot", HEAD, "-o", tmp_path / "both.png", "--mask", seg, "--heatmap", heat))
    assert coloured(tmp_path / "both.png") > 0.05

    # 5: correct, here with the reference as the patient hand
    done(here("queue", "add", HEAD, "--mask", REFERENCE, "--model-mask", seg, *PLUGIN))
    (case,) = json.loads(done(here("queue", "list", "--json")))["cases"]
    assert (case["status"], case["model"]) == ("waiting", "1.0.0")
    assert case["dice_before"] == pytest.approx(brain_dice(seg))

    # 6: learn. One patient is too few to tell, so the gate leaves it to a person.
    ran = here("finetune", *PLUGIN, "--max-steps", "2", "--json")
    result = json.loads(done(ran))
    assert (result["version"], result["training_cases"]) == ("1.0.0-ft.1", [case["id"]])
    assert ran.err.count("loss") == 2
    assert result["verdict"]["kind"] == "undecided"
    compared = json.loads(done(here("models", "compare", *PLUGIN, "--json")))
    assert (compared["present"], compared["candidate"], compared["cases"]) == ("1.0.0", "1.0.0-ft.1", [])
    refused = here("models", "promote", "1.0.0-ft.1", *PLUGIN)
    assert refused.code == 1
    assert "too few" in refused.err
    done(here("models", "promote", "1.0.0-ft.1", *PLUGIN, "--decide", "--reason", "looked at the masks"))
    told = json.loads(done(here("predict", HEAD, *PLUGIN, "-o", tmp_path / "new.nii.gz", "--json")))
    assert told["provenance"]["model_version"] == "1.0.0-ft.1"
    assert brain_dice(tmp_path / "new.nii.gz") >= 0.9
    assert "1.0.0" in done(here("models", "rollback", *PLUGIN))
    states = {row["version"]: row["state"] for row in json.loads(done(here("models", "list", "--json")))["versions"]}
    assert states == {"1.0.0": "active", "1.0.0-ft.1": "retired"}


def _is_valid_dicom(path: Path) -> None:
    """Ask dicom3tools' validator, and read the file with another library."""
    import highdicom

    seg = highdicom.seg.segread(str(path))
    assert seg.number_of_segments == 1
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, timeout=60, check=False)
    assert "Error" not in checked.stdout + checked.stderr
