"""Turned planes: commands, what the viewports are asked to show, and what the text says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import key_images, planes
from medviewer.app.controllers.display import resolve
from medviewer.app.controllers.turning import turned_of, turned_read_out
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Arrival, Session
from medviewer.app.words import number_text
from medviewer.domain.image import Image, Rescale
from medviewer.domain.plane import PLANES, Plane
from medviewer.errors import InputError


def shown(session: Session, name: str = "Axial") -> Display:
    display = resolve(session, Plane.of(session.image.grid, name), 0)
    assert display is not None
    return display


def test_turning_in_one_plane_turns_the_others(services: Services, image: Image) -> None:
    session = services.session
    session.view.cursor = (2, 3, 4)
    straight = shown(session, "Coronal")
    planes.turn(services, "Axial", np.radians(30))
    axial, coronal = shown(session), shown(session, "Coronal")
    assert axial.line_angle == pytest.approx(np.radians(30))
    assert axial.letters == ("R", "L", "A", "P"), "the plane that is turned in stays"
    assert coronal.letters != straight.letters
    assert {len(letter) for letter in coronal.letters[:2]} == {2}
    assert coronal.turned is not None
    assert coronal.voxels is image.voxels
    assert coronal.corners.top_right.startswith("Coronal oblique\n1.00 mm\nturned plane")
    world = coronal.plane.grid.index_to_world((coronal.k, *coronal.crosshair))
    np.testing.assert_allclose(world, image.grid.index_to_world((2, 3, 4)), atol=1e-6)
    planes.straighten(services)
    assert shown(session, "Coronal").turned is None
    assert shown(session, "Coronal").plane == straight.plane


def test_a_plane_is_named_by_what_it_is_nearest_to(services: Services) -> None:
    session = services.session
    planes.turn(services, "Axial", np.radians(45))
    names = [shown(session, name).corners.top_right.split("\n")[0] for name in PLANES]
    assert names == ["Axial", "Sagittal oblique", "Coronal oblique"], "half way they keep their names"
    planes.turn(services, "Axial", np.radians(20))
    names = [shown(session, name).corners.top_right.split("\n")[0] for name in PLANES]
    assert names == ["Axial", "Coronal oblique", "Sagittal oblique"], "beyond it they exchange them"
    places = [key_images.mark(services, number).place for number in range(3)]
    assert places == [f"Ax {session.view.cursor[0] + 1}", "Cor oblique", "Sag oblique"]
    planes.turn(services, "Axial", np.radians(25))
    assert shown(session, "Sagittal").corners.top_right.startswith("Coronal\n"), "a quarter on it is not oblique"


def test_a_second_letter_tells_a_tilt_of_fifteen_degrees(services: Services) -> None:
    planes.turn(services, "Axial", np.radians(10))
    assert shown(services.session, "Coronal").letters[:2] == ("R", "L")
    planes.turn(services, "Axial", np.radians(5))
    assert {len(letter) for letter in shown(services.session, "Coronal").letters[:2]} == {2}


def test_values_between_voxels_are_no_finer_than_they_are_known() -> None:
    told = [number_text(*one) for one in ((27.214, "HU"), (-0.04, "HU"), (34.0, "HU"), (3.2171, "SUV"), (512.37, ""))]
    assert told == ["27.2", "0", "34", "3.22", "512.4"]
    assert number_text(0.0012345678, "") == "0.0012346"
    assert number_text(12.3456, "SUVlbm") == "12.35"


def test_the_lattice_moves_and_the_picture_stays_the_same(services: Services) -> None:
    planes.turn(services, "Axial", 0.4)
    first = shown(services.session, "Coronal")
    assert planes.scroll_turned(services, "Coronal", 1)
    second = shown(services.session, "Coronal")
    assert second.same_picture(first)
    assert not second.same_picture(replace(first, turned=None))
    ends = [one.plane.grid.index_to_world((one.k, *one.crosshair)) for one in (first, second)]
    lattice = first.plane.grid
    np.testing.assert_allclose(ends[1] - ends[0], lattice.axes[:, 0] * lattice.spacing[0], atol=1e-6)
    planes.straighten(services)
    assert not planes.scroll_turned(services, "Coronal", 1)


def test_a_click_brings_the_planes_there_and_the_cursor_follows(services: Services, image: Image) -> None:
    session = services.session
    planes.turn(services, "Axial", 0.4)
    display = shown(session, "Coronal")
    row, column = display.crosshair[0] + 1.0, display.crosshair[1] + 1.0
    planes.point_turned(services, display.plane, row, column, display.k)
    world = display.plane.grid.index_to_world((display.k, row, column))
    np.testing.assert_allclose(turned_of(session).point, world, atol=1e-6)
    assert session.view.cursor == image.grid.clamp(image.grid.world_to_index(world))
    session.view.cursor = (0, 0, 0)  # as a list's jump does
    np.testing.assert_allclose(turned_of(session).point, image.grid.index_to_world((0, 0, 0)), atol=0.01)
    session.image = replace(image, grid=replace(image.grid, origin=(0.0, 0.0, 0.0)))
    assert turned_of(session) is None, "another volume is not turned"


def test_the_value_is_the_one_between_voxels(services: Services) -> None:
    session = services.session
    session.view.cursor = (1, 2, 3)
    planes.turn(services, "Axial", 0.4)
    display = shown(session, "Sagittal")
    text = turned_read_out(session, display.plane, *display.crosshair, display.k)
    assert text == "13.0, -16.0, 33.0 mm   HU 34", "at a voxel's middle it is the voxel's"
    assert turned_read_out(session, display.plane, -1000, 0, display.k) == ""


def test_what_cannot_be_turned_says_so(services: Services, image: Image) -> None:
    session = services.session
    session.arrival = Arrival(1, 4)
    planes.turn(services, "Axial", 0.4)
    assert session.view.turned is None
    assert "once all of the series is read" in session.message.text
    session.arrival = None
    session.image = replace(image, voxels=np.zeros((*image.grid.shape, 3), np.uint8), rescale=Rescale())
    with pytest.raises(InputError, match="without colours"):
        planes.turn(services, "Axial", 0.4)
    assert not planes.refuse_on_turned(services)
