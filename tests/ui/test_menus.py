"""The menus and keys that the window makes of its actions, beside what app-model's own Qt half would make of them."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import create_autospec

import pytest
from app_model import Application
from app_model.backends.qt import QKeyBindingSequence
from app_model.types import KeyBinding, KeyCode, MenuItem
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QLabel, QMenu
from pytestqt.qtbot import QtBot

from medviewer.app import actions, context
from medviewer.app.pointing import rule_of
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.shortcuts import Shortcuts
from medviewer.ui.keyboard import sequences
from medviewer.ui.main import Program
from medviewer.ui.widgets.elided import ElidedLabel


@pytest.fixture
def registry() -> Iterator[Application]:
    made = Application("test-of-menus")
    yield made
    Application.destroy(made.name)


def groups(program: Program, menu: str) -> list[list[str]]:
    """Ids of the commands and menus of a menu, parted by its lines; those that the window inserts are left out."""
    found: list[list[str]] = [[]]
    for action in _menu(program, menu):
        inner = action.menu().objectName() if action.menu() is not None else action.objectName()
        if action.isSeparator():
            found.append([])
        elif inner in program.window.commands or inner in actions.SUBMENUS:
            found[-1].append(inner)
    return found


def _menu(program: Program, name: str) -> list[QAction]:
    [found] = program.window.menus.bar.findChildren(QMenu, name)
    return found.actions()


def test_menus_have_the_order_and_lines_of_app_model(program: Program, registry: Application) -> None:
    built = actions.build(program.services, create_autospec(Dialogs), create_autospec(Shell))
    registry.register_actions([action.model_copy(update={"keybindings": None}) for action in built])
    registry.menus.append_menu_items(actions.submenus(str))
    for name in (*actions.MENUS, *actions.SUBMENUS):
        wanted = [
            [item.command.id if isinstance(item, MenuItem) else item.submenu for item in group]
            for group in registry.menus.iter_menu_groups(name)
        ]
        assert groups(program, name) == wanted, name
    of_menus = {name: [one for group in groups(program, name) for one in group] for name in actions.titles()}
    within = {name: [one for one in of_menus[name] if one in actions.SUBMENUS] for name in actions.MENUS}
    every = [one for name in actions.MENUS for menu in (name, *within[name]) for one in of_menus[menu]]
    assert list(program.window.commands) == [one for one in every if one not in actions.SUBMENUS]


def test_enablement_is_what_the_rules_say(opened: Program) -> None:
    opened.window.menus.look_again()
    opened.window.update_context()
    keys = context.current(opened.services.session)
    for action in actions.build(opened.services, create_autospec(Dialogs), create_autospec(Shell)):
        possible = action.enablement is None or bool(action.enablement.eval(keys))
        shown = opened.window.commands[action.id]
        assert shown.isEnabled() == possible, action.id
        assert shown.isCheckable() == (action.toggled is not None), action.id
        checked = rule_of(action)
        if checked is not None:
            assert shown.isChecked() == bool(checked.eval(keys)), action.id


def test_a_menu_of_menus_stays_in_its_place_when_plugins_change(program: Program) -> None:
    before = {name: [one.text() for one in _menu(program, name)] for name in actions.MENUS}
    program.services.refresh()
    assert {name: [one.text() for one in _menu(program, name)] for name in actions.MENUS} == before


@pytest.mark.parametrize("modifiers", ["", "Ctrl+", "Shift+", "Ctrl+Shift+", "Alt+", "Ctrl+Alt+"])
def test_every_key_is_the_one_that_app_model_calls_so(qtbot: QtBot, modifiers: str) -> None:
    # keys of the number pad are not compared: app-model itself fails with them
    names = [f"{modifiers}{code}" for code in KeyCode if not str(code).lower().startswith("numpad")]
    keys = [name for name in names if Shortcuts.is_usable(name)]
    assert len(keys) > 70
    for key in keys:
        assert sequences(key)[0] == QKeyBindingSequence(KeyBinding.from_str(key)), key


def test_enter_is_both_of_them(qtbot: QtBot) -> None:
    assert sequences("Ctrl+Enter") == [QKeySequence("Ctrl+Enter"), QKeySequence("Ctrl+Return")]
    assert sequences("") == []


def test_a_line_without_room_ends_in_an_ellipsis(qtbot: QtBot) -> None:
    made = ElidedLabel("Brain extraction by a network with a long name")
    qtbot.addWidget(made)
    made.resize(400, 20)
    made.show()
    qtbot.waitUntil(lambda: made.width() == 400)
    assert made.text() == "Brain extraction by a network with a long name"
    made.resize(80, 20)
    qtbot.waitUntil(lambda: QLabel.text(made).endswith("…"))
    assert made.text() == "Brain extraction by a network with a long name"
    assert made.minimumSizeHint().width() < 30
