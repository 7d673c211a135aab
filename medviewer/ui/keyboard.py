"""Brings the keys of the user to menus, tool tips and the sheet of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app_model import Application
from app_model.backends.qt import QKeyBindingSequence
from app_model.types import Action, KeyBinding, KeyBindingRule
from PySide6.QtGui import QAction, QKeySequence

from medviewer.app.actions import keys_of
from medviewer.app.shortcuts import Shortcuts


class Keyboard:
    """Gives each action of a window its key, and tells the registry of keys.

    app-model would bind the keys that actions come with; the user's differ, so actions are registered without theirs
    (`without_keys`) and bound here.

    Parameters
    ----------
    model
        The registry.
    shortcuts
        Who has which key.
    """

    def __init__(self, model: Application, shortcuts: Shortcuts) -> None:
        self.shortcuts = shortcuts
        self._model = model
        self._bound: dict[str, tuple[str, Callable[[], None]]] = {}
        self._tips: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    def without_keys(self, actions: Iterable[Action[..., Any]]) -> list[Action[..., Any]]:
        """The same actions without keys, which are noted."""
        given = list(actions)
        for action in given:
            self._defaults[action.id] = keys_of(action)
            self._tips[action.id] = action.tooltip or action.title
        return [action.model_copy(update={"keybindings": None}) for action in given]

    def apply(self, commands: Mapping[str, QAction]) -> None:
        """Give every action of the window the key that it has now."""
        for name in [name for name in self._bound if name not in commands]:
            self._bound.pop(name)[1]()
        for name, action in commands.items():
            key = self.shortcuts.key_of(name)
            self._bind(name, key)
            action.setShortcuts(sequences(key))
            action.setToolTip(f"{self._tips.get(name, action.text())} ({key})" if key else self._tips.get(name, ""))

    def offer(self, commands: Mapping[str, QAction]) -> None:
        """Say which actions there are now; whoever listens to the shortcuts applies them."""
        self.shortcuts.offer({name: self._defaults.get(name, "") for name in commands})

    def _bind(self, name: str, key: str) -> None:
        if name in self._bound:
            if self._bound[name][0] == key:
                return
            self._bound.pop(name)[1]()
        if key:
            undo = self._model.keybindings.register_keybinding_rule(name, KeyBindingRule(primary=key))
            if undo is not None:
                self._bound[name] = (key, undo)


def sequences(key: str) -> list[QKeySequence]:
    """What Qt listens to for a key: for Enter both of them, the keypad's and the large one."""
    if not key:
        return []
    made: list[QKeySequence] = [QKeyBindingSequence(KeyBinding.from_str(key))]
    if key.rpartition("+")[2] == "Enter":
        made.append(QKeySequence(f"{key.removesuffix('Enter')}Return"))
    return made
