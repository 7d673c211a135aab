"""TotalSegmentator's folders, when the user has them: their names, codes, licences and orientation."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunet import totalsegmentator
from nnunet.adapter import NnUnet
from nnunet.network import Recipe, UNet

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.inference import submit_prediction
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import discover, find
from medviewer.plugin_api.manifest import read_manifest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import nnunet_folders as folders  # noqa: E402

DATASET = "Dataset297_TotalSegmentator_total_3mm_1559subj"
TRAINER = "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres"
CLASSES = 117
ARCHITECTURE = {**folders.ARCHITECTURE, "features_per_stage": [4, 8]}


def write(root: Path) -> Path:
    """A folder of the names and structure of TotalSegmentator's fast model, with a tiny network nobody trained."""
    names = sorted(totalsegmentator._structures())[: CLASSES - 1]
    torch.manual_seed(0)
    network = UNet(Recipe(ARCHITECTURE, 1, CLASSES + 1), residual=False)
    configuration = {
        "patch_size": [16, 16, 16],
        "spacing": [3.0, 3.0, 3.0],
        "normalization_schemes": ["CTNormalization"],
        "architecture": {"network_class_name": "a.PlainConvUNet", "arch_kwargs": ARCHITECTURE},
    }
    said = folders.plans(configuration=configuration, dataset_name=DATASET, transpose_forward=[0, 1, 2])
    labels = {"background": 0, **{name: k for k, name in enumerate([*names, "vertebrae_L9"], start=1)}}
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    return folders.write_result(
        root,
        {"0": network},
        said=said,
        dataset=dataset,
        name=DATASET,
        trainer=TRAINER,
        inference_allowed_mirroring_axes=(),
    )


def test_a_hundred_classes_have_names_and_codes_and_run(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    folder.mkdir()
    NnUnet().install(write(tmp_path), folder, RunContext())
    manifest = read_manifest(folder)
    labels = {label.name: label for label in manifest.outputs.labels}
    assert len(labels) == CLASSES
    left = labels["Adrenal gland left"]
    assert left.code is not None
    assert (left.code.value, left.code.scheme, left.side) == ("23451007", "SCT", "left")
    assert labels["vertebrae L9"].code is None  # nobody gave that one a code
    assert manifest.inputs.orientation == "SAR"
    assert manifest.inputs.flips == ()  # trained without mirroring, for it tells left from right
    assert manifest.inputs.modality == ("CT",)
    assert manifest.weights.licence == totalsegmentator.OPEN_LICENCE
    assert manifest.name == "TotalSegmentator total 3mm 1559subj (3d_fullres)"

    voxels = np.random.default_rng(0).normal(300, 60, (20, 22, 24)).astype(np.int16)
    grid = Grid(voxels.shape, (3.0, 3.0, 3.0))
    image, series = Image(voxels, grid, modality="CT"), Series("1.2", "CT", "", grid, (), "nifti")
    plugin = find(manifest.id, discover([folder, HERE.parent]))
    job = submit_prediction(runner, image, series, plugin, folder / "weights.safetensors", "1.0.0", device="cpu")
    runner.wait(job, 120)
    mask = job.result()
    assert isinstance(mask, Segmentation)
    assert mask.labels.shape == voxels.shape
    assert mask.labels.max() <= CLASSES
    assert len(np.unique(mask.labels)) > 5


def test_its_weights_are_known_by_name_and_by_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = totalsegmentator.is_one
    assert known(tmp_path / DATASET / TRAINER, DATASET)
    assert known(tmp_path / "x" / TRAINER, "Dataset852_TotalSegMRI_total_3mm_1088subj")
    assert not known(tmp_path / "Dataset297_Kidneys" / TRAINER, "Dataset297_Kidneys")
    assert not known(tmp_path / "Dataset004_Hippocampus" / TRAINER, "Dataset004_Hippocampus")
    liver = tmp_path / "results" / "Dataset008_HepaticVessel" / TRAINER
    assert not known(liver, "Dataset008_HepaticVessel")  # a public dataset of that name, trained by anybody
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "results"))
    assert known(liver, "Dataset008_HepaticVessel")
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH")
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path))
    assert known(tmp_path / "nnunet" / "results" / "Dataset008_HepaticVessel" / TRAINER, "Dataset008_HepaticVessel")


def test_models_that_need_a_licence_number_say_so(tmp_path: Path) -> None:
    heart = "Dataset301_heart_highres_1559subj"
    assert "licence number" in totalsegmentator.licence_of(tmp_path / heart / TRAINER, heart)
    assert totalsegmentator.licence_of(tmp_path / DATASET / TRAINER, DATASET) == totalsegmentator.OPEN_LICENCE
