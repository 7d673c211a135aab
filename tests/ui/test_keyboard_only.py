"""A study is found, opened and read without a mouse: the keyboard is always somewhere, and it can be seen where."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import study
from medviewer.ui.main import Program
from medviewer.ui.theme import style_sheet

KEY = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
PLAIN = Qt.KeyboardModifier.NoModifier


def press(key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    """Where the keyboard is: somewhere, always."""
    focus = QApplication.focusWidget()
    assert focus is not None, "the keyboard is nowhere"
    assert focus.isVisible()
    QTest.keyClick(focus, key, modifiers)


def volume(path: Path, shape: tuple[int, int, int]) -> Path:
    z, y, x = np.indices(shape, np.int16)
    nibabel.save(nibabel.Nifti1Image(z + 3 * y + 5 * x, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return path


def test_from_the_list_to_the_last_measurement(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    window, services = program.window, program.services
    session = services.session
    program.window.tour.end()
    for name, shape in (("alpha", (16, 20, 24)), ("beta", (18, 20, 22))):
        (tmp_path / name).mkdir()
        study.open_paths(services, [volume(tmp_path / name / f"{name}.nii.gz", shape)])
        qtbot.waitUntil(lambda: not services.runner.jobs and session.image is not None, timeout=60_000)
        study.close(services)
    qtbot.waitUntil(lambda: window.browser.model.loaded == 2, timeout=20_000)
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)

    press(KEY.Key_F, CTRL)
    assert QApplication.focusWidget() is window.browser.search
    for letter in "alpha":
        press(getattr(KEY, f"Key_{letter.upper()}"))
    qtbot.waitUntil(lambda: window.browser.model.loaded == 1)
    press(KEY.Key_Down)
    press(KEY.Key_Return)
    qtbot.waitUntil(lambda: session.image is not None and session.image.grid.shape == (24, 20, 16), timeout=60_000)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)

    qtbot.waitUntil(window.commands["view.slice_down"].isEnabled)
    view = session.view
    z = view.cursor[0]
    press(KEY.Key_Down)
    press(KEY.Key_PageUp)
    assert view.cursor[0] == z - 9
    press(KEY.Key_Tab)
    assert view.active == 1
    first = view.window
    press(KEY.Key_0)
    assert view.window.name != first.name or view.window == first
    press(KEY.Key_F3)
    assert view.layout == "single"
    press(KEY.Key_F2)
    press(KEY.Key_M, SHIFT)
    assert view.slab_mode == "mip"
    before = view.slab_mm
    press(KEY.Key_BracketRight, CTRL)
    assert view.slab_mm > before
    press(KEY.Key_0, CTRL)
    press(KEY.Key_H)
    assert any(pane.turn.text for pane in view.hung)

    press(KEY.Key_Tab, CTRL)
    panels = window.panel_area
    focus = QApplication.focusWidget()
    assert focus is not None
    assert panels.isAncestorOf(focus), "the next part of the window are the panels"
    press(KEY.Key_Escape)
    assert QApplication.focusWidget() is window.grid, "Escape brings the keyboard back"
    for _ in range(4):
        press(KEY.Key_Tab, CTRL)
    assert QApplication.focusWidget() is window.grid, "once round the window"
    press(KEY.Key_P, CTRL | SHIFT)
    assert QApplication.focusWidget() is window.palette_box.field
    press(KEY.Key_Escape)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)


def test_where_the_keyboard_is_can_be_seen(opened: Program, qtbot: QtBot) -> None:
    window = opened.window
    window.activateWindow()
    window.setStyleSheet(style_sheet())  # the program's own application has it; that of the tests has not
    controls = [
        one
        for name in ("ai", "segments", "saliency")
        for one in window.panels[name].findChildren(QWidget)
        if one.isVisible() and one.isEnabled() and one.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    assert controls
    for control in controls:
        window.grid.setFocus()
        qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
        without = control.grab().toImage()
        control.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(lambda control=control: QApplication.focusWidget() is control)
        qtbot.waitUntil(lambda control=control, without=without: control.grab().toImage() != without)
