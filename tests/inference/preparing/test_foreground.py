"""The box of voxels above a value: found on stored voxels of every kind, wide enough, and with the right place back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Lut, Rescale
from medviewer.domain.mask import dice
from medviewer.inference.pipeline import frame_for, prepared
from medviewer.inference.preparing.foreground import _tight, _wider
from medviewer.inference.sweep import segmented
from medviewer.plugin_api import RunContext
from tests.inference.opened import manifest_of, opened_run, scaled

GRID = Grid((40, 50, 60), (2.0, 1.0, 1.0))
PART = (slice(10, 14), slice(20, 31), slice(5, 9))
BOX = ((10, 14), (20, 31), (5, 9))


def _stored(dtype: str, low: float, high: float) -> np.ndarray:
    voxels = np.full(GRID.shape, low, dtype)
    voxels[PART] = high
    return voxels


@pytest.mark.parametrize(
    ("image", "value"),
    [
        (Image(_stored("int16", -1000, 40), GRID), -500.0),
        (Image(_stored("int16", 24, 1064), GRID, rescale=Rescale(1, -1024)), -500.5),
        (Image(_stored("uint16", 9, 3), GRID, rescale=Rescale(-2.0, 0.0)), -7.0),
        (Image(_stored(">i2", -5, 5), GRID), 0.0),
        (Image(_stored("uint8", 0, 1), GRID), 0.0),
        (Image(_stored("float32", -0.5, 0.5), GRID), 0.25),
        (Image(_stored("float32", np.nan, 0.5), GRID), -10.0),
        (Image(_stored("int16", -2000, 0), GRID, padding=(-2000, -2000)), -3000.0),
        (Image(_stored("uint16", 900, 3), GRID, inverted=True), 1000.0),
        (Image(_stored("int16", 4, 5), GRID, lut=Lut(4, np.array([7, 70], np.uint8), 8)), 8.0),
        (Image(_stored("int16", 1, 2), GRID, rescale=Rescale((1.0,) * 40, tuple(range(0, -40, -1)))), -40.0),
    ],
)
def test_every_stored_type(image: Image, value: float) -> None:
    found = _tight(image, value, "real", RunContext())
    if isinstance(image.rescale.slope, tuple):
        assert found == ((0, 40), (0, 50), (0, 60))
    else:
        assert found == BOX


def test_values_beyond_the_stored_range() -> None:
    image = Image(_stored("uint8", 0, 255), GRID)
    assert _tight(image, 255.0, "real", RunContext()) is None
    assert _tight(image, 1e9, "real", RunContext()) is None
    assert _tight(image, -1.0, "real", RunContext()) == ((0, 40), (0, 50), (0, 60))


@given(st.data())
@settings(max_examples=200)
def test_a_side_is_wide_enough_and_inside(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 60))
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    margin, least = data.draw(st.integers(0, 20)), data.draw(st.integers(1, 80))
    low, high = _wider((start, stop), margin, least, size)
    assert 0 <= low <= max(0, start - margin)
    assert min(size, stop + margin) <= high <= size
    assert high - low >= min(least, size)


@pytest.mark.parametrize("letters", ["", "SPL", "RAS", "IPR"])
def test_only_the_box_is_looked_at(letters: str) -> None:
    image = Image(_stored("int16", -1000, 40), GRID)
    inputs: dict[str, Any] = {
        "windows": {"roi": [6, 6, 6]}, "foreground": -500, "orientation": letters, "spacing": [1, 1, 1]
    }  # fmt: skip
    opened = opened_run(manifest_of(inputs), image, scaled(1, 500))
    frame, notes = frame_for(opened)
    # Eight of the network's voxels of 1 mm around: four slices of 2 mm, eight rows and columns.
    assert frame.box == ((6, 18), (12, 39), (0, 17))
    assert notes == ()
    assert sorted(frame.shape) == [17, 24, 27]
    np.testing.assert_array_equal(segmented(opened).labels, image.voxels > 0)


def test_a_box_holds_a_window() -> None:
    image = Image(_stored("int16", -1000, 40), GRID)
    inputs = {"windows": {"roi": [36, 32, 32]}, "foreground": -500}
    frame, _ = frame_for(opened_run(manifest_of(inputs), image))
    assert frame.shape == (36, 32, 32)


def test_an_empty_image_is_looked_at_whole() -> None:
    image = Image(np.zeros(GRID.shape, np.int16), GRID)
    inputs = {"windows": {"roi": [6, 6, 6]}, "foreground": 3}
    found = prepared(opened_run(manifest_of(inputs), image))
    assert found.frame.whole
    assert found.notes == ("No voxel lies above 3, so that the whole image was looked at.",)


def test_size_is_of_the_box() -> None:
    image = Image(_stored("int16", 0, 9), GRID)
    opened = opened_run(manifest_of({"size": [8, 9, 10], "foreground": 1}), image, scaled(1, -4.5))
    frame, _ = frame_for(opened)
    assert frame.shape == (8, 9, 10)
    assert frame.box == ((2, 22), (12, 39), (0, 17))
    labels = segmented(opened).labels
    assert not labels[22:].any()
    assert dice(labels, image.voxels) > 0.6
    assert replace(frame, shape=frame.turned.shape).resamples is False
