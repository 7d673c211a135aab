"""Images of several channels, each on a grid of its own, meet on the network's grid at the same place in the world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.study import Series
from medviewer.errors import InputError, UnsuitableImageError
from medviewer.inference.pipeline import prepared
from medviewer.inference.preparing.channels import further_channels
from tests.inference.opened import manifest_of, opened_run, rotation

FIRST = Grid((20, 24, 28), (2.0, 1.5, 1.25), (-10.0, 5.0, 30.0), tuple(rotation((0.1, 0.2, 0.1)).ravel()))
TWO = {"channels": ["t1", "flair"], "windows": {"roi": [16, 16, 16]}}


def _plane(grid: Grid) -> np.ndarray:
    """A value that rises straight through the world: linear interpolation keeps it to rounding."""
    world = grid.index_to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return (world @ np.array([1.0, -2.0, 0.5]) + 100).astype(np.float32)


def _around(angles: tuple[float, float, float], spacing: tuple[float, float, float]) -> Grid:
    """A grid, turned anyhow, that holds all of the first."""
    centre = FIRST.index_to_world((np.array(FIRST.shape) - 1) / 2)
    shape = tuple(int(90 / s) for s in spacing)
    axes = rotation(angles)
    origin = centre - axes @ (np.array(spacing) * (np.array(shape) - 1) / 2)
    return Grid(shape, spacing, tuple(origin), tuple(axes.ravel()))


@given(
    st.tuples(*[st.floats(-3.1, 3.1)] * 3), st.tuples(*[st.floats(1.3, 4.0)] * 3), st.sampled_from(["", "RAS", "PIL"])
)
@settings(deadline=None, max_examples=15)
def test_another_grid_is_met_in_the_world(
    angles: tuple[float, float, float], spacing: tuple[float, float, float], letters: str
) -> None:
    other = _around(angles, spacing)
    first = Image(_plane(FIRST), FIRST)
    manifest = manifest_of({**TWO, "orientation": letters})
    found = prepared(opened_run(manifest, first, others=(Image(_plane(other), other),)))
    assert found.values.shape == (2, *found.frame.shape)
    assert found.notes == ()
    # Where a channel is reduced first, few taps of the triangle move a value by a part of a voxel.
    np.testing.assert_allclose(found.values[1], found.values[0], atol=0.35 * max(spacing))


def test_the_same_grid_is_not_interpolated() -> None:
    noise = np.random.default_rng(0).integers(0, 999, FIRST.shape).astype(np.int16)
    others = (Image(noise, FIRST, rescale=Rescale(2.0)),)
    found = prepared(opened_run(manifest_of(TWO), Image(noise, FIRST), others=others))
    np.testing.assert_array_equal(found.values[1], 2 * found.values[0])


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
def test_every_interpolation(interpolation: str) -> None:
    other = _around((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    manifest = manifest_of({**TWO, "interpolation": interpolation})
    found = prepared(opened_run(manifest, Image(_plane(FIRST), FIRST), others=(Image(_plane(other), other),)))
    np.testing.assert_allclose(found.values[1], found.values[0], atol=2.2 if interpolation == "nearest" else 0.5)


def test_a_finer_channel_is_antialiased() -> None:
    """Stripes finer than the network's voxels become their mean."""
    grid = Grid((8, 8, 8), (4.0, 4.0, 4.0))
    fine = Grid((32, 32, 32), (1.0, 1.0, 1.0), (-1.5, -1.5, -1.5))
    stripes = np.zeros(fine.shape, np.uint8)
    stripes[:, :, ::2] = 200
    found = prepared(
        opened_run(manifest_of(TWO), Image(np.zeros(grid.shape, np.int16), grid), others=(Image(stripes, fine),))
    )
    np.testing.assert_allclose(found.values[1], 100, atol=12)


def test_a_channel_that_ends_earlier_is_dark_there_and_says_so() -> None:
    grid = Grid((8, 8, 8))
    half = Grid((4, 8, 8))
    voxels = np.full(half.shape, 50, np.int16)
    voxels[0, 0, 0] = 3
    found = prepared(
        opened_run(manifest_of(TWO), Image(np.ones(grid.shape, np.int16), grid), others=(Image(voxels, half),))
    )
    assert torch.all(found.values[1, 1:4] == 50)
    assert torch.all(found.values[1, 5:] == 3)
    assert found.notes == ("One of the channels does not cover the whole image; where it ends it was read as dark.",)
    apart = Image(voxels, replace(half, origin=(500.0, 0.0, 0.0)))
    with pytest.raises(UnsuitableImageError, match="do not overlap"):
        prepared(opened_run(manifest_of(TWO), Image(np.ones(grid.shape, np.int16), grid), others=(apart,)))


def test_voxels_without_a_value_are_filled_first() -> None:
    other = _around((0.3, 0.0, 0.0), (1.5, 1.5, 1.5))
    voxels = np.full(other.shape, 7, np.float32)
    voxels[::3] = np.nan
    found = prepared(opened_run(manifest_of(TWO), Image(_plane(FIRST), FIRST), others=(Image(voxels, other),)))
    np.testing.assert_allclose(found.values[1], 7, atol=1e-4)
    assert "voxels without a value" in found.notes[0]


def test_a_missing_channel_is_told() -> None:
    with pytest.raises(InputError, match=r"2 images together \(t1, flair\), but 1 came"):
        prepared(opened_run(manifest_of(TWO), Image(_plane(FIRST), FIRST)))


def test_the_host_refuses_what_does_not_belong_together() -> None:
    image = Image(_plane(FIRST), FIRST, "MR")
    series = Series("1", "MR", "", FIRST, (Path("a"),), "dicom", frame_of_reference="1.2")
    manifest = manifest_of(TWO)
    other = image, replace(series, uid="2")
    assert further_channels(manifest, series, {"flair": other}) == (other,)
    assert further_channels(manifest_of({"windows": TWO["windows"]}), series, {}) == ()
    with pytest.raises(InputError, match="flair is missing; choose a series"):
        further_channels(manifest, series, {})
    with pytest.raises(InputError, match="has no channel t2; its further channels are: flair"):
        further_channels(manifest, series, {"flair": other, "t2": other})
    with pytest.raises(InputError, match="series for flair should lie in the same frame of reference"):
        further_channels(manifest, series, {"flair": (image, replace(series, frame_of_reference="3.4"))})
    colour = Image(np.zeros((*FIRST.shape, 3), np.uint8), FIRST, "MR")
    with pytest.raises(UnsuitableImageError, match="grey images"):
        further_channels(manifest, series, {"flair": (colour, series)})
