"""Chooses which line of text stands in which corner."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from medviewer.app.commands import looks
from medviewer.app.services import Services
from medviewer.app.settings import LINE_PLACES
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import combo, label, push

_LINES = {
    "name": "Patient's name",
    "person": "Age, sex and number",
    "study": "Date and study",
    "slice": "Plane and slice",
    "series": "Series",
    "window": "Window and colours",
}
_PLACES = {
    "top_left": "top left",
    "top_right": "top right",
    "bottom_left": "bottom left",
    "bottom_right": "bottom right",
    "hidden": "not shown",
}


class CornersDialog(QDialog):
    """A corner for each line; what is chosen is seen, and kept, at once.

    Parameters
    ----------
    services
        Its session is changed, and its settings keep it.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self.setWindowTitle(tr("Text in the corners"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.boxes: dict[str, QComboBox] = {}
        form = QFormLayout()
        for name, title in _LINES.items():
            box = self.boxes[name] = combo(f"Where this stands: {title}", title)
            for place, text in _PLACES.items():
                box.addItem(tr(text), place)
            box.currentIndexChanged.connect(self._chosen)
            form.addRow(tr(title), box)
        note = "Results of models, how a viewport is turned, and what is not calibrated always show."
        first = push("As at first", "Put every line where it stood at first", self._reset)
        close = push("Close", "Leave the lines as they are now", self.accept, primary=True)
        first.setAutoDefault(False)
        close.setDefault(True)
        buttons = QHBoxLayout()
        buttons.addWidget(first)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.addLayout(form)
        column.addWidget(label(note, "quiet", wrap=True))
        column.addStretch(1)
        column.addLayout(buttons)
        self.setMinimumWidth(340)
        self._show()

    def _show(self) -> None:
        places = {**LINE_PLACES, **self._services.session.line_places}
        for name, box in self.boxes.items():
            with QSignalBlocker(box):
                box.setCurrentIndex(box.findData(places[name]))

    def _chosen(self) -> None:
        places = {name: box.currentData() for name, box in self.boxes.items()}
        changed = {name: place for name, place in places.items() if place != LINE_PLACES[name]}
        self._services.attempt(lambda: looks.place_lines(self._services, changed))
        self._show()

    def _reset(self) -> None:
        self._services.attempt(lambda: looks.place_lines(self._services, {}))
        self._show()
