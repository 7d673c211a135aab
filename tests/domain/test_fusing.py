"""What is laid over a slice: values against SimpleITK's resampling, on every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medviewer.domain.fusing import Thickness, join, slice_through, value_at
from medviewer.domain.geometry import IDENTITY, Grid
from medviewer.domain.plane import PLANES, Plane, Turn
from medviewer.domain.reslice import reslice
from medviewer.domain.turned import Turned

CT = Grid((30, 52, 48), (2.0, 0.9, 1.1), (-30.0, -20.0, 5.0))
PET_SHAPE = (21, 19, 23)


def direction(angles: tuple[float, float, float], swap: bool = False) -> tuple[float, ...]:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.array(IDENTITY).reshape(3, 3)
    return tuple((axes[:, [2, 0, 1]] if swap else axes).ravel())


def activity() -> np.ndarray:
    """Bq/ml of 0 to 40000, every voxel another."""
    return np.random.default_rng(3).uniform(0, 40_000, PET_SHAPE).astype(np.float32)


def resampled(voxels: np.ndarray, grid: Grid, target: Grid) -> tuple[np.ndarray, np.ndarray]:
    """What SimpleITK makes of a volume on another grid, and which voxels lie in it."""
    image = SimpleITK.GetImageFromArray(voxels.astype(np.float64))
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection(tuple(grid.axes[:, ::-1].ravel()))
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize(target.shape[::-1])
    resampler.SetOutputSpacing(target.spacing[::-1])
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputDirection(tuple(target.axes[:, ::-1].ravel()))
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    resampler.SetDefaultPixelValue(-1e6)
    out = SimpleITK.GetArrayFromImage(resampler.Execute(image))
    return out, out > -1e5


@pytest.mark.parametrize("name", PLANES)
@pytest.mark.parametrize(
    ("angles", "swap", "spacing"),
    [
        ((0, 0, 0), False, (3.3, 4.1, 4.2)),
        ((0, 0, 0), True, (3.3, 2.7, 4.2)),
        ((180, 0, 0), False, (3.0, 4.0, 4.0)),
        ((7, -12, 31), False, (3.3, 4.1, 4.2)),
        ((3, 2, -90), True, (0.8, 4.1, 1.4)),
    ],
)
def test_every_plane_has_simpleitks_values(name: str, angles, swap: bool, spacing) -> None:
    flat = Grid(PET_SHAPE, spacing, direction=direction(angles, swap))
    middle = CT.index_to_world((np.array(CT.shape) - 1) / 2) - flat.index_to_world((np.array(PET_SHAPE) - 1) / 2)
    grid = Grid(PET_SHAPE, spacing, tuple(middle + np.array((1.3, -0.7, 0.4))), flat.direction)
    voxels = activity()
    expected, within = resampled(voxels, grid, CT)
    plane = Plane.of(CT, name)
    for k in (0, plane.count // 2, plane.count - 1):
        got, inside = slice_through(voxels, grid, plane, k)
        wanted, there = plane.take(expected, k), plane.take(within, k)
        assert (inside != there).mean() < 2e-3, "the same is outside, but for rounding at its edge"
        both = inside & there
        np.testing.assert_allclose(got[both], wanted[both], rtol=1e-4, atol=1e-2)
        assert not got[~inside].any()


def test_a_ct_laid_over_is_within_half_a_hu() -> None:
    voxels = np.random.default_rng(1).integers(-1024, 3000, PET_SHAPE).astype(np.int16)
    for angles in ((0, 0, 0), (9, 4, -20)):
        grid = Grid(PET_SHAPE, (3.0, 2.0, 2.0), (-28.0, -15.0, 8.0), direction(angles))
        expected, within = resampled(voxels, grid, CT)
        got, inside = slice_through(voxels, grid, Plane.of(CT, "Axial"), 12)
        both = inside & within[12]
        assert both.sum() > 100
        assert np.abs(got - expected[12])[both].max() < 0.05


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(PLANES),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([(0, 0, 0), (0, 180, 0), (11, 0, 0)]),
    st.integers(0, 29),
)
def test_pixels_have_the_values_of_their_places(name: str, quarters: int, mirrored: bool, angles, k: int) -> None:
    grid = Grid(PET_SHAPE, (3.3, 4.1, 4.2), (-35.0, -18.0, 3.0), direction(angles))
    voxels, plane = activity(), Plane.of(CT, name).turned(Turn(quarters, mirrored))
    got, inside = slice_through(voxels, grid, plane, k)
    assert got.shape == plane.shape
    for row, column in ((0, 0), (7, 20), (plane.shape[0] - 1, plane.shape[1] - 1)):
        value = value_at(voxels, grid, plane, (row, column, k), None)
        assert (value is not None) == inside[row, column]
        if value is not None:
            assert got[row, column] == pytest.approx(value, rel=1e-4, abs=1e-2)


def test_turned_planes_are_sampled_too() -> None:
    grid = Grid(PET_SHAPE, (3.3, 4.1, 4.2), (-35.0, -18.0, 3.0))
    turned = Turned.straight(CT, tuple(CT.index_to_world((15, 26, 24)))).turned("Axial", 0.4).turned("Coronal", -0.7)
    plane, k = turned.plane("Sagittal")
    got, inside = slice_through(activity(), grid, plane, k)
    expected, there = reslice(activity(), grid, plane.grid, k)
    np.testing.assert_array_equal(inside, there)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-2)
    assert inside.sum() > 500


def test_a_slab_takes_the_same_slices() -> None:
    grid, plane = Grid(PET_SHAPE, (3.3, 4.1, 4.2), (-35.0, -18.0, 3.0)), Plane.of(CT, "Axial")
    voxels, slices = activity(), range(10, 15)
    sampled = [slice_through(voxels, grid, plane, k) for k in slices]
    stack = np.where([inside for _, inside in sampled], [values for values, _ in sampled], np.nan)
    for mode, reduce in (("mip", np.nanmax), ("minip", np.nanmin), ("mean", np.nanmean)):
        got, inside = join(list(sampled), mode)  # type: ignore[arg-type]  # a mode
        there = np.isfinite(stack).any(axis=0)
        np.testing.assert_array_equal(inside, there)
        np.testing.assert_allclose(got[there], reduce(stack[:, there], axis=0), rtol=1e-5)
        row, column = (int(v[0]) for v in np.nonzero(there))
        thick = Thickness(10, 15, mode)  # type: ignore[arg-type]  # a mode
        value = value_at(voxels, grid, plane, (row, column, 12), thick)
        assert value == pytest.approx(got[row, column], rel=1e-4)


def test_what_is_not_a_number_stays_clear_in_a_slab_that_ends_within() -> None:
    """Statistical maps have NaN outside of the brain."""
    values, nan = np.array([[np.nan, 2.0, 3.0, np.nan]], np.float32), np.float32(np.nan)
    outside = np.zeros_like(values), np.zeros(values.shape, bool)
    for mode in ("mip", "minip"):
        for order in (1, -1):
            got, inside = join([outside, (values, np.array([[True, True, True, False]]))][::order], mode)  # type: ignore[arg-type]  # a mode
            np.testing.assert_array_equal(got, [[nan, 2, 3, 0]])
            np.testing.assert_array_equal(inside, [[True, True, True, False]])


def test_a_single_slice_and_places_far_away() -> None:
    thin = Grid((1, 5, 5), (5.0, 10.0, 10.0), (-10.0, 0.0, 30.0))
    voxels = np.full((1, 5, 5), 7, np.uint8)
    values, inside = slice_through(voxels, thin, Plane.of(CT, "Axial"), 12)  # z = 29 mm, within its 5 mm
    assert (values[inside] == 7).all()
    assert inside.any()
    for angle in (0, 10):
        far = Grid((4, 5, 5), origin=(1e5, 0.0, 0.0), direction=direction((angle, 0, 0)))
        values, inside = slice_through(np.ones((4, 5, 5)), far, Plane.of(CT, "Coronal"), 3)
        assert not values.any()
        assert not inside.any()
