"""What was measured in the open study: a row each, a click goes there, a double click names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPoint, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QTableWidgetItem, QVBoxLayout, QWidget

from medviewer.app.commands import measuring
from medviewer.app.controllers.measures import values_in, where_of
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.measure.measurement import TITLES, Measurement
from medviewer.domain.measure.values import UNCALIBRATED, summary
from medviewer.ui.translate import tr
from medviewer.ui.widgets.follow_up import FollowUpBox
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, label, tool
from medviewer.ui.widgets.plain_table import PlainTable, Row

EMPTY = "Nothing is measured yet. Choose a tool of the Measure menu, and drag a line on the image."
EMPTY_WITH_KEY = (
    "Nothing is measured yet. Press {key} and drag a line on the image, or choose a tool of the Measure menu."
)
_NAME = 0


class _Table(PlainTable):
    """Its first column can be written in."""

    def _item(self, row: Row, column: int, text: str) -> QTableWidgetItem:
        made = super()._item(row, column, text)
        if column != _NAME:
            made.setFlags(made.flags() & ~Qt.ItemFlag.ItemIsEditable)
        return made


class MeasurePanel(QWidget):
    """The measurements of the open study, those of its other series too, and what is done with them."""

    delete_requested = Signal()
    """The chosen one is to go."""
    save_requested = Signal()
    read_requested = Signal()
    menu_requested = Signal(QPoint)
    """What can be done with the chosen one? The place is one of the screen."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self.table = _Table(
            ("Name", "Value", "Slice"),
            "What was measured; choose a row to look at it, double-click or F2 to name it",
            "Measurements",
            numbers=("Slice",),
            most_rows=8,
        )
        self.table.setIconSize(QSize(16, 16))
        triggers = QAbstractItemView.EditTrigger
        self.table.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.empty = label(EMPTY, "quiet", wrap=True)
        self.uncalibrated = label(UNCALIBRATED, "warning", wrap=True)
        self.delete_button = tool(
            "delete", "Take the chosen measurement away; undo brings it back", self.delete_requested.emit
        )
        self.save_button = tool("save", "Save as a table or a DICOM report", self.save_requested.emit)
        self.read_button = tool("download", "Read measurements from a DICOM report", self.read_requested.emit)
        self.follow_up = FollowUpBox(services)
        self._lay_out()
        self.table.currentCellChanged.connect(self._jump)
        self.table.cellClicked.connect(self._jump)  # the row that is chosen already, after one has scrolled away
        self.table.itemChanged.connect(self._rename)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._ask_menu)
        session = services.session
        for signal in (session.events.measurements, session.events.measured, session.events.series):
            self._links.add(signal, self.refresh)
        self._links.add(session.events.image, self.refresh)
        self._links.add(session.live_values.changed, self.refresh)
        self._links.add(session.events.chosen_measurement, self._follow)
        self.refresh()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(self.empty)
        box.addWidget(self.table)
        box.addWidget(self.uncalibrated)
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self.delete_button, self.save_button, self.read_button):
            row.addWidget(button)
        row.addStretch(1)
        box.addLayout(row)
        box.addWidget(self.follow_up)

    def name_keys(self, key_of: Callable[[str], str]) -> None:
        """Say which key measures a length, as it is now."""
        key = key_of("tool.length")
        self.empty.setText(tr(EMPTY_WITH_KEY.format(key=key) if key else EMPTY))

    def refresh(self, *_: object) -> None:
        """List what the session has."""
        session = self._services.session
        with QSignalBlocker(self.table):
            self.table.fill([row_of(session, m) for m in session.measurements])
        self.table.setVisible(bool(session.measurements))
        self.empty.setVisible(not session.measurements)
        pixels = session.image is not None and not session.image.calibrated
        self.uncalibrated.setVisible(pixels and bool(session.measurements))
        self.save_button.setEnabled(bool(session.measurements))
        self.read_button.setEnabled(session.image is not None)
        self._follow(session.chosen_measurement)

    def _follow(self, uid: str) -> None:
        """Choose the row of the one that is chosen on the image."""
        with QSignalBlocker(self.table):
            if uid:
                self.table.choose(uid)
            else:
                self.table.clearSelection()
                self.table.setCurrentCell(-1, -1)
        self.delete_button.setEnabled(bool(uid))

    def _jump(self, row: int, *_: object) -> None:
        if 0 <= row < len(self.table.rows):
            uid = self.table.rows[row].key
            self._services.attempt(lambda: measuring.jump_to(self._services, uid))

    def _ask_menu(self, where: QPoint) -> None:
        """A right click chooses its row first, and shows it; the key of the menu is about the chosen one."""
        row = self.table.rowAt(where.y())
        if row >= 0 and self.table.rows[row].key != self._services.session.chosen_measurement:
            self._jump(row)
        if self._services.session.chosen_measurement:
            self.menu_requested.emit(self.table.viewport().mapToGlobal(where))

    def _rename(self, item: QTableWidgetItem) -> None:
        row = self.table.rows[item.row()]
        if item.text().strip() != row.cells[_NAME]:
            self._services.attempt(lambda: measuring.name(self._services, row.key, item.text()))
        self.refresh()


def row_of(session: Session, m: Measurement) -> Row:
    """One measurement as a row; those of other series are quiet."""
    here = session.series is not None and session.series.uid == m.series_uid
    values = (values_in(session, m) if here else None) or session.measured.get(m.uid, ())
    lines = summary(replace(m, label="", text=""), values)
    place, series = where_of(session, m)
    tip = "\n".join(part for part in (m.label, m.text, tr(TITLES[m.kind]), *map(tr, lines), series, place) if part)
    cells = (m.label or m.text or tr(TITLES[m.kind]), tr(lines[0].removeprefix("Mean ")) if lines else "", place)
    return Row(m.uid, cells, tip, "text" if here else "quiet", m.kind)
