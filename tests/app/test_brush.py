"""Brush and bucket against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medviewer.app.brush import fill_voxels, stroke_voxels
from medviewer.domain.geometry import Grid
from medviewer.domain.plane import PLANES, Plane

SHAPE = (5, 7, 9)
DIRECTION = (0, 0, -1, 0, 1, 0, -1, 0, 0)
"""Two axes run backwards, so that slices are flipped."""
GRIDS = [Grid(SHAPE, (4.0, 1.7, 0.6), (3.0, 4.0, 5.0), DIRECTION), Grid(SHAPE, (0.9, 2.0, 2.0))]

planes = st.builds(Plane.of, st.sampled_from(GRIDS), st.sampled_from(PLANES))
places = st.tuples(st.floats(-3, 11), st.floats(-3, 11))
radii = st.floats(0.1, 12)


def cells(plane: Plane, k: int, where: np.ndarray) -> np.ndarray:
    """Which rows and columns of slice k are picked; nothing may be picked elsewhere."""
    volume = np.zeros(SHAPE, bool)
    volume.reshape(-1)[where] = True
    picked = plane.take(volume, k)
    assert np.count_nonzero(volume) == np.count_nonzero(picked) == where.size
    assert (np.diff(where) > 0).all()
    return picked


def near(plane: Plane, start: tuple[float, float], end: tuple[float, float], radius: float) -> np.ndarray:
    """Brute force: cells whose centre lies within `radius` mm of the segment, or that are under an end."""
    mm = np.array(plane.spacing)
    a, b = np.array(start) * mm, np.array(end) * mm
    found = np.zeros(plane.shape, bool)
    for cell in np.ndindex(*plane.shape):
        point = np.array(cell) * mm
        length = np.dot(b - a, b - a)
        t = 0.0 if length == 0 else min(max(np.dot(point - a, b - a) / length, 0.0), 1.0)
        found[cell] = np.linalg.norm(point - (a + t * (b - a))) <= radius
    for row, column in (start, end):
        cell = round(row), round(column)
        if 0 <= cell[0] < plane.shape[0] and 0 <= cell[1] < plane.shape[1]:
            found[cell] = True
    return found


@given(planes, places, places, radii, st.data())
def test_a_stroke_is_every_cell_within_the_radius(
    plane: Plane, start: tuple[float, float], end: tuple[float, float], radius: float, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, plane.count - 1))
    picked = cells(plane, k, stroke_voxels(plane, k, start, end, radius))
    expected = near(plane, start, end, radius)
    rim = near(plane, start, end, radius + 1e-9) != near(plane, start, end, radius - 1e-9)
    np.testing.assert_array_equal(picked | rim, expected | rim)


@given(planes, st.tuples(st.floats(0, 4), st.floats(0, 4)), st.floats(0.1, 5))
def test_a_dab_is_a_disk_in_mm_and_never_nothing(plane: Plane, at: tuple[float, float], radius: float) -> None:
    picked = cells(plane, 0, stroke_voxels(plane, 0, at, at, radius))
    assert picked[round(at[0]), round(at[1])]
    rows, columns = np.nonzero(picked)
    reach = np.hypot((rows - at[0]) * plane.spacing[0], (columns - at[1]) * plane.spacing[1])
    assert reach.max() <= max(radius, np.hypot(*plane.spacing) / 2) + 1e-9


@given(planes, st.tuples(st.integers(0, 4), st.integers(0, 4)), st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_a_fast_stroke_has_no_gaps(plane: Plane, start: tuple[int, int], end: tuple[int, int]) -> None:
    """However far the pointer jumped between two events: the ends are connected, diagonally at least."""
    from scipy import ndimage

    radius = float(np.hypot(*plane.spacing)) / 2
    picked = cells(plane, 1, stroke_voxels(plane, 1, start, end, radius))
    assert picked[start]
    assert picked[end]
    assert ndimage.label(picked, np.ones((3, 3)))[1] == 1


def test_far_outside_nothing_is_touched() -> None:
    plane = Plane.of(GRIDS[0], "Axial")
    assert stroke_voxels(plane, 0, (-50, -50), (-60, -40), 3.0).size == 0
    assert fill_voxels(plane, 0, (-50, 2), np.zeros(SHAPE, np.uint8)).size == 0


def flooded(labels: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    """Brute force: a flood of equal labels from a cell, over edges and never over corners."""
    found, todo = np.zeros(labels.shape, bool), [seed]
    while todo:
        row, column = todo.pop()
        inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
        if inside and not found[row, column] and labels[row, column] == labels[seed]:
            found[row, column] = True
            todo += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
    return found


@given(planes, st.integers(0, 2**32 - 1), st.data())
def test_fill_floods_one_label_of_one_slice(plane: Plane, seed: int, data: st.DataObject) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)
    k = data.draw(st.integers(0, plane.count - 1))
    at = data.draw(st.integers(0, plane.shape[0] - 1)), data.draw(st.integers(0, plane.shape[1] - 1))
    picked = cells(plane, k, fill_voxels(plane, k, at, labels))
    np.testing.assert_array_equal(picked, flooded(plane.take(labels, k), at))
