"""Curved planes: the curve, its length, and values against SimpleITK and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.curved import Path, Ribbon, Strip
from medviewer.domain.geometry import Grid

GRID = Grid((40, 60, 70), (2.0, 1.0, 0.8), (-20.0, -30.0, 5.0))
AWAY = (0.0, 0.0, 1.0)


def circle(radius: float = 40.0, count: int = 17) -> Path:
    angles = np.linspace(0, np.pi, count)
    points = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(count, 30.0)], axis=1)
    return Path(tuple(tuple(float(v) for v in point) for point in points), AWAY)


def line(start=(-10.0, -20.0, 15.0), end=(25.0, 20.0, 60.0)) -> Path:
    return Path((start, end), AWAY)


def test_the_length_of_half_a_circle() -> None:
    ribbon = Ribbon.of(circle(), 0.5)
    assert ribbon.length_mm == pytest.approx(np.pi * 40, abs=0.5)
    steps = np.linalg.norm(np.diff(ribbon.places, axis=0), axis=1)
    np.testing.assert_allclose(steps, 0.5, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(ribbon.places[:, :2], axis=1), 40, atol=0.02)


def test_across_lies_in_the_plane_that_was_looked_at() -> None:
    ribbon = Ribbon.of(circle(), 0.5)
    np.testing.assert_allclose(ribbon.across[:, 2], 0, atol=1e-9)
    outwards = ribbon.places[:, :2] / 40
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", ribbon.across[:, :2], outwards)), 1, atol=1e-3)
    np.testing.assert_allclose(np.abs(ribbon.turned(np.pi / 2)[:, 2]), 1, atol=1e-9)


def test_a_path_that_goes_away_from_the_reader_has_a_way_across() -> None:
    ribbon = Ribbon.of(line((0.0, 0.0, 0.0), (0.0, 0.0, 50.0)), 1.0)
    np.testing.assert_allclose(ribbon.across, np.tile((1.0, 0.0, 0.0), (51, 1)), atol=1e-9)


points = st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=2, max_size=7)


@settings(max_examples=40, deadline=None)
@given(points, st.floats(0, 6.2))
def test_frames_stay_at_right_angles_and_do_not_twist(found, angle: float) -> None:
    path = Path(tuple(found), AWAY)
    if not path.complete:
        return
    ribbon = Ribbon.of(path, 0.5)
    across = ribbon.turned(angle)
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.einsum("ij,ij->i", across, ribbon.along), 0, atol=1e-6)
    np.testing.assert_allclose(ribbon.places[0], found[0], atol=1e-6)


def test_a_straight_path_is_an_oblique_slice_with_simpleitks_values() -> None:
    voxels = np.random.default_rng(2).integers(-1000, 2000, GRID.shape).astype(np.int16)
    strip = Strip.of(line(), GRID, 0.4, 30.0)
    values, inside = strip.sample(voxels, GRID)
    image = SimpleITK.GetImageFromArray(voxels.astype(np.float64))
    image.SetSpacing(GRID.spacing[::-1])
    image.SetOrigin(GRID.origin)
    image.SetDirection(tuple(GRID.axes[:, ::-1].ravel()))
    along, down = strip.ribbon.along[0], strip.ribbon.turned(0.4)[0]
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize((strip.shape[1], strip.shape[0], 1))
    resampler.SetOutputSpacing((strip.spacing, strip.spacing, 1.0))
    resampler.SetOutputOrigin(strip.place(0, 0))
    resampler.SetOutputDirection(tuple(np.stack([along, down, np.cross(along, down)], axis=1).ravel()))
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    resampler.SetDefaultPixelValue(-5000)
    expected = SimpleITK.GetArrayFromImage(resampler.Execute(image))[0]
    both = inside & (expected > -4999)
    assert both.sum() > 500
    assert np.abs(values - expected)[both].max() < 0.5
    assert (inside != (expected > -4999)).mean() < 0.01


def test_a_bent_tube_is_straight() -> None:
    """A tube of 400 HU and 6 mm across about a half circle: every column has it in its middle, as wide."""
    grid = Grid((30, 140, 140), (1.0, 0.7, 0.7), (-49.0, -10.0, 15.0))
    z, y, x = np.indices(grid.shape)
    world = grid.index_to_world(np.stack([z, y, x], axis=-1))
    away = np.hypot(np.hypot(world[..., 0], world[..., 1]) - 40, world[..., 2] - 30)
    voxels = np.where(away < 6, 400, -100).astype(np.int16)
    for angle in (0.0, 1.0, np.pi / 2):
        strip = Strip.of(circle(), grid, angle, 24.0)
        values, inside = strip.sample(voxels, grid)
        columns = slice(20, -20)
        assert inside[4:-4, columns].all()
        middle = values[strip.middle, columns]
        np.testing.assert_allclose(middle, 400, atol=0.01)
        widths = (values[:, columns] > 150).sum(axis=0) * strip.spacing
        np.testing.assert_allclose(widths, 12, atol=2.1)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 160), st.floats(0, 30), st.floats(0, 6.2))
def test_places_lead_there_and_back(column: float, row: float, angle: float) -> None:
    strip = Strip.of(circle(), GRID, angle, 24.0)
    found_row, found_column, off = strip.nearest(strip.place(round(row), round(column)))
    assert found_column == pytest.approx(min(round(column), strip.shape[1] - 1), abs=1)
    assert found_row == pytest.approx(round(row), abs=0.2)
    assert off < 0.2
    np.testing.assert_allclose(strip.world[round(row) % strip.shape[0], 3], strip.place(round(row) % strip.shape[0], 3))


def test_labels_are_those_of_the_nearest_voxels() -> None:
    labels = np.random.default_rng(1).integers(0, 4, GRID.shape).astype(np.uint8)
    strip = Strip.of(line(), GRID, 0.0, 20.0)
    got = strip.labels(labels, GRID)
    for row, column in ((strip.middle, 0), (strip.middle, 30), (2, 10)):
        index = GRID.world_to_index(strip.world[row, column])
        expected = labels[GRID.clamp(index)] if GRID.contains(index) else 0
        assert got[row, column] == expected


def test_points_on_one_another_and_pictures_without_end() -> None:
    assert not Path(((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)), AWAY).complete
    assert not Path((), AWAY).complete
    long = Path(((0.0, 0.0, 0.0), (9000.0, 0.0, 0.0)), AWAY)
    assert max(Strip.of(long, Grid((5, 5, 5), (0.1, 0.1, 0.1)), 0.0, 400.0).shape) <= 2001
