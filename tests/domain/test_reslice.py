"""Turned planes: their geometry, and their values against SimpleITK's resampling."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import PLANES, Plane
from medviewer.domain.reslice import reslice, reslice_labels
from medviewer.domain.turned import Turned

OBLIQUE = Rotation.from_euler("xyz", (20, -35, 50), True).as_matrix()
GRID = Grid((25, 40, 47), (2.5, 0.9, 0.7), (-40.0, 12.0, 7.0), tuple(OBLIQUE.ravel()))
names = st.sampled_from(PLANES)
turns = st.lists(st.tuples(names, st.floats(-3.1, 3.1)), min_size=1, max_size=4)


def turned(steps: list[tuple[str, float]], grid: Grid = GRID) -> Turned:
    made = Turned.straight(grid, tuple(grid.index_to_world((np.array(grid.shape) - 1) / 2)))
    for name, angle in steps:
        made = made.turned(name, angle)
    return made


def head() -> np.ndarray:
    """A CT of soft blobs and hard edges, in HU."""
    random = np.random.default_rng(5)
    voxels = random.integers(-1024, 2000, GRID.shape).astype(np.int16)
    voxels[8:16, 10:30, 10:30] = 60
    return voxels


def itk(array: np.ndarray, grid: Grid) -> SimpleITK.Image:
    """An ITK image whose axes (x, y, z) are ours (z, y, x) the other way round."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection(tuple(grid.axes[:, ::-1].ravel()))
    return image


@pytest.mark.parametrize(
    "steps",
    [[("Axial", 0.4), ("Sagittal", -0.7), ("Coronal", 1.1)], [("Sagittal", 2.2), ("Axial", -1.5)]],
    ids=["turned", "turned over"],
)
@pytest.mark.parametrize("name", PLANES)
def test_values_are_within_half_a_hu_of_simpleitk(name: str, steps: list[tuple[str, float]]) -> None:
    voxels = head()
    made = turned(steps)
    plane, k = made.plane(name)
    got, inside = reslice(voxels, GRID, plane.grid, k)
    lattice = plane.grid.crop((k, 0, 0), (1, *plane.shape))
    axes = lattice.axes[:, ::-1]
    if np.linalg.det(axes) < 0:  # SimpleITK wants a right-handed lattice; of one slice, the normal may point either way
        axes = axes * (1, 1, -1)
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize(lattice.shape[::-1])
    resampler.SetOutputSpacing(lattice.spacing[::-1])
    resampler.SetOutputOrigin(lattice.origin)
    resampler.SetOutputDirection(tuple(axes.ravel()))
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    resampler.SetOutputPixelType(SimpleITK.sitkFloat64)
    resampler.SetDefaultPixelValue(-5000)
    expected = SimpleITK.GetArrayFromImage(resampler.Execute(itk(voxels, GRID)))[0]
    both = inside & (expected > -4999)
    assert both.sum() > 1000
    assert np.abs(got - expected)[both].max() < 0.01
    assert (inside != (expected > -4999)).mean() < 1e-4, "the same is outside"
    assert not got[~inside].any()


@pytest.mark.parametrize("name", PLANES)
def test_a_plane_that_is_not_turned_shows_the_slice(name: str) -> None:
    grid = Grid((9, 10, 11), (1.0, 1.0, 1.0), (3.0, -4.0, 5.0), GRID.direction)
    voxels = np.random.default_rng(1).integers(0, 200, grid.shape).astype(np.uint8)
    straight = Plane.of(grid, name)
    point = tuple(float(v) for v in grid.index_to_world((4, 3, 2)))
    plane, k = Turned.straight(grid, point).plane(name)
    got, inside = reslice(voxels, grid, plane.grid, k)
    labels = reslice_labels(voxels, grid, plane.grid, k)
    expected = straight.take(voxels, (4, 3, 2)[straight.axis])
    for row, column in np.ndindex(*straight.shape):
        index = straight.to_index(row, column, (4, 3, 2)[straight.axis])
        at = np.rint(plane.to_screen(tuple(plane.grid.world_to_index(grid.index_to_world(index))))).astype(int)
        assert labels[tuple(at)] == expected[row, column]
        assert inside[tuple(at)]
    assert plane.letters() == straight.letters()
    assert got[inside].max() <= 200


@settings(max_examples=30)
@given(turns)
def test_planes_stay_at_right_angles_and_cross_in_the_point(steps: list[tuple[str, float]]) -> None:
    made = turned(steps)
    normals = np.stack([made.basis(name)[:, 0] for name in PLANES])
    np.testing.assert_allclose(normals @ normals.T, np.eye(3), atol=1e-9)
    for name in PLANES:
        basis = made.basis(name)
        np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
        plane, k = made.plane(name)
        assert plane.grid.world_to_index(made.point)[0] == pytest.approx(k, abs=1e-6)
        low_row, low_column, high_row, high_column = made.bounds(name)
        assert -0.5 <= low_row < high_row <= plane.shape[0] - 0.5
        assert -0.5 <= low_column < high_column <= plane.shape[1] - 0.5


@settings(max_examples=30)
@given(turns, names, st.floats(-3, 3))
def test_turning_leaves_the_plane_that_is_turned_in(steps: list[tuple[str, float]], name: str, angle: float) -> None:
    before = turned(steps)
    after = before.turned(name, angle)
    np.testing.assert_allclose(after.basis(name), before.basis(name), atol=1e-12)
    quarter = np.pi / 2
    difference = (after.line_angle(name) - before.line_angle(name) - angle) / quarter
    assert difference == pytest.approx(round(difference), abs=1e-6), "its lines turn with the hand, clockwise"
    back = after.turned(name, -angle)
    for other in PLANES:
        kept = np.abs(back.basis(other).T @ before.basis(other))
        assert kept[0, 0] == pytest.approx(1), "the same plane"
        np.testing.assert_allclose(kept, np.rint(kept), atol=1e-9, err_msg="flipped or rotated by quarters at most")


def test_letters_are_those_of_the_plane() -> None:
    grid = Grid((50, 50, 50))
    made = turned([("Axial", np.radians(45))], grid)
    plane, _ = made.plane("Coronal")
    assert {"".join(sorted(letters)) for letters in plane.letters()[:2]} == {"AR", "LP"}
    assert plane.letters()[2:] == ("S", "I")
    slight = turned([("Axial", np.radians(5))], grid).plane("Coronal")[0]
    assert slight.letters() == ("R", "L", "S", "I")


def test_steps_go_along_the_normal_and_stay_in_the_volume() -> None:
    made = turned([("Axial", 0.3)])
    ahead = made.stepped("Coronal", 3)
    np.testing.assert_allclose(
        np.array(ahead.point) - made.point, made.basis("Coronal")[:, 0] * 3 * made.spacing, atol=1e-9
    )
    assert made.stepped("Coronal", 10_000) is made
    far = made.moved((1e4, 0.0, 0.0))
    assert GRID.contains(GRID.world_to_index(far.point))


def test_a_lattice_is_never_too_fine_for_a_screen() -> None:
    grid = Grid((600, 2000, 2000), (0.3, 0.1, 0.1))
    assert max(turned([("Axial", 0.2)], grid).plane("Coronal")[0].shape) <= 1030
