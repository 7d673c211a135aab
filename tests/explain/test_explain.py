"""Explanations through a real child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import InputError, PluginError, UnsuitableImageError
from medviewer.explain import submit_explanation
from medviewer.inference import base_weights
from medviewer.jobs import Runner
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.tiny_plugins import tiny_network, write_plugin

SOURCE_SIZE = {"size": [11, 13, 9]}


def _explain(
    runner: Runner, image: Image, series: Series, plugin: DiscoverResult, weights: Path | None = None, **chosen: Any
) -> Heatmap:
    job = submit_explanation(
        runner, image, series, plugin, weights or base_weights(plugin, plugin.folder), "7", device="cpu", **chosen
    )
    runner.wait(job, 120)
    return job.result()


def test_a_map_lies_on_the_images_grid(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """The tiny network's feature is relu(value - 1/2) with a positive weight, so the map is the box itself."""
    heatmap = _explain(runner, image, series, write_plugin(tmp_path, "tiny", inputs=SOURCE_SIZE))
    np.testing.assert_array_equal(heatmap.values, (image.voxels > 0).astype(np.float16))
    assert heatmap.values.dtype == np.float16
    assert heatmap.grid is image.grid
    assert heatmap.label == "Grad-CAM of Part 1, tiny, model 7"
    assert (heatmap.series_uid, heatmap.provenance.device, heatmap.provenance.notes) == (series.uid, "cpu", ())


def test_a_coarser_network_still_peaks_at_one(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    heatmap = _explain(runner, image, series, write_plugin(tmp_path, "tiny"))
    assert heatmap.values.max() == 1
    assert heatmap.values[image.voxels > 0].mean() > 5 * heatmap.values[image.voxels == 0].mean()


def test_only_the_labels_own_voxels_are_explained(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """Saliency is the gradient of the score, so it is zero wherever the label was not given."""
    plugin = write_plugin(tmp_path, "tiny", inputs=SOURCE_SIZE)
    heatmap = _explain(runner, image, series, plugin, method="saliency")
    np.testing.assert_array_equal(heatmap.values, (image.voxels > 0).astype(np.float16))
    assert heatmap.method == "Saliency"


def test_another_network_gives_another_map(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    """The map belongs to the weights: with weights that see the dark instead, it is where the box is not."""
    plugin = write_plugin(tmp_path, "tiny", inputs=SOURCE_SIZE)
    dark = tiny_network()
    dark[0].weight.data.neg_()
    save_file(dark.state_dict(), tmp_path / "dark.safetensors")
    heatmap = _explain(runner, image, series, plugin, tmp_path / "dark.safetensors")
    np.testing.assert_array_equal(heatmap.values, (image.voxels == 0).astype(np.float16))


def test_a_map_of_nothing_says_so(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "tiny")
    blind = tiny_network()
    blind[2].weight.data.neg_()
    save_file(blind.state_dict(), tmp_path / "blind.safetensors")
    heatmap = _explain(runner, image, series, plugin, tmp_path / "blind.safetensors")
    assert not heatmap.values.any()
    notes = heatmap.provenance.notes
    assert "explains its score over the whole image" in notes[0]
    assert "Grad-CAM is zero everywhere" in notes[1]


def test_a_classifiers_top_class_or_the_one_asked_for(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    plugin = write_plugin(tmp_path, "names", labels=3, kinds=["classify", "explain"], inputs=SOURCE_SIZE)
    assert _explain(runner, image, series, plugin).target == "Part 3"
    chosen = _explain(runner, image, series, plugin, label=0)
    assert chosen.target == "Part 1"
    np.testing.assert_array_equal(chosen.values, (image.voxels > 0).astype(np.float16))


WINDOWED = {"size": [], "windows": {"roi": [6, 6, 5], "overlap": 0.5}}


def test_of_a_windowed_network_the_window_with_the_most_is_explained(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    """A large box and a small one: the window lies over the large one, and the map is empty elsewhere."""
    voxels = np.zeros_like(image.voxels)
    voxels[4:9, 5:10, 3:7] = 3
    voxels[0, 0:2, 0] = 3
    heatmap = _explain(
        runner, Image(voxels, image.grid, "MR"), series, write_plugin(tmp_path, "windowed", inputs=WINDOWED)
    )
    voxels[0] = 0
    np.testing.assert_array_equal(heatmap.values, (voxels > 0).astype(np.float16))
    assert "window of 6 x 6 x 5 voxels that holds the most of Part 1" in heatmap.provenance.notes[0]


def test_a_volume_that_fits_into_a_window_is_explained_whole(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    inputs = {"size": [], "windows": {"roi": [14, 16, 14]}, "orientation": "LSP"}
    heatmap = _explain(runner, image, series, write_plugin(tmp_path, "windowed", inputs=inputs))
    np.testing.assert_array_equal(heatmap.values, (image.voxels > 0).astype(np.float16))
    assert heatmap.provenance.notes == ()


def test_a_softmax_explains_the_voxels_that_its_label_won(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    """Saliency is not zero only where the label was given."""
    body = "    def explain_logits(self, output, label):\n        return output[:, label + 1]\n"
    outputs = {"labels": [{"name": "Part"}], "activation": "softmax"}
    plugin = write_plugin(tmp_path, "soft", body, labels=2, inputs=WINDOWED, outputs=outputs)
    heatmap = _explain(runner, image, series, plugin, method="saliency")
    assert heatmap.values.max() == 1
    assert not heatmap.values[image.voxels == 0].any()


def test_a_windowed_classifier_is_explained_where_it_is_surest(
    runner: Runner, tmp_path: Path, image: Image, series: Series
) -> None:
    voxels = np.zeros_like(image.voxels)
    voxels[6:11, 8:13, 4:9] = 3
    plugin = write_plugin(tmp_path, "names", labels=3, kinds=["classify", "explain"], inputs=WINDOWED)
    heatmap = _explain(runner, Image(voxels, image.grid, "MR"), series, plugin)
    assert heatmap.target == "Part 3"
    np.testing.assert_array_equal(heatmap.values, (voxels > 0).astype(np.float16))


def test_gradients_that_overflow_are_an_error(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    body = "    def explain_logits(self, output, label):\n        return output[:, label] * float('inf')\n"
    plugin = write_plugin(tmp_path, "overflow", body)
    with pytest.raises(PluginError, match="needs finite gradients"):
        _explain(runner, image, series, plugin)


def test_what_cannot_be_explained_is_refused(runner: Runner, tmp_path: Path, image: Image, series: Series) -> None:
    plugin = write_plugin(tmp_path, "tiny")
    silent = write_plugin(tmp_path, "silent", kinds=["segment"])
    with pytest.raises(InputError, match="no method 'magic'"):
        _explain(runner, image, series, plugin, method="magic")
    with pytest.raises(InputError, match="labels 0 to 0, not 1"):
        _explain(runner, image, series, plugin, label=1)
    with pytest.raises(InputError, match="Silent cannot be explained"):
        _explain(runner, image, series, silent)
    with pytest.raises(UnsuitableImageError, match="modality MR"):
        _explain(runner, Image(image.voxels, image.grid, "CT"), series, plugin)
