"""The queue by command line, from files."""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from tests.cli.conftest import GRID, SERIES, STUDY, UID, Run


@pytest.fixture
def masks(tmp_path: Path, image: Image) -> tuple[Path, Path]:
    """What a model gave, and what a person made of it: one voxel more."""
    labels = (image.voxels > 300).astype(np.uint8)
    model, corrected = tmp_path / "model.nii.gz", tmp_path / "corrected.nii.gz"
    made = Provenance("brain-extraction", "1.0.0", "1.0.0", author="algorithm")
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "Brain"),), made, UID), model)
    labels = labels.copy()
    labels[0, 0, 0] = 1
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "Brain"),)), corrected)
    return model, corrected


def test_an_empty_queue(run: Run) -> None:
    assert "queue is empty" in run("queue", "list").out
    assert run("queue", "show", "abc").code == 1


def test_add_list_show(head: Path, masks: tuple[Path, Path], run: Run) -> None:
    model, corrected = masks
    call = ("queue", "add", head, "--mask", corrected, "--plugin", "brain-extraction", "--model-mask", model)
    told = run(*call, "--note", "one voxel", "--json")
    assert told.code == 0, told.err
    case = json.loads(told.out)
    voxels = np.count_nonzero(formats.load_segmentation(model).labels)
    assert case["dice_before"] == pytest.approx(2 * voxels / (2 * voxels + 1))
    assert (case["status"], case["verdict"], case["plugin"]) == ("waiting", "approved", "brain-extraction")
    assert (case["model"], case["series_uid"], case["note"]) == ("1.0.0", UID, "one voxel")
    assert (case["author"], case["shape"]) == (getpass.getuser(), [6, 9, 11])
    assert "ID1" not in told.out, "patients are known by a keyed hash only"
    assert json.loads(run("queue", "list", "--json").out)["cases"] == [case]
    assert json.loads(run("queue", "show", case["id"][:6], "--json").out) == case
    assert case["id"] in run("queue", "list").out
    assert "dice before: 0.9" in run("queue", "show", case["id"]).out


def test_a_later_verdict_takes_the_place_of_an_earlier_one(head: Path, masks: tuple[Path, Path], run: Run) -> None:
    _, corrected = masks
    call = ("queue", "add", head, "--mask", corrected, "--plugin", "brain-extraction")
    run(*call)
    assert run(*call, "--verdict", "rejected").out.startswith("Rejected: ")
    rows = json.loads(run("queue", "list", "--json").out)["cases"]
    assert [row["status"] for row in rows] == ["superseded", "rejected"]
    left = json.loads(run("queue", "list", "--status", "rejected", "--json").out)["cases"]
    assert left == rows[1:]
    assert json.loads(run("queue", "list", "--plugin", "chest-xray", "--json").out)["cases"] == []


def test_an_empty_mask_is_not_approved(head: Path, tmp_path: Path, run: Run) -> None:
    mask = tmp_path / "empty.nii.gz"
    formats.save_segmentation(Segmentation(np.zeros(GRID.shape, np.uint8), GRID, ()), mask)
    told = run("queue", "add", head, "--mask", mask, "--plugin", "brain-extraction")
    assert (told.code, "empty" in told.err) == (1, True)


def test_a_mask_of_something_else_is_not_added(head: Path, image: Image, tmp_path: Path, run: Run) -> None:
    mask = tmp_path / "lesion.nii.gz"
    formats.save_segmentation(Segmentation((image.voxels > 300).astype(np.uint8), GRID, (Segment(1, "Lesion"),)), mask)
    told = run("queue", "add", head, "--mask", mask, "--plugin", "brain-extraction")
    assert (told.code, "learns Brain, but this mask holds Lesion; rename" in told.err) == (1, True)
    told = run("queue", "add", head, "--mask", mask, "--plugin", "chest-xray")
    assert told.code == 1
    assert "queue is empty" in run("queue", "list").out


def test_an_image_that_the_plugin_does_not_see_is_not_added(tmp_path: Path, image: Image, run: Run) -> None:
    folder, mask = tmp_path / "ct", tmp_path / "mask.nii.gz"
    folder.mkdir()
    series = replace(SERIES, modality="CT")
    formats.write_dicom_series(replace(image, modality="CT"), folder, study=STUDY, series=series)
    formats.save_segmentation(Segmentation(np.ones(GRID.shape, np.uint8), GRID, (Segment(1, "Brain"),)), mask)
    told = run("queue", "add", folder, "--mask", mask, "--plugin", "brain-extraction")
    assert (told.code, "expects images of modality MR" in told.err) == (1, True)


def test_learning_needs_an_approved_case(run: Run) -> None:
    told = run("finetune", "--plugin", "brain-extraction")
    assert (told.code, "approve at least one mask" in told.err) == (1, True)


def test_versions_before_and_without_any_training(run: Run) -> None:
    (version,) = json.loads(run("models", "list", "--json").out)["versions"]
    assert (version["plugin"], version["version"], version["active"]) == ("brain-extraction", "1.0.0", True)
    assert "1.0.0" in run("models", "list", "--plugin", "brain-extraction").out
    for call in (("compare",), ("promote", "9.9.9"), ("rollback",)):
        told = run("models", *call, "--plugin", "brain-extraction")
        assert told.code == 1, told.out
        assert told.err.count("\n") == 1
