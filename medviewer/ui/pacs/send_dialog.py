"""What to send to which archive."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from medviewer.app.commands import pacs
from medviewer.app.services import Services
from medviewer.errors import MedviewerError
from medviewer.ui.widgets.parts import combo, explain, fit_height, label, push, refill, set_role


class SendDialog(QDialog):
    """Asks for the archive, and for the mask or the series."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Send to archive")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._services = services
        session = services.session
        self.node = combo("The archive that gets it", "Archive")
        files = len(set(session.series.files)) if session.series else 0
        self.mask_choice = QRadioButton("The mask, as DICOM SEG")
        self.series_choice = QRadioButton(f"The open series, {files} files as they are")
        explain(self.mask_choice, "Send the mask as it is now", "Mask")
        explain(self.series_choice, "Send the files of the open series, byte for byte", "Series")
        self.mask_choice.setEnabled(session.mask is not None)
        (self.mask_choice if session.mask is not None else self.series_choice).setChecked(True)
        self.note = label("Patient and study are in what is sent, as in the files.", "quiet", wrap=True)
        self.send_button = push("Send", "Send it; the job bar shows how far it is", self._send, "promote", primary=True)
        self.send_button.setDefault(True)
        self._fill()
        self._lay_out()

    def _fill(self) -> None:
        try:
            self._nodes = {node.name: node for node in pacs.book(self._services).nodes()}
        except MedviewerError as error:
            self._nodes = {}
            self._complain(str(error))
        else:
            if not self._nodes:
                self._complain("No archive is set up yet; set one up with Archive > Nodes.")
        refill(self.node, [(name, name) for name in self._nodes])
        self.send_button.setEnabled(bool(self._nodes))

    def _send(self) -> None:
        what: pacs.What = "mask" if self.mask_choice.isChecked() else "series"
        try:
            pacs.send(self._services, self._nodes[self.node.currentData()], what)
        except MedviewerError as error:
            self._complain(str(error))
            return
        self.accept()

    def _complain(self, text: str) -> None:
        set_role(self.note, "error")
        self.note.setText(text)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow(label("To", "quiet"), self.node)
        form.addRow(label("What", "quiet"), self.mask_choice)
        form.addRow(label(), self.series_choice)
        buttons = QHBoxLayout()
        cancel = push("Cancel", "Send nothing", self.reject)
        cancel.setAutoDefault(False)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.send_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 16, 16, 12)
        box.setSpacing(14)
        box.addLayout(form)
        box.addWidget(self.note)
        box.addLayout(buttons)
        fit_height(self, 420)
