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
