"""Planes: what is seen where, for every way that a volume can lie."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import PLANES, UNTURNED, Plane, Turn, planes_of

ORDERS = list(permutations(range(3)))
SIGNS = list(product((1, -1), repeat=3))
SCREEN = {"Axial": ((0, 1), (1, 1)), "Coronal": ((0, 1), (2, -1)), "Sagittal": ((1, 1), (2, -1))}
"""World axis and sign that run right, and down: left and posterior, left and inferior, posterior and inferior."""
LETTERS = {"Axial": ("R", "L", "A", "P"), "Coronal": ("R", "L", "S", "I"), "Sagittal": ("A", "P", "S", "I")}

seeds = st.integers(0, 2**32 - 1)
names = st.sampled_from(PLANES)


def aligned_grid(order: tuple[int, ...], signs: tuple[int, ...]) -> Grid:
    """An asymmetric, anisotropic grid whose array axes run along world axes."""
    axes = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        axes[world, axis] = sign
    return Grid((3, 4, 5), (3.0, 1.5, 0.7), (-11.0, 22.0, 5.0), tuple(axes.ravel()))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Permuted, flipped or oblique grids; half of them mirrored."""
    if draw(st.booleans()):
        return aligned_grid(draw(st.sampled_from(ORDERS)), draw(st.sampled_from(SIGNS)))
    random = np.random.default_rng(draw(seeds))
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    shape = tuple(random.integers(2, 7, 3).tolist())
    return Grid(shape, tuple(random.uniform(0.2, 6, 3)), tuple(random.uniform(-99, 99, 3)), tuple(axes.ravel()))


@given(grids(), names)
def test_the_voxel_shown_is_the_voxel_meant(grid: Grid, name: str) -> None:
    plane = Plane.of(grid, name)
    volume = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    for k in range(plane.count):
        shown = plane.take(volume, k)
        assert shown.shape == plane.shape
        for row, column in np.ndindex(*plane.shape):
            index = plane.to_index(row, column, k)
            assert shown[row, column] == volume[tuple(int(i) for i in index)]
            assert plane.to_screen(index) == (row, column)


@given(grids(), names, st.tuples(*[st.floats(-3, 9)] * 3))
def test_between_voxels_screen_and_index_are_inverse(grid: Grid, name: str, index: tuple[float, ...]) -> None:
    plane = Plane.of(grid, name)
    row, column = plane.to_screen(index)
    np.testing.assert_allclose(plane.to_index(row, column, index[plane.axis]), index, atol=1e-12)


@given(grids(), names)
def test_right_and_down_on_the_screen_run_as_readers_expect(grid: Grid, name: str) -> None:
    plane = Plane.of(grid, name)
    start = grid.index_to_world(plane.to_index(0, 0, 0))
    right = grid.index_to_world(plane.to_index(0, 1, 0)) - start
    down = grid.index_to_world(plane.to_index(1, 0, 0)) - start
    for step, (world, sign) in zip((right, down), SCREEN[name], strict=True):
        assert step[world] * sign >= -1e-9  # in a very oblique volume the nearest axis may be at a right angle
    np.testing.assert_allclose((np.linalg.norm(down), np.linalg.norm(right)), plane.spacing)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("name", PLANES)
def test_axis_aligned_volumes_run_exactly_so_and_say_so(
    order: tuple[int, ...], signs: tuple[int, ...], name: str
) -> None:
    grid = aligned_grid(order, signs)
    plane = Plane.of(grid, name)
    assert plane.letters() == LETTERS[name]
    assert grid.plane_name(plane.axis) == name
    start = grid.index_to_world(plane.to_index(0, 0, 0))
    for step, spacing, (world, sign) in zip(
        (plane.to_index(0, 1, 0), plane.to_index(1, 0, 0)), plane.spacing[::-1], SCREEN[name], strict=True
    ):
        expected = np.zeros(3)
        expected[world] = sign * spacing
        np.testing.assert_allclose(grid.index_to_world(step) - start, expected, atol=1e-9)


@given(grids(), names)
def test_letters_are_those_of_the_grid_turned_with_the_slice(grid: Grid, name: str) -> None:
    plane = Plane.of(grid, name)
    left, right, top, bottom = plane.letters()
    low, high = grid.letters(plane.column_axis)
    assert (left, right) == ((high, low) if plane.flip_columns else (low, high))
    low, high = grid.letters(plane.row_axis)
    assert (top, bottom) == ((high, low) if plane.flip_rows else (low, high))


@given(grids())
def test_three_planes_cross_all_three_axes(grid: Grid) -> None:
    planes = planes_of(grid)
    assert tuple(plane.name for plane in planes) == PLANES
    assert sorted(plane.axis for plane in planes) == [0, 1, 2]
    for plane in planes:
        assert sorted((plane.axis, plane.row_axis, plane.column_axis)) == [0, 1, 2]
        assert plane.count == grid.shape[plane.axis]


@given(grids(), names)
def test_a_slice_shares_the_volumes_memory(grid: Grid, name: str) -> None:
    volume = np.zeros(grid.shape, np.uint8)
    Plane.of(grid, name).take(volume, 1)[...] = 1
    assert np.count_nonzero(volume) == np.prod(Plane.of(grid, name).shape)


def test_colours_stay_together() -> None:
    grid = aligned_grid((2, 1, 0), (-1, -1, 1))
    volume = np.arange(np.prod(grid.shape) * 3).reshape(*grid.shape, 3)
    for plane in planes_of(grid):
        shown = plane.take(volume, 1)
        assert shown.shape == (*plane.shape, 3)
        index = tuple(int(i) for i in plane.to_index(2, 1, 1))
        np.testing.assert_array_equal(shown[2, 1], volume[index])


def test_a_radiograph_is_shown_as_the_file_stores_it() -> None:
    grid = Grid((1, 6, 9), (1.0, 0.2, 0.3))
    (plane,) = planes_of(grid)
    picture = np.arange(54).reshape(grid.shape)
    np.testing.assert_array_equal(plane.take(picture, 0), picture[0])
    assert (plane.name, plane.shape, plane.spacing) == ("", (6, 9), (0.2, 0.3))
    assert plane.to_index(2, 7, 0) == (0, 2, 7)
    assert plane.count == 1


# -- turned by the reader

turns = st.builds(Turn, st.integers(0, 3), st.booleans())
STEPS = {"flip": np.fliplr, "upend": np.flipud, "rotate": lambda shown: np.rot90(shown, -1)}


@given(grids(), names, st.lists(st.sampled_from(sorted(STEPS)), max_size=7))
def test_each_step_does_to_the_slice_what_it_does_to_a_picture(grid: Grid, name: str, steps: list[str]) -> None:
    plane = Plane.of(grid, name)
    volume = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    expected, turn = plane.take(volume, 1), UNTURNED
    for step in steps:
        expected, turn = STEPS[step](expected), turn.then(step)
    turned = plane.turned(turn)
    np.testing.assert_array_equal(turned.take(volume, 1), expected)
    assert turned.shape == expected.shape
    assert (turned.axis, turned.name, turned.count) == (plane.axis, plane.name, plane.count)


@given(grids(), names, turns)
def test_of_a_turned_slice_the_voxel_shown_is_the_voxel_meant(grid: Grid, name: str, turn: Turn) -> None:
    plane = Plane.of(grid, name).turned(turn)
    volume = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    shown = plane.take(volume, 1)
    for row, column in np.ndindex(*plane.shape):
        index = plane.to_index(row, column, 1)
        assert shown[row, column] == volume[tuple(int(i) for i in index)]
        assert plane.to_screen(index) == (row, column)


@given(grids(), names, turns, st.tuples(*[st.floats(-3, 9)] * 3))
def test_turned_screen_and_index_are_inverse(
    grid: Grid, name: str, turn: Turn, index: tuple[float, float, float]
) -> None:
    plane = Plane.of(grid, name).turned(turn)
    row, column = plane.to_screen(index)
    np.testing.assert_allclose(plane.to_index(row, column, index[plane.axis]), index, atol=1e-12)


@given(grids(), names, turns)
def test_spacing_turns_with_the_slice(grid: Grid, name: str, turn: Turn) -> None:
    plane = Plane.of(grid, name).turned(turn)
    start = grid.index_to_world(plane.to_index(0, 0, 0))
    down, right = (grid.index_to_world(plane.to_index(*at, 0)) - start for at in ((1, 0), (0, 1)))
    np.testing.assert_allclose((np.linalg.norm(down), np.linalg.norm(right)), plane.spacing)


def test_letters_turn_with_the_slice() -> None:
    """Left, right, top, bottom of an axial slice, R on the left and A on top."""
    plane = Plane.of(aligned_grid((2, 1, 0), (1, 1, 1)), "Axial")
    assert plane.letters() == ("R", "L", "A", "P")
    assert plane.turned(UNTURNED.then("flip")).letters() == ("L", "R", "A", "P")
    assert plane.turned(UNTURNED.then("upend")).letters() == ("R", "L", "P", "A")
    assert plane.turned(UNTURNED.then("rotate")).letters() == ("P", "A", "R", "L")
    assert plane.turned(UNTURNED.then("rotate").then("flip")).letters() == ("A", "P", "R", "L")


@given(turns)
def test_steps_lead_back(turn: Turn) -> None:
    assert turn.then("flip").then("flip") == turn
    assert turn.then("upend").then("upend") == turn
    assert turn.then("rotate").then("rotate").then("rotate").then("rotate") == turn
    assert turn.then("flip").then("upend") == turn.then("rotate").then("rotate")
    assert (turn.text == "") == (turn == UNTURNED)
    assert UNTURNED.then("upend").text == "flipped top to bottom"
    assert UNTURNED.then("rotate").text == "rotated 90°"
