"""Tilted and unevenly spaced stacks: the grid that shows them, and the way there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medviewer.domain.mask import dice
from medviewer.formats.dicom.placement import Placement, place
from medviewer.formats.dicom.resample import from_slices, onto_grid, onto_slices
from tests.formats.conftest import dicom_axes, grid_of, seeds, series_of

IN_PLANE = st.tuples(st.floats(0.4, 3), st.floats(0.4, 3))
SIZES = st.tuples(st.integers(4, 9), st.integers(4, 9))
STEPS = st.lists(st.sampled_from([1.0, 1.5, 2.0, 3.5, 5.0]), min_size=2, max_size=8)
TILTS = st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))


def stack_of(seed, spacing, shape, steps, tilt) -> tuple[Placement, np.ndarray, np.ndarray]:
    """A stack along random axes: its placement, its positions and axes (z, y, x as columns)."""
    axes = dicom_axes(seed)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    offsets = np.stack([along, along * tilt[0], along * tilt[1]], axis=1)
    positions = np.array([12.5, -80.25, 40.0]) + offsets @ axes.T
    names = [f"{k}.dcm" for k in range(len(positions))]
    return place(positions, axes.T[[2, 1]], spacing, shape, 3.0, names), positions, axes


def odd(placed: Placement) -> bool:
    """Whether something was left out of the volume on purpose."""
    return any(word in warning.text for warning in placed.warnings for word in ("too far", "left blank"))


def series_at(placed: Placement):
    return replace(series_of(placed.grid, "CT"), index=placed.index, source=placed.source)


def worlds(positions, axes, spacing, shape) -> np.ndarray:
    """World positions of all stored pixels, shape (n, rows, columns, 3)."""
    rows = np.arange(shape[0])[:, None, None] * spacing[0] * axes[:, 1]
    columns = np.arange(shape[1])[None, :, None] * spacing[1] * axes[:, 2]
    return positions[:, None, None, :] + rows + columns


@settings(max_examples=60, deadline=None)
@given(seeds, IN_PLANE, SIZES, STEPS, TILTS, st.sampled_from([np.int16, np.float32, np.int32]))
def test_a_ramp_in_the_world_stays_that_ramp(seed, spacing, shape, steps, tilt, dtype):
    placed, positions, axes = stack_of(seed, spacing, shape, steps, tilt)
    assume(placed.source is not None and not odd(placed))
    series = series_at(placed)
    gradient = np.random.default_rng(seed).uniform(-20, 20, 3)
    ramp = worlds(positions, axes, spacing, shape) @ gradient
    stored = ramp.astype(dtype) if dtype == np.float32 else np.rint(ramp).astype(dtype)
    stack = np.full((series.slices, *shape), -32768, dtype)
    stack[list(placed.index)] = stored
    result = onto_grid(stack, series, -32768)
    assert result.dtype == dtype
    assert result.shape == placed.grid.shape
    world = placed.grid.index_to_world(np.stack(np.indices(placed.grid.shape), axis=-1))
    # Between the outermost pixel centres, and not where a slice stops before its neighbour does.
    along = (positions - positions[0]) @ axes
    z = ((world - positions[0]) @ axes)[..., 0]
    inside = np.ones(placed.grid.shape, bool)
    for axis, (count, size) in enumerate(zip(shape, spacing, strict=True), start=1):
        place_mm = ((world - positions[0]) @ axes)[..., axis]
        for neighbour in (np.searchsorted(along[:, 0], z - 0.15) - 1, np.searchsorted(along[:, 0], z + 0.15)):
            shift = along[np.clip(neighbour, 0, len(along) - 1), axis]
            inside &= (place_mm - shift >= -1e-6) & (place_mm - shift <= (count - 1) * size + 1e-6)
    # The lattice that most slices lie on may begin up to half a step in front of the first one.
    inside &= (z >= -0.01) & (z <= along[-1, 0] + 0.01)
    inside[[k for k in range(placed.grid.shape[0]) if (result[k] == -32768).all()]] = False  # a missing slice
    assume(inside.any())  # slices may be shifted by more than their width
    # Rounded twice; and a slice within 2 % of its place counts as on it.
    slack = 1.02 + 0.021 * abs(gradient @ axes[:, 0]) * placed.grid.spacing[0] if dtype != np.float32 else 0.05
    if dtype == np.float32 and any("irregular" in warning.code for warning in placed.warnings):
        slack += 0.021 * abs(gradient @ axes[:, 0]) * placed.grid.spacing[0]
    np.testing.assert_allclose(result[inside], (world @ gradient)[inside], atol=slack)


@settings(max_examples=60, deadline=None)
@given(seeds, IN_PLANE, SIZES, STEPS, TILTS)
def test_labels_of_slices_come_back_exactly(seed, spacing, shape, steps, tilt):
    placed, _, _ = stack_of(seed, spacing, shape, steps, tilt)
    assume(placed.source is not None)
    labels = np.random.default_rng(seed).integers(0, 300, (len(placed.source.positions), *shape)).astype(np.uint16)
    shown = from_slices(labels, placed.grid, placed.source)
    assert shown.dtype == np.uint16
    back = onto_slices(shown, placed.grid, placed.source)
    if min(steps) >= placed.grid.spacing[0] - 1e-6:
        np.testing.assert_array_equal(back, labels)
        return
    # A slice that was scanned once more has no slice of the grid of its own: it may have its neighbour's labels.
    shared = [k for k in range(len(back)) if (back[k] != labels[k]).any()]
    assert len(shared) <= sum(step < placed.grid.spacing[0] - 1e-6 for step in steps)


AXES = np.array([[1, 0, 0], [0, 1, 0]], float)


def along_z(places) -> Placement:
    positions = np.array([[0, 0, z] for z in places], float)
    return place(positions, AXES, (1.0, 1.0), (2, 2), 1.0, [str(z) for z in places])


def test_one_slice_scanned_twice_makes_the_grid_no_finer():
    whole = np.arange(300.0)
    placed = along_z(sorted([*whole, 150.1]))
    assert placed.grid.spacing[0] == pytest.approx(1.0, abs=1e-3)
    assert placed.grid.shape == (300, 2, 2)
    assert "0.10 to 1.00 mm apart, not evenly; they are resampled to 1.00 mm" in placed.warnings[0].text
    labels = np.repeat(np.arange(1, 302), 4).reshape(301, 2, 2).astype(np.uint16)
    shown = from_slices(labels, placed.grid, placed.source)
    np.testing.assert_array_equal(shown[:, 0, 0], [k + 1 if k <= 150 else k + 2 for k in range(300)])
    back = onto_slices(shown, placed.grid, placed.source)[:, 0, 0]
    np.testing.assert_array_equal(back, np.where(np.arange(301) == 151, 151, np.arange(1, 302)))


@pytest.mark.parametrize("moved", [0, 1, 150, 299])
@pytest.mark.parametrize("by", [-0.3, 0.3, 0.45])
def test_one_slice_that_lies_off_leaves_the_others_as_they_are(moved, by):
    places = np.arange(300.0) + by * (np.arange(300) == moved)
    placed = along_z(places)
    assert placed.grid.shape == (300, 2, 2)
    assert placed.grid.spacing[0] == pytest.approx(1.0, abs=0.005)
    stack = np.repeat(np.random.default_rng(1).integers(0, 900, 300), 4).reshape(300, 2, 2).astype(np.int16)
    shown = onto_grid(stack, series_at(placed), -1)
    others = np.delete(np.arange(300), moved)
    np.testing.assert_array_equal(shown[others], stack[others])
    labels = np.repeat(np.arange(300), 4).reshape(300, 2, 2).astype(np.uint16)
    np.testing.assert_array_equal(from_slices(labels, placed.grid, placed.source), labels)
    np.testing.assert_array_equal(onto_slices(labels, placed.grid, placed.source), labels)


def test_a_slice_too_many_never_shifts_those_behind_it():
    # Room for one more further on, where a part is missing.
    places = sorted([*np.arange(20.0), 7.1, *np.arange(25.0, 40.0)])
    placed = along_z(places)
    assert placed.grid.shape == (40, 2, 2)
    painted = np.zeros(placed.grid.shape, np.uint8)
    painted[10] = 1
    on_slices = onto_slices(painted, placed.grid, placed.source)
    assert [places[k] for k in np.flatnonzero(on_slices[:, 0, 0])] == [10.0]


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_mask_comes_back_from_tilted_slices(seed, tilt_y, tilt_x):
    placed, _, _ = stack_of(seed, (0.8, 0.6), (60, 70), [2.0] * 19, (tilt_y, tilt_x))
    assume(placed.source is not None)
    shape = np.array(placed.grid.shape)
    at = (np.indices(placed.grid.shape).T - (shape - 1) / 2).T * np.array(placed.grid.spacing)[:, None, None, None]
    ball = (np.linalg.norm(at, axis=0) < 12).astype(np.uint8)
    slices = onto_slices(ball, placed.grid, placed.source)
    back = from_slices(slices, placed.grid, placed.source)
    assert dice(back, ball) > 0.98
    np.testing.assert_array_equal(onto_slices(back, placed.grid, placed.source), slices)


def test_a_tilted_stack_by_hand():
    # Three slices of 2 x 3 pixels, 2 mm apart, each half a row further down: rows 1 mm, tilt atan(0.5 / 2) = 14.0.
    positions = np.array([[0, 0, 0], [0, 0.5, 2], [0, 1.0, 4]], float)
    placed = place(positions, np.array([[1, 0, 0], [0, 1, 0]], float), (1.0, 1.0), (2, 3), 2.0, ["a", "b", "c"])
    assert placed.grid.shape == (3, 3, 3)
    assert placed.grid.origin == (0, 0, 0)
    assert "up to 1.0 mm (gantry tilt of 14.0 degrees)" in placed.warnings[0].text
    stack = np.array([[[1, 1, 1], [3, 3, 3]], [[10, 10, 10], [20, 20, 20]], [[5, 5, 5], [7, 7, 7]]], np.int16)
    result = onto_grid(stack, series_at(placed), -9)
    np.testing.assert_array_equal(result[0, :, 0], [1, 3, -9])
    np.testing.assert_array_equal(result[1, :, 0], [10, 15, -9])
    np.testing.assert_array_equal(result[2, :, 0], [-9, 5, 7])


def test_uneven_slices_by_hand():
    positions = np.array([[0, 0, z] for z in (0, 1, 2, 4)], float)
    axes = np.array([[1, 0, 0], [0, 1, 0]], float)
    placed = place(positions + [[0, 0, 0.3 * (k == 3)] for k in range(4)], axes, (1.0, 1.0), (2, 2), 1.0, ["f"] * 4)
    assert [warning.code for warning in placed.warnings] == ["irregular-spacing"]
    assert "1.00 to 2.30 mm" in placed.warnings[0].text
    assert "blank" not in placed.warnings[0].text
    assert placed.grid.spacing == (1.0, 1.0, 1.0)
    assert placed.grid.shape == (5, 2, 2)
    stack = np.repeat([0, 10, 20, 43], 4).reshape(4, 2, 2).astype(np.uint8)
    np.testing.assert_array_equal(onto_grid(stack, series_at(placed), 255)[:, 0, 0], [0, 10, 20, 30, 40])


def test_nothing_is_made_up_to_fill_a_gap():
    positions = np.array([[0, 0, z] for z in (0, 1, 2, 3.5, 10.5, 11.5)], float)
    axes = np.array([[1, 0, 0], [0, 1, 0]], float)
    placed = place(positions, axes, (1.0, 1.0), (2, 2), 1.0, ["f"] * 6)
    assert "left blank in gaps of more than 4.5 mm" in placed.warnings[0].text
    stack = np.repeat([10, 20, 30, 45, 100, 110], 4).reshape(6, 2, 2).astype(np.uint8)
    shown = onto_grid(stack, series_at(placed), 0)[:, 0, 0]
    np.testing.assert_array_equal(shown, [10, 20, 30, 40, 45, 0, 0, 0, 0, 0, 100, 105, 110])
    labels = from_slices(np.ones_like(stack), placed.grid, placed.source)[:, 0, 0]
    assert set(labels[5:10].tolist()) == {0}


def test_padding_is_never_mixed_with_tissue():
    positions = np.array([[0, 0.5 * k, 2.0 * k] for k in range(3)])
    placed = place(positions, np.array([[1, 0, 0], [0, 1, 0]], float), (1.0, 1.0), (4, 2), 2.0, ["f"] * 3)
    stack = np.full((3, 4, 2), 100, np.int16)
    stack[:, 0] = -2000
    assert set(np.unique(onto_grid(stack, series_at(placed), -2000))) == {-2000, 100}


def test_colour_is_resampled_too():
    positions = np.array([[0, 0.5 * k, 2.0 * k] for k in range(3)])
    placed = place(positions, np.array([[1, 0, 0], [0, 1, 0]], float), (1.0, 1.0), (4, 2), 2.0, ["f"] * 3)
    stack = np.zeros((3, 4, 2, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
    result = onto_grid(stack, series_at(placed), 0)
    assert result.shape == (3, 5, 2, 3)
    np.testing.assert_array_equal(result[1, 1, 1], [10, 20, 30])


def test_a_missing_slice_of_a_tilted_stack_has_a_place():
    positions = np.array([[0, 0.5 * k, 2.0 * k] for k in (0, 1, 3, 4)])
    axes = np.array([[1, 0, 0], [0, 1, 0]], float)
    placed = place(positions, axes, (1.0, 1.0), (4, 2), 2.0, ["a", "b", "d", "e"])
    assert [warning.code for warning in placed.warnings] == ["missing-slice", "gantry-tilt"]
    assert placed.index == (0, 1, 3, 4)
    assert placed.source is not None
    assert placed.source.positions[2] == (0, 1.0, 4.0)


def test_a_shift_below_a_quarter_pixel_is_left_alone():
    positions = np.array([[0, 0.02 * k, 2.0 * k] for k in range(10)])  # 0.18 mm over 10 slices
    axes = np.array([[1, 0, 0], [0, 1, 0]], float)
    assert place(positions, axes, (0.8, 0.8), (4, 2), 2.0, ["f"] * 10).source is None
    assert place(positions, axes, (0.6, 0.6), (4, 2), 2.0, ["f"] * 10).source is not None


def test_slices_far_apart_sideways_are_no_tilted_volume():
    positions = np.array([[500.0 * (k % 2), 0, 2.0 * k] for k in range(6)])
    placed = place(positions, np.array([[1, 0, 0], [0, 1, 0]], float), (1.0, 1.0), (40, 20), 2.0, ["f"] * 6)
    assert placed.source is None
    assert placed.grid.shape == (6, 40, 20)
    assert "too far for one volume" in placed.warnings[0].text


def test_an_uneven_stack_does_not_explode():
    positions = np.array([[0, 0, z] for z in (0, 0.002, 50_000, 999_000)], float)
    placed = place(positions, np.array([[1, 0, 0], [0, 1, 0]], float), (1.0, 1.0), (4, 2), 2.0, ["f"] * 4)
    assert placed.grid.shape == (256, 4, 2)


def test_a_stack_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit the slices"):
        onto_grid(np.zeros((4, 5, 7)), series_of(grid_of()), 0)
