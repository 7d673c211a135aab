"""Grid against SimpleITK, and its letters for every way a volume can lie."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.geometry import IDENTITY, Grid

seeds = st.integers(0, 2**32 - 1)


def random_grid(seed: int) -> Grid:
    """An asymmetric, anisotropic, oblique grid, half of them mirrored."""
    random = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    shape = tuple(random.integers(1, 60, 3).tolist())
    return Grid(shape, tuple(random.uniform(0.2, 6, 3)), tuple(random.uniform(-400, 400, 3)), tuple(axes.ravel()))


def as_itk(grid: Grid) -> sitk.Image:
    image = sitk.Image([int(n) for n in grid.shape[::-1]], sitk.sitkUInt8)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.axes[:, ::-1].ravel().tolist())
    return image


@given(seeds)
def test_world_and_index_agree_with_simpleitk(seed):
    grid = random_grid(seed)
    image = as_itk(grid)
    for z, y, x in np.random.default_rng(seed).uniform(-5, 65, (5, 3)).tolist():
        world = image.TransformContinuousIndexToPhysicalPoint((x, y, z))
        np.testing.assert_allclose(grid.index_to_world((z, y, x)), world, atol=1e-6)
        np.testing.assert_allclose(grid.world_to_index(world), (z, y, x), atol=1e-6)
        np.testing.assert_allclose(grid.affine @ (z, y, x, 1), (*world, 1), atol=1e-6)


@given(seeds, st.sampled_from([2e-4, 1e-5, 1e-7]))
def test_index_to_world_and_back_when_directions_are_rounded(seed, rounding):
    random = np.random.default_rng(seed)
    exact = random_grid(seed)
    axes = exact.axes + random.uniform(-rounding, rounding, (3, 3))
    grid = Grid(exact.shape, exact.spacing, exact.origin, tuple(axes.ravel()))
    index = random.uniform(0, 600, (20, 3))
    np.testing.assert_allclose(grid.world_to_index(grid.index_to_world(index)), index, rtol=0, atol=1e-6)
    image = as_itk(grid)
    for point in index.tolist():
        world = grid.index_to_world(point)
        theirs = image.TransformContinuousIndexToPhysicalPoint(point[::-1])
        np.testing.assert_allclose(world, theirs, rtol=0, atol=1e-3)
        back = image.TransformPhysicalPointToContinuousIndex(world.tolist())[::-1]
        np.testing.assert_allclose(grid.world_to_index(world), back, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_letters_of_all_48_axis_aligned_volumes(order, signs):
    axes = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        axes[world, axis] = sign
    grid = Grid((2, 3, 4), direction=tuple(axes.ravel()))
    names = (("R", "L"), ("A", "P"), ("I", "S"))
    planes = ("Sagittal", "Coronal", "Axial")
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        assert grid.letters(axis) == (names[world] if sign > 0 else names[world][::-1])
        assert grid.array_axis(world) == axis
        assert grid.plane_name(axis) == planes[world]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ((0.8, 0.6, 0), ("RA", "LP")),
        ((0.6, -0.8, 0), ("PR", "AL")),
        ((0, 0.28, -0.96), ("SA", "IP")),
        ((0.99, 0.141, 0), ("R", "L")),
        ((0.1, 0.7, 0.707), ("IA", "SP")),
    ],
)
def test_oblique_axes_have_two_letters(step, expected):
    first = np.array(step) / np.linalg.norm(step)
    helper = np.eye(3)[int(np.argmin(np.abs(first)))]
    second = np.cross(first, helper)
    second /= np.linalg.norm(second)
    axes = np.stack([np.cross(first, second), second, first], axis=1)
    assert Grid((2, 2, 2), direction=tuple(axes.ravel())).letters(2) == expected


@given(seeds)
def test_every_oblique_volume_gives_each_world_axis_one_array_axis(seed):
    grid = random_grid(seed)
    assert sorted(grid.array_axis(world) for world in range(3)) == [0, 1, 2]
    assert sorted(grid.plane_name(axis) for axis in range(3)) == ["Axial", "Coronal", "Sagittal"]


@given(seeds, st.tuples(*[st.integers(1, 40)] * 3))
def test_resized_covers_the_same_box(seed, shape):
    grid = random_grid(seed)
    other = grid.resized(shape)
    assert other.shape == shape
    np.testing.assert_allclose(other.size_mm, grid.size_mm)
    np.testing.assert_allclose(other.index_to_world((-0.5,) * 3), grid.index_to_world((-0.5,) * 3), atol=1e-9)
    far = np.array(grid.shape) - 0.5, np.array(shape) - 0.5
    np.testing.assert_allclose(other.index_to_world(far[1]), grid.index_to_world(far[0]), atol=1e-9)


@given(seeds, st.tuples(*[st.integers(0, 20)] * 3))
def test_crop_keeps_voxels_where_they_are(seed, start):
    grid = random_grid(seed)
    part = grid.crop(start, (2, 3, 4))
    theirs = as_itk(grid)
    z, y, x = start
    np.testing.assert_allclose(part.origin, theirs.TransformIndexToPhysicalPoint((x, y, z)), atol=1e-6)
    np.testing.assert_allclose(part.index_to_world((1, 2, 3)), grid.index_to_world(np.add(start, (1, 2, 3))), atol=1e-9)


@given(seeds)
def test_matches_asks_for_every_corner(seed):
    grid = random_grid(seed)
    near = Grid(grid.shape, grid.spacing, tuple(np.array(grid.origin) + 0.004), grid.direction)
    far = Grid(grid.shape, grid.spacing, tuple(np.add(grid.origin, (0, 0.02, 0))), grid.direction)
    assert grid.matches(near)
    assert not grid.matches(far)
    assert grid.matches(far, tolerance_mm=0.05)
    assert not grid.matches(Grid((*grid.shape[:2], grid.shape[2] + 1), grid.spacing, grid.origin, grid.direction))


def test_clamp_and_contains():
    grid = Grid((4, 5, 6))
    assert grid.clamp((-3, 2.4, 99)) == (0, 2, 5)
    assert grid.contains((-0.5, 0, 5.49))
    assert not grid.contains((3.5, 0, 0))
    assert not grid.contains((0, -0.51, 0))


def test_volume_and_size():
    grid = Grid((10, 20, 30), (2.0, 0.5, 0.25))
    assert grid.voxel_ml == pytest.approx(0.00025)
    assert grid.size_mm == (20, 10, 7.5)
    assert grid.describe() == "10 x 20 x 30 at 2.00 x 0.50 x 0.25 mm"
    assert grid.direction == IDENTITY


@pytest.mark.parametrize(
    "broken",
    [
        {"shape": (0, 1, 1)},
        {"shape": (1, 1)},
        {"spacing": (1, 0, 1)},
        {"spacing": (1, float("nan"), 1)},
        {"origin": (0, 0)},
        {"direction": (1, 0, 0, 0, 1, 0, 0, 1, 1)},
    ],
)
def test_impossible_grids_are_refused(broken):
    with pytest.raises(ValueError, match="a grid needs"):
        Grid(**{"shape": (2, 2, 2), **broken})
