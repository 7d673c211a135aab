"""Brings the keys of the user to menus and tool tips."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from app_model.types import Action, KeyBinding
from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QAction, QKeySequence

from medviewer.app.actions import keys_of
from medviewer.app.shortcuts import Shortcuts


class Keyboard:
    """Gives each action of a window its key: the one that it comes with, or the one that its user chose.

    Parameters
    ----------
    shortcuts
        Who has which key.
    """

    def __init__(self, shortcuts: Shortcuts) -> None:
        self.shortcuts = shortcuts
        self._tips: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    def note(self, actions: Iterable[Action[..., Any]]) -> None:
        """Note which key and which tool tip these actions come with."""
        for action in actions:
            self._defaults[action.id] = keys_of(action)
            self._tips[action.id] = action.tooltip or action.title

    def apply(self, commands: Mapping[str, QAction]) -> None:
        """Give every action of the window the key that it has now."""
        for name, action in commands.items():
            key = self.shortcuts.key_of(name)
            action.setShortcuts(sequences(key))
            action.setToolTip(f"{self._tips.get(name, action.text())} ({key})" if key else self._tips.get(name, ""))

    def offer(self, commands: Mapping[str, QAction]) -> None:
        """Say which actions there are now; whoever listens to the shortcuts applies them."""
        self.shortcuts.offer({name: self._defaults.get(name, "") for name in commands})


_MODIFIERS = {
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}
_NAMED = {name: Qt.Key[f"Key_{name}"] for name in ("Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown")}
_NAMED |= {name: Qt.Key[f"Key_{name}"] for name in ("Tab", "Enter", "Escape", "Delete", "Backspace", "Space")}
_NAMED |= {f"F{number}": Qt.Key[f"Key_F{number}"] for number in range(1, 13)}


def sequences(key: str) -> list[QKeySequence]:
    """What Qt listens to for a key: for Enter both of them, the keypad's and the large one."""
    if not key:
        return []
    made = [_sequence(key)]
    if key.rpartition("+")[2] == "Enter":
        made.append(QKeySequence(f"{key.removesuffix('Enter')}Return"))
    return made


def _sequence(key: str) -> QKeySequence:
    plain = _plain(key)
    if plain is not None:
        return QKeySequence(plain)
    from app_model.backends.qt import QKeyBindingSequence  # knows every key, but takes a quarter of a second to import

    return QKeyBindingSequence(KeyBinding.from_str(key))


def _plain(key: str) -> QKeyCombination | None:
    """A key that Qt calls as we do; None for a rare one, and on a Mac, where Ctrl is not what Qt calls so."""
    *modifiers, last = key.split("+")
    letter = Qt.Key(ord(last)) if len(last) == 1 and last.isascii() and not last.islower() else None
    found = _NAMED.get(last, letter)
    if found is None or sys.platform == "darwin" or not set(modifiers) <= set(_MODIFIERS):
        return None
    held = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        held |= _MODIFIERS[modifier]
    return QKeyCombination(held, found)
