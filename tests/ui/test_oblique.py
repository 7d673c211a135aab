"""Turned planes in the real window: what is drawn, the hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest

from medviewer.app.commands import masks, planes, view
from medviewer.app.words import number_text
from medviewer.domain.reslice import reslice, reslice_labels
from medviewer.ui.main import Program

from .conftest import GRID


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def drag_round(program: Program, held: Qt.KeyboardModifier) -> None:
    """0.4 radians round the crosshair of the axial viewport, clockwise."""
    slice_view = program.window.grid.slices[0]
    native, center = slice_view.canvas.native, slice_view.to_pixel(*slice_view.shown.crosshair)
    ends = [(center + QPointF(60 * np.cos(a), 60 * np.sin(a))).toPoint() for a in (0.0, 0.2, 0.4)]
    QTest.mousePress(native, Qt.MouseButton.LeftButton, held, ends[0])
    for end in ends[1:]:
        QTest.mouseMove(native, end)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, held, ends[-1])
    settle(program)


def test_a_drag_turns_the_lines_and_the_other_planes_are_sampled(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    masks.new(opened.services).paint(np.arange(12_000, 14_000), 1)
    session.view.cursor = (10, 15, 20)
    settle(opened)
    before = grid.slices[0].overlay.state.crosshair
    drag_round(opened, Qt.KeyboardModifier.AltModifier)
    assert session.view.cursor == (10, 15, 20)
    assert grid.slices[0].overlay.state.line_angle == pytest.approx(0.4, abs=0.03)
    assert grid.slices[0].overlay.state.crosshair == pytest.approx(before, abs=1), "its picture stays in place"
    for slice_view in grid.slices[:3]:
        shown = slice_view.shown
        values, inside = reslice(session.image.voxels, GRID, shown.plane.grid, shown.k)
        np.testing.assert_allclose(slice_view.picture.image.data[inside], values[inside] - 1000, atol=1e-3)
        assert (slice_view.picture.image.data[~inside] == session.image.darkest(False)).all()
        expected = reslice_labels(session.mask.labels, GRID, shown.plane.grid, shown.k)
        np.testing.assert_array_equal(slice_view.picture.mask.data, expected)
        assert expected.any()
    session.mask.paint(np.arange(12_000, 14_000), 0)
    settle(opened)
    assert not grid.slices[1].picture.mask.data.any()
    opened.window.commands["view.straight"].trigger()
    settle(opened)
    plane = grid.plane(1)
    real = session.image.real()
    np.testing.assert_array_equal(grid.slices[1].picture.image.data, plane.take(real, session.view.cursor[plane.axis]))
    assert not opened.window.commands["view.straight"].isEnabled()
    view.choose_tool(opened.services, "turn")
    drag_round(opened, Qt.KeyboardModifier.NoModifier)
    assert grid.slices[0].overlay.state.line_angle == pytest.approx(0.4, abs=0.03)


def test_keys_turn_the_wheel_scrolls_and_a_click_moves(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    session.view.cursor = (10, 15, 20)
    settle(opened)
    for _ in range(4):
        opened.window.commands["view.turn_on"].trigger()
    opened.window.commands["view.turn_back"].trigger()
    settle(opened)
    assert grid.slices[0].overlay.state.line_angle == pytest.approx(np.radians(15))
    point = session.view.turned.point
    session.view.active = 1
    settle(opened)
    opened.window.commands["view.slice_down"].trigger()
    settle(opened)
    assert np.linalg.norm(np.subtract(session.view.turned.point, point)) == pytest.approx(1.0)
    slice_view = grid.slices[1]
    row, column = slice_view.shown.crosshair
    place = slice_view.to_pixel(row + 5, column + 5)
    world = slice_view.shown.plane.grid.index_to_world((slice_view.shown.k, row + 5, column + 5))
    QTest.mouseClick(slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=place.toPoint())
    settle(opened)
    np.testing.assert_allclose(session.view.turned.point, world, atol=0.5)


def test_nothing_is_painted_on_turned_planes(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    masks.new(opened.services)
    planes.turn(opened.services, "Axial", 0.3)
    settle(opened)
    view.choose_tool(opened.services, "brush")
    QTest.mouseClick(grid.slices[1].canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    settle(opened)
    assert not session.mask.labels.any()
    assert "straight planes only" in session.message.text


def test_turned_planes_are_flipped_and_rotated_as_the_viewport_is(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    session.view.cursor = (10, 15, 20)
    planes.turn(opened.services, "Axial", 0.3)
    settle(opened)
    image = grid.slices[0].picture.image.data.copy()
    left, right, top, bottom = grid.slices[0].shown.letters
    for command, letters, expected in (
        ("image.flip", (right, left, top, bottom), image[:, ::-1]),
        ("image.rotate", (bottom, top, right, left), np.rot90(image[:, ::-1], -1)),
    ):
        opened.window.commands[command].trigger()
        settle(opened)
        slice_view = grid.slices[0]
        shown = slice_view.shown
        assert shown.letters == letters
        np.testing.assert_array_equal(slice_view.picture.image.data, expected)
        world = shown.plane.grid.index_to_world(shown.plane.to_index(*shown.crosshair, shown.k))
        np.testing.assert_allclose(world, GRID.index_to_world((10, 15, 20)), atol=1e-6)
    angle = grid.slices[0].shown.line_angle
    drag_round(opened, Qt.KeyboardModifier.AltModifier)
    quarter = np.pi / 2
    turned_by = (grid.slices[0].shown.line_angle - angle + quarter / 2) % quarter - quarter / 2
    assert turned_by == pytest.approx(0.4, abs=0.03), "on the screen the lines follow the hand"


def hover(program: Program, at: QPointF) -> None:
    native = program.window.grid.slices[0].canvas.native
    none = Qt.MouseButton.NoButton
    move = QMouseEvent(QEvent.Type.MouseMove, at, native.mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier)
    program.app.sendEvent(native, move)


def test_a_resting_pointer_is_told_what_is_under_it_now(opened: Program) -> None:
    window, slice_view = opened.window, opened.window.grid.slices[0]
    session, told = opened.services.session, []
    window.grid.read_out.connect(told.append)
    session.view.cursor = (10, 15, 20)
    settle(opened)
    window.commands["view.slice_down"].trigger()
    settle(opened)
    assert told == [], "the pointer is over no viewport"

    def expected() -> str:
        z = session.view.cursor[0]
        place = "{:.1f}, {:.1f}, {:.1f} mm".format(*GRID.index_to_world((z, 12, 17)))
        return f"{place}   HU {number_text(session.image.value_at((z, 12, 17)), 'HU')}"

    hover(opened, slice_view.to_pixel(12.0, 17.0))
    settle(opened)
    first, before = expected(), session.view.cursor[0]
    assert window.read_out.text() == first
    window.commands["view.slice_down"].trigger()
    settle(opened)
    assert session.view.cursor[0] != before
    second = window.read_out.text()
    assert second == expected() != first
    planes.turn(opened.services, "Coronal", 0.3)
    settle(opened)
    assert slice_view.shown.turned is not None
    assert window.read_out.text() != second
    hover(opened, slice_view.to_pixel(*slice_view.shown.crosshair))
    assert window.read_out.text() != ""
    opened.app.sendEvent(slice_view.canvas.native, QEvent(QEvent.Type.Leave))
    settle(opened)
    told.clear()
    window.commands["view.slice_up"].trigger()
    settle(opened)
    assert told == []
    assert window.read_out.text() == ""
