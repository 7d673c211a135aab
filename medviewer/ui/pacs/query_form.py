"""What to search for in an archive."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QWidget

from medviewer.archive.remote import Query
from medviewer.errors import InputError
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain, label, set_text

_FIELDS = (
    ("name", "Patient", "Family name first; a begin is enough, * and ? are wildcards", "family name, given name"),
    ("patient_id", "ID", "The whole patient ID, or one with * and ?", ""),
    ("accession", "Accession", "The whole accession number, or one with * and ?", ""),
    ("description", "Description", "A part of the study's description", ""),
    ("date_from", "From", "First day, like 2020-01-31", "YYYY-MM-DD"),
    ("date_to", "To", "Last day, like 2020-01-31", "YYYY-MM-DD"),
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
            line.setPlaceholderText(tr(example))
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
        self.problem = label(role="error", wrap=True)
        self.problem.hide()
        grid.addWidget(self.problem, 2 * (len(widgets) // _PER_ROW) + 2, 0, 1, _PER_ROW)
        for column in range(_PER_ROW):
            grid.setColumnStretch(column, 1)

    def check(self) -> bool:
        """Whether one can search for what was typed; what is wrong is said beneath the fields, at the first of them."""
        set_text(self.problem, "")
        try:
            self.query.keys()
        except InputError as error:
            set_text(self.problem, str(error))
            wrong = next((name for name, line in self.fields.items() if _is_wrong(name, line.text())), "date_from")
            self.fields[wrong].setFocus()
            self.fields[wrong].selectAll()
            return False
        return True

    @property
    def query(self) -> Query:
        """What was typed."""
        texts = {name: line.text().strip() for name, line in self.fields.items()}
        return Query(**texts, modality=self.modality.currentText().strip())


def _is_wrong(name: str, text: str) -> bool:
    """Whether a field alone is what cannot be searched for."""
    try:
        Query(**{name: text.strip()}).keys()
    except InputError:
        return True
    return False
