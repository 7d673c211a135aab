"""Training a network that sees a volume window by window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.inference.loader import LoadedPlugin, load_plugin
from medviewer.inference.request import PluginRun
from medviewer.learning.cases import WINDOWS, StoredCase, left_right, opened, training_pair
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.training import TrainingCase, train
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.opened import manifest_of, opened_run

from .conftest import make_case

GRID = Grid((14, 18, 20), (2.0, 1.5, 1.25))
ROI = {"windows": {"roi": [6, 8, 10]}}


def _labels() -> np.ndarray:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:5, 3:7, 2:6] = 1
    labels[9:12, 11:15, 12:17] = 2
    return labels


@pytest.mark.parametrize("inputs", [ROI, {**ROI, "orientation": "RAS"}, {"windows": {"roi": [24, 8, 10]}}])
def test_windows_lie_around_the_labels(inputs: dict[str, Any]) -> None:
    """The image shows its own labels, so that input and truth of every window have to agree voxel by voxel."""
    labels = _labels()
    manifest = manifest_of(inputs, {"labels": [{"name": "One"}, {"name": "Two"}]})
    run = opened_run(manifest, Image(labels.astype(np.int16), GRID))
    values, truth = training_pair(run, labels)
    roi = tuple(inputs["windows"]["roi"])
    assert values.shape == (WINDOWS, 1, *roi)
    assert truth.shape == (WINDOWS, 2, *roi)
    assert torch.equal(truth[:, 0] + 2 * truth[:, 1], values[:, 0])
    assert all(bool(truth[k, k % 2].any()) for k in range(WINDOWS - 1))
    again, _ = training_pair(run, labels)
    assert torch.equal(values, again)


def test_a_case_without_a_label_gives_windows_too() -> None:
    run = opened_run(manifest_of(ROI), Image(np.ones(GRID.shape, np.int16), GRID))
    values, truth = training_pair(run, np.zeros(GRID.shape, np.uint8))
    assert len(values) == WINDOWS
    assert not truth.any()


def test_truth_follows_the_spacing() -> None:
    labels = _labels()
    run = opened_run(manifest_of({**ROI, "spacing": [1, 1, 1]}), Image(labels.astype(np.int16) * 100, GRID))
    values, truth = training_pair(run, labels)
    agree = (truth[:, 0] > 0) == ((values[:, 0] > 50) & (values[:, 0] < 150))
    assert agree.float().mean() > 0.93


@pytest.mark.parametrize(("letters", "axis"), [("", -1), ("SPL", -1), ("RAS", -3), ("ARS", -2)])
def test_left_and_right_on_the_networks_grid(letters: str, axis: int) -> None:
    run = opened_run(manifest_of({**ROI, "orientation": letters}), Image(_labels(), GRID))
    assert left_right(run) == axis
    picture = Image(np.zeros((1, 4, 5), np.uint8), Grid((1, 4, 5), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)))
    assert left_right(opened_run(manifest_of({"ndim": 2, "size": [4, 5]}), picture)) is None


def test_each_step_takes_one_window(plugin: DiscoverResult, tmp_path: Path) -> None:
    loaded = load_plugin(PluginRun(plugin.folder, plugin.folder / "weights" / "tiny.safetensors"), "cpu")
    inputs = manifest_of({"modality": ["MR"], **ROI}).inputs
    loaded = LoadedPlugin(
        loaded.manifest.model_copy(update={"inputs": inputs}), loaded.plugin, loaded.network, loaded.device
    )
    cases = []
    for k in range(2):
        case = make_case(k)
        run = opened(PluginRun(Path(), Path()), loaded, StoredCase("c", case.image, case.truth.labels), RunContext())
        one = TrainingCase(tmp_path / f"v{k}.npy", tmp_path / f"t{k}.npy", left_right(run))
        for path, tensor in zip((one.values, one.truth), training_pair(run, case.truth.labels), strict=True):
            np.save(path, tensor.numpy())
        cases.append(one)
    shapes: set[tuple[int, ...]] = set()

    class Watching(type(loaded.plugin)):  # type: ignore[misc]  # whatever class the fixture's plugin has
        def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            shapes.add(tuple(target.shape))
            return super().loss(output, target)

    watched = replace(loaded, plugin=Watching())
    trained = train(watched, cases, FinetuneOptions(epochs=30, learning_rate=0.01), RunContext(), lambda step: None)
    assert shapes == {(1, 1, 6, 8, 10)}
    assert trained.seen == (0, 1)
    assert min(trained.losses[-5:]) < trained.losses[0]
