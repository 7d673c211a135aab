"""The click tool on the viewports: a click, a box, what is drawn, and the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import interactive, view
from medviewer.plugin_api import Prompt
from medviewer.ui.main import Program
from tests.inference.click_plugins import write_click_plugin

from .conftest import GRID


@pytest.fixture
def asked(opened: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Prompt]:
    """What the viewports ask for, with a plugin that would answer."""
    services = opened.services
    services.plugins = [write_click_plugin(tmp_path, "clicks")]
    prompts: list[Prompt] = []

    def keep(_: Any, prompt: Prompt) -> None:
        prompts.append(prompt)
        services.session.clicks = tuple(prompts)

    monkeypatch.setattr(interactive, "get_ready", lambda _: None)
    monkeypatch.setattr(interactive, "point_at", keep)
    view.choose_tool(services, "click")
    view.move_cursor(services, (10, 15, 20))
    _settle(opened)
    return prompts


def _settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def _place(program: Program, number: int, index: tuple[float, float, float]) -> QPoint:
    plane = program.window.grid.plane(number)
    assert plane is not None
    return program.window.grid.slices[number].to_pixel(*plane.to_screen(index)).toPoint()


def test_a_click_asks_for_the_voxel_under_it(opened: Program, asked: list[Prompt]) -> None:
    wanted = (10.0, 15.0, 20.0)
    for number, slice_view in enumerate(opened.window.grid.slices):
        for held in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier):
            asked.clear()
            place = _place(opened, number, wanted)
            QTest.mouseClick(slice_view.canvas.native, Qt.MouseButton.LeftButton, held, place)
            assert [prompt.kind for prompt in asked] == ["point"]
            assert asked[0].positive == (held == Qt.KeyboardModifier.NoModifier)
            assert GRID.clamp(asked[0].at[0]) == wanted
            _settle(opened)
            assert [mark.positive for mark in slice_view.overlay.state.marks] == [asked[0].positive]
    view.move_cursor(opened.services, (13, 18, 23))
    _settle(opened)
    assert not any(slice_view.overlay.state.marks for slice_view in opened.window.grid.slices)


def test_a_drag_asks_for_a_box_and_shows_it_while_it_is_drawn(opened: Program, asked: list[Prompt]) -> None:
    slice_view = opened.window.grid.slices[0]
    native, first, last = slice_view.canvas.native, (10.0, 8.0, 10.0), (10.0, 20.0, 30.0)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, _place(opened, 0, first))
    QTest.mouseMove(native, _place(opened, 0, last))
    _settle(opened)
    assert [len(mark.at) for mark in slice_view.overlay.state.marks] == [2]
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, _place(opened, 0, last))
    assert [prompt.kind for prompt in asked] == ["box"]
    assert [GRID.clamp(corner) for corner in asked[0].at] == [first, last]


def test_a_plugin_without_boxes_takes_a_drag_for_a_click(opened: Program, asked: list[Prompt], tmp_path: Path) -> None:
    opened.services.plugins = [write_click_plugin(tmp_path, "points", prompts=["point"])]
    native = opened.window.grid.slices[0].canvas.native
    QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, _place(opened, 0, (10, 8, 10)))
    QTest.mouseMove(native, _place(opened, 0, (10, 20, 30)))
    QTest.mouseRelease(
        native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, _place(opened, 0, (10, 20, 30))
    )
    assert [prompt.kind for prompt in asked] == ["point"]
    assert GRID.clamp(asked[0].at[0]) == (10, 8, 10)


def test_the_right_button_still_sets_the_window_and_a_click_beside_the_picture_is_none(
    opened: Program, asked: list[Prompt]
) -> None:
    native, before = opened.window.grid.slices[0].canvas.native, opened.services.session.view.window
    QTest.mousePress(native, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, QPoint(60, 60))
    QTest.mouseMove(native, QPoint(90, 80))
    QTest.mouseRelease(native, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, QPoint(90, 80))
    assert opened.services.session.view.window != before
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(1, 1))
    assert asked == []


def test_escape_is_done_with_the_clicks(opened: Program, asked: list[Prompt], qtbot: QtBot) -> None:
    command = opened.window.commands["segment.clear_clicks"]
    assert not command.isEnabled()
    opened.services.session.clicks = (Prompt("point", ((10.0, 15.0, 20.0),)),)
    qtbot.waitUntil(command.isEnabled)
    assert command.shortcut().toString() == "Esc"
    command.trigger()
    assert opened.services.session.clicks == ()
