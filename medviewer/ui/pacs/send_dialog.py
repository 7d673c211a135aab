"""What to send to which archive."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from medviewer.app.commands import pacs
from medviewer.app.services import Services
from medviewer.domain.study import Attachment
from medviewer.errors import MedviewerError
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import combo, explain, fit_height, label, push, refill, set_role

_NOTE = "Patient and study are in what is sent, as in the files."
_NO_NODE = "No archive is set up yet; set one up with Archive > Nodes."
_NOTHING = "An archive takes DICOM only, and nothing of that is open or chosen; open a DICOM study."


class SendDialog(QDialog):
    """Asks for the archive, and for the mask, the series or a report."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Send to archive"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._services = services
        self.node = combo("The archive that gets it", "Archive")
        self.mask_choice = QRadioButton(tr("The mask, as DICOM SEG"))
        self.series_choice = QRadioButton(tr("The open series, as it is"))
        self.report_choice = QRadioButton(tr("A report of the study"))
        self.report = combo("The report that is sent", "Report")
        explain(self.mask_choice, "Send the mask as it is now", "Mask")
        explain(self.series_choice, "Send the files of the open series, byte for byte", "Series")
        explain(self.report_choice, "Send a report or document of the study, byte for byte", "Report (SR)")
        self.note = label(_NOTE, "quiet", wrap=True)
        self.send_button = push("Send", "Send it; the job bar shows how far it is", self._send, "promote", primary=True)
        self.send_button.setDefault(True)
        self._reports = pacs.reports(services)
        self._offer()
        self._fill()
        self._lay_out()

    def _offer(self) -> None:
        """What there is to send; what was chosen in the list of studies is chosen here."""
        session = self._services.session
        series = session.series if session.series is not None and session.series.reader == "dicom" else None
        self.series_choice.setEnabled(series is not None)
        self.mask_choice.setEnabled(series is not None and session.mask is not None)
        self.report_choice.setEnabled(bool(self._reports))
        if series is not None:
            files = len(set(series.files))
            self.series_choice.setText(tr(f"The open series, {files} {'file' if files == 1 else 'files'} as they are"))
        refill(self.report, [(_titled(one), one.uid) for one in self._reports])
        self.report.activated.connect(lambda _: self.report_choice.setChecked(True))
        chosen = bool(self._reports) and self._reports[0].uid == session.chosen_attachment
        order = (self.mask_choice, self.series_choice, self.report_choice)
        for choice in (self.report_choice, *order) if chosen else order:
            if choice.isEnabled():
                choice.setChecked(True)
                break

    def _fill(self) -> None:
        try:
            self._nodes = {node.name: node for node in pacs.book(self._services).nodes()}
        except MedviewerError as error:
            self._nodes = {}
            self._complain(str(error))
        else:
            if not self._nodes:
                self._complain(_NO_NODE)
            elif self._what is None:
                self._complain(_NOTHING)
        refill(self.node, [(name, name) for name in self._nodes])
        self.send_button.setEnabled(bool(self._nodes) and self._what is not None)

    @property
    def _what(self) -> pacs.What | None:
        if self.report_choice.isChecked():
            return self._reports[self.report.currentIndex()]
        if self.mask_choice.isChecked():
            return "mask"
        return "series" if self.series_choice.isChecked() else None

    def _send(self) -> None:
        what = self._what
        if what is None:
            return
        try:
            pacs.send(self._services, self._nodes[self.node.currentData()], what)
        except MedviewerError as error:
            self._complain(str(error))
            return
        self.accept()

    def _complain(self, text: str) -> None:
        set_role(self.note, "error")
        self.note.setText(tr(text))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(label("To", "quiet"), self.node)
        form.addRow(label("What", "quiet"), self.mask_choice)
        form.addRow(label(), self.series_choice)
        form.addRow(label(), self.report_choice)
        form.addRow(label(), self.report)
        for row in (self.report_choice, self.report):
            form.setRowVisible(row, bool(self._reports))
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


def _titled(report: Attachment) -> str:
    """A report for a list."""
    return "  ".join(filter(None, (report.title, f"({report.modality})" if report.modality else "", report.date)))
