"""Slabs: what is asked of the viewports, what the text says, and the commands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import planes
from medviewer.app.controllers.display import resolve
from medviewer.app.controllers.texts import read_out
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Arrival, Session
from medviewer.app.words import number_text
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.plane import Plane
from medviewer.domain.slab import WHOLE_MM, project
from medviewer.errors import InputError


def shown(session: Session, name: str = "Axial") -> Display:
    display = resolve(session, Plane.of(session.image.grid, name), 0)
    assert display is not None
    return display


def test_a_slab_is_asked_for_around_the_cursor(session: Session, image: Image) -> None:
    assert shown(session).slab is None
    session.view.slab_mode, session.view.slab_mm = "mip", 6.0
    session.view.cursor = (2, 3, 4)
    display = shown(session)
    assert (display.slab.mode, display.slab.slices) == ("mip", slice(1, 3))
    assert display.k == 2, "mask and heat map are those of the slice in the middle"
    assert display.voxels is image.voxels
    assert "MIP 6.0 mm" in display.corners.top_right
    assert shown(session, "Sagittal").slab.slices == slice(1, 7)
    session.view.cursor = (3, 3, 4)
    session.view.slab_mm = 200
    assert "MIP 12.0 mm" in shown(session).corners.top_right


def test_no_slab_of_a_picture(radiograph: Session) -> None:
    radiograph.view.slab_mode = "mip"
    assert resolve(radiograph, Plane.picture(radiograph.image.grid), 0).slab is None


def test_no_slab_of_half_an_image_nor_of_colours(session: Session, image: Image) -> None:
    session.view.slab_mode = "mip"
    session.arrival = Arrival(2, 4)
    assert shown(session).slab is None
    session.arrival = None
    session.image = replace(image, voxels=np.zeros((*image.grid.shape, 3), np.uint8), rescale=Rescale())
    assert shown(session).slab is None


def test_a_negative_slope_and_padding_reach_the_slab(session: Session, image: Image) -> None:
    session.view.slab_mode = "mip"
    session.image = replace(image, rescale=Rescale(-2.0, 10.0), padding=(0, 3))
    slab = shown(session).slab
    assert (slab.mode, slab.padding) == ("minip", (0, 3))
    assert slab.stored is image.voxels


def test_the_value_under_the_pointer_is_the_slabs(session: Session, image: Image) -> None:
    plane = Plane.of(image.grid, "Axial")
    session.view.cursor = (2, 3, 4)
    session.view.slab_mm = 6.0
    real = image.real()
    for mode, expected in (
        ("mip", real[1:3, 2, 3].max()),
        ("minip", real[1:3, 2, 3].min()),
        ("mean", real[1:3, 2, 3].mean()),
    ):
        session.view.slab_mode = mode
        assert read_out(session, (2, 2, 3), plane).endswith(f" {number_text(float(expected), 'HU')}")
    assert "HU Mean" in read_out(session, (2, 2, 3), plane)
    assert read_out(session, (2, 2, 3)).endswith(f"HU {real[2, 2, 3]:.5g}")


def test_the_modes_go_round(services: Services) -> None:
    view = services.session.view
    seen = []
    for _ in range(4):
        planes.cycle_slab(services)
        seen.append(view.slab_mode)
    assert seen == ["mip", "minip", "mean", "none"]


def test_the_thickness_is_typed_and_stepped(services: Services) -> None:
    view = services.session.view
    planes.type_slab_mm(services, " 12,5 mm ")
    assert (view.slab_mode, view.slab_mm) == ("mip", 12.5)
    planes.thicken_slab(services, 2)
    assert view.slab_mm == 25
    planes.set_slab_mm(services, 1e9)
    assert view.slab_mm == planes.SLAB_RANGE[1]
    for text in ("thick", "0", "-3", "nan", "1e9"):
        with pytest.raises(InputError, match=r"a number from 0\.5 to 200 in mm, or whole volume"):
            planes.type_slab_mm(services, text)
    planes.set_slab(services, "none")
    planes.thicken_slab(services, 2)
    assert (view.slab_mode, view.slab_mm) == ("mip", 200)


def test_what_has_no_slab_says_so(services: Services, image: Image) -> None:
    services.session.image = replace(image, voxels=np.zeros((*image.grid.shape, 3), np.uint8), rescale=Rescale())
    with pytest.raises(InputError, match="open a volume without colours"):
        planes.set_slab(services, "mip")
    with pytest.raises(InputError, match="mip, minip, mean"):
        planes.set_slab(services, "sum")


def test_what_is_hot_stays_in_a_whole_mip_wherever_the_crosshair_is(session: Session, image: Image) -> None:
    """A lesion far from the crosshair is what a PET's MIP is for."""
    voxels = np.zeros((300, 4, 300), np.int16)
    voxels[290, 1, 280] = 900
    session.image = replace(image, voxels=voxels, grid=Grid(voxels.shape, (3.0, 3.0, 3.0)), rescale=Rescale())
    session.view.slab_mode, session.view.slab_mm = "mip", WHOLE_MM
    for cursor in ((0, 0, 0), (150, 2, 150), (299, 3, 299)):
        session.view.cursor = cursor
        for name in ("Axial", "Sagittal", "Coronal"):
            display = shown(session, name)
            out, _ = project(voxels, display.plane.axis, display.slab.slices, display.k, display.slab.mode)
            assert out.max() == 900
            assert "MIP, whole volume" in display.corners.top_right
    session.view.slab_mm, session.view.cursor = 200.0, (0, 0, 0)
    assert shown(session).slab.slices.stop < 290, "where a slab around the crosshair lost it"


def test_thicker_than_the_thickest_is_the_whole_volume(services: Services) -> None:
    view = services.session.view
    planes.set_slab(services, "mip")
    seen = []
    planes.set_slab_mm(services, 190)
    for factor in (1.25, 1.25, 1.25, 0.8, 0.8):
        planes.thicken_slab(services, factor)
        seen.append(view.slab_mm)
    assert seen == [200, WHOLE_MM, WHOLE_MM, 200, 160]
    planes.set_slab(services, "none")
    planes.type_slab_mm(services, " Whole volume ")
    assert (view.slab_mode, view.slab_mm) == ("mip", WHOLE_MM)
