"""Reference lines: where slices of one volume cut those of another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medviewer.domain.geometry import Grid
from medviewer.domain.linking import crossing
from medviewer.domain.plane import PLANES, Plane

MAIN = Grid((20, 30, 40), (3.0, 1.5, 1.0), (-20.0, -22.0, 10.0))


def turned(angles: tuple[float, float, float], spacing: tuple[float, float, float]) -> Grid:
    """A grid about the middle of the main one, however it lies."""
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ MAIN.axes
    lying = Grid((15, 25, 20), spacing, direction=tuple(axes.ravel()))
    middle = MAIN.index_to_world([(n - 1) / 2 for n in MAIN.shape])
    origin = middle - lying.index_to_world([(n - 1) / 2 for n in lying.shape])
    return Grid((15, 25, 20), spacing, tuple(origin), tuple(axes.ravel()))


angles = st.tuples(*[st.floats(-180, 180)] * 3)
spacings = st.tuples(*[st.floats(0.3, 6)] * 3)


@given(angles, spacings, st.sampled_from(PLANES), st.sampled_from(PLANES), st.data())
def test_a_line_lies_on_both_slices(angles, spacing, name, other_name, data) -> None:
    grid = turned(angles, spacing)
    plane, other = Plane.of(MAIN, name), Plane.of(grid, other_name)
    k, other_k = data.draw(st.integers(0, plane.count - 1)), data.draw(st.integers(0, other.count - 1))
    line = crossing(plane, k, other, other_k)
    assume(line is not None)
    assert line is not None
    for row, column in line:
        assert -0.5 - 1e-6 <= row <= plane.shape[0] - 0.5 + 1e-6
        assert -0.5 - 1e-6 <= column <= plane.shape[1] - 0.5 + 1e-6
        index = grid.world_to_index(MAIN.index_to_world(plane.to_index(row, column, k)))
        assert index[other.axis] == pytest.approx(other_k, abs=1e-5)
        assert grid.contains(np.clip(index, -0.5 + 1e-5, None) - 1e-5)


@given(angles, spacings, st.integers(0, 19))
def test_slices_that_meet_within_both_have_a_line(angles, spacing, k) -> None:
    grid = turned(angles, spacing)
    plane, other = Plane.of(MAIN, "Axial"), Plane.of(grid, "Sagittal")
    at = grid.world_to_index(MAIN.index_to_world((k, 14.5, 19.5)))
    assume(grid.contains(at + 0.2) and grid.contains(at - 0.2))
    sine = np.linalg.norm(np.cross(MAIN.axes[:, plane.axis], grid.axes[:, other.axis]))
    line = crossing(plane, k, other, at[other.axis])
    if sine < 0.08:
        assert line is None
    elif sine > 0.1:
        assert line is not None
        (r0, c0), (r1, c1) = line
        # the place that both slices were chosen to go through lies on it, in mm
        across = (r1 - r0) * 1.5 * (19.5 - c0) - (c1 - c0) * (14.5 - r0) * 1.5
        assert across / np.hypot((r1 - r0) * 1.5, c1 - c0) == pytest.approx(0, abs=1e-5)


def test_parallel_slices_have_none() -> None:
    plane = Plane.of(MAIN, "Axial")
    assert crossing(plane, 3, plane, 3) is None
    assert crossing(plane, 3, Plane.of(turned((3, 0, 0), (1, 1, 1)), "Axial"), 3) is None
    assert crossing(plane, 3, Plane.of(MAIN, "Coronal"), 10) == ((10, -0.5), (10, 39.5))


def test_slices_that_end_before_they_meet_have_none() -> None:
    far = Grid((5, 5, 5), origin=(500.0, 0.0, 20.0))
    assert crossing(Plane.of(MAIN, "Axial"), 3, Plane.of(far, "Coronal"), 2) is None
