"""The menu bar, made of the actions, and what of it can be done now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app_model.expressions import Expr
from app_model.types import Action
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QMenu, QMenuBar

from medviewer.app import actions, context
from medviewer.app.hanging.companions import looked_at
from medviewer.app.mask_store import MaskStore
from medviewer.app.pointing import of_layouts, rule_of
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.presets import by_key
from medviewer.app.services import Services
from medviewer.app.shortcuts import Shortcuts
from medviewer.domain.image import Window
from medviewer.ui.keyboard import Keyboard
from medviewer.ui.translate import tr
from medviewer.ui.widgets.palette import Entry, entries_of

Made = Action[..., Any]


class Menus(QObject):
    """Every action of a window, by its id, and its menus; enabled and checked as the session has it.

    The menus are made of the actions here and not by app-model's own Qt half, which brings qtpy and superqt, and looks
    at every rule of every action again and again: a third of a second of each start.

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
        self.keyboard = Keyboard(Shortcuts(services.archive.home))
        self.commands: dict[str, QAction] = {}
        self._actions: dict[str, Made] = {}
        self._reasons: dict[str, str] = {}
        self._inserted: dict[str, QMenu] = {}
        self._pending = False
        self._context: object = None
        self.bar = QMenuBar(window)
        self._menus: dict[str, QMenu] = {}
        for name, title in actions.MENUS.items():
            self._menus[name] = QMenu(tr(title), self.bar)
            self.bar.addMenu(self._menus[name])
        for name, (parent, title, _) in actions.SUBMENUS.items():
            self._menus[name] = QMenu(tr(title), self._menus[parent])
        for name, menu in self._menus.items():
            menu.setObjectName(name)
        made = actions.build(services, dialogs, shell)
        self.layouts = of_layouts(made)
        """Ids of the actions that lay out the viewports."""
        self._take(made)
        for name in self._menus:
            self._fill(name)
        self._sort()
        window.setMenuBar(self.bar)

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
        self._inserted[before] = menu
        self._menus[_place(self._actions[before])].insertMenu(self.commands[before], menu)

    def reason(self, name: str) -> str:
        """Why a command is not possible while it is not."""
        return self._reasons.get(name, "not now")

    # -- the palette and the sheets of keys

    def placed(self) -> dict[str, tuple[str, QAction]]:
        """Every action with the id of its menu, in the order of the menu bar."""
        return {name: (_place(self._actions[name]), action) for name, action in self.commands.items()}

    def keys_in(self, menu: str) -> list[tuple[str, str]]:
        """The key, empty for none, and the title of every action of a menu."""
        key_of = self.keyboard.shortcuts.key_of
        there = [action for action in self._actions.values() if _place(action) == menu]
        return [(key_of(action.id), action.title.replace("&", "").rstrip("…")) for action in there]

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
        holds = _judge(keys[0])
        for name, action in self._actions.items():
            shown, checked = self.commands[name], rule_of(action)
            shown.setEnabled(holds(action.enablement))
            if checked is not None:
                shown.setChecked(holds(checked))
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

    def _follow_mask(self, store: MaskStore | None) -> None:
        if store is not None:
            store.edited.connect(self._request)

    # -- actions to menus

    def _take(self, made: Iterable[Made]) -> list[QAction]:
        """Make Qt's actions of these."""
        given = [_translated(one) for one in made]
        told: dict[int, str] = {}  # many actions have one rule
        self.keyboard.note(given)
        for action in given:
            self._actions[action.id] = action
            rule = action.enablement
            if id(rule) not in told:
                told[id(rule)] = context.REASONS.get(str(rule or ""), "not now")
            self._reasons[action.id] = told[id(rule)]
            self.commands[action.id] = _action(action, self)
        return [self.commands[action.id] for action in given]

    def _fill(self, name: str) -> None:
        """Write a menu anew, its groups parted by lines; menus within it come first in theirs."""
        menu = self._menus[name]
        for former in menu.actions():
            menu.removeAction(former)
            if former.isSeparator():
                former.deleteLater()
        groups: dict[str, list[str]] = {}
        for submenu, (parent, _, group) in actions.SUBMENUS.items():
            if parent == name:
                groups.setdefault(group, []).append(submenu)
        for action in sorted((one for one in self._actions.values() if _place(one) == name), key=_order):
            groups.setdefault(_rule(action).group or "", []).append(action.id)
        for number, group in enumerate(sorted(groups)):
            if number:
                menu.addSeparator()
            for one in groups[group]:
                if one in self._inserted:
                    menu.addMenu(self._inserted[one])
                if one in self.commands:
                    menu.addAction(self.commands[one])
                else:
                    menu.addMenu(self._menus[one])

    def _sort(self) -> None:
        """Have the commands in the order of the menu bar; whoever has them keeps them, as the list of studies."""
        menus = [one for name in actions.MENUS for one in (name, *_within(name))]
        there = [action.objectName() for name in menus for action in self._menus[name].actions()]
        ordered = {name: self.commands[name] for name in there if name in self.commands}
        self.commands.clear()
        self.commands.update(ordered)

    def _follow_plugins(self, *_: object) -> None:
        """A plugin came, went or was switched: the menus offer what there is."""
        former = [name for name in self._actions if actions.is_of_plugin(name)]
        touched = {_place(self._actions[name]) for name in former}
        for name in former:
            self.commands[name].deleteLater()
            del self._actions[name], self.commands[name], self._reasons[name]
        for made in self._take(actions.of_plugins(self._services, self._dialogs, self._shell)):
            made.triggered.connect(self._after_action)
            touched.add(_place(self._actions[made.objectName()]))
        for name in touched:
            self._fill(name)
        self._sort()
        self.keyboard.offer(self.commands)
        self._context = None
        self.update()


def _action(made: Made, parent: QObject) -> QAction:
    """Qt's action for one of ours; it gets its key and its tool tip from the keyboard."""
    action = QAction(made.title, parent)
    action.setObjectName(made.id)
    action.setStatusTip(made.status_tip or "")
    action.setIconVisibleInMenu(True)
    action.setCheckable(made.toggled is not None)
    do = made.callback
    action.triggered.connect(lambda *_: do())  # type: ignore[operator]  # ours are functions, never names of one
    return action


def _translated(action: Made) -> Made:
    """An action as the window shows it."""
    told = {"title": tr(action.title), "tooltip": tr(action.tooltip or ""), "status_tip": tr(action.status_tip or "")}
    return action.model_copy(update=told)


def _rule(action: Made) -> Any:
    """Where an action stands; each has one menu."""
    assert action.menus
    return action.menus[0]


def _place(action: Made) -> str:
    return str(_rule(action).id)


def _within(menu: str) -> list[str]:
    """Ids of the menus within a menu."""
    return [name for name, (parent, _, _) in actions.SUBMENUS.items() if parent == menu]


def _order(action: Made) -> float:
    return float(_rule(action).order or 0)


def _judge(keys: dict[str, object]) -> Callable[[Expr[Any] | None], bool]:
    """Tells whether a rule holds; a rule that many actions have is evaluated once."""
    known: dict[int, bool] = {}

    def holds(rule: Expr[Any] | None) -> bool:
        if rule is None:
            return True
        if id(rule) not in known:
            known[id(rule)] = bool(rule.eval(keys))
        return known[id(rule)]

    return holds
