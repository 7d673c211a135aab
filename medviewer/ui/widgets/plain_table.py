"""A small read-only table: rows of text with a tool tip each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from medviewer.ui.icons import icon
from medviewer.ui.theme import colour
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain

_ROW_PX = 22
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Row:
    """One row.

    Parameters
    ----------
    key
        What it stands for; the chosen row stays chosen by it.
    cells
        A text a column.
    tip
        Everything that the cells have no room for.
    colour
        A name in `theme.COLOURS`.
    icon
        A name in `icons.NAMES`, drawn before the first cell; empty for none.
    coloured
        Columns whose text has the colour; none named: all of them.
    """

    key: str
    cells: tuple[str, ...]
    tip: str = ""
    colour: str = "text"
    icon: str = ""
    coloured: tuple[int, ...] = ()


class PlainTable(QTableWidget):
    """As high as its rows, up to a limit; the first column takes the space, the others what they need.

    Parameters
    ----------
    columns
        Headings; those of `numbers` are set flush right.
    """

    def __init__(
        self, columns: Sequence[str], tip: str, name: str, *, numbers: Sequence[str] = (), most_rows: int = 5
    ) -> None:
        super().__init__(0, len(columns))
        self._rows: list[Row] = []
        self._numbers = [k for k, column in enumerate(columns) if column in numbers]
        self._most_rows = most_rows
        self.setHorizontalHeaderLabels([tr(column) for column in columns])
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for k in self._numbers:
            heading = QTableWidgetItem(tr(columns[k]))
            heading.setTextAlignment(_RIGHT)
            self.setHorizontalHeaderItem(k, heading)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        explain(self, tip, name)
        self.fill(())

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown."""
        return tuple(self._rows)

    @property
    def chosen(self) -> str:
        """Key of the row that is chosen; empty when none is."""
        row = self.currentRow()
        return self._rows[row].key if 0 <= row < len(self._rows) else ""

    def choose(self, key: str) -> None:
        """Choose the row of that key."""
        for k, row in enumerate(self._rows):
            if row.key == key:
                self.selectRow(k)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        chosen = self.chosen
        with QSignalBlocker(self):
            self._rows = list(rows)
            self.setRowCount(len(rows))
            for k, row in enumerate(rows):
                self._put(k, row)
            self.choose(chosen)
        self._fit()

    def extend(self, rows: Sequence[Row]) -> None:
        """Show more rows below the others, which takes no longer the more there are."""
        first = len(self._rows)
        with QSignalBlocker(self):
            self._rows.extend(rows)
            self.setRowCount(len(self._rows))
            for k, row in enumerate(rows, first):
                self._put(k, row)
        self._fit()

    def _put(self, k: int, row: Row) -> None:
        for column, text in enumerate(row.cells):
            self.setItem(k, column, self._item(row, column, text))

    def _fit(self) -> None:
        shown = min(max(len(self._rows), 1), self._most_rows)
        self.setFixedHeight(shown * _ROW_PX + self.horizontalHeader().sizeHint().height() + 2)

    def _item(self, row: Row, column: int, text: str) -> QTableWidgetItem:
        made = QTableWidgetItem(text)
        made.setToolTip(row.tip)
        if row.icon and column == 0:
            made.setIcon(icon(row.icon, row.colour))
        made.setForeground(colour(row.colour if not row.coloured or column in row.coloured else "text"))
        if column in self._numbers:
            made.setTextAlignment(_RIGHT)
        return made
