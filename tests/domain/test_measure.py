"""What measurements come to: by hand, against SimpleITK, and whatever the grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from skimage.measure import points_in_poly

from medviewer.domain.geometry import Grid, Vector
from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.measure.area import area_of, crosses_itself
from medviewer.domain.measure.measurement import (
    CLICKS,
    HANDLES,
    KINDS,
    Kind,
    Measurement,
    new_uid,
    shifted,
    vector,
)
from medviewer.domain.measure.outline import outline
from medviewer.domain.measure.placing import moved, placed
from medviewer.domain.measure.region import values_in
from medviewer.domain.measure.values import Value, percent_text, summary, values_of
from medviewer.domain.study import PhaseAxis

RNG = np.random.default_rng(5)
AXIAL = (0.0, 0.0, 1.0)


def turned(a: float, b: float, c: float) -> NDArray[np.float64]:
    """A rotation by Euler angles in radians."""
    ca, cb, cc, sa, sb, sc = (*np.cos([a, b, c]), *np.sin([a, b, c]))
    about_z = np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_x = np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    found: NDArray[np.float64] = about_z @ about_y @ about_x
    return found


def grid_of(rotation: NDArray[np.float64], shape: tuple[int, int, int] = (12, 30, 26)) -> Grid:
    return Grid(shape, (3.0, 0.7, 1.1), (-20.0, 35.0, 7.0), (rotation @ np.eye(3)[::-1]).ravel().tolist())


STRAIGHT, OBLIQUE = grid_of(np.eye(3)), grid_of(turned(0.4, -0.7, 1.1))


def image_of(grid: Grid, **more: Any) -> Image:
    voxels = np.random.default_rng(3).integers(-1000, 2000, grid.shape).astype(np.int16)
    return Image(voxels, grid, "CT", **{"rescale": Rescale(0.5, -100.0, "HU"), **more})


def drawn(kind: Kind, grid: Grid, index: ArrayLike, axis: int = 0, **more: Any) -> Measurement:
    """A measurement with its handles at voxel indices, in a plane square to an array axis."""
    points = tuple(vector(point) for point in grid.index_to_world(index))
    return Measurement(new_uid(), kind, points, vector(grid.axes[:, axis]), "1.2", **more)


def numbers(m: Measurement, image: Image) -> dict[str, float]:
    return {value.name: value.number for value in values_of(m, image)}


def label_statistics(image: Image, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Mean, SD, min, max and count by SimpleITK, of real values."""
    told = SimpleITK.LabelStatisticsImageFilter()
    told.Execute(
        SimpleITK.GetImageFromArray(image.real().astype(np.float64)),
        SimpleITK.GetImageFromArray(mask.astype(np.uint8)),
    )
    return {
        "Mean": told.GetMean(1),
        "SD": told.GetSigma(1),
        "Min": told.GetMinimum(1),
        "Max": told.GetMaximum(1),
        "Voxels": told.GetCount(1),
    }


def agrees(m: Measurement, image: Image, mask: NDArray[np.bool_]) -> None:
    found, expected = numbers(m, image), label_statistics(image, mask)
    assert expected["Voxels"] > 20
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("grid", [STRAIGHT, OBLIQUE])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_voxels_of_a_polygon_are_those_that_simpleitk_is_given(grid: Grid, axis: int) -> None:
    rows, columns = (k for k in range(3) if k != axis)
    plane = np.array([(0.6, 1.3), (0.9, 18.2), (8.7, 22.4), (5.1, 11.8), (9.3, 2.2)])
    index = np.full((5, 3), 4.0)
    index[:, rows], index[:, columns] = plane.T
    mask = np.zeros(grid.shape, bool)
    shape = grid.shape[rows], grid.shape[columns]
    inside = points_in_poly(np.argwhere(np.ones(shape)), plane).reshape(shape)
    np.moveaxis(mask, axis, 0)[4] = inside
    agrees(drawn("freehand", grid, index, axis), image_of(grid), mask)


@pytest.mark.parametrize("grid", [STRAIGHT, OBLIQUE])
def test_voxels_of_a_sphere_and_an_ellipse_are_those_that_simpleitk_is_given(grid: Grid) -> None:
    image, places = image_of(grid), grid.index_to_world(np.argwhere(np.ones(grid.shape)))
    ball = drawn("sphere", grid, [(5.2, 14.1, 12.3), (5.2, 24.1, 12.3)])
    away = np.linalg.norm(places - ball.points[0], axis=1).reshape(grid.shape)
    agrees(ball, image, away <= 7.0)
    assert numbers(ball, image)["Volume"] == pytest.approx(4 / 3 * np.pi * 343)

    oval = drawn("ellipse", grid, [(6, 4.2, 12.1), (6, 24.2, 12.1), (6, 14.2, 5.1), (6, 14.2, 19.1)])
    z, y, x = np.indices(grid.shape)
    agrees(oval, image, (z == 6) & (((y - 14.2) / 10) ** 2 + ((x - 12.1) / 7) ** 2 <= 1))
    assert numbers(oval, image)["Area"] == pytest.approx(np.pi * 7.0 * 7.7)


def test_by_hand() -> None:
    """1 x 2 mm pixels in slices of 3 mm; values 0, 1, 2 ... and slice z counts from 100 z."""
    grid = Grid((3, 4, 5), (3.0, 2.0, 1.0))
    voxels = np.add.outer(100 * np.arange(3), np.arange(20).reshape(4, 5)).astype(np.int16)
    image = Image(voxels, grid, "CT", Rescale(1.0, 0.0, "HU"))
    box = drawn("rectangle", grid, [(1, 0.6, 0.6), (1, 0.6, 3.4), (1, 2.4, 3.4), (1, 2.4, 0.6)])
    # rows 1 and 2, columns 1 to 3: 106 107 108 111 112 113; the squares from 109.5 add up to 41.5, over 5
    assert values_of(box, image) == (
        Value("Mean", 109.5, "HU"),
        Value("SD", pytest.approx(np.sqrt(41.5 / 5)), "HU"),  # type: ignore[arg-type]  # approx stands for a number
        Value("Min", 106, "HU"),
        Value("Max", 113, "HU"),
        Value("Voxels", 6),
        Value("Area", pytest.approx(2.8 * 3.6), "mm²"),  # type: ignore[arg-type]  # as above
    )
    assert summary(replace(box, label="Liver"), values_of(box, image)) == (
        "Liver",
        "Mean 109.5 ± 2.9 HU",
        "Min 106, max 113 HU",
        "Area 10.1 mm²",
    )
    line = drawn("length", grid, [(0, 0, 0), (0, 2, 3)])
    assert numbers(line, image) == {"Length": 5.0}
    cross = drawn("bidirectional", grid, [(0, 0, 0), (0, 0, 3), (0, 0, 1), (0, 2, 1)])
    assert values_of(cross, image) == (Value("Long axis", 4.0, "mm"), Value("Short axis", 3.0, "mm"))
    assert summary(cross, values_of(cross, image)) == ("4.0 x 3.0 mm",)
    corner = drawn("angle", grid, [(0, 0, 2), (0, 0, 0), (0, 1, 2)])
    assert summary(corner, values_of(corner, image)) == ("45.0°",)
    spot = drawn("probe", grid, [(2, 1.2, 3.4)])
    assert summary(spot, values_of(spot, image)) == ("208 HU",)
    assert values_of(drawn("probe", grid, [(2, 9, 0)]), image) == ()
    note = drawn("arrow", grid, [(2, 1, 1), (2, 3, 1)], text="here")
    assert summary(note, values_of(note, image)) == ("here",)


@pytest.mark.parametrize(("upper", "lower"), [(10.0, -15.0), (40.0, 5.0), (50.0, -60.0), (-20.0, -20.0), (0.0, 89.0)])
@pytest.mark.parametrize("flips", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize("turn", [0.0, 90.0, 137.0])
def test_a_cobb_angle_is_that_between_the_tilts_of_the_end_plates(
    upper: float, lower: float, flips: tuple[int, int], turn: float
) -> None:
    """Whichever way each line is drawn, above 90 degrees too, and however the picture is turned."""
    ends = []
    for tilt, y, flip in ((upper, 0.0, flips[0]), (lower, 100.0, flips[1])):
        way = flip * 5 * np.array([np.cos(np.radians(tilt)), np.sin(np.radians(tilt)), 0])
        ends += [np.array([3, y, 0]) - way, np.array([3, y, 0]) + way]
    points = tuple(vector(point) for point in np.array(ends) @ turned(np.radians(turn), 0, 0).T)
    found = numbers(Measurement("", "cobb", points, AXIAL, ""), image_of(STRAIGHT))
    assert found["Cobb angle"] == pytest.approx(abs(upper - lower), abs=1e-6)


def test_each_slice_has_its_own_rescale_and_padding_is_left_out() -> None:
    grid = Grid((3, 4, 4))
    voxels = np.ones(grid.shape, np.int16)
    image = Image(voxels, grid, "PT", Rescale((1.0, 10.0, 100.0), (0.0, 0.5, 0.0), "SUV"))
    ball = drawn("sphere", grid, [(1, 1.5, 1.5), (1, 1.5, 20)])
    assert numbers(ball, image)["Mean"] == pytest.approx((1 + 10.5 + 100) / 3)
    voxels[0] = -2000
    kept = replace(image, padding=(-2000.0, -1900.0))
    assert numbers(ball, kept)["Min"] == pytest.approx(10.5)
    assert numbers(ball, kept)["Voxels"] == 32
    voxels[:] = -2000
    assert numbers(ball, kept).keys() == {"Diameter", "Volume"}


def test_an_uncalibrated_image_has_pixels_and_a_colour_one_no_values() -> None:
    grid = Grid((1, 30, 30))
    plain = Image(np.zeros(grid.shape, np.uint8), grid, "DX", calibrated=False)
    box = drawn("rectangle", grid, [(0, 2, 2), (0, 2, 8), (0, 5, 8), (0, 5, 2)])
    assert [value.unit for value in values_of(box, plain)] == ["", "", "", "", "", "px²"]
    assert values_of(drawn("length", grid, [(0, 0, 0), (0, 3, 4)]), plain) == (Value("Length", 5.0, "px"),)
    colour = Image(np.zeros((*grid.shape, 3), np.uint8), grid, "US")
    assert values_of(box, colour) == (Value("Area", 18.0, "mm²"),)
    assert values_of(drawn("probe", grid, [(0, 1, 1)]), colour) == ()


def test_a_measurement_keeps_its_phase() -> None:
    grid = Grid((2, 4, 4))
    voxels = np.stack([np.full(grid.shape, value, np.int16) for value in (7, 9)])
    film = Dynamic(PhaseAxis("time", (0.0, 1.0)), voxels, (Rescale(), Rescale(2.0)))
    image = Image(voxels[0], grid, dynamic=film)
    spot = drawn("probe", grid, [(0, 1, 1)])
    assert [numbers(replace(spot, phase=phase), image)["Value"] for phase in (0, 1)] == [7, 18]


angles = st.floats(-3, 3)


@given(angles, angles, angles, st.floats(0.3, 3))
def test_a_linear_field_has_its_middle_value_as_mean_in_any_plane(a: float, b: float, c: float, tilt: float) -> None:
    """In an oblique plane values are interpolated; of values that rise evenly the mean is that of the middle."""
    grid = grid_of(turned(a, b, c), (40, 40, 40))
    rise = np.array([2.0, -1.0, 0.5])
    field = grid.index_to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) @ rise
    middle = grid.index_to_world((20, 20, 20))
    axes = turned(tilt, tilt / 2, -tilt).T
    points = [middle - 6 * axes[0], middle + 6 * axes[0], middle - 4 * axes[1], middle + 4 * axes[1]]
    oval = Measurement("", "ellipse", tuple(vector(p) for p in points), vector(axes[2]), "")
    found = numbers(oval, Image(field, grid))
    assert found["Mean"] == pytest.approx(float(middle @ rise), abs=1e-6)
    assert found["Voxels"] == pytest.approx(np.pi * 24 / 0.7**2, rel=0.05)
    assert found["Max"] <= float(middle @ rise) + 6 * float(np.linalg.norm(rise)) + 1e-6


def test_padding_and_the_edge_of_the_volume_are_left_out_of_oblique_planes() -> None:
    grid = Grid((8, 8, 8))
    voxels = np.full(grid.shape, 10, np.int16)
    voxels[:, :, :4] = -5
    image = Image(voxels, grid, padding=(-5.0, -5.0))
    half = np.sqrt(0.5)
    middle, up = np.array([3.5, 3.5, 3.5]), np.array([0, half, half])
    side = np.array([9, 0, 0])
    points = [middle - side, middle + side, middle - 9 * up, middle + 9 * up]
    oval = Measurement("", "ellipse", tuple(vector(p) for p in points), (0, half, -half), "")
    found = values_in(oval, image)
    assert np.allclose(found, 10)
    assert len(found) > 20


@given(
    angles,
    angles,
    angles,
    st.lists(st.tuples(st.floats(0, 11), st.floats(0, 29), st.floats(0, 25)), min_size=4, max_size=4),
)
def test_lengths_and_angles_are_the_same_however_the_grid_lies(
    a: float, b: float, c: float, index: list[tuple[float, float, float]]
) -> None:
    other = grid_of(turned(a, b, c))
    kinds: list[tuple[Kind, int]] = [("length", 2), ("bidirectional", 4), ("angle", 3), ("cobb", 4), ("freehand", 3)]
    for kind, count in kinds:
        here, there = (drawn(kind, grid, index[:count]) for grid in (STRAIGHT, other))
        for one, two in zip(values_of(here, colour(STRAIGHT)), values_of(there, colour(other)), strict=True):
            # Angles at a vertex that is nearly an end turn with the last digit.
            assert two.number == pytest.approx(one.number, abs=1e-6 if one.unit != "°" else 181)


def colour(grid: Grid) -> Image:
    return Image(np.zeros((*grid.shape, 3), np.uint8), grid)


def test_areas_by_hand_also_where_the_line_crosses_itself() -> None:
    grid = Grid((1, 20, 20), (1.0, 2.0, 0.5), (500.0, -700.0, 90.0))
    square = drawn("freehand", grid, [(0, 1, 1), (0, 1, 9), (0, 5, 9), (0, 5, 1)])
    assert area_of(square) == pytest.approx(8 * 4)
    bow = drawn("freehand", grid, [(0, 1, 1), (0, 5, 9), (0, 5, 1), (0, 1, 9)])  # two triangles
    assert area_of(bow) == pytest.approx(16, rel=2e-3)
    assert crosses_itself(np.array([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]))
    assert not crosses_itself(np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)]))


@pytest.mark.parametrize("kind", KINDS)
def test_json_brings_every_kind_back_and_wrong_ones_are_refused(kind: Kind) -> None:
    count = HANDLES[kind] or 5
    m = Measurement(new_uid(), kind, tuple((k, 0.5, -k) for k in range(count)), (0, 0, 2), "1.2#3", "L", "t", True)
    assert m.normal == AXIAL
    assert Measurement.from_json(m.to_json()) == m
    assert shifted(m, (1, 1, 1)).points[0] == (1.0, 1.5, 1.0)
    with pytest.raises(ValueError, match=r"points, not 7|at least 3"):
        replace(m, points=m.points[:1] * (7 if HANDLES[kind] else 2))
    with pytest.raises(ValueError, match="normal"):
        replace(m, normal=(0, 0, 0))


def test_a_slice_shows_what_lies_in_its_plane_and_within_half_a_slice() -> None:
    line = drawn("length", STRAIGHT, [(4, 2, 2), (4, 9, 9)])
    point, normal = STRAIGHT.index_to_world((4, 0, 0)), AXIAL
    shown = [line.shows_on(point + np.array([0, 0, away]), normal, 3.0) for away in (-1.6, -1.5, 0, 1.4, 1.6)]
    assert shown == [False, False, True, True, False]
    assert line.shows_on(point, (0, 0, -1), 3.0)
    assert not line.shows_on(STRAIGHT.index_to_world((4, 5.5, 5.5)), (0, 1, 0), 1.0)
    spot = drawn("probe", STRAIGHT, [(4, 5, 5)])
    assert spot.shows_on(spot.points[0], (1, 0, 0), 1.0)
    ball = Measurement("", "sphere", ((0, 0, 0), (5, 0, 0)), AXIAL, "")
    assert [ball.shows_on((0, away, 0), (0, 1, 0), 1.0) for away in (4.9, 5.1)] == [True, False]


def test_outlines_lie_on_what_they_draw() -> None:
    oval = drawn("ellipse", OBLIQUE, [(3, 2, 8), (3, 12, 8), (3, 7, 3), (3, 7, 13)])
    (curve,) = outline(oval)
    assert len(curve) == 65
    assert curve[0] == curve[-1] == pytest.approx(oval.points[1])
    z, y, x = OBLIQUE.world_to_index(curve).T
    assert np.allclose(z, 3)
    assert np.allclose(((y - 7) / 5) ** 2 + ((x - 8) / 5) ** 2, 1)
    ball = Measurement("", "sphere", ((0, 0, 0), (5, 0, 0)), AXIAL, "")
    (circle,) = outline(ball, (0, 3, 0), (0, 1, 0))
    assert np.allclose(np.linalg.norm(circle, axis=1), 5)
    assert np.allclose(np.array(circle)[:, 1], 3)
    assert outline(ball, (0, 6, 0), (0, 1, 0)) == ()
    assert outline(drawn("point", STRAIGHT, [(0, 0, 0)])) == ()
    assert [len(line) for line in outline(drawn("cobb", STRAIGHT, [(0, k, k) for k in range(4)]))] == [2, 2]


def test_two_clicks_make_boxes_ovals_and_crosses() -> None:
    clicks: list[Vector] = [(0, 0, 0), (4, 2, 0)]
    assert placed("rectangle", clicks, AXIAL, (1, 0, 0)) == ((0, 0, 0), (4, 0, 0), (4, 2, 0), (0, 2, 0))
    assert placed("ellipse", clicks, AXIAL, (1, 0, 0)) == ((0, 1, 0), (4, 1, 0), (2, 0, 0), (2, 2, 0))
    cross = Measurement("", "bidirectional", placed("bidirectional", clicks, AXIAL, (1, 0, 0)), AXIAL, "")
    long, short = values_of(cross, image_of(STRAIGHT))
    assert short.number == pytest.approx(long.number / 2)
    for kind in KINDS:
        count = CLICKS[kind] or 4
        start: list[Vector] = [(k, k * k, 0) for k in range(count)]
        Measurement("", kind, placed(kind, start, AXIAL, (0, 1, 0)), AXIAL, "")


@given(st.integers(0, 3), st.tuples(st.floats(-9, 9), st.floats(-9, 9)), angles)
def test_what_is_dragged_stays_what_it_is(handle: int, to: tuple[float, float], turn: float) -> None:
    rotation = turned(turn, 1.0, 0.3)
    normal, target = rotation @ AXIAL, rotation @ (*to, 0.0)
    clicks = [vector(rotation @ point) for point in ((0, 0, 0), (4, 2, 0))]

    def begun(kind: Kind) -> Measurement:
        return Measurement("", kind, placed(kind, clicks, normal, rotation @ (1, 0, 0)), vector(normal), "")

    def sides(m: Measurement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = m.array
        return (points[1] - points[0], points[3] - points[2])

    for kind in ("ellipse", "bidirectional"):
        start = begun(kind)
        m = moved(start, handle, target)
        first, second = sides(m)
        assert first @ second == pytest.approx(0, abs=1e-6)
        if kind == "ellipse":
            assert m.array.mean(axis=0) == pytest.approx(start.array.mean(axis=0))
    box = moved(begun("rectangle"), handle, target).array
    assert box[handle] == pytest.approx(target)
    assert box[(handle + 2) % 4] == pytest.approx(begun("rectangle").array[(handle + 2) % 4])
    assert box[0] + box[2] == pytest.approx(box[1] + box[3])
    assert (box[1] - box[0]) @ (box[2] - box[1]) == pytest.approx(0, abs=1e-6)


def test_a_box_that_was_dragged_flat_opens_again() -> None:
    box = Measurement("", "rectangle", ((0, 0, 0), (4, 0, 0), (4, 2, 0), (0, 2, 0)), AXIAL, "")
    flat = moved(box, 2, (4, 0, 0))
    again = moved(flat, 2, (5, 3, 0)).array
    assert again.tolist() == [[0, 0, 0], [5, 0, 0], [5, 3, 0], [0, 3, 0]]
    ball = Measurement("", "sphere", ((0, 0, 0), (5, 0, 0)), AXIAL, "")
    assert moved(ball, 0, (1, 1, 1)).points == ((1, 1, 1), (6, 1, 1))
    assert moved(ball, 1, (0, 3, 0)).points == ((0, 0, 0), (0, 3, 0))


@pytest.mark.parametrize(
    ("percent", "text"),
    [(26.8, "+27 %"), (-40.2, "-40 %"), (0.0, "0 %"), (0.4, "0 %"), (-0.4, "0 %"), (100.0, "+100 %")],
)
def test_a_change_of_nothing_has_no_sign(percent: float, text: str) -> None:
    assert percent_text(percent) == text
