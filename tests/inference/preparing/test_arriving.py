"""Network input made slice by slice is the one that is made at once, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.errors import JobCancelled
from medviewer.inference.pipeline import prepared, prepared_to_sweep
from medviewer.inference.preparing.arriving import ArrivingValues
from medviewer.inference.sweep import segmented
from tests.inference.opened import Bare, manifest_of, opened_run

GRID = Grid((12, 10, 9))
WINDOWS = {"windows": {"roi": [5, 5, 5], "overlap": 0.5}}
SLOPES = Rescale(tuple(0.1 + 0.3 * k for k in range(12)), tuple(float(-k) for k in range(12)))


def _image(dtype: Any = np.int16, **changes: Any) -> Image:
    voxels = np.random.default_rng(3).integers(0, 2000, GRID.shape).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        voxels[2, 3, 4] = np.nan
    return replace(Image(voxels, GRID, "CT", Rescale(1.7, -1024.0)), **changes)


@pytest.mark.parametrize("orientation", ["", "IAL", "LAI"])
@pytest.mark.parametrize(
    "intensity",
    ["real", "display", {"clip": [-200, 900.5], "scale": [0, 1], "mean": [0.3], "std": [0.7]}],
)
@pytest.mark.parametrize(
    "image", [_image(), _image(np.float32), _image(padding=(0, 300)), _image(inverted=True), _image(rescale=SLOPES)]
)
def test_slices_are_those_of_the_whole(image: Image, intensity: Any, orientation: str) -> None:
    run = opened_run(manifest_of({**WINDOWS, "intensity": intensity, "orientation": orientation}), image)
    whole, found = prepared(run), prepared_to_sweep(run)
    # slices that run across those of the source would each meet every slope
    across = orientation == "LAI" and not image.rescale.is_uniform
    assert isinstance(found.values, ArrivingValues) is not across
    assert (found.frame, found.notes, found.values.shape) == (whole.frame, whole.notes, whole.values.shape)
    depth = whole.values.shape[1]
    for start, stop in ((0, 5), (2, 7), (depth - 5, depth), (1, 2), (0, depth)):
        assert torch.equal(found.values[:, start:stop], whole.values[:, start:stop])


def test_channels_have_means_of_their_own() -> None:
    inputs = {**WINDOWS, "channels": ["A", "B"], "intensity": {"mean": [3, 5], "std": [2, 7]}}
    run = opened_run(manifest_of(inputs), _image(), others=(_image(np.uint8),))
    found = prepared_to_sweep(run)
    assert isinstance(found.values, ArrivingValues)
    assert torch.equal(found.values[:, :], prepared(run).values)


class Normalises(Bare):
    def normalise(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values - values.mean())[None]


@pytest.mark.parametrize(
    "inputs",
    [
        {"intensity": {"normalise": "zscore"}},
        {"intensity": {"clip_percentiles": [1, 99]}},
        {"intensity": {"scale": [0, 1]}},
        {"intensity": {"repeat": 3}},
        {"spacing": [1.0, 2.0, 1.0]},
    ],
)
def test_what_needs_the_whole_image_gets_it(inputs: dict[str, Any]) -> None:
    run = opened_run(manifest_of({**WINDOWS, **inputs}), _image())
    assert isinstance(prepared_to_sweep(run).values, torch.Tensor)


def test_a_plugins_own_normalise_gets_the_whole_image() -> None:
    run = opened_run(manifest_of(WINDOWS), _image(), plugin=Normalises())
    assert isinstance(prepared_to_sweep(run).values, torch.Tensor)


def test_the_mask_is_the_same() -> None:
    inputs = {**WINDOWS, "intensity": {"clip": [-500, 1500], "mean": [400], "std": [300]}, "orientation": "LAI"}
    run = opened_run(manifest_of(inputs), _image())
    at_once, found = segmented(run, prepared(run)), segmented(run, prepared_to_sweep(run))
    assert at_once.labels.any()
    np.testing.assert_array_equal(found.labels, at_once.labels)


def test_a_cancel_stops_it() -> None:
    run = opened_run(manifest_of(WINDOWS), _image())
    values = prepared_to_sweep(run).values
    run.context.cancelled.set()
    with pytest.raises(JobCancelled):
        values[:, 0:5]
