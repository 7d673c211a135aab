"""What to search for in an archive."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QWidget

from medviewer.archive.remote import Query
from medviewer.ui.widgets.parts import explain, label

_FIELDS = (
    ("name", "Patient", "Family name first; a begin is enough, * and ? are wildcards", "Muster, Eva"),
    ("patient_id", "ID", "The whole patient ID, or one with * and ?", "4711"),
    ("accession", "Accession", "The whole accession number, or one with * and ?", "A2020-17"),
    ("description", "Description", "A part of the study's description", "head"),
    ("date_from", "From", "First day, like 2020-01-31", "2020-01-31"),
    ("date_to", "To", "Last day, like 2020-01-31", "2020-12-31"),
)
_MODALITIES = ("", "CT", "MR", "CR", "DX", "MG", "US", "XA", "RF", "NM", "PT", "OT", "SC", "SEG", "SR")
_PER_ROW = 4


class QueryForm(QWidget):
    """Fields in two rows. `entered` is sent when Enter is pressed in one."""

    entered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, QLineEdit] = {}
        self.modality = QComboBox()
        self.modality.setEditable(True)
        self.modality.addItems(list(_MODALITIES))
        explain(self.modality, "CT, MR ...; empty for all", "Modality")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        widgets: list[tuple[str, QWidget]] = []
        for name, title, tip, example in _FIELDS:
            line = QLineEdit()
            line.setPlaceholderText(example)
            line.setClearButtonEnabled(True)
            line.returnPressed.connect(self.entered)
            explain(line, tip, title)
            self.fields[name] = line
            widgets.append((title, line))
        widgets.append(("Modality", self.modality))
        for k, (title, widget) in enumerate(widgets):
            row, column = 2 * (k // _PER_ROW), k % _PER_ROW
            caption = label(title, "quiet")
            caption.setBuddy(widget)
            grid.addWidget(caption, row, column)
            grid.addWidget(widget, row + 1, column)
        for column in range(_PER_ROW):
            grid.setColumnStretch(column, 1)

    @property
    def query(self) -> Query:
        """What was typed."""
        texts = {name: line.text().strip() for name, line in self.fields.items()}
        return Query(**texts, modality=self.modality.currentText().strip())
