"""Asks where de-identified copies go, and what they keep."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from medviewer.app.ports.shell import DeidentifyChoice
from medviewer.formats.dicom.deidentify.options import Options
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain, fit_height, label, push

_OPTIONS = (
    ("shift_dates", "Shift dates", "All dates of a patient move by the same days; otherwise they are removed"),
    ("clean_descriptors", "Clean descriptions", "Descriptions and comments stay, without the patient's data in them"),
    ("clean_content", "Clean reports", "Sentences of reports stay, without the patient's data in them"),
    ("retain_patient", "Keep sex, age, size and weight", "Ages of 90 and more become 90"),
    ("retain_device", "Keep the machine", "Station, serial number and the like stay"),
    ("retain_institution", "Keep the institution", "Name and address of the institution stay"),
    ("retain_uids", "Keep UIDs", "They lead back to the patient in the archive that they come from"),
)
"""Field of `Options`, what the user reads, and what it means."""

_INTRODUCTION = (
    "Copies by DICOM PS3.15 Annex E, basic profile: names, numbers, dates and private tags go, UIDs are replaced. "
    "Pixels stay as they are, and words that are burned into them too."
)


class DeidentifyDialog(QDialog):
    """What is copied, the folder, the options, and whose key; everything is off at first, which keeps least.

    Parameters
    ----------
    what
        The study that is copied, in words; empty for no line of it.
    """

    def __init__(self, parent: QWidget | None = None, what: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export de-identified"))
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(tr("Folder for the copies"))
        explain(self.folder, "Folder for the copies; made when missing, nothing in it is overwritten", "Folder")
        self.folder.textChanged.connect(self._enable)
        browse = push("Browse…", "Choose the folder", self._browse, "open")
        browse.setAutoDefault(False)
        self.boxes = {name: _box(text, tip) for name, text, tip in _OPTIONS}
        self.patient_id = QLineEdit()
        self.patient_id.setPlaceholderText(tr("New patient ID and name; made up when empty"))
        explain(self.patient_id, "What stands for the patient; put no real name here", "New patient ID and name")
        self.keep_key = _box(
            "Same pseudonyms as in other exports from here",
            "UIDs, pseudonyms and date shifts come from the archive's key; otherwise from a key that is forgotten",
        )
        self.export_button = push("Export", "Write the copies", self.accept, "save", primary=True)
        self.export_button.setDefault(True)
        cancel = push("Cancel", "Leave everything as it is", self.reject)
        cancel.setAutoDefault(False)
        where, buttons = QHBoxLayout(), QHBoxLayout()
        where.addWidget(self.folder, 1)
        where.addWidget(browse)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.export_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 16, 16, 12)
        box.setSpacing(10)
        if what:
            box.addWidget(label(what, wrap=True))
        box.addWidget(label(_INTRODUCTION, "quiet" if what else "", wrap=True))
        box.addLayout(where)
        box.addWidget(self.patient_id)
        box.addWidget(label("Keep more than the basic profile does", "quiet"))
        for option in self.boxes.values():
            box.addWidget(option)
        box.addWidget(label("Match", "quiet"))
        box.addWidget(self.keep_key)
        box.addLayout(buttons)
        self._enable()
        fit_height(self, 480)

    @property
    def choice(self) -> DeidentifyChoice:
        """What was chosen."""
        told = self.patient_id.text().strip()
        chosen = {name: box.isChecked() for name, box in self.boxes.items()}
        options = Options(**chosen, patient_id=told, patient_name=told)
        return DeidentifyChoice(Path(self.folder.text().strip()).expanduser(), options, self.keep_key.isChecked())

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the copies", self.folder.text())
        if name:
            self.folder.setText(name)

    def _enable(self) -> None:
        self.export_button.setEnabled(bool(self.folder.text().strip()))


def _box(text: str, tip: str) -> QCheckBox:
    made = QCheckBox(tr(text))
    explain(made, tip, text)
    return made
