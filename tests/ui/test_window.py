"""The window's own doing: keys, focus, drops, bad input, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QScrollArea
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, plugins, predict, study, view
from medviewer.errors import StoreError
from medviewer.ui.dialogs import Sheet
from medviewer.ui.main import Program, _teller
from medviewer.ui.theme import RESEARCH_USE
from medviewer.ui.tool_bar import ICONS
from tests.inference.tiny_plugins import FAULTS, write_plugin

from .conftest import GRID, SERIES, STUDY, ramp


def message(program: Program, qtbot: QtBot, act: Callable[[], object]) -> str:
    """What the strip says after something was tried."""
    session = program.services.session
    session.message = None
    program.services.attempt(act)
    qtbot.waitUntil(lambda: session.message is not None, timeout=60_000)
    assert session.message is not None
    assert program.window.messages.isVisible()
    return session.message.text


def test_the_title_says_what_is_open_and_research_use(program: Program) -> None:
    assert program.window.windowTitle() == f"medviewer - {RESEARCH_USE}"
    program.services.session.series = SERIES
    assert program.window.windowTitle() == f"CT Head - medviewer - {RESEARCH_USE}"
    assert "DOE" not in program.window.windowTitle()


def test_every_tool_of_the_bar_has_an_icon_and_names_its_key(program: Program) -> None:
    for command in ICONS:
        action = program.window.commands[command]
        assert not action.icon().isNull(), command
        assert action.toolTip().endswith(")"), command


def test_letters_choose_tools_but_not_in_a_text_field(opened: Program, qtbot: QtBot) -> None:
    window, state = opened.window, opened.services.session.view
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    QTest.keyClick(window.grid, Qt.Key.Key_W)
    assert state.tool == "window"
    window.browser.search.setFocus()
    QTest.keyClick(window.browser.search, Qt.Key.Key_P)
    assert state.tool == "window"
    assert window.browser.search.text() == "p"
    QTest.keyClick(window.browser.search, Qt.Key.Key_Escape)
    assert (window.browser.search.text(), QApplication.focusWidget()) == ("", window.grid)


def test_arrows_scroll_where_the_viewports_have_the_focus(opened: Program, qtbot: QtBot) -> None:
    window, state = opened.window, opened.services.session.view
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    z = state.cursor[0]
    QTest.keyClick(window.grid, Qt.Key.Key_Down)
    assert state.cursor[0] == z + 1
    window.browser.tree.setFocus()
    QTest.keyClick(window.browser.tree, Qt.Key.Key_Down)
    assert state.cursor[0] == z + 1


def test_the_keys_sheet_and_the_manual_open_and_close(program: Program, qtbot: QtBot) -> None:
    for command in ("help.keys", "help.manual"):
        program.window.commands[command].trigger()
        sheets = program.window.findChildren(Sheet)
        assert len(sheets) == 1
        assert sheets[0].isVisible()
        with qtbot.waitSignal(sheets[0].destroyed):
            sheets[0].close()


def test_the_keys_sheet_finds_commands_by_letters_and_by_their_key(program: Program) -> None:
    program.window.commands["help.keys"].trigger()
    (sheet,) = program.window.findChildren(Sheet)
    field = sheet.findChild(QLineEdit, "findKey")

    def listed() -> list[str]:
        area = sheet.findChild(QScrollArea)
        return [label.text() for label in area.widget().findChildren(QLabel)]

    everything = len(listed())
    field.setText("straight")
    assert listed() == ["View > Turned planes", "Alt+T", "Straight planes"]
    field.setText("alt+t")
    assert "Straight planes" in listed()
    field.setText("no such thing")
    assert listed() == ["No command and no key is called so."]
    field.clear()
    assert len(listed()) == everything > 300
    sheet.close()


def test_what_cannot_be_opened_is_said_in_one_sentence(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("empty", "text.dcm", "broken.nii"):
        path = tmp_path / name
        if name == "empty":
            path.mkdir()
        else:
            path.write_bytes(b"This is no image.\n" * 40 if name == "text.dcm" else b"\x5c\x01\x00\x00" + b"\x00" * 400)
        text = message(program, qtbot, lambda path=path: study.open_paths(program.services, [path]))
        assert len(text) > 30, name
        assert "Traceback" not in text, name
        assert program.window.isVisible(), name


def test_a_missing_path_is_said(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    text = message(program, qtbot, lambda: study.open_paths(program.services, [tmp_path / "gone"]))
    assert "gone" in text


@pytest.mark.parametrize("fault", ["raises", "dies", "wrong_shape"])
@pytest.mark.usefixtures("warm_workers")
def test_a_bad_plugin_gives_a_sentence_and_the_window_lives(
    opened: Program, qtbot: QtBot, tmp_path: Path, fault: str
) -> None:
    plugin = write_plugin(tmp_path, f"{fault}_plugin", FAULTS[fault].body, inputs={"modality": ["CT"]})
    opened.services.plugins[:] = [plugin]
    view.choose_tool(opened.services, "brush")
    assert opened.services.session.mask is not None
    opened.services.session.mask.paint(np.array([1, 2, 3]), 1)
    labels = opened.services.session.mask.labels.copy()
    text = message(opened, qtbot, lambda: predict.run(opened.services, plugin.id))
    assert len(text) > 20
    assert "Traceback" not in text
    assert opened.window.isVisible()
    np.testing.assert_array_equal(opened.services.session.mask.labels, labels)  # nothing painted is lost


def test_a_crash_loses_no_stroke(opened: Program, tmp_path: Path) -> None:
    masks.new(opened.services)
    store = opened.services.session.mask
    assert store is not None
    store.paint(np.array([5, 6, 7]), 1)
    opened.window.close()  # keeps the mask; a second opening finds it
    kept = opened.services.archive.masks.masks_for("1.2.826.0.1.9")
    assert len(kept) == 1
    labels = opened.services.archive.masks.load_mask(kept[0].id).labels
    assert labels.reshape(-1)[[5, 6, 7]].tolist() == [1, 1, 1]
    assert labels.shape == GRID.shape


@pytest.mark.usefixtures("warm_workers")
def test_a_plugin_that_hangs_can_be_cancelled(opened: Program, qtbot: QtBot, tmp_path: Path) -> None:
    body = "    def normalise(self, values):\n        while True:\n            time.sleep(0.01)\n"
    plugin = write_plugin(tmp_path, "endless", body, inputs={"modality": ["CT"]})
    opened.services.plugins[:] = [plugin]
    job = predict.run(opened.services, plugin.id)
    qtbot.waitUntil(lambda: job.message != "", timeout=60_000)
    text = message(opened, qtbot, job.cancel)
    assert "cancelled" in text
    assert opened.services.session.busy_plugins == frozenset()


def test_a_mask_that_cannot_be_kept_is_asked_about(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    masks.new(opened.services)
    assert opened.services.session.mask is not None
    opened.services.session.mask.paint(np.array([5]), 1)
    asked: list[str] = []

    def refuse(*_: object) -> str:
        raise StoreError("The disk should take the mask, but is full; make room.")

    def answer(title: str, text: str, accept: str) -> bool:
        asked.append(text)
        return len(asked) > 1

    monkeypatch.setattr(opened.services.archive.masks, "save_mask", refuse)
    monkeypatch.setattr(opened.window.dialogs, "confirm", answer)
    opened.window.close()
    assert opened.window.isVisible()
    assert "make room. The strokes are in the journal" in asked[0]
    opened.window.close()
    assert not opened.window.isVisible()


def test_an_unexpected_error_is_told_and_no_name_reaches_the_log(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    name = "Muster_Eva"  # not in a line of code, which a log may quote
    try:
        raise FileNotFoundError(2, "No such file", name)
    except FileNotFoundError as error:
        _teller(program.services)(FileNotFoundError, error, error.__traceback__)
    said = program.services.session.message
    assert said is not None
    assert (said.level, "FileNotFoundError" in said.text, name in said.details) == ("error", True, True)
    assert "FileNotFoundError" in caplog.text
    assert "test_window.py" in caplog.text
    assert name not in caplog.text


def test_a_mask_by_hand_is_approved_only_as_what_it_teaches(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened.services.session
    assert session.image is not None
    session.series, session.image = replace(SERIES, modality="MR"), replace(session.image, modality="MR")
    masks.new(opened.services)
    assert session.mask is not None
    session.mask.paint(np.array([5, 6]), 1)
    opened.window.update_context()
    asked: list[str] = []
    monkeypatch.setattr(
        opened.window.dialogs, "confirm", lambda _title, text, accept: bool(asked.append(text + accept))
    )
    opened.window.commands["segment.approve"].trigger()
    assert "Brain extraction would learn from it what Brain looks like.Approve as Brain" in asked[0]
    assert opened.services.queue.list() == []


def test_a_double_click_enlarges_and_leaves_the_crosshair(opened: Program) -> None:
    state = opened.services.session.view
    native = opened.window.grid.slices[0].canvas.native
    before = state.cursor
    place = opened.window.grid.slices[0].to_pixel(4, 33).toPoint()
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=place)
    assert state.cursor != before
    QTest.mouseDClick(native, Qt.MouseButton.LeftButton, pos=place)
    assert (state.layout, state.cursor) == ("single", before)


def test_the_image_menu_names_the_windows(opened: Program) -> None:
    opened.window.update_context()
    texts = [opened.window.commands[f"image.window_{n}"].text() for n in (1, 2, 3)]
    assert texts == ["Window: Soft tissue", "Window: Brain", "Window: Subdural"], "a digit is the modality's preset"


def test_choosing_what_is_chosen_keeps_its_mark(opened: Program, qtbot: QtBot) -> None:
    opened.window.update_context()
    action = opened.window.commands["view.mpr"]
    assert action.isChecked()
    action.trigger()
    qtbot.waitUntil(action.isChecked)
    assert opened.services.session.view.layout == "mpr"


def test_the_menu_follows_the_plugins(opened: Program, tmp_path: Path) -> None:
    services, window = opened.services, opened.window
    plugins.switch(services, "brain-extraction", False)
    assert "ai.run.brain-extraction" not in window.commands
    assert len(window.commands["segment.approve"].shortcuts()) == 2
    plugins.switch(services, "brain-extraction", True)
    assert window.commands["ai.run.brain-extraction"].isEnabled()
    write_plugin(services.archive.home / "plugins", "tiny")
    services.refresh()
    assert window.commands["ai.run.tiny"].isEnabled()
    assert window.commands["ai.plugins"].isEnabled()


def test_an_answer_is_none_where_another_study_came_while_it_was_asked(
    opened: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loading goes on behind the dialog: what is saved would be another patient's."""
    services, session, path = opened.services, opened.services.session, tmp_path / "of-jane.csv"
    other = replace(STUDY, uid="1.2.826.0.1.27", series=(replace(SERIES, uid="1.2.826.0.1.29"),))
    session.studies = (STUDY, other)
    comes = [False, True]

    def asked(*_: object, **__: object) -> tuple[str, str]:
        if comes.pop(0):
            study.present(session, other.series[0], ramp())
        return str(path), "(*.csv)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", asked)
    assert opened.window.dialogs.save_path("Save measurements", "m.csv", ("Table (*.csv)",)) == path
    assert opened.window.dialogs.save_path("Save measurements", "m.csv", ("Table (*.csv)",)) is None
    assert session.message is not None
    assert "Another series was opened while you were asked" in session.message.text
    assert services.session.study == other
