"""The command palette and the keys, through the real window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from medviewer.app import settings
from medviewer.ui.dialogs import Sheet
from medviewer.ui.main import Program
from medviewer.ui.widgets.palette import Palette
from medviewer.ui.widgets.shortcuts_dialog import ShortcutsDialog
from medviewer.ui.window import MainWindow


def palette(program: Program, qtbot: QtBot) -> Palette:
    """Open it by its key, from the viewports."""
    window = program.window
    window.activateWindow()
    window.grid.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    QTest.keyClick(window.grid, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    box = window.palette_box
    qtbot.waitUntil(lambda: QApplication.focusWidget() is box.field)
    return box


def dialog(window: MainWindow) -> ShortcutsDialog:
    window.commands["edit.shortcuts"].trigger()
    return window.findChildren(ShortcutsDialog)[-1]


def press(edit: ShortcutsDialog, key: Qt.Key) -> None:
    edit.keys.setFocus()
    QTest.keyClick(edit.keys, key)


def test_a_command_is_found_by_letters_and_done_by_the_keyboard_alone(opened: Program, qtbot: QtBot) -> None:
    box, state = palette(opened, qtbot), opened.services.session.view
    QTest.keyClicks(box.field, "zoom")
    first = box.shown[0]
    assert (first.id, first.key, first.menu) == ("tool.zoom", "Z", "Image")
    tool = state.tool
    QTest.keyClicks(box.field, " x")  # nothing matches: nothing is done
    QTest.keyClick(box.field, Qt.Key.Key_Return)
    assert (box.isVisible(), state.tool) == (True, tool)
    QTest.keyClick(box.field, Qt.Key.Key_Backspace)
    QTest.keyClick(box.field, Qt.Key.Key_Return)
    assert (box.isVisible(), state.tool) == (False, "zoom")
    qtbot.waitUntil(lambda: QApplication.focusWidget() is opened.window.grid)
    assert palette(opened, qtbot).shown[0].id == "tool.zoom"  # chosen last, so first
    assert box.shown[0].checked
    assert settings.load(opened.services.archive.home).palette == ("tool.zoom",)


def test_arrows_choose_and_escape_closes(opened: Program, qtbot: QtBot) -> None:
    box = palette(opened, qtbot)
    cursor = opened.services.session.view.cursor
    for key, row in ((Qt.Key.Key_Down, 1), (Qt.Key.Key_Down, 2), (Qt.Key.Key_Up, 1), (Qt.Key.Key_PageDown, 11)):
        QTest.keyClick(box.field, key)
        assert box.list.currentIndex().row() == row
    QTest.keyClick(box.field, Qt.Key.Key_Escape)
    assert not box.isVisible()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is opened.window.grid)
    assert opened.services.session.view.cursor == cursor


def test_what_is_not_possible_stands_below_and_says_why(program: Program, qtbot: QtBot) -> None:
    box = palette(program, qtbot)
    reasons = [entry.reason for entry in box.shown]
    assert reasons == sorted(reasons, key=bool)
    QTest.keyClicks(box.field, "fit")
    assert (box.shown[0].id, box.shown[0].reason) == ("view.fit", "open a series first")
    QTest.keyClick(box.field, Qt.Key.Key_Enter)
    assert box.isVisible()
    box.leave()


def test_every_command_can_be_found_by_its_name(opened: Program, qtbot: QtBot) -> None:
    box = palette(opened, qtbot)
    for entry in list(box.shown):
        box.field.setText(f"{entry.menu} {entry.title}")
        assert entry.title in [found.title for found in box.shown[:2]], entry.id
    box.leave()


def test_a_click_elsewhere_closes_the_palette(opened: Program, qtbot: QtBot) -> None:
    box = palette(opened, qtbot)
    opened.window.browser.search.setFocus()
    qtbot.waitUntil(lambda: not box.isVisible())
    assert QApplication.focusWidget() is opened.window.browser.search


def test_a_changed_key_holds_at_once_everywhere(opened: Program, qtbot: QtBot) -> None:
    window, state = opened.window, opened.services.session.view
    window.show_keys()
    sheet = window.findChildren(Sheet)[-1]
    edit = dialog(window)
    edit.choose("tool.zoom")
    press(edit, Qt.Key.Key_Y)
    edit.assign_button.click()
    action = window.commands["tool.zoom"]
    assert action.shortcut() == QKeySequence("Y")
    assert action.toolTip().endswith("(Y)")
    assert "Y" in [label.text() for label in sheet.findChildren(QLabel)]
    assert ("Y", "Zoom") in window.menus.keys_in("view") + window.menus.keys_in("image")
    for one in (edit, sheet):
        one.close()
    box = palette(opened, qtbot)
    QTest.keyClicks(box.field, "zoom")
    assert box.shown[0].key == "Y"
    box.leave()
    window.grid.setFocus()
    QTest.keyClick(window.grid, Qt.Key.Key_Z)
    assert state.tool != "zoom"
    QTest.keyClick(window.grid, Qt.Key.Key_Y)
    assert state.tool == "zoom"


def test_a_clash_is_named_and_has_to_be_resolved(opened: Program) -> None:
    window = opened.window
    edit = dialog(window)
    edit.choose("tool.zoom")
    press(edit, Qt.Key.Key_B)
    assert "B belongs to Segment > Brush" in edit.note.text()
    assert edit.assign_button.text() == "Take it"
    assert window.commands["tool.zoom"].shortcut() == QKeySequence("Z"), "nothing is changed before it is agreed to"
    edit.assign_button.click()
    assert window.commands["tool.zoom"].shortcut() == QKeySequence("B")
    assert window.commands["tool.brush"].shortcut().isEmpty()
    edit.choose("tool.brush")
    edit.reset_button.click()  # its key is another's now: asked about, as any key
    assert "B belongs to Image > Zoom" in edit.note.text()
    edit.assign_button.click()
    assert window.commands["tool.brush"].shortcut() == QKeySequence("B")
    edit.all_button.click()
    assert [window.commands[name].shortcut().toString() for name in ("tool.zoom", "tool.brush")] == ["Z", "B"]
    edit.close()


def test_keys_are_taken_away_and_come_back_at_the_next_start(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    edit = dialog(program.window)
    edit.choose("segment.approve")
    edit.none_button.click()
    edit.choose("file.quit")
    press(edit, Qt.Key.Key_Odiaeresis)
    assert "cannot be used" in edit.note.text()
    assert not edit.assign_button.isEnabled()
    program.close()
    again = Program(home=tmp_path / "home")
    qtbot.waitExposed(again.window)
    assert again.window.commands["segment.approve"].shortcuts() == []
    edit = dialog(again.window)
    edit.choose("segment.approve")
    edit.reset_button.click()
    assert len(again.window.commands["segment.approve"].shortcuts()) == 2  # both Enter keys
    edit.close()
    again.close()


def test_the_list_is_searched_by_name_and_key(program: Program) -> None:
    edit = dialog(program.window)
    for typed, left in (("brush", "tool.brush"), ("ctrl+z", "edit.undo"), ("nothing like it", "")):
        edit.field.setText(typed)
        shown = [name for name, item in edit._items.items() if not item.isHidden()]
        assert (left in shown) if left else shown == [], typed
    edit.close()
