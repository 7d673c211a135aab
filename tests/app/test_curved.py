"""The path of the curved plane: drawn, dragged, undone; its picture, its values, the crosshair both ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import curved, fusion, masks, measuring, planes, study, undoing, view
from medviewer.app.controllers.curving import Curving
from medviewer.app.controllers.display import resolve
from medviewer.app.controllers.pathing import PathTool
from medviewer.app.controllers.paths import PATH, strip_of
from medviewer.app.controllers.turning import turned_of
from medviewer.app.hanging.companions import plane_of, point
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.app.words import number_text
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.study import Warning
from medviewer.errors import InputError

from .test_fusion import PET, STUDY, pet_image

CUBE = Grid((24, 30, 34), (1.5, 1.0, 1.0), (5.0, -10.0, 20.0))


@pytest.fixture
def ramp(services: Services) -> Services:
    """A volume whose values are x + 2 y + 3 z of its voxels, in HU."""
    z, y, x = np.indices(CUBE.shape)
    services.session.image = Image((x + 2 * y + 3 * z).astype(np.int16), CUBE, "CT", Rescale(1.0, 0.0, "HU"))
    services.session.view.cursor = (10, 15, 12)
    return services


@pytest.fixture
def hand(ramp: Services) -> PathTool:
    return PathTool(ramp)


def shown(session: Session, number: int = 0) -> Display:
    display = resolve(session, plane_of(session, number), number)
    assert display is not None
    return display


def click(services: Services, hand: PathTool, number: int, *places: tuple[float, float]) -> None:
    for place in places:
        display = shown(services.session, number)
        hand.press(display.plane, display.k, place, None)
        hand.release(display.plane, display.k, place, False)


def draw(services: Services, hand: PathTool) -> None:
    """Along a row of the axial slice, then down through the slices."""
    curved.begin(services)
    click(services, hand, 0, (15.0, 4.0), (15.0, 14.0))
    services.session.view.cursor = (16, 15, 12)
    click(services, hand, 0, (16.0, 24.0))
    hand.end()


def test_a_path_is_drawn_across_slices_and_undone(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    view.choose_tool(ramp, "pan")
    draw(ramp, hand)
    assert session.view.tool == "pan", "the next click draws no other path"
    assert len(session.path.points) == 3
    np.testing.assert_allclose(session.path.points[2], CUBE.index_to_world((16, 16, 24)))
    strip = strip_of(session)
    chords = np.linalg.norm(np.diff(session.path.points, axis=0), axis=1).sum()
    assert chords - 1 <= strip.ribbon.length_mm < 1.1 * chords
    first = session.path
    # a new one takes its place, and both come back
    curved.begin(ramp)
    click(ramp, hand, 0, (2.0, 2.0))
    assert undoing.can_undo(session)
    click(ramp, hand, 0, (2.0, 12.0), (9.0, 20.0))
    undoing.undo(ramp)
    assert len(session.path.points) == 2, "the last point of what is drawn"
    hand.end()
    second = session.path
    undoing.undo(ramp)
    assert session.path == first
    undoing.redo(ramp)
    assert session.path == second
    curved.remove(ramp)
    assert strip_of(session) is None
    undoing.undo(ramp)
    assert session.path == second
    for _ in range(2):
        undoing.undo(ramp)
    assert session.path is None
    assert not undoing.can_undo(session)
    assert undoing.can_redo(session)


def test_escape_and_a_single_point_leave_what_there_was(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    draw(ramp, hand)
    former = session.path
    curved.begin(ramp)
    click(ramp, hand, 0, (2.0, 2.0), (8.0, 2.0))
    assert hand.busy
    assert hand.cancel()
    assert session.path == former
    click(ramp, hand, 0, (2.0, 2.0), (2.0, 2.0), (2.1, 2.1))
    assert len(session.path.points) == 1, "a double click is one point"
    view.choose_tool(ramp, "crosshair")
    assert session.path == former
    assert not session.path_open
    assert len(session.path_steps.past) == 1
    assert not hand.cancel()


def test_a_point_is_dragged_in_its_slice(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    draw(ramp, hand)
    former = session.path
    session.view.cursor = (10, 15, 12)
    display = shown(session)
    (drawn,) = display.measures
    assert drawn.uid == PATH
    assert [number for number, *_ in drawn.handles] == [0, 1], "the third lies in another slice"
    _, row, column = drawn.handles[1]
    assert hand.takes((PATH, 1))
    hand.press(display.plane, display.k, (row, column), (PATH, 1))
    hand.move(display.plane, display.k, (row - 4, column))
    assert session.path != former
    hand.release(display.plane, display.k, (row - 4, column), True)
    np.testing.assert_allclose(np.subtract(session.path.points[1], former.points[1]), (0, -4, 0), atol=1e-9)
    undoing.undo(ramp)
    assert session.path == former
    hand.press(display.plane, display.k, (row, column), (PATH, 1))
    hand.move(display.plane, display.k, (row - 4, column))
    hand.cancel()
    assert session.path == former
    assert len(session.path_steps.past) == 1


def test_strokes_measurements_and_paths_are_undone_in_their_order(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    draw(ramp, hand)
    measuring.add(ramp, Measurement("", "length", ((10, -5, 30), (20, -5, 30)), (0, 0, 1), ""))
    curved.remove(ramp)
    undoing.undo(ramp)
    assert session.path is not None
    undoing.undo(ramp)
    assert session.measurements == ()
    assert session.path is not None
    undoing.undo(ramp)
    assert session.path is None
    for _ in range(3):
        undoing.redo(ramp)
    assert session.path is None
    assert len(session.measurements) == 1


def test_its_picture_has_the_values_of_its_places(ramp: Services, hand: PathTool) -> None:
    """On a ramp, by hand: x + 2 y + 3 z of the voxel index."""
    session = ramp.session
    curving = Curving(session)
    assert curving.display() is None
    draw(ramp, hand)
    curved.set_width(session, 8.0)
    for degrees in (0, 35, 90):
        curved.set_angle(session, degrees)
        display, strip = curving.display(), strip_of(session)
        assert display.plane.spacing == (strip.spacing, strip.spacing) == (1.0, 1.0)
        index = CUBE.world_to_index(strip.world)
        expected = index @ np.array((3.0, 2.0, 1.0))
        np.testing.assert_allclose(display.voxels[0], expected, atol=1e-3)
    assert curving.display().voxels is curving.display().voxels, "a step of the crosshair samples nothing anew"
    x, y, z = strip.place(2, 7)
    said = curving.read_out(2, 7)
    assert f"{x:.1f}, {y:.1f}, {z:.1f} mm" in said
    assert f"HU {number_text(float(expected[2, 7]), 'HU')}" in said
    assert f"7.0 of {strip.ribbon.length_mm:.1f} mm along the path" in said
    assert curving.read_out(-3, 7) == ""


def test_the_crosshair_goes_both_ways(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    draw(ramp, hand)
    strip = strip_of(session)
    curved.go_to(session, strip.place(strip.middle, 12))
    np.testing.assert_allclose(point(session), strip.ribbon.places[12], atol=1e-9)
    row, column = Curving(session).display().crosshair
    assert (row, column) == (pytest.approx(strip.middle, abs=1e-6), 12)
    assert "crosshair at 12.0 mm" in Curving(session).display().corners.bottom_left
    planes.turn(ramp, "Axial", 0.3)
    curved.go_to(session, strip.place(strip.middle + 2, 5))
    np.testing.assert_allclose(turned_of(session).point, strip.place(strip.middle + 2, 5), atol=1e-6)
    assert shown(session, 1).measures[0].uid == PATH, "turned planes show it, too"


def test_letters_say_where_the_path_comes_from_and_goes_to(ramp: Services, hand: PathTool) -> None:
    """To the left, in the axial slice: from the patient's right, as it was clicked; across it to posterior."""
    session, curving = ramp.session, Curving(ramp.session)
    curved.begin(ramp)
    click(ramp, hand, 0, (15.0, 4.0), (15.0, 14.0), (15.0, 24.0))
    hand.end()
    left, right, top, bottom = curving.display().letters
    assert (left, right) == ("R", "L")
    assert (top, bottom) == ("A", "P")
    curved.set_angle(session, 90)
    assert curving.display().letters[:2] == ("R", "L")
    assert set(curving.display().letters[2:]) == {"S", "I"}
    strip = strip_of(session)
    assert (strip.place(strip.shape[0] - 1, 5)[2] > strip.place(0, 5)[2]) == (curving.display().letters[3] == "S")
    curved.set_angle(session, 45)
    assert {frozenset(letters) for letters in curving.display().letters[2:]} <= {
        frozenset(pair) for pair in ("AS", "PI", "AI", "PS")
    }
    session.view.show_text = False
    assert curving.display().letters == ("",) * 4


def test_a_path_that_bends_has_letters_at_its_ends_and_across_it_only_where_they_hold(
    ramp: Services, hand: PathTool
) -> None:
    session = ramp.session
    curved.begin(ramp)
    click(ramp, hand, 0, (25.0, 6.0), (8.0, 6.0), (5.0, 12.0), (8.0, 18.0), (25.0, 18.0))
    hand.end()
    left, right, top, bottom = Curving(session).display().letters
    assert (left[0], right[0]) == ("P", "P"), "up the one side and down the other: both ends are behind"
    assert (top, bottom) == ("", ""), "what is at the right of the way up is at the left of the way down"
    curved.set_angle(session, 90)
    assert set(Curving(session).display().letters[2:]) == {"S", "I"}, "across the plane of the bend nothing turns"


def test_no_letters_along_a_path_where_the_file_does_not_say_how_the_patient_lay(
    ramp: Services, hand: PathTool
) -> None:
    session = ramp.session
    draw(ramp, hand)
    assert Curving(session).display().letters[0]
    session.series = replace(session.series, warnings=(Warning("no-orientation", "No orientation."),))
    assert Curving(session).display().letters == ("",) * 4


def test_the_patient_is_named_where_the_planes_name_him(ramp: Services, hand: PathTool) -> None:
    session, curving = ramp.session, Curving(ramp.session)
    draw(ramp, hand)
    named = shown(session).corners.top_left.split("\n")[:2]
    assert curving.display().corners.top_left.split("\n")[:3] == [*named, "Curved plane, straightened"]
    session.line_places = {"name": "bottom_right", "person": "hidden"}
    corners = curving.display().corners
    assert corners.bottom_right == named[0]
    assert corners.top_left.startswith("Curved plane")
    assert named[1] not in "".join((corners.top_left, corners.top_right, corners.bottom_left, corners.bottom_right))
    session.view.show_text = False
    assert not curving.display().corners.shown
    assert curving.display().corners.bottom_right == ""


def test_mask_and_fusion_lie_in_it(ramp: Services, hand: PathTool) -> None:
    session = ramp.session
    draw(ramp, hand)
    masks.new(ramp).paint(np.arange(5000, 20_000), 1)
    curving, strip = Curving(session), strip_of(session)
    look = curving.display().mask
    np.testing.assert_array_equal(look.labels[0], strip.labels(session.mask.labels, CUBE))
    assert look.labels.any()
    session.mask.paint(np.arange(5000, 20_000), 0)
    assert not curving.display().mask.labels.any()
    fusion.accept(session, STUDY, PET, pet_image())
    fused = curving.display().fused
    values, inside = strip.sample(session.fusion.image.voxels, PET.grid)
    np.testing.assert_array_equal(fused.voxels[0][inside], values[inside])
    assert (fused.voxels[0][~inside] == -1e9).all()
    at = np.argwhere(inside)
    if len(at):
        assert "SUV" in curving.read_out(*map(float, at[len(at) // 2]))


def test_what_has_no_path_says_so(services: Services, radiograph: Session) -> None:
    session = services.session
    with pytest.raises(InputError, match="no path to undo"):
        curved.undo(session)
    with pytest.raises(InputError, match="no path to do again"):
        curved.redo(session)
    session.image = Image(np.zeros((4, 5, 6, 3), np.uint8), Grid((4, 5, 6)))
    with pytest.raises(InputError, match="grey values"):
        curved.begin(services)


def test_another_series_has_no_path(ramp: Services, hand: PathTool) -> None:
    draw(ramp, hand)
    study.close(ramp)
    assert ramp.session.path is None
    assert not ramp.session.path_steps.past


def test_how_it_lies_stays_within_what_is_useful(ramp: Services) -> None:
    session = ramp.session
    curved.turn(session, -5)
    assert session.view.curve_angle == 355
    curved.turn(session, 10)
    assert session.view.curve_angle == 5
    for _ in range(40):
        curved.widen(session, 1.25)
    assert session.view.curve_width_mm == curved.WIDTH_RANGE[1]
    curved.set_width(session, 0)
    assert session.view.curve_width_mm == curved.WIDTH_RANGE[0]
