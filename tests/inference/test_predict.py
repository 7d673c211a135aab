"""Predictions of small plugins whose right answer is known, through a real child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medviewer.domain.finding import Classification
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.errors import InputError, ManifestError, UnsuitableImageError, WeightsMissingError
from medviewer.inference import base_weights, submit_prediction
from medviewer.inference.request import input_hash
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.tiny_plugins import tiny_network, write_plugin

WAIT_S = 120.0


def _predict(
    runner: Runner, image: Image, series: Series, plugin: DiscoverResult, weights: Path | None = None
) -> Segmentation | Classification:
    job = submit_prediction(
        runner, image, series, plugin, weights or base_weights(plugin, plugin.folder), "1.2.3", device="cpu"
    )
    runner.wait(job, WAIT_S)
    return job.result()


def test_a_mask_lies_on_the_images_own_grid(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "tiny", inputs={"size": [11, 13, 9]})
    result = _predict(runner, image, series, plugin)
    assert isinstance(result, Segmentation)
    np.testing.assert_array_equal(result.labels, image.voxels > 0.5)
    assert result.labels.dtype == np.uint8
    assert result.grid is image.grid
    assert result.series_uid == series.uid
    assert [segment.name for segment in result.segments] == ["Part 1"]
    result.labels[0, 0, 0] = 1  # a person corrects it: the array has to be writable


def test_provenance_says_how_it_was_made(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(
        tmp_path, "tiny", notes=["Made for tests."], params={"keep": {"type": "integer", "default": 2}}
    )
    job = submit_prediction(
        runner, image, series, plugin, base_weights(plugin, tmp_path), "7", device="cpu", parameters={"keep": 3}
    )
    runner.wait(job, WAIT_S)
    made = job.result().provenance
    assert (made.plugin_id, made.plugin_version, made.model_version) == ("tiny", "1.2.3", "7")
    assert (made.author, made.device, made.parameters) == ("algorithm", "cpu", {"keep": 3})
    assert made.input_hash == input_hash(image)
    assert made.notes == ("Made for tests.",)


def test_several_labels(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    body = "    def probabilities(self, output):\n        return (output[0] / 8).clamp(0, 1)\n"
    plugin = write_plugin(tmp_path, "double", body, labels=2, inputs={"size": [11, 13, 9]})
    result = _predict(runner, image, series, plugin)
    assert isinstance(result, Segmentation)
    # Logits are 2.5 and 5 in the box, which is 0.3 and 0.6 of 8: only the second reaches one half.
    np.testing.assert_array_equal(result.labels, 2 * (image.voxels > 0))


def test_another_version_of_the_weights(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """Two versions in one warm process: each answers with its own weights."""
    plugin = write_plugin(tmp_path, "tiny", inputs={"size": [11, 13, 9]})
    blind = tiny_network()
    blind[2].bias.data.fill_(-100)
    save_file(blind.state_dict(), tmp_path / "candidate.safetensors")
    for weights, found in ((None, 6 * 5 * 5), (tmp_path / "candidate.safetensors", 0), (None, 6 * 5 * 5)):
        result = _predict(runner, image, series, plugin, weights)
        assert isinstance(result, Segmentation)
        assert np.count_nonzero(result.labels) == found


def test_an_implausible_volume_is_flagged(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    labels = [{"name": "Part", "expected_ml": [900.0, 1900.0]}]
    plugin = write_plugin(tmp_path, "tiny", inputs={"size": [11, 13, 9]}, outputs={"labels": labels})
    large = replace(image.grid, spacing=(12.0, 12.0, 12.0))
    notes = [
        _predict(runner, one, series, plugin).provenance.notes
        for one in (image, replace(image, grid=large), replace(image, calibrated=False))
    ]
    assert notes[0] == ("Volume 0 ml lies outside the expected 900 to 1900 ml: check this result.",)
    assert notes[1] == ("Volume 259 ml lies outside the expected 900 to 1900 ml: check this result.",)
    assert notes[2] == ()


def test_voxels_that_are_not_a_number(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    voxels = image.voxels.astype(np.float32)
    voxels[0] = np.nan
    plugin = write_plugin(tmp_path, "tiny", inputs={"size": [11, 13, 9]})
    result = _predict(runner, replace(image, voxels=voxels), series, plugin)
    assert isinstance(result, Segmentation)
    np.testing.assert_array_equal(result.labels, voxels > 0.5)
    assert "117 voxels without a value" in result.provenance.notes[0]


def test_several_images_are_seen_together(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """The network adds its channels up: only where both are bright is there a label, wherever the second one lies."""
    body = (
        "    def build_network(self):\n        return nn.Conv3d(2, 1, 1)\n"
        "    def normalise(self, values):\n        return values\n"
    )
    inputs = {"size": [], "windows": {"roi": [6, 6, 6]}, "channels": ["t1", "flair"]}
    plugin = write_plugin(tmp_path, "pair", body, inputs=inputs)
    network = torch.nn.Conv3d(2, 1, 1)
    torch.nn.init.ones_(network.weight)
    torch.nn.init.constant_(network.bias, -4.0)
    save_file(network.state_dict(), tmp_path / "pair.safetensors")
    # The other series is the same patient on a grid that begins four rows later, bright from its own row 3 on.
    grid = image.grid.crop((0, 4, 0), (11, 9, 9))
    second = np.zeros(grid.shape, np.int16)
    second[:, 3:] = 3
    other = Image(second, grid, "MR", series_uid="4.5.6"), replace(series, uid="4.5.6", grid=grid)
    job = submit_prediction(
        runner, image, series, plugin, tmp_path / "pair.safetensors", "1", device="cpu", others={"flair": other}
    )
    runner.wait(job, WAIT_S)
    result = job.result()
    assert isinstance(result, Segmentation)
    both = image.voxels > 0
    both[:, :7] = False
    np.testing.assert_array_equal(result.labels, both)
    assert result.provenance.parameters["channels"] == {"t1": "1.2.3", "flair": "4.5.6"}
    assert result.provenance.input_hash not in (input_hash(image), input_hash(other[0]), "")
    assert "does not cover the whole image" in result.provenance.notes[0]


def test_a_classification_names_its_classes(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "names", labels=2, kinds=["classify"], notes=["Demonstration."])
    result = _predict(runner, image, series, plugin)
    assert isinstance(result, Classification)
    assert list(result.probabilities) == ["Part 1", "Part 2"]
    assert result.top[0] == "Part 2"
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert result.notes == ("Demonstration.",)


@pytest.mark.parametrize(
    ("stored", "inverted", "intensity", "seen"),
    [
        (np.array([[0, 100], [200, 255]], np.uint8), False, "display", [[0, 100], [200, 255]]),
        (np.array([[0, 100], [200, 255]], np.uint8), True, "display", [[255, 155], [55, 0]]),
        (np.array([[-7, 100], [200, 900]], np.int16), False, "real", [[-7, 100], [200, 900]]),
    ],
)
def test_what_a_plugin_sees_of_a_film(
    runner: Runner, tmp_path: Path, stored: np.ndarray, inverted: bool, intensity: str, seen: list[list[float]]
) -> None:
    """The plugin answers with a file of its input: bright is dense, and grey values are the picture's own."""
    grid = Grid((1, 2, 2))
    target = tmp_path / "seen.npy"
    body = (
        "    def build_network(self):\n        return nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten())\n"
        f"    def normalise(self, values):\n        np.save({str(target)!r}, values)\n        return values[None]\n"
        "    def class_probabilities(self, output):\n        return output[0, :1] * 0\n"
    )
    plugin = write_plugin(
        tmp_path, "film", body, kinds=["classify"],
        inputs={"modality": ["DX"], "ndim": 2, "size": [2, 2], "interpolation": "nearest", "intensity": intensity},
    )  # fmt: skip
    from torch import nn

    weights = tmp_path / "film.safetensors"
    save_file(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten()).state_dict(), weights)
    image = Image(stored[None], grid, "DX", inverted=inverted)
    _predict(runner, image, Series("1", "DX", "", grid, (), "dicom"), plugin, weights)
    np.testing.assert_allclose(np.load(target), seen, atol=1e-3)


def test_what_cannot_work_is_refused_before_a_job(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "tiny")
    weights, before = base_weights(plugin, tmp_path), runner.jobs
    with pytest.raises(UnsuitableImageError, match="modality MR"):
        submit_prediction(runner, replace(image, modality="CT"), series, plugin, weights, "1")
    with pytest.raises(WeightsMissingError, match="not on this machine yet"):
        submit_prediction(runner, image, series, plugin, tmp_path / "none.safetensors", "1")
    with pytest.raises(InputError, match="auto, cpu, cuda, not 'tpu'"):
        submit_prediction(runner, image, series, plugin, weights, "1", device="tpu")
    with pytest.raises(InputError, match="no parameter speed; its parameters are: none"):
        submit_prediction(runner, image, series, plugin, weights, "1", parameters={"speed": 1})
    only = write_plugin(tmp_path, "only", kinds=["explain"])
    with pytest.raises(ManifestError, match="segment, classify or detect"):
        submit_prediction(runner, image, series, only, base_weights(only, tmp_path), "1")
    assert runner.jobs == before


def test_missing_weights_say_how_to_fetch_them(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "fetched", weights={"file": "", "fetch": True})
    weights = base_weights(plugin, tmp_path / "home")
    assert weights == tmp_path / "home" / "weights" / "fetched" / "weights-1.2.3.safetensors"
    with pytest.raises(WeightsMissingError, match=r"press Download weights .* or run: medviewer plugin fetch fetched$"):
        submit_prediction(runner, image, series, plugin, weights, "1")
