"""Labels and maps of doubt on the image's grid, whatever the network's output means and however it is swept."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import dice
from medviewer.errors import ContractError, JobCancelled
from medviewer.inference.pipeline import prepared
from medviewer.inference.request import RunOptions
from medviewer.inference.service import classify_image
from medviewer.inference.sweep import segmented
from tests.inference.opened import Bare, manifest_of, opened_run, scaled

GRID = Grid((18, 21, 24), (1.5, 1.0, 1.0))
ROI = {"windows": {"roi": [8, 8, 8], "overlap": 0.5, "batch": 3}}


def _levels() -> Image:
    """Three levels, a label each, in blocks."""
    voxels = np.zeros(GRID.shape, np.int16)
    voxels[4:14, 3:10, 3:20] = 1
    voxels[4:14, 10:18, 3:20] = 2
    return Image(voxels, GRID)


class Level(nn.Module):
    """Scores the nearness of a value to 0, 1 and 2: background and two labels."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.arange(first, 3, dtype=torch.float32).reshape(1, -1, 1, 1, 1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return 10 - 20 * (values - self.levels).abs()


class Own(Bare):
    def probabilities(self, output: torch.Tensor) -> torch.Tensor:
        return output[0].sigmoid()


def _two(activation: str, **changes: Any) -> dict[str, Any]:
    return {"labels": [{"name": "One"}, {"name": "Two"}], "activation": activation, **changes}


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "own"])
@pytest.mark.parametrize("inputs", [ROI, {"size": list(GRID.shape)}, {**ROI, "orientation": "LAI"}])
def test_every_activation(activation: str, inputs: dict[str, Any]) -> None:
    image, manifest = _levels(), manifest_of(inputs, _two(activation))
    network = Level(0 if activation == "softmax" else 1)
    found = segmented(opened_run(manifest, image, network, Own()))
    np.testing.assert_array_equal(found.labels, image.voxels)
    assert found.labels.dtype == np.uint8
    assert found.entropy is None


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_every_label_keeps_its_place_at_another_spacing(activation: str) -> None:
    image, manifest = _levels(), manifest_of({**ROI, "spacing": [1.0, 1.3, 0.8]}, _two(activation))
    found = segmented(opened_run(manifest, image, Level(0 if activation == "softmax" else 1)))
    # Between 0 and 2 lies 1: the outer edge of the second block is a thin shell of the first label.
    assert dice(found.labels == 2, image.voxels == 2) > 0.9
    assert dice(found.labels, image.voxels) > 0.95


def test_a_softmax_of_other_channels_is_told() -> None:
    with pytest.raises(ContractError, match=r"softmax and 2 labels, so its network should answer 3 channels"):
        segmented(opened_run(manifest_of(ROI, _two("softmax")), _levels(), Level(1)))


def test_scores_that_are_not_numbers_are_told() -> None:
    with pytest.raises(ContractError, match="finite probabilities"):
        segmented(opened_run(manifest_of(ROI), _levels(), scaled(float("nan"), 0)))


def test_an_output_of_another_size_is_told() -> None:
    with pytest.raises(ContractError, match="voxel by voxel"):
        segmented(opened_run(manifest_of(ROI), _levels(), nn.Flatten()))


@pytest.mark.parametrize("inputs", [{"size": [30, 40]}, {"windows": {"roi": [16, 16]}}])
def test_a_picture(inputs: dict[str, Any]) -> None:
    voxels = np.zeros((1, 30, 40), np.uint8)
    voxels[0, 5:20, 8:30] = 9
    manifest = manifest_of({**inputs, "ndim": 2})
    found = segmented(opened_run(manifest, Image(voxels, Grid(voxels.shape)), scaled(1, -4, dims=2)))
    np.testing.assert_array_equal(found.labels, voxels > 0)


@pytest.mark.parametrize("inputs", [ROI, {**ROI, "spacing": [1.0, 1.0, 1.0], "foreground": 0}])
def test_maps_of_doubt_lie_on_the_image(inputs: dict[str, Any]) -> None:
    voxels = np.full(GRID.shape, -1, np.int16)
    voxels[:, :, :12] = 1
    voxels[8:11, 8:12, 4:8] = 0  # neither: a logit of 0 is a probability of one half
    options = RunOptions(tta="full", uncertainty=True)
    manifest = manifest_of({**inputs, "foreground": inputs.get("foreground") and -0.5})
    found = segmented(opened_run(manifest, Image(voxels, GRID), scaled(12, 0), options=options))
    assert found.entropy is not None
    assert found.mutual is not None
    assert found.entropy.dtype == found.mutual.dtype == np.float16
    assert found.entropy.shape == found.mutual.shape == GRID.shape
    assert found.entropy[9, 9:11, 5:7].min() > 0.9
    assert found.entropy[:6].max() < 0.9
    assert found.entropy[:6, :, :10].max() < 0.05
    assert found.mutual.max() < 0.05  # mirrored passes of a 1x1x1 network agree


def test_a_cancel_stops_it() -> None:
    opened = opened_run(manifest_of(ROI), _levels())
    opened.context.cancelled.set()
    with pytest.raises(JobCancelled):
        segmented(opened)


def test_a_classifier_sees_windows_and_answers_their_mean() -> None:
    class Mean(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            assert values.shape == (1, 1, 9, 7, 8)
            mean = values.mean(dim=(1, 2, 3, 4))
            return torch.stack([mean, -mean], dim=1)

    outputs = _two("softmax")
    manifest = manifest_of({"windows": {"roi": [9, 7, 8], "overlap": 0}}, outputs, kinds=["classify"])
    image = _levels()
    probabilities, _ = classify_image(opened_run(manifest, image, Mean()))
    means = image.voxels.reshape(2, 9, 3, 7, 3, 8).mean(axis=(1, 3, 5)).ravel()
    assert probabilities == pytest.approx([np.mean(1 / (1 + np.exp(-2 * means))), np.mean(1 / (1 + np.exp(2 * means)))])


@pytest.mark.parametrize(
    ("inputs", "bound"),
    [
        (ROI, 1.0),
        ({**ROI, "orientation": "RAS"}, 1.0),
        ({**ROI, "spacing": [2, 2, 2]}, 0.5),
        ({**ROI, "foreground": 1, "intensity": {"clip_percentiles": [1, 99], "normalise": "zscore"}}, 1.0),
    ],
)
def test_no_float_copy_of_the_volume_is_made(
    inputs: dict[str, Any], bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the network's input only slabs are held; torch's own memory is small here too, since slabs are."""
    monkeypatch.setattr("medviewer.inference.preparing.resample._SLAB_VOXELS", 1 << 16)
    monkeypatch.setattr("medviewer.inference.preparing.foreground._SLAB_VOXELS", 1 << 16)
    monkeypatch.setattr("medviewer.inference.preparing.intensity._SORTED", 0)
    shape = (64, 256, 256)
    voxels = np.zeros(shape, np.int16)
    voxels[::9, ::9, ::9] = 1000
    voxels[0, 0, 0] = voxels[-1, -1, -1] = 2
    opened = opened_run(manifest_of(inputs), Image(voxels, Grid(shape)))
    float_copy = voxels.size * 4
    tracemalloc.start()
    found = prepared(opened)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = found.values.numel() * 4
    assert held <= bound * float_copy
    assert peak <= held + 0.6 * float_copy


def test_a_thorough_run_says_so_in_its_provenance(tmp_path: Path) -> None:
    other = tmp_path / "w.safetensors"
    other.write_bytes(b"weights")
    manifest = manifest_of({"size": list(GRID.shape)}, _two("softmax"))
    assert "options" not in opened_run(manifest, _levels(), Level()).provenance().parameters
    options = RunOptions("full", samples=3, ensemble=(other,))
    said = opened_run(manifest, _levels(), Level(), options=options).provenance().parameters["options"]
    assert said == {"tta": "full", "samples": 3, "uncertainty": False, "ensemble": [sha256(b"weights").hexdigest()]}
