"""Slabs, against SimpleITK's projections and against each voxel by hand."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import PLANES, Plane
from medviewer.domain.slab import WHOLE_MM, project, slab_slices, stored_mode

OBLIQUE = Grid(
    (11, 17, 23),
    (3.1, 0.9, 0.6),
    (-40.0, 12.0, 7.0),
    tuple(Rotation.from_euler("xyz", (20, -35, 50), True).as_matrix().ravel()),
)
"""Asymmetric, anisotropic and oblique, as a surgeon's CT may be."""
FILTERS = {
    "mip": SimpleITK.MaximumProjectionImageFilter,
    "minip": SimpleITK.MinimumProjectionImageFilter,
    "mean": SimpleITK.MeanProjectionImageFilter,
}


def stored(dtype: str = "int16") -> np.ndarray:
    return np.random.default_rng(3).integers(-1024, 3000, OBLIQUE.shape).astype(dtype)


@pytest.mark.parametrize("mode", FILTERS)
@pytest.mark.parametrize("name", PLANES)
def test_a_slab_is_simpleitks_projection_of_its_slices(mode: str, name: str) -> None:
    voxels, plane = stored(), Plane.of(OBLIQUE, name)
    k = plane.count // 2
    slices = slab_slices(k, plane.count, OBLIQUE.spacing[plane.axis], 8.0)
    assert slices.stop - slices.start > 1
    image = SimpleITK.GetImageFromArray(
        voxels.astype(np.float64) * 0.5 - 30
    )  # real values, as SimpleITK would have them
    low, size = [0, 0, 0], list(image.GetSize())
    low[2 - plane.axis], size[2 - plane.axis] = slices.start, slices.stop - slices.start
    projection = FILTERS[mode]()
    projection.SetProjectionDimension(2 - plane.axis)
    expected = SimpleITK.GetArrayFromImage(projection.Execute(SimpleITK.RegionOfInterest(image, size, low)))
    got, nothing = project(voxels, plane.axis, slices, k, mode)
    assert nothing is None
    assert got.dtype == (np.float32 if mode == "mean" else np.int16)
    np.testing.assert_allclose(got * 0.5 - 30, expected.squeeze(plane.axis), atol=1e-3)
    turned = plane.turn(got)
    index = tuple(int(i) for i in plane.to_index(2, 3, k))
    column = voxels[tuple(slices if axis == plane.axis else i for axis, i in enumerate(index))]
    assert turned[2, 3] == pytest.approx({"mip": column.max, "minip": column.min, "mean": column.mean}[mode]())


@given(st.integers(0, 9), st.floats(0.1, 5), st.floats(0.1, 80))
def test_a_slab_has_the_slice_that_is_seen_and_fills_its_thickness(k: int, spacing: float, thickness: float) -> None:
    slices = slab_slices(k, 10, spacing, thickness)
    assert 0 <= slices.start <= k < slices.stop <= 10
    whole = slab_slices(500, 1000, spacing, thickness) if thickness / spacing < 900 else None
    if whole is not None:
        assert abs((whole.stop - whole.start) * spacing - thickness) <= spacing * (1 + 1e-5)


@pytest.mark.parametrize(
    ("spacing", "thickness", "count"), [(1.0, 10.0, 10), (2.5, 10.0, 4), (5.0, 10.0, 2), (3.0, 10.0, 3), (5.0, 2.0, 1)]
)
def test_slices_fill_the_thickness(spacing: float, thickness: float, count: int) -> None:
    slices = slab_slices(50, 100, spacing, thickness)
    assert slices.stop - slices.start == count


def test_a_slab_ends_where_the_volume_ends() -> None:
    assert slab_slices(0, 10, 1.0, 6.0) == slice(0, 3)
    assert slab_slices(9, 10, 1.0, 6.0) == slice(6, 10)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2),
    st.sampled_from(("mip", "minip", "mean")),
    st.booleans(),
    st.booleans(),
)
def test_padding_and_what_is_no_number_count_nowhere(
    seed: int, axis: int, mode: str, floating: bool, apart: bool
) -> None:
    random = np.random.default_rng(seed)
    voxels = random.integers(-5, 5, (4, 5, 6)).astype(np.float32 if floating else np.int16)
    if floating:
        voxels[random.random(voxels.shape) < 0.2] = np.nan
    counts = np.isfinite(voxels) & ~((voxels >= -5) & (voxels <= -3))
    slices = slice(1, 4)
    got, nothing = project(voxels, axis, slices, 2, mode, voxels.copy() if apart else voxels, (-5, -3))
    columns = np.moveaxis(voxels, axis, 0)[slices].reshape(3, -1).T
    reduce = {"mip": np.max, "minip": np.min, "mean": np.mean}[mode]
    kept = np.moveaxis(counts, axis, 0)[slices].reshape(3, -1).T
    for value, none, column, keep in zip(got.ravel(), nothing.ravel(), columns, kept, strict=True):
        assert none == (not keep.any())
        expected = reduce(column[keep].astype(float)) if keep.any() else column[1]
        assert value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "float32"])
def test_a_mean_never_overflows(dtype: str) -> None:
    top = 3e38 if dtype == "float32" else np.iinfo(dtype).max
    voxels = np.full((600, 3, 4), top, dtype)
    got, _ = project(voxels, 0, slice(0, 600), 300, "mean")
    np.testing.assert_allclose(got, np.float32(top), rtol=1e-6)


def test_a_negative_slope_turns_highest_and_lowest_round() -> None:
    assert [stored_mode(mode, -1.0) for mode in ("mip", "minip", "mean")] == ["minip", "mip", "mean"]
    assert [stored_mode(mode, 2.0) for mode in ("mip", "minip", "mean")] == ["mip", "minip", "mean"]


def test_large_slabs_are_reduced_in_parts() -> None:
    voxels = np.random.default_rng(0).integers(-99, 99, (40, 300, 200), np.int16)
    for axis in range(3):
        got, _ = project(voxels, axis, slice(2, 30), 9, "mip")
        np.testing.assert_array_equal(got, np.moveaxis(voxels, axis, 0)[2:30].max(0))
        got, _ = project(voxels, axis, slice(2, 30), 9, "mean", voxels, (-99, -90))
        expected = np.ma.masked_less_equal(np.moveaxis(voxels, axis, 0)[2:30], -90).mean(0)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_a_whole_slab_has_every_slice() -> None:
    assert {k: slab_slices(k, 700, 3.0, WHOLE_MM) for k in (0, 350, 699)} == dict.fromkeys((0, 350, 699), slice(0, 700))
