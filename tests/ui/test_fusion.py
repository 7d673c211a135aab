"""A series laid over the main one in the real window: what is drawn, the panel, the hand, the list of studies."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from medviewer.app.commands import beside, fusion, planes
from medviewer.app.ports.display import Display
from medviewer.app.words import number_text
from medviewer.domain.fusing import Sampled, slice_through
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.study import Patient, Series
from medviewer.ui.main import Program
from medviewer.ui.viewport import fused_slabs
from medviewer.ui.widgets.fusion_panel import FusionPanel
from medviewer.ui.widgets.study_model import SERIES_MIME

from .conftest import GRID, SERIES, STUDY

PET_GRID = Grid((15, 12, 11), (4.0, 4.0, 4.0), (-21.0, -24.0, 9.0))
PET = Series("1.2.826.0.1.19", "PT", "WB", PET_GRID, (), "dicom", frame_of_reference=SERIES.frame_of_reference)


@pytest.fixture
def opened(opened_again: Program) -> Program:
    """One window serves all of these tests."""
    return opened_again


def settle(program: Program) -> None:
    for _ in range(4):
        program.app.processEvents()


@pytest.fixture
def fused(opened: Program) -> Program:
    """A PET lies over the ramp."""
    session = opened.services.session
    voxels = np.random.default_rng(2).integers(0, 200, PET_GRID.shape).astype(np.int16)
    session.studies = (replace(STUDY, series=(SERIES, PET)),)
    fusion.accept(session, session.studies[0], PET, Image(voxels, PET_GRID, "PT", Rescale(0.05, 0.0, "SUV")))
    settle(opened)
    return opened


def panel(program: Program) -> FusionPanel:
    found = program.window.panels["fusion"].findChild(FusionPanel)
    assert found is not None
    return found


def expected(program: Program, number: int) -> np.ndarray:
    slice_view = program.window.grid.slices[number]
    shown = slice_view.shown
    image = program.services.session.fusion.image
    values, inside = slice_through(image.voxels, PET_GRID, shown.plane, shown.k)
    return np.where(inside, values * np.float32(0.05), np.float32(-1e9))


def test_every_plane_shows_it_sampled_and_follows(fused: Program) -> None:
    session, grid = fused.services.session, fused.window.grid
    session.view.cursor = (10, 15, 20)
    settle(fused)
    for number in (0, 1, 2):
        layer = grid.slices[number].picture.fused.layer
        np.testing.assert_allclose(layer.data, expected(fused, number), rtol=1e-5)
        assert layer.visible
        layers = list(grid.slices[number].canvas.model.layers)
        assert layers.index(layer) == layers.index(grid.slices[number].picture.image) + 1, "between image and masks"
        assert grid.slices[number].overlay.state.bar.unit == "SUV"
    first = grid.slices[0].picture.fused.layer.data.copy()
    fused.window.commands["view.slice_down"].trigger()
    settle(fused)
    assert not np.array_equal(first, grid.slices[0].picture.fused.layer.data)
    np.testing.assert_allclose(grid.slices[0].picture.fused.layer.data, expected(fused, 0), rtol=1e-5)
    planes.turn(fused.services, "Axial", 0.3)
    settle(fused)
    np.testing.assert_allclose(grid.slices[1].picture.fused.layer.data, expected(fused, 1), rtol=1e-4)
    planes.straighten(fused.services)
    fused.window.commands["image.flip"].trigger()
    settle(fused)
    np.testing.assert_allclose(grid.slices[0].picture.fused.layer.data, expected(fused, 0), rtol=1e-5)
    fused.window.commands["fusion.remove"].trigger()
    settle(fused)
    assert not grid.slices[0].picture.fused.layer.visible
    assert grid.slices[0].overlay.state.bar is None
    assert not fused.window.commands["fusion.remove"].isEnabled()


def test_where_nothing_was_taken_up_the_image_is_seen(fused: Program) -> None:
    layer = fused.window.grid.slices[0].picture.fused.layer
    alpha = np.asarray(layer.colormap.map(np.array([0.0, 0.1, 0.25, 1.0])))[:, 3]
    assert alpha == pytest.approx([0, 0.4, 1, 1], abs=0.02)


def test_the_slab_is_that_of_the_main_series(fused: Program) -> None:
    session, slice_view = fused.services.session, fused.window.grid.slices[0]
    image = session.fusion.image
    planes.set_slab(fused.services, "mip")
    planes.set_slab_mm(fused.services, 12.0)
    for k in (8, 9, 11):
        session.view.cursor = (k, 15, 20)
        settle(fused)
        thick = slice_view.shown.fused.thick
        parts = [
            slice_through(image.voxels, PET_GRID, slice_view.shown.plane, one) for one in range(thick.start, thick.stop)
        ]
        highest = np.max([np.where(inside, values * 0.05, -1e9) for values, inside in parts], axis=0)
        np.testing.assert_allclose(slice_view.picture.fused.layer.data, highest, rtol=1e-5)


def test_a_thick_slab_is_sampled_while_the_window_answers(
    fused: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, slice_view = fused.services.session, fused.window.grid.slices[0]
    image, threads, go, really = session.fusion.image, set(), threading.Event(), fused_slabs.joined

    def gated(display: Display, known: Mapping[int, Sampled]) -> fused_slabs.Joined:
        threads.add(threading.get_ident())
        assert go.wait(60)
        return really(display, known)

    monkeypatch.setattr(fused_slabs, "LONG", 0)
    monkeypatch.setattr(fused_slabs, "joined", gated)
    planes.set_slab_mm(fused.services, 12.0)
    planes.set_slab(fused.services, "mip")
    settle(fused)
    assert (slice_view.shown.slab, slice_view.shown.fused.thick) == (None, None), "a slice of both"
    session.view.cursor = (11, 15, 20)
    settle(fused)
    go.set()
    qtbot.waitUntil(lambda: slice_view.shown.slab is not None and slice_view.shown.k == 11)
    thick, one_way = slice_view.shown.fused.thick, slice_view.shown.plane
    parts = [slice_through(image.voxels, PET_GRID, one_way, one) for one in range(thick.start, thick.stop)]
    highest = np.max([np.where(inside, values * 0.05, -1e9) for values, inside in parts], axis=0)
    np.testing.assert_allclose(slice_view.picture.fused.layer.data, highest, rtol=1e-5)
    fused.window.commands["image.flip"].trigger()
    qtbot.waitUntil(lambda: slice_view.shown.slab is not None and slice_view.shown.plane != one_way)
    assert threading.get_ident() not in threads


def test_the_panel_changes_and_follows(fused: Program) -> None:
    session, box, grid = fused.services.session, panel(fused), fused.window.grid
    assert fused.window.panels["fusion"].expanded, "what was laid over can be seen to at once"
    box.opacity.setValue(35)
    box.windows.setCurrentIndex(0)
    box.windows.activated.emit(0)
    settle(fused)
    layer = grid.slices[0].picture.fused.layer
    assert layer.opacity == pytest.approx(0.35)
    assert tuple(grid.slices[0].canvas.node(layer).clim) == (0, 5)
    assert (box.low.value(), box.high.value()) == (0, 5)
    assert box.high.suffix() == " SUV"
    box.high.setValue(6.5)
    assert session.fusion.window.limits == (0, 6.5)
    assert box.windows.currentText() == "As set"
    box.low.setValue(8.0)
    assert session.fusion.window.limits == (0, 6.5)
    assert session.message.level == "error"
    assert box.low.value() == 0
    box.colours.setCurrentIndex(box.colours.findData("inferno"))
    box.colours.activated.emit(0)
    assert session.fusion.colours == "inferno"
    fused.window.commands["fusion.weaker"].trigger()
    assert box.opacity.value() == 25
    box.eye.click()
    settle(fused)
    assert not layer.visible
    box.away.click()
    settle(fused)
    assert not box.shown.isVisibleTo(box)
    assert box.offered.currentData() == PET.uid
    assert box.empty.isVisibleTo(box)


def test_shift_and_the_right_button_change_its_window_only(fused: Program) -> None:
    session, native = fused.services.session, fused.window.grid.slices[0].canvas.native
    before = session.view.window
    held, right = Qt.KeyboardModifier.ShiftModifier, Qt.MouseButton.RightButton
    QTest.mousePress(native, right, held, QPoint(60, 80))
    QTest.mouseMove(native, QPoint(60 + native.width() // 4, 80))
    QTest.mouseRelease(native, right, held, QPoint(60 + native.width() // 4, 80))
    assert session.view.window == before
    assert session.fusion.window.limits == pytest.approx((0, 15), rel=0.05)


def test_both_values_are_told(fused: Program) -> None:
    session, slice_view = fused.services.session, fused.window.grid.slices[0]
    session.view.cursor = (10, 15, 20)
    settle(fused)
    slice_view.pointer.hovered.emit(slice_view.to_pixel(12.0, 17.0))
    said = fused.window.read_out.text()
    value = expected(fused, 0)[12, 17]
    assert f"· SUV {number_text(float(value), 'SUV')}" in said
    assert "HU " in said
    planes.turn(fused.services, "Axial", 0.3)
    settle(fused)
    turned = fused.window.grid.slices[1]
    turned.pointer.hovered.emit(turned.to_pixel(*turned.shown.crosshair))
    assert "· SUV" in fused.window.read_out.text()


def test_a_drop_with_shift_lays_over(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    session, grid = opened.services.session, opened.window.grid
    other = replace(PET, frame_of_reference="1.2.3")
    session.studies = (replace(STUDY, series=(SERIES, other)),)
    asked: list[str] = []
    monkeypatch.setattr(opened.window.dialogs, "confirm", lambda *words: asked.append(words[0]) or False)
    mime = QMimeData()
    mime.setData(SERIES_MIME, f"{STUDY.uid}\n{PET.uid}".encode())
    drop = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    )
    grid.dropEvent(drop)
    assert asked == ["Another frame of reference"]
    assert session.fusion is None
    opened.window.fuse_menu.fill()
    texts = [action.text() for action in opened.window.fuse_menu.actions()]
    assert texts[0] == "No opened series shares its frame of reference"
    assert "PT  WB  2020-03-01" in texts


def test_painting_on_a_series_beside_says_why_not(fused: Program) -> None:
    session, grid = fused.services.session, fused.window.grid
    beside.accept(session, STUDY, PET, session.fusion.image, 1)
    settle(fused)
    assert grid.slices[1].picture.fused.layer is None or not grid.slices[1].picture.fused.layer.visible
    session.view.tool = "brush"
    session.message = None
    QTest.mouseClick(grid.slices[1].canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert "Only the main series" in session.message.text


@pytest.mark.parametrize("number", [0, 1])
def test_a_length_is_dragged_on_a_turned_plane_and_beside(fused: Program, number: int) -> None:
    session, grid = fused.services.session, fused.window.grid
    session.view.cursor = (10, 15, 20)
    if number:
        beside.accept(session, STUDY, PET, session.fusion.image, 1)
    else:
        planes.turn(fused.services, "Coronal", 0.3)
    settle(fused)
    fused.window.commands["tool.length"].trigger()
    slice_view = grid.slices[number]
    row, column = slice_view.shown.crosshair
    ends = [slice_view.to_pixel(row, column + by).toPoint() for by in (-3, 3)]
    QTest.mousePress(slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=ends[0])
    QTest.mouseMove(slice_view.canvas.native, ends[1])
    QTest.mouseRelease(slice_view.canvas.native, Qt.MouseButton.LeftButton, pos=ends[1])
    settle(fused)
    (made,) = session.measurements
    assert made.series_uid == (PET.uid if number else SERIES.uid)
    assert session.measured[made.uid][0].number == pytest.approx(6 * slice_view.shown.plane.spacing[1], abs=1.5)
    assert [one.uid for one in slice_view.shown.measures] == [made.uid]
    assert GRID.contains(GRID.world_to_index(made.centre))


def test_another_patients_series_is_never_chosen_beforehand(opened: Program) -> None:
    session = opened.services.session
    theirs = replace(STUDY, uid="1.2.9", patient=Patient("ID-9", "Roe^Jane"), series=(PET,))
    session.studies = (theirs, STUDY)
    settle(opened)
    offered, button = panel(opened).offered, panel(opened).button
    assert (offered.count(), offered.currentIndex(), button.isEnabled()) == (1, -1, False)
    assert "another patient: Roe, Jane" in offered.itemText(0)
    opened.window.fuse_menu.fill()
    assert "Another patient: Roe, Jane" in [one.text() for one in opened.window.fuse_menu.actions()]
    offered.setCurrentIndex(0)
    assert button.isEnabled()
    own = replace(PET, uid="1.2.10", frame_of_reference="1.2.3")
    session.studies = (theirs, replace(STUDY, series=(SERIES, own)))
    settle(opened)
    assert offered.currentData() == PET.uid, "what a hand chose stays"
    session.series = replace(SERIES, uid="1.2.11")
    settle(opened)
    assert offered.currentData() in (own.uid, SERIES.uid), "but for the series that was open then"


def test_enter_alone_never_confirms(opened: Program) -> None:
    seen: list[str] = []

    def look() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.append(box.defaultButton().text().replace("&", ""))
        QTest.keyClick(box, Qt.Key.Key_Return)

    QTimer.singleShot(0, look)
    assert not opened.window.dialogs.confirm("Another patient", "Lay it over?", "Lay over anyway")
    assert seen == ["Cancel"]
