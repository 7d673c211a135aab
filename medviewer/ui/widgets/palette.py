"""The command palette: some letters, and any command of the menus is at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFocusEvent, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from medviewer.app.fuzzy import score
from medviewer.ui.icons import icon
from medviewer.ui.theme import colour
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain

_ROW, _ROWS, _WIDTH, _TOP = 26, 14, 620, 44
_PAGE = 10
_AROUND = 54
"""Height of the palette without the rows of its list, in px."""
_ENTRY = Qt.ItemDataRole.UserRole + 1
_STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -_PAGE, Qt.Key.Key_PageDown: _PAGE}
_DO = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass(frozen=True)
class Entry:
    """One command as the palette shows it.

    Parameters
    ----------
    id
        The action's id.
    title, menu
        What it is called, and the menu that it stands in.
    tip
        What it does, in a sentence.
    key
        Its shortcut, empty for none.
    reason
        Why it is not possible just now; empty where it is.
    checked
        Whether it is switched on.
    """

    id: str
    title: str
    menu: str
    tip: str = ""
    key: str = ""
    reason: str = ""
    checked: bool = False


def ranked(entries: Sequence[Entry], query: str, recent: Sequence[str]) -> list[Entry]:
    """The entries that match a query, those to be expected first.

    With nothing typed, what was chosen last comes first, then the order of the menus, and what is not possible last.
    Else those with the query in their name come first, then those that need the menu's name too, and then those of
    which only the sentence has it; in each of these what is possible, the best match, the last chosen, the shortest.
    """
    order = {name: place for place, name in enumerate(recent)}
    last = len(order)
    if not query.strip():
        return sorted(entries, key=lambda entry: (bool(entry.reason), order.get(entry.id, last)))
    found = [(_worth(entry, query), entry) for entry in entries]
    matching = [((tier, bool(one.reason), -worth), one) for (tier, worth), one in found if worth]
    matching.sort(key=lambda pair: (pair[0], order.get(pair[1].id, last), len(pair[1].title)))
    return [entry for _, entry in matching]


def _worth(entry: Entry, query: str) -> tuple[int, int]:
    """Where a match was found (0 in the name, 1 with the menu's, 2 in the sentence), and how good it is, 0 for none."""
    in_name = score(query, entry.title)
    if in_name:
        return 0, in_name
    with_menu = score(query, f"{entry.menu} {entry.title}")
    return (1, with_menu) if with_menu else (2, _said(entry, query))


def _said(entry: Entry, query: str) -> int:
    """Whether every word is in the entry's sentence as it was typed: single letters would find every one of them."""
    whole = f"{entry.menu} {entry.title} {entry.tip}".lower()
    return int(all(len(word) > 2 and word in whole for word in query.lower().split()))


class _Rows(QStyledItemDelegate):
    """Paints a command, its menu, and its key or why it is not possible."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Every row is as high as the others."""
        return QSize(0, _ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row."""
        entry: Entry = index.data(_ENTRY)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, colour("selection"))
        row = option.rect.adjusted(30, 0, -12, 0)
        if entry.checked:
            icon("approve", "accent").paint(painter, QRect(option.rect.left() + 8, option.rect.top() + 6, 14, 14))
        right = entry.reason or entry.key
        painter.setPen(colour("disabled" if entry.reason else "accent"))
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, right)
        row.setRight(row.right() - painter.fontMetrics().horizontalAdvance(right) - 16)
        painter.setPen(colour("disabled" if entry.reason else "text"))
        self._line(painter, row, entry.title)
        row.setLeft(row.left() + painter.fontMetrics().horizontalAdvance(entry.title) + 10)
        painter.setPen(colour("disabled" if entry.reason else "quiet"))
        self._line(painter, row, entry.menu)
        painter.restore()

    @staticmethod
    def _line(painter: QPainter, row: QRect, text: str) -> None:
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(row.width(), 0))
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, cut)


class Palette(QFrame):
    """A field and a list over the window: type, choose with the arrows, Enter does it, Escape closes.

    Parameters
    ----------
    window
        What it lies over; the keyboard goes back to what had it.
    """

    chosen = Signal(str)
    """The id of the command that was done."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("palette")
        self.setProperty("popup", True)
        self._window = window
        self._entries: list[Entry] = []
        self._recent: Sequence[str] = ()
        self._commands: Mapping[str, QAction] = {}
        self._before: QWidget | None = None
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Type a command"))
        self.field.addAction(icon("search", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        explain(self.field, "Some letters of a command's name, menu or purpose", "Command")
        self.list = QListView()
        self.list.setModel(QStandardItemModel(self))
        self.list.setItemDelegate(_Rows(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(tr("Commands"))
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 8, 8, 8)
        box.addWidget(self.field)
        box.addWidget(self.list)
        self.field.textChanged.connect(self._find)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._do)
        self.hide()

    @property
    def shown(self) -> list[Entry]:
        """The entries of the list, from above."""
        model = self.list.model()
        return [model.index(row, 0).data(_ENTRY) for row in range(model.rowCount())]

    def open(self, entries: Sequence[Entry], commands: Mapping[str, QAction], recent: Sequence[str]) -> None:
        """Show these commands; where it is open already, close it.

        Parameters
        ----------
        entries
            Every command, in the order of the menus.
        commands
            The action of each, by id.
        recent
            Ids of those that were chosen last, newest first.
        """
        if self.isVisible():
            self.leave()
            return
        self._entries, self._commands, self._recent = list(entries), commands, recent
        self._before = QApplication.focusWidget()
        self.field.clear()
        self._find("")
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def leave(self) -> None:
        """Close, and give the keyboard back."""
        before, self._before = self._before, None
        self.hide()
        if before is not None:
            before.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows choose, Enter does, Escape closes, whatever these keys do elsewhere; so does the loss of the focus."""
        if isinstance(event, QKeyEvent) and self._takes(event):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
            elif event.type() == QEvent.Type.KeyPress:
                self._press(Qt.Key(event.key()))
            return True
        if isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut and self._abandoned(event):
            self._before = None  # the keyboard is where the user put it
            self.hide()
        return super().eventFilter(watched, event)

    def _takes(self, event: QKeyEvent) -> bool:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        return plain and event.key() in (*_STEPS, *_DO, Qt.Key.Key_Escape, Qt.Key.Key_Tab)

    def _abandoned(self, event: QFocusEvent) -> bool:
        return event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)

    def _press(self, key: Qt.Key) -> None:
        if key == Qt.Key.Key_Escape:
            self.leave()
        elif key in _DO:
            self._do(self.list.currentIndex())
        elif key in _STEPS:
            self._choose(self.list.currentIndex().row() + _STEPS[key])

    def _choose(self, row: int) -> None:
        model = self.list.model()
        self.list.setCurrentIndex(model.index(min(max(row, 0), model.rowCount() - 1), 0))

    def _find(self, query: str) -> None:
        model = self.list.model()
        assert isinstance(model, QStandardItemModel)
        model.clear()
        for entry in ranked(self._entries, query, self._recent):
            item = QStandardItem()
            item.setData(entry, _ENTRY)
            reason = f", not possible: {entry.reason}" if entry.reason else ""
            item.setData(f"{entry.title}, {entry.menu}{reason}", Qt.ItemDataRole.AccessibleTextRole)
            item.setToolTip(entry.tip)
            model.appendRow(item)
        self._choose(0)
        self._fit(model.rowCount())

    def _fit(self, rows: int) -> None:
        """Be as high as the rows that there are, as far as the window goes."""
        width = min(_WIDTH, self._window.width() - 40)
        room = self._window.height() - 2 * _TOP - _AROUND
        self.list.setVisible(rows > 0)
        height = _AROUND + min(min(rows, _ROWS) * _ROW, room) if rows else self.field.sizeHint().height() + 16
        self.setGeometry((self._window.width() - width) // 2, _TOP, width, height)

    def _do(self, index: QModelIndex) -> None:
        entry: Entry | None = index.data(_ENTRY)
        if entry is None or entry.reason:
            return
        action = self._commands.get(entry.id)
        self.leave()
        if action is not None:
            self.chosen.emit(entry.id)
            action.trigger()


def entries_of(
    titles: Mapping[str, str], commands: Mapping[str, tuple[str, QAction]], why: Callable[[str], str]
) -> list[Entry]:
    """What the palette shows of the actions of a menu bar.

    Parameters
    ----------
    titles
        The menus' titles by id, in order.
    commands
        Each action with the id of its menu, by its own id; those that the menu hides are left out.
    why
        Why an action is not possible, by its id.
    """
    made = []
    for name, (menu, action) in commands.items():
        if action.isVisible():
            made.append(
                Entry(
                    name,
                    action.text().replace("&", "").rstrip("…"),
                    titles[menu].replace("&", ""),
                    action.statusTip(),
                    action.shortcut().toString(),
                    "" if action.isEnabled() else why(name),
                    action.isCheckable() and action.isChecked(),
                )
            )
    return made
