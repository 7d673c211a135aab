"""The tool bar in the real window: all of it is seen in a small window, and its lists follow what is chosen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from medviewer.app import modes
from medviewer.ui.main import Program
from medviewer.ui.tool_bar import ICONS


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


@pytest.mark.parametrize("mode", modes.MODES)
def test_a_window_of_1280_pixels_shows_every_tool(opened: Program, qtbot: QtBot, mode: str) -> None:
    window, bar = opened.window, opened.window.tools
    window.resize(1280, 800)
    window.commands[f"mode.{mode}"].trigger()
    qtbot.waitUntil(lambda: window.width() == 1280)
    settle(opened)
    assert bar.more is not None
    assert not bar.more.isVisible(), "nothing is behind the arrow"
    assert bar.sizeHint().width() <= bar.width(), (bar.sizeHint().width(), bar.width())
    field = bar.slab_box.thickness
    assert field.isVisible()
    assert field.mapTo(window, QPoint(field.width(), 0)).x() <= window.width()
    needed = [name for name in ("tool.turn", "tool.length", "key.mark", "view.fit") if modes.offers(mode, name)]
    for name in needed:
        button = bar.widgetForAction(window.commands[name])
        assert isinstance(button, QToolButton)
        assert button.isVisible(), name


def test_every_action_of_the_bar_has_a_place_of_its_own(program: Program) -> None:
    bar = program.window.tools
    listed = [action.objectName() for drop in bar.drops.values() for action in drop.offered]
    alone = [name for name in ICONS if bar.widgetForAction(program.window.commands[name]) is not None]
    assert len({*listed, *alone}) == len(listed) + len(alone), "none is there twice"
    assert {name for name in ICONS if modes.offers("read", name)} == {*listed, *alone}
    program.window.commands["mode.review"].trigger()
    assert not bar.drops["Regions"].isVisible()
    assert bar.drops["Regions"].window() is program.window


def test_a_list_of_the_bar_stands_for_what_was_chosen_last(opened: Program) -> None:
    window, state = opened.window, opened.services.session.view
    regions = window.tools.drops["Regions"]
    assert regions.defaultAction() is window.commands["tool.ellipse"]
    window.commands["tool.freehand"].trigger()
    settle(opened)
    assert state.tool == "freehand"
    assert regions.defaultAction() is window.commands["tool.freehand"]
    window.commands["tool.pan"].trigger()
    settle(opened)
    assert regions.defaultAction() is window.commands["tool.freehand"], "until another of them is chosen"
    QTest.mouseClick(regions, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert state.tool == "freehand"
    next(action for action in regions.list.actions() if action.objectName() == "tool.sphere").trigger()
    settle(opened)
    assert state.tool == "sphere"
    assert regions.defaultAction() is window.commands["tool.sphere"]
    layouts = window.tools.drops["Layout of the viewports"]
    assert layouts.defaultAction() is window.commands["view.mpr"]
    window.commands["view.compare"].trigger()
    settle(opened)
    assert layouts.defaultAction() is window.commands["view.compare"]


def test_a_list_is_never_closed_by_an_action_that_is_not_possible(program: Program) -> None:
    layouts = program.window.tools.drops["Layout of the viewports"]
    first, second = layouts.offered[:2]
    layouts.setDefaultAction(first)
    first.setEnabled(False)
    second.setEnabled(True)
    assert layouts.defaultAction() is second
    assert layouts.isEnabled()
