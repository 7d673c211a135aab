"""What a detector found, the surest first: a row a find, and a click goes there."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QVBoxLayout, QWidget

from medviewer.app.commands import detections
from medviewer.app.services import Services
from medviewer.domain.finding import Detection, Detections
from medviewer.domain.geometry import Grid
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.plain_table import PlainTable, Row


class DetectionList(QWidget):
    """The finds of one plugin in the open image; hidden while there are none.

    Parameters
    ----------
    plugin_id
        The plugin whose finds are listed.
    """

    def __init__(self, services: Services, plugin_id: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services, self._plugin_id = services, plugin_id
        self._links = Links(self)
        self.table = PlainTable(
            ("Found", "Slice", "mm", "Score"),
            "What was found, the surest first; choose a row to look at it",
            "Finds",
            numbers=("Slice", "mm", "Score"),
            most_rows=8,
        )
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.table)
        self.table.currentCellChanged.connect(self._jump)
        self.table.cellClicked.connect(self._jump)  # the row that is chosen already, after one has scrolled away
        events = services.session.events
        self._links.add(events.detections, self.refresh)
        self._links.add(events.chosen_detection, self._follow)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """List what the session has of this plugin."""
        found = self._found()
        with QSignalBlocker(self.table):
            self.table.fill(
                [row_of(number, one, found.grid) for number, one in enumerate(found.found)] if found else []
            )
            self.table.clearSelection()
            self.table.setCurrentCell(-1, -1)
        self.setVisible(found is not None and bool(found.found))

    def _found(self) -> Detections | None:
        found = self._services.session.detections
        return found if found is not None and found.provenance.plugin_id == self._plugin_id else None

    def _follow(self, number: int) -> None:
        """Choose the row of what is looked at, which may be chosen by a key."""
        if number >= 0 and self._found() is not None:
            with QSignalBlocker(self.table):
                self.table.choose(str(number))

    def _jump(self, row: int, *_: object) -> None:
        if row >= 0 and self._found() is not None:
            self._services.attempt(lambda: detections.jump(self._services, row))


def row_of(number: int, one: Detection, grid: Grid) -> Row:
    """One find as a row, with the number of its box: slices are counted from 1, as in the viewports' corners."""
    z, y, x = one.size_mm(grid)
    longest = max(y, x) if grid.shape[0] == 1 else max(z, y, x)
    slice_text = f"{round(one.centre[0]) + 1}"
    tip = f"{one.label}, score {one.score:.3f}, {z:.0f} x {y:.0f} x {x:.0f} mm along z, y, x"
    return Row(str(number), (f"{number + 1}  {one.label}", slice_text, f"{longest:.0f}", f"{one.score:.2f}"), tip)
