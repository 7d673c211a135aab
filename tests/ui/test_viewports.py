"""What the viewports draw, and what the mouse does on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QLineF, QObject, QPoint, QPointF, QRectF, Qt, QTimerEvent
from PySide6.QtGui import QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, panes, study, view
from medviewer.app.ports.display import Corners
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image, Window
from medviewer.ui.main import Program
from medviewer.ui.viewport import measures, text_places
from medviewer.ui.viewport.measures import PixelMeasure
from medviewer.ui.viewport.overlay import Overlay, OverlayState
from medviewer.ui.viewport.words import scale_bar

from .conftest import GRID, SERIES, open_ramp


@pytest.fixture
def opened(opened_again: Program) -> Program:
    """One window serves all of these tests."""
    return opened_again


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def wheel(program: Program, notches: int, control: bool = False) -> None:
    native = program.window.grid.slices[0].canvas.native
    centre = QPointF(native.rect().center())
    held = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    turn = QWheelEvent(
        centre,
        native.mapToGlobal(centre),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        held,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(native, turn)
    settle(program)


def test_each_plane_holds_the_slice_through_the_cursor_in_real_values(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    session.view.cursor = (5, 7, 9)
    settle(opened)
    assert session.image is not None
    real = session.image.real()
    for number, slice_view in enumerate(grid.slices):
        plane = grid.plane(number)
        assert plane is not None
        np.testing.assert_array_equal(slice_view.picture.image.data, plane.take(real, session.view.cursor[plane.axis]))
    assert session.image.voxels.dtype == np.int16  # the volume itself is not converted


def test_the_volume_is_shared_and_not_copied(opened: Program) -> None:
    session = opened.services.session
    assert session.image is not None
    for slice_view in opened.window.grid.slices:
        assert slice_view.shown is not None
        assert slice_view.shown.voxels is session.image.voxels


def test_pixels_and_slices_are_each_others_inverse(opened: Program) -> None:
    slices = opened.window.grid.slices
    assert len(slices) == 3
    for slice_view in slices:
        for row, column in ((0, 0), (3.5, 11.25), (19, 7)):
            assert slice_view.to_slice(slice_view.to_pixel(row, column)) == pytest.approx((row, column))


def test_a_click_lands_on_the_voxel_that_is_drawn_there(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    session.view.window = Window(session.view.window.center, 1.0)
    plane, slice_view = grid.plane(0), grid.slices[0]
    assert plane is not None
    QTest.mouseClick(slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=slice_view.to_pixel(12, 25).toPoint())
    settle(opened)
    assert session.view.cursor == (session.view.cursor[0], 12, 25)
    assert slice_view.overlay.state.crosshair == pytest.approx(
        (slice_view.to_pixel(12, 25).x(), slice_view.to_pixel(12, 25).y())
    )


def test_zoom_keeps_the_point_under_the_pointer(opened: Program) -> None:
    slice_view = opened.window.grid.slices[0]
    centre = QPointF(slice_view.canvas.native.rect().center())
    before, zoom = slice_view.to_slice(centre), slice_view.canvas.camera.zoom
    wheel(opened, 2, control=True)
    assert slice_view.canvas.camera.zoom == pytest.approx(zoom * 1.21)
    assert slice_view.to_slice(centre) == pytest.approx(before)


def test_the_wheel_scrolls_and_stops_at_the_ends(opened: Program) -> None:
    view_state = opened.services.session.view
    z = view_state.cursor[0]
    wheel(opened, -1)
    assert view_state.cursor[0] == z + 1
    wheel(opened, -100)
    assert view_state.cursor[0] == GRID.shape[0] - 1


def test_the_middle_button_pans(opened: Program) -> None:
    slice_view = opened.window.grid.slices[0]
    native = slice_view.canvas.native
    before = slice_view.to_slice(QPointF(100, 100))
    QTest.mousePress(native, Qt.MouseButton.MiddleButton, pos=QPoint(100, 100))
    QTest.mouseMove(native, QPoint(130, 90))
    QTest.mouseRelease(native, Qt.MouseButton.MiddleButton, pos=QPoint(130, 90))
    assert slice_view.to_slice(QPointF(130, 90)) == pytest.approx(before)
    opened.window.commands["view.fit"].trigger()
    assert slice_view.to_slice(QPointF(100, 100)) == pytest.approx(before)


def test_a_stroke_shows_in_every_plane_and_the_eraser_takes_it_away(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    view.choose_tool(opened.services, "brush")
    session.view.brush_mm = 4
    native = grid.slices[0].canvas.native
    ends = [grid.slices[0].to_pixel(10, column).toPoint() for column in (10, 30)]

    def drag() -> None:
        QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=ends[0])
        QTest.mouseMove(native, ends[1])
        QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=ends[1])
        settle(opened)

    drag()
    assert session.mask is not None
    assert session.mask.labels[session.view.cursor[0], 10, 20] == 1
    session.view.cursor = (session.view.cursor[0], 10, 20)
    settle(opened)
    for number in range(3):
        plane = grid.plane(number)
        assert plane is not None
        expected = plane.take(session.mask.labels, session.view.cursor[plane.axis])
        np.testing.assert_array_equal(grid.slices[number].picture.mask.data, expected)
        assert expected.any()
    view.choose_tool(opened.services, "eraser")
    drag()
    assert not session.mask.labels.any()


def test_hidden_labels_are_clear(opened: Program) -> None:
    masks.new(opened.services)
    settle(opened)
    layer = opened.window.grid.slices[0].picture.mask
    assert layer.colormap.color_dict[1][3] == 1
    view.toggle_label(opened.services, 1)
    settle(opened)
    assert 1 not in layer.colormap.color_dict


def test_inverted_and_monochrome1_exchange_black_and_white(opened: Program) -> None:
    session = opened.services.session
    layer = opened.window.grid.slices[0].picture.image
    assert layer.colormap.name == "gray"
    view.invert(opened.services)
    settle(opened)
    assert layer.colormap.name == "gray_r"
    assert session.image is not None
    session.image = replace(session.image, inverted=True)  # twice is not at all
    settle(opened)
    assert opened.window.grid.slices[0].picture.image.colormap.name == "gray"


def test_a_heat_map_is_clear_where_it_is_cold(opened: Program) -> None:
    session = opened.services.session
    values = np.zeros(GRID.shape, np.float32)
    values[session.view.cursor[0], 5:10, 5:10] = 1
    session.heatmap = Heatmap(values, GRID, "Grad-CAM", "Head")
    settle(opened)
    layer = opened.window.grid.slices[0].picture.heat
    assert layer.data.max() == 1
    assert layer.colormap.map(0.0)[..., 3] == pytest.approx(0)
    assert layer.colormap.map(1.0)[..., 3] == pytest.approx(1)
    session.view.heat_visible = False
    settle(opened)
    assert not layer.visible


def test_the_text_goes_with_one_key(opened: Program) -> None:
    overlay = opened.window.grid.slices[0].overlay
    assert "DOE, JANE" in overlay.state.corners.top_left
    assert "59 y" in overlay.state.corners.top_left
    opened.window.commands["view.text"].trigger()
    settle(opened)
    assert overlay.state.corners == Corners()
    assert overlay.state.letters == ("", "", "", "")


def test_closing_the_series_shows_the_empty_state(opened: Program) -> None:
    opened.window.commands["file.close"].trigger()
    settle(opened)
    assert opened.window.grid.slices[0].shown is None
    assert opened.window.grid.slices[0].overlay.state == OverlayState()
    assert not opened.window.commands["view.fit"].isEnabled()


def test_scale_bars_are_round_and_within_a_quarter() -> None:
    assert scale_bar(2.0, 800) == (200.0, "10 cm")
    assert scale_bar(2.0, 300) == (40.0, "2 cm")
    assert scale_bar(40.0, 300) == (40.0, "1 mm")
    assert scale_bar(0.0, 300) is None


def test_layers_are_filled_anew_and_never_removed(program: Program, qtbot: QtBot) -> None:
    open_ramp(program, qtbot)  # in a window of its own: a layer that was made stays
    while program.window.grid.prepare_next():
        pass
    session, slice_view = program.services.session, program.window.grid.slices[0]
    masks.new(program.services).paint(np.array([0]), 1)
    settle(program)
    masks.keep(program.services)
    grey, mask, layers = slice_view.picture.image, slice_view.picture.mask, slice_view.canvas.model.layers
    other = Grid((1, 12, 14))
    colours = np.full((1, 12, 14, 3), (200, 100, 0), np.uint8)
    for voxels in (colours, np.full((1, 12, 14), 7, np.int16), colours):
        series = replace(SERIES, uid=f"1.2.826.0.1.10.{voxels.ndim}", grid=other)
        study.present(session, series, Image(voxels, other, "OT", windows=(Window(7, 4),)))
        settle(program)
        slice_view.canvas.native.grabFramebuffer()  # drawing over what was removed ended the program
    assert [layer.name for layer in layers] == ["colour", "grey", "fused", "mask uint8", "heat"]
    assert (layers[1], layers[3]) == (grey, mask)
    assert layers[0] is slice_view.picture.image  # colours came later, and lie below the mask
    assert [layer.visible for layer in layers] == [True, False, False, False, False]
    picture = slice_view.canvas.native.grabFramebuffer()
    ratio = picture.width() / slice_view.canvas.native.width()
    drawn = picture.pixelColor((slice_view.to_pixel(6, 7) * ratio).toPoint())
    assert (drawn.red(), drawn.green(), drawn.blue()) == (200, 100, 0)


def test_a_smaller_picture_is_drawn_where_a_larger_one_was(opened: Program) -> None:
    session, slice_view = opened.services.session, opened.window.grid.slices[0]
    other = Grid((1, 5, 6), (1.0, 2.0, 3.0))
    voxels = np.arange(30, dtype=np.int16).reshape(1, 5, 6)
    study.present(
        session, replace(SERIES, uid="1.2.826.0.1.11", grid=other), Image(voxels, other, windows=(Window(15, 30),))
    )
    settle(opened)
    np.testing.assert_array_equal(slice_view.picture.image.data, voxels[0])
    picture = slice_view.canvas.native.grabFramebuffer()
    ratio = picture.width() / slice_view.canvas.native.width()
    for row, column in ((0, 0), (4, 5), (2, 3)):
        drawn = picture.pixelColor((slice_view.to_pixel(row, column) * ratio).toPoint())
        assert drawn.red() == pytest.approx(255 * int(voxels[0, row, column]) / 30, abs=4)


class Turns(QObject):
    """Counts the turns of the event loop in which the window could have answered."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.startTimer(0)

    def timerEvent(self, _: QTimerEvent) -> None:
        self.count += 1


def test_a_fourth_viewport_shares_the_volume_and_goes_where_its_cell_is(program: Program, qtbot: QtBot) -> None:
    open_ramp(program, qtbot)  # in a window of its own: a viewport that was made stays
    grid, session = program.window.grid, program.services.session
    program.window.commands["view.2x2"].trigger()
    qtbot.waitUntil(lambda: len(grid._views) == 4 and grid._views[3].shown is not None)
    assert [slice_view.isVisible() for slice_view in grid.slices] == [True] * 4
    assert not grid.volume.isVisible()
    fourth = grid.slices[3]
    assert fourth.shown is not None
    assert session.image is not None
    assert fourth.shown.voxels is session.image.voxels
    assert fourth.x() > grid.slices[2].x()
    assert fourth.y() > grid.slices[1].y()
    centre = fourth.canvas.native.rect().center()
    QTest.mouseClick(fourth.canvas.native, Qt.MouseButton.LeftButton, pos=centre)
    settle(program)
    assert session.view.active == 3
    assert session.view.cursor[1:] == tuple(round(v) for v in fourth.to_slice(QPointF(centre)))
    program.window.commands["view.mpr"].trigger()
    settle(program)
    assert not fourth.isVisible()
    assert fourth.shown is None
    assert grid.volume.isVisible()

    turns, at = Turns(), []  # many are made one after the other, and the window answers between
    panes.arrange(session, "3x4")
    while len(grid._views) < 7:
        before = len(grid._views)
        program.app.processEvents()
        at += [turns.count] * (len(grid._views) - before)
    assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(at)), "canvas, layers, place"
    program.window.commands["view.mpr"].trigger()  # enough: what is not there is made for the next who wants it
    for _ in range(50):
        program.app.processEvents()
    assert len(grid._views) == 7
    assert len(grid.slices) == 7


def test_two_viewports_share_the_room(opened: Program) -> None:
    grid = opened.window.grid
    opened.window.commands["view.2x1"].trigger()
    settle(opened)
    first, second = grid.slices[0], grid.slices[1]
    assert first.width() == second.width() == grid.width()
    assert abs(first.height() - second.height()) <= 1
    opened.window.commands["view.1x2"].trigger()
    settle(opened)
    assert first.height() == second.height() == grid.height()
    assert abs(first.width() - second.width()) <= 1
    QTest.mouseDClick(second.canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    settle(opened)
    assert (first.isVisible(), second.width()) == (False, grid.width())
    QTest.mouseDClick(second.canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    settle(opened)
    assert opened.services.session.view.layout == "1x2"
    assert first.isVisible()


@pytest.fixture
def small(opened: Program) -> Iterator[Overlay]:
    """What lies over the first viewport, as small as beside a large 3D view."""
    overlay = opened.window.grid.slices[0].overlay
    settle(opened)
    before = overlay.geometry()
    assert not overlay.small
    overlay.setGeometry(0, 0, 200, 260)
    yield overlay
    overlay.setGeometry(before)


def test_a_small_viewport_says_what_is_needed_most_and_says_it_whole(
    opened: Program, small: Overlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small.small
    assert small.top_texts() == [("DOE, JANE", "Axial  11 / 20"), ("2020-03-01", "")]
    opened.window.commands["image.flip"].trigger()
    settle(opened)
    assert small.top_texts()[1][1].startswith("flipped"), "how it is turned is told in any case"
    monkeypatch.setattr(opened.services.session, "line_places", {"name": "hidden", "slice": "hidden"})
    settle(opened)
    assert [left for left, _ in small.top_texts()] == ["2020-03-01"]
    opened.window.commands["image.unturn"].trigger()


@pytest.mark.parametrize(("size", "same"), [((200, 260), True), ((400, 300), False)])
def test_a_small_viewport_says_what_a_measurement_comes_to(opened: Program, size: tuple[int, int], same: bool) -> None:
    overlay = Overlay(opened.window, "#4da3ff", "#d7dadd")
    overlay.resize(*size)
    ends = ((80.0, 120.0), (110.0, 120.0))
    line = PixelMeasure("1", "length", tuple((k, *end) for k, end in enumerate(ends)), (ends,), ("48.3 mm",))
    boxes = []
    for one in (line, replace(line, text=("A lesion with a name", "48.3 mm"), brief="48.3 mm")):
        overlay.show_state(OverlayState(pixels_per_mm=2.0, measures=(one,)))
        boxes.append(overlay.text_boxes())
    assert (boxes[0] == boxes[1]) is same
    overlay.deleteLater()


def test_a_large_viewport_that_is_on_its_way_takes_no_drop(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, session = opened.window.grid, opened.services.session
    session.view.active = 2
    panes.enlarge(session)
    settle(opened)
    middle = QPointF(grid.rect().center())
    assert grid._viewport_at(middle) == 2
    with monkeypatch.context() as before:
        before.setattr(grid, "_views", grid._views[:2])
        assert grid._viewport_at(middle) is None
    panes.enlarge(session)
    session.view.active = 0
    settle(opened)


def test_words_of_measurements_can_be_read_over_bone_and_hide_little(opened: Program) -> None:
    drawn = QImage(300, 60, QImage.Format.Format_RGB32)
    drawn.fill(Qt.GlobalColor.white)
    one = PixelMeasure("1", "length", ((0, 10.0, 30.0), (1, 60.0, 30.0)), (((10.0, 30.0), (60.0, 30.0)),), ("48.3 mm",))
    room = QRectF(drawn.rect())
    painter = QPainter(drawn)
    (text,) = text_places.placed_texts((one,), opened.window.font(), room)
    assert text is not None
    measures.paint(painter, (one,), opened.window.font(), (text,))
    painter.end()
    inside = drawn.copy(text.box.adjusted(-3, -1, 3, 1).toRect())
    grey = np.array(
        [[inside.pixelColor(x, y).lightness() for x in range(inside.width())] for y in range(inside.height())]
    )
    assert (grey < 90).mean() > 0.3, "a dark halo"
    assert (grey > 245).mean() > 0.1, "and no box"


@pytest.mark.parametrize("size", [(250, 150), (300, 200), (420, 300)])
@pytest.mark.parametrize("at", [(0.1, 0.08), (0.6, 0.05), (0.15, 0.93), (0.7, 0.96), (0.45, 0.5)])
def test_words_of_measurements_keep_clear_of_the_viewport_s_own(
    opened: Program, size: tuple[int, int], at: tuple[float, float]
) -> None:
    overlay = Overlay(opened.window, "#4da3ff", "#d7dadd")
    overlay.resize(*size)
    x, y = size[0] * at[0], size[1] * at[1]
    ends = ((x, y), (x + 30.0, y))
    line = PixelMeasure("1", "length", tuple((k, *end) for k, end in enumerate(ends)), (ends,), ("23.4 mm",))
    corners = Corners("Doe, Jane\n54 y  F", "Axial  55 / 108\n1.50 mm", "W 80  L 40 HU  Brain", "", True)
    overlay.show_state(OverlayState(letters=("R", "L", "A", "P"), corners=corners, pixels_per_mm=2.0, measures=(line,)))
    (box,) = overlay.text_boxes()
    assert overlay.rect().toRectF().contains(box)
    assert not [other for other in overlay.own_words() if other.intersects(box)]
    overlay.deleteLater()


@given(
    st.tuples(*[st.floats(-50, 50)] * 4),
    st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(1, 30), st.floats(1, 30)),
)
def test_what_a_line_runs_through_is_what_qt_says(
    line: tuple[float, float, float, float], box: tuple[float, float, float, float]
) -> None:
    segment, rect = QLineF(*line), QRectF(*box)
    corners = [rect.topLeft(), rect.topRight(), rect.bottomRight(), rect.bottomLeft(), rect.topLeft()]
    crossing = QLineF.IntersectionType.BoundedIntersection
    sides = any(segment.intersects(QLineF(a, b))[0] == crossing for a, b in pairwise(corners))
    inside = rect.contains(segment.p1()) or rect.contains(segment.p2())
    edges = np.array([(rect.left(), rect.top(), rect.right(), rect.bottom())])
    wider = np.array([-0.01, -0.01, 0.01, 0.01])
    shrunk, grown = edges - wider, edges + wider
    given_line = np.array([line])
    if bool(text_places.crosses(given_line, shrunk)):
        assert sides or inside
    if sides or inside:
        assert bool(text_places.crosses(given_line, grown))
