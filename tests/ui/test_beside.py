"""A series that is dragged into a viewport of the real window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer import formats
from medviewer.app.hanging.companions import companion_of, cursor_of
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.ui.main import Program
from medviewer.ui.widgets.study_model import SERIES_MIME

from .conftest import SERIES, STUDY

FINE = Grid((40, 30, 40), (1.5, 1.5, 1.0), (-20.0, -22.0, 10.0))
OTHER = replace(SERIES, uid="1.2.826.0.1.10", description="Other", grid=FINE)


def test_a_series_is_dragged_beside_and_follows_the_crosshair(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    z, y, _ = np.indices(FINE.shape, np.int16)
    image = Image(50 * z + y, FINE, "CT", Rescale(1.0, -1000.0, "HU"), (Window(0, 2000, "Wide"),))
    monkeypatch.setattr(formats, "load", lambda *_, **__: image)
    session, grid = opened.services.session, opened.window.grid
    session.studies = (replace(STUDY, series=(SERIES, OTHER)),)
    data = QMimeData()
    data.setData(SERIES_MIME, f"{STUDY.uid}\n{OTHER.uid}".encode())
    place = QPointF(grid.slices[1].geometry().center())
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place.toPoint(), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(grid, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(grid, QDropEvent(place, Qt.DropAction.CopyAction, data, buttons, keys))
    qtbot.waitUntil(lambda: bool(session.companions))
    second = grid.slices[1]
    qtbot.waitUntil(lambda: second.shown is not None and second.shown.voxels is image.voxels)
    assert session.view.layout == "compare"
    assert "DOE, JANE" in second.overlay.state.corners.top_left
    assert "Other" in second.overlay.state.corners.top_right
    QTest.mouseClick(second.canvas.native, Qt.MouseButton.LeftButton, pos=second.to_pixel(12, 25).toPoint())
    companion = companion_of(session, 1)
    assert companion is not None
    assert cursor_of(session, companion)[1:] == session.view.cursor[1:] == (12, 25)
    k = cursor_of(session, companion)[0]
    opened.window.commands["view.slice_down"].trigger()
    assert cursor_of(session, companion)[0] == k + 1
    qtbot.waitUntil(lambda: second.shown is not None and second.shown.k == k + 1)
    first = grid.slices[0]
    second._zoom(2.0, QPointF(QPoint(40, 50)))
    assert first.canvas.camera.zoom == pytest.approx(second.canvas.camera.zoom)
    assert first.looking_at[:2] == pytest.approx(second.looking_at[:2])
    assert grid.plane(1) is None
    assert grid.plane(0) is not None


def test_files_that_are_dropped_go_to_the_window(opened: Program) -> None:
    grid, data = opened.window.grid, QMimeData()
    data.setText("no series")
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    enter.setAccepted(False)
    grid.dragEnterEvent(enter)
    assert not enter.isAccepted()
