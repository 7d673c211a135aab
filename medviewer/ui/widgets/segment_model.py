"""The segments of the open mask as a table: shown or not, colour, name, volume."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QIcon, QPixmap

from medviewer.app.commands import view
from medviewer.app.services import Services
from medviewer.app.volumes import millilitres
from medviewer.domain.mask import Segment
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.label_counter import LabelCounter

Index = QModelIndex | QPersistentModelIndex

EYE, SWATCH, NAME, VOLUME = range(4)
_HEADINGS = ("Shown", "Colour", "Name", "Volume")


class SegmentModel(QAbstractTableModel):
    """One row a segment; everything is read from the session when it is asked for."""

    def __init__(self, services: Services, counter: LabelCounter) -> None:
        super().__init__()
        self._services = services
        self._counter = counter

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The rows."""
        store = self._services.session.mask
        return store.segments if store is not None else ()

    def rebuild(self) -> None:
        """There are other segments now."""
        self.beginResetModel()
        self.endResetModel()

    def refresh(self) -> None:
        """A volume or an eye changed."""
        if self.segments:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.segments) - 1, VOLUME))

    def row_of(self, label: int) -> int:
        """The row of a label, or -1."""
        return next((k for k, segment in enumerate(self.segments) if segment.label == label), -1)

    def volume(self, segment: Segment) -> str:
        """Volume in ml, or an ellipsis until it was counted."""
        store = self._services.session.mask
        if store is None or not self._counter.complete:
            return "…"
        return millilitres(self._counter.count(segment.label) * store.base.grid.voxel_ml)

    # Qt's own names from here on.

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature; an index is a value
        """Number of segments."""
        return 0 if parent.isValid() else len(self.segments)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # as above
        """Eye, colour, name, volume."""
        return len(_HEADINGS)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names can be edited."""
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return plain | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else plain

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, icons, tool tips."""
        if not index.isValid() or index.row() >= len(self.segments):
            return None
        segment, column = self.segments[index.row()], index.column()
        hidden = segment.label in self._services.session.hidden_labels
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole) and column == NAME:
            return segment.name
        if role == Qt.ItemDataRole.DisplayRole and column == VOLUME:
            return self.volume(segment)
        if role == Qt.ItemDataRole.DecorationRole and column == EYE:
            return icon("hidden" if hidden else "visible", "disabled" if hidden else "text")
        if role == Qt.ItemDataRole.DecorationRole and column == SWATCH:
            return _swatch(segment)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == VOLUME:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return _tip(segment, column, hidden, self.volume(segment))
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a segment."""
        segment, name = self.segments[index.row()], str(value).strip()
        if role != Qt.ItemDataRole.EditRole or index.column() != NAME or name in ("", segment.name):
            return False
        self._services.attempt(lambda: view.rename_segment(self._services, segment.label, name))
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Column names, for screen readers: the header is not shown."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return tr(_HEADINGS[section])
        return None


def _tip(segment: Segment, column: int, hidden: bool, volume: str) -> str:
    if column == EYE:
        return tr(f"{'Show' if hidden else 'Hide'} {segment.name}")
    if column == NAME:
        return tr(f"{segment.name}: {segment.code.meaning}. Double-click to rename.")
    return f"{segment.name}, {volume}"


def _swatch(segment: Segment) -> QIcon:
    made = QPixmap(12, 12)
    made.fill(QColor(*segment.colour))
    shown = QIcon(made)
    shown.addPixmap(made, QIcon.Mode.Selected)  # or Qt would tint the colour that tells the segment
    return shown
