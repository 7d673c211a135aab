"""Edit > Shortcuts: every command with its key, to be changed."""

from __future__ import annotations

from dataclasses import dataclass

from app_model.backends.qt import QModelKeyBindingEdit
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from medviewer.app.fuzzy import score
from medviewer.app.services import Services
from medviewer.app.shortcuts import Shortcuts
from medviewer.ui.dialogs import Sheet
from medviewer.ui.icons import icon
from medviewer.ui.keyboard import sequences
from medviewer.ui.theme import colour
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, explain, label, push, set_role

_ID = Qt.ItemDataRole.UserRole
_ROW = 22


@dataclass(frozen=True)
class Named:
    """A command as the dialog lists it: its id, what it is called, the menu it stands in, and what it does."""

    id: str
    title: str
    menu: str
    tip: str = ""


class ShortcutsDialog(Sheet):
    """The list of commands and, below it, the key of the chosen one.

    Parameters
    ----------
    services
        Tells what could not be kept.
    shortcuts
        Who has which key; what is changed here holds at once.
    commands
        Every command, in the order of the menus.
    """

    def __init__(self, services: Services, shortcuts: Shortcuts, commands: list[Named], parent: QWidget) -> None:
        super().__init__("Shortcuts", parent, (640, 680))
        self._services = services
        self.shortcuts = shortcuts
        self._commands = {command.id: command for command in commands}
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find a command or a key"))
        self.field.setClearButtonEnabled(True)
        self.field.addAction(icon("search", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        explain(self.field, "Some letters of a command's name, or a key", "Find a command")
        self.tree = self._make_tree()
        self._make_editor()
        self.body.addWidget(self.field)
        self.body.addWidget(self.tree, 1)
        self.body.addLayout(self._lay_out_editor())
        self.field.textChanged.connect(self._find)
        self.tree.currentItemChanged.connect(lambda *_: self._show_chosen())
        self.keys.keySequenceChanged.connect(lambda *_: self._judge())
        self._links = Links(self)
        self._links.add(shortcuts.changed, self._refresh)
        self._refresh()
        self._find("")
        self.finish()
        self.field.setFocus()

    @property
    def chosen(self) -> str:
        """The id of the command whose key is shown; empty for none."""
        item = self.tree.currentItem()
        return (item.data(0, _ID) or "") if item is not None else ""

    def choose(self, name: str) -> None:
        """Show the key of a command."""
        self.tree.setCurrentItem(self._items[name])

    # -- parts

    def _make_tree(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setHeaderLabels([tr("Command"), tr("Key"), ""])
        made.setIndentation(12)
        made.setUniformRowHeights(True)
        made.setAccessibleName(tr("Commands"))
        header = made.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._menus: dict[str, QTreeWidgetItem] = {}
        for command in self._commands.values():
            if command.menu not in self._menus:
                menu = self._menus[command.menu] = QTreeWidgetItem([command.menu])
                menu.setFlags(Qt.ItemFlag.ItemIsEnabled)
                menu.setForeground(0, colour("quiet"))
                made.addTopLevelItem(menu)
            item = QTreeWidgetItem([command.title])
            item.setData(0, _ID, command.id)
            item.setToolTip(0, command.tip)
            item.setSizeHint(0, QSize(0, _ROW))
            item.setForeground(1, colour("accent"))
            item.setForeground(2, colour("quiet"))
            self._menus[command.menu].addChild(item)
            self._items[command.id] = item
        made.expandAll()
        return made

    def _make_editor(self) -> None:
        self.title = label(role="title")
        self.keys = QModelKeyBindingEdit()
        self.keys.setMaximumSequenceLength(1)
        self.keys.setClearButtonEnabled(True)
        explain(self.keys, "Click here and press the new key", "New key")
        self.assign_button = push("Assign", "Give the command this key", self._assign, primary=True)
        self.none_button = push("No key", "Take the command's key away", self._take_away)
        self.reset_button = push("Reset", "Give the command the key that it came with", self._reset)
        self.all_button = push("Reset all", "Give every command the key that it came with", self._reset_all, "undo")
        self.note = label(role="quiet", wrap=True)

    def _lay_out_editor(self) -> QVBoxLayout:
        box = QVBoxLayout()
        box.setSpacing(GAP)
        box.addWidget(self.title)
        row = QHBoxLayout()
        row.addWidget(self.keys, 1)
        for button in (self.assign_button, self.none_button, self.reset_button):
            row.addWidget(button)
        row.addSpacing(16)
        row.addWidget(self.all_button)
        box.addLayout(row)
        self.note.setMinimumHeight(2 * self.note.fontMetrics().lineSpacing())  # nothing moves when there is something
        box.addWidget(self.note)
        return box

    # -- what is shown

    def _refresh(self) -> None:
        for name, item in self._items.items():
            item.setText(1, self.shortcuts.key_of(name))
            came_with = self.shortcuts.default_of(name) or "none"
            item.setText(2, tr(f"was {came_with}") if self.shortcuts.is_changed(name) else "")
        self.all_button.setEnabled(any(self.shortcuts.is_changed(name) for name in self._items))
        self._show_chosen()

    def _show_chosen(self) -> None:
        name = self.chosen
        command = self._commands.get(name)
        for part in (self.keys, self.assign_button):
            part.setEnabled(command is not None)
        self.none_button.setEnabled(bool(name and self.shortcuts.key_of(name)))
        self.reset_button.setEnabled(bool(name and self.shortcuts.is_changed(name)))
        self.title.setText(f"{command.menu} > {command.title}" if command else tr("Choose a command to change its key"))
        key = self.shortcuts.key_of(name) if command else ""
        self.keys.setKeySequence(sequences(key)[0] if key else QKeySequence())
        self._judge()

    def _find(self, query: str) -> None:
        words = query.strip()
        for name, item in self._items.items():
            command = self._commands[name]
            key = self.shortcuts.key_of(name)
            same_key = bool(words) and words.lower() == key.lower()
            item.setHidden(bool(words) and not same_key and not score(words, f"{command.menu} {command.title}"))
        for menu in self._menus.values():
            below = (menu.child(row) for row in range(menu.childCount()))
            menu.setHidden(all(item is None or item.isHidden() for item in below))

    # -- from the user

    def _wanted(self) -> str:
        """The key that was typed, empty for none; where app-model does not know it, as Qt calls it."""
        binding = self.keys.keyBinding()
        return "" if binding is None else str(binding).strip() or self.keys.keySequence().toString()

    def _judge(self) -> None:
        """Say what the typed key would do, and name the button for it."""
        name, key = self.chosen, self._wanted()
        other = self.shortcuts.holder(key, name) if name and key else ""
        known = self.shortcuts.is_usable(key)
        self.assign_button.setText(tr("Take it" if other else "Assign"))
        self.assign_button.setEnabled(bool(name and key and known and key != self.shortcuts.key_of(name)))
        if key and not known:
            text = "This key cannot be used; choose another, or one with Ctrl, Shift or Alt."
        elif other:
            text = f"{key} belongs to {self._called(other)}, which will have no key: take it, or press another key."
        else:
            text = ""
        set_role(self.note, "warning" if text else "quiet")
        self.note.setText(tr(text))

    def _called(self, name: str) -> str:
        command = self._commands.get(name)
        return f"{command.menu} > {command.title}" if command else name

    def _assign(self) -> None:
        """Give the command the key: the button named it as taken where it belongs to another one."""
        name, key = self.chosen, self._wanted()
        self._services.attempt(lambda: self.shortcuts.assign(name, key, take=True))

    def _take_away(self) -> None:
        name = self.chosen
        self._services.attempt(lambda: self.shortcuts.assign(name, ""))

    def _reset(self) -> None:
        """Give the command its own key again; where another one has it, ask as for any key."""
        name = self.chosen
        key = self.shortcuts.default_of(name)
        if self.shortcuts.holder(key, name):
            self.keys.setKeySequence(sequences(key)[0])
            self._judge()
        else:
            self._services.attempt(lambda: self.shortcuts.reset(name))

    def _reset_all(self) -> None:
        self._services.attempt(self.shortcuts.reset_all)
