"""The menu bar, made of the actions, and what of it can be done now."""

from __future__ import annotations

from itertools import count
from typing import Any

from app_model import Application
from app_model.backends.qt import QModelMenu, QModelMenuBar
from app_model.types import Action
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QMenu

from medviewer.app import actions, context
from medviewer.app.hanging.companions import looked_at
from medviewer.app.mask_store import MaskStore
from medviewer.app.pointing import of_layouts
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.presets import by_key
from medviewer.app.services import Services
from medviewer.app.shortcuts import Shortcuts
from medviewer.domain.image import Window
from medviewer.ui.keyboard import Keyboard
from medviewer.ui.translate import tr
from medviewer.ui.widgets.palette import Entry, entries_of

_names = count()


class Menus(QObject):
    """Every action of a window, by its id, and its menus; enabled and checked as the session has it.

    Parameters
    ----------
    services, dialogs, shell
        What the actions work on.
    window
        Whose menu bar it is.
    """

    def __init__(self, services: Services, dialogs: Dialogs, shell: Shell, window: QMainWindow) -> None:
        super().__init__(window)
        self._services, self._dialogs, self._shell = services, dialogs, shell
        self.model = Application(f"medviewer-{next(_names)}")
        self.keyboard = Keyboard(self.model, Shortcuts(services.archive.home))
        self._reasons: dict[str, str] = {}
        self._register()
        self.bar = QModelMenuBar({name: tr(title) for name, title in actions.MENUS.items()}, self.model, window)
        window.setMenuBar(self.bar)
        self.commands: dict[str, QAction] = _by_id(self.bar)
        self._pending = False
        self._context: object = None

    def _register(self) -> None:
        made = [_translated(one) for one in actions.build(self._services, self._dialogs, self._shell)]
        self._reasons = {action.id: context.REASONS.get(str(action.enablement or ""), "not now") for action in made}
        self.layouts = of_layouts(made)
        """Ids of the actions that lay out the viewports."""
        lasting = [action for action in made if not actions.is_of_plugin(action.id)]
        plugins = [action for action in made if actions.is_of_plugin(action.id)]
        self.model.register_actions(self.keyboard.without_keys(lasting))
        self._forget_plugins = self.model.register_actions(self.keyboard.without_keys(plugins))
        self.model.menus.append_menu_items(actions.submenus(tr))

    def follow(self) -> None:
        """From now on be as the session has it."""
        session = self._services.session
        for action in self.commands.values():
            action.triggered.connect(self._after_action)
        for signals in (session.events, session.view.events):
            signals.connect(self._request)
        session.events.plugins_revision.connect(self._follow_plugins)
        session.events.mask.connect(self._follow_mask)

    def insert(self, menu: QMenu, before: str) -> None:
        """Put a menu of menus before a command."""
        for parent in self.bar.findChildren(QModelMenu):
            if self.commands[before] in parent.actions():
                parent.insertMenu(self.commands[before], menu)

    def reason(self, name: str) -> str:
        """Why a command is not possible while it is not."""
        return self._reasons.get(name, "not now")

    # -- the palette and the sheet of shortcuts

    def placed(self) -> dict[str, tuple[str, QAction]]:
        """Every action with the id of its menu, in the order of the menu bar."""
        return {
            action.objectName(): (menu.objectName(), action)
            for menu in self.bar.findChildren(QModelMenu)
            for action in menu.actions()
            if action.objectName() in self.commands
        }

    def entries(self) -> list[Entry]:
        """What the palette offers: every command but itself, and why one cannot be chosen now."""
        found = entries_of(
            actions.titles(tr),
            self.placed(),
            lambda name: tr(self.reason(name)),
        )
        return [entry for entry in found if entry.id != "edit.palette"]

    # -- enablement

    def update(self) -> None:
        """Enable and check every action as the session has it now."""
        self._pending = False
        session = self._services.session
        image = looked_at(session)
        keys = (context.current(session), image, session.own_windows)
        if keys == self._context:
            return  # as with every step of the crosshair
        self._context = keys
        self.bar.update_from_context(keys[0])
        self._name_windows(by_key(image, session.own_windows) if image is not None else {})

    def look_again(self) -> None:
        """Look at the session soon, also where it seems the same."""
        self._context = None
        self._request()

    def _name_windows(self, windows: dict[int, Window]) -> None:
        """Say what the keys 1 to 9 choose for the open image, and hide those that choose nothing."""
        for number in range(1, 10):
            action = self.commands[f"image.window_{number}"]
            action.setVisible(number in windows or not windows)
            if number in windows:
                action.setText(tr(f"Window: {windows[number].name}").replace("&", "&&"))

    def _after_action(self, *_: object) -> None:
        """Qt has switched the check mark of what was chosen, also where nothing changed: look again."""
        self.look_again()

    def _request(self, *_: object) -> None:
        if not self._pending:
            self._pending = True
            QTimer.singleShot(0, self, self.update)

    def _follow_plugins(self, *_: object) -> None:
        """A plugin came, went or was switched: the menus offer what there is."""
        self._forget_plugins()
        made = self.keyboard.without_keys(
            _translated(one) for one in actions.of_plugins(self._services, self._dialogs, self._shell)
        )
        self._reasons |= {action.id: context.REASONS.get(str(action.enablement or ""), "not now") for action in made}
        self._forget_plugins = self.model.register_actions(made)
        former = set(self.commands.values())
        now = _by_id(self.bar)
        self.commands.clear()  # the list of studies has the same
        self.commands.update(now)
        for action in now.values():
            if action not in former:
                action.triggered.connect(self._after_action)
        self.keyboard.offer(now)
        self._context = None
        self.update()

    def _follow_mask(self, store: MaskStore | None) -> None:
        if store is not None:
            store.edited.connect(self._request)


def _translated(action: Action[..., Any]) -> Action[..., Any]:
    """An action as the window shows it."""
    told = {"title": tr(action.title), "tooltip": tr(action.tooltip or ""), "status_tip": tr(action.status_tip or "")}
    return action.model_copy(update=told)


def _by_id(menus: QModelMenuBar) -> dict[str, QAction]:
    """Every action of the menu bar by its command id."""
    found: dict[str, QAction] = {}
    for menu in menus.findChildren(QModelMenu):
        found |= {action.objectName(): action for action in menu.actions() if action.objectName()}
    return found
