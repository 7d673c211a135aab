"""The curved plane in the real window: drawn by clicks, its viewport, crosshair, wheel, keys."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from medviewer.app.controllers.paths import strip_of
from medviewer.app.hanging.companions import point
from medviewer.ui.main import Program

from .conftest import GRID


def settle(program: Program) -> None:
    for _ in range(4):
        program.app.processEvents()


def click(program: Program, number: int, *places: tuple[float, float]) -> None:
    slice_view = program.window.grid.slices[number]
    for place in places:
        QTest.mouseClick(slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=slice_view.to_pixel(*place).toPoint())
        settle(program)


@pytest.fixture
def drawn(opened: Program) -> Program:
    """A path over three places of the axial slice, ended by Enter."""
    opened.services.session.view.cursor = (10, 15, 20)
    settle(opened)
    opened.window.commands["tool.path"].trigger()
    click(opened, 0, (8.0, 6.0), (15.0, 20.0), (24.0, 30.0))
    QTest.keyClick(opened.window.grid, Qt.Key.Key_Return)
    settle(opened)
    return opened


def test_clicks_draw_a_path_and_its_viewport_shows_the_volume_along_it(drawn: Program) -> None:
    session, pane = drawn.services.session, drawn.window.curved
    assert pane.isVisible()
    strip = strip_of(session)
    assert len(session.path.points) == 3
    index = GRID.world_to_index(strip.world)
    z, y, _ = np.moveaxis(index, -1, 0)
    inside = ((index >= 0) & (index <= np.array(GRID.shape) - 1)).all(axis=-1)
    expected = 100 * z + y - 1000
    np.testing.assert_allclose(pane.slices.picture.image.data[inside], expected[inside], atol=1e-2)
    whole = pane.height() + drawn.window.grid.height()
    assert pane.height() == pytest.approx(whole / 3, abs=max(4, pane.minimumSizeHint().height() - whole / 3))
    assert pane.length.text() == f"Path {strip.ribbon.length_mm:.1f} mm"
    assert pane.slices.overlay.state.pixels_per_mm > 0, "it has a scale bar"
    lines = drawn.window.grid.slices[0].overlay.state.measures
    assert [one.uid for one in lines] == ["path"]
    pane.slices.pointer.hovered.emit(pane.slices.to_pixel(strip.middle, 10.0))
    assert "of " in drawn.window.read_out.text()
    assert "along the path" in drawn.window.read_out.text()
    assert drawn.services.session.view.tool == "crosshair"


def test_the_crosshair_follows_both_ways_and_the_wheel_goes_along(drawn: Program) -> None:
    session, pane = drawn.services.session, drawn.window.curved
    strip = strip_of(session)
    place = pane.slices.to_pixel(strip.middle, 12.0).toPoint()
    QTest.mouseClick(pane.slices.canvas.native, Qt.MouseButton.LeftButton, pos=place)
    settle(drawn)
    assert np.linalg.norm(np.subtract(point(session), strip.ribbon.places[12])) < 1.0
    column = pane.slices.shown.crosshair[1]
    pane.slices.scrolled.emit(3)
    settle(drawn)
    assert pane.slices.shown.crosshair[1] == pytest.approx(column + 3, abs=1)
    click(drawn, 0, (15.0, 20.0))
    assert pane.slices.shown.crosshair[0] == pytest.approx(strip.middle, abs=1.5)


def test_turn_width_and_undo(drawn: Program) -> None:
    session, pane = drawn.services.session, drawn.window.curved
    before = pane.slices.picture.image.data.copy()
    pane.angle.setValue(90)
    settle(drawn)
    assert not np.array_equal(before, pane.slices.picture.image.data)
    drawn.window.commands["curved.turn_back"].trigger()
    settle(drawn)
    assert pane.angle.value() == 85
    assert pane.degrees.text() == "85°"
    rows = pane.slices.shown.plane.shape[0]
    drawn.window.commands["curved.wider"].trigger()
    settle(drawn)
    assert pane.slices.shown.plane.shape[0] > rows
    assert pane.width_mm.value() == session.view.curve_width_mm == 75
    drawn.window.commands["curved.remove"].trigger()
    settle(drawn)
    assert not pane.isVisible()
    drawn.window.commands["edit.undo"].trigger()
    settle(drawn)
    assert pane.isVisible()


def test_a_double_click_ends_and_escape_drops(opened: Program) -> None:
    session, window = opened.services.session, opened.window
    window.commands["tool.path"].trigger()
    settle(opened)
    assert window.curved.isVisible(), "viewports do not shrink between two clicks"
    click(opened, 1, (5.0, 5.0), (10.0, 12.0))
    assert window.curved.isVisible(), "it is seen while it is drawn"
    slice_view = window.grid.slices[1]
    QTest.mouseDClick(
        slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=slice_view.to_pixel(14.0, 20.0).toPoint()
    )
    QTest.mouseRelease(slice_view.canvas.native, Qt.MouseButton.LeftButton)
    settle(opened)
    assert not session.path_open
    former = session.path
    assert len(former.points) >= 2
    window.commands["tool.path"].trigger()
    click(opened, 0, (5.0, 5.0), (10.0, 12.0))
    QTest.keyClick(window.grid, Qt.Key.Key_Escape)
    assert session.path == former
    assert not session.path_open
