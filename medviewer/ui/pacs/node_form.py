"""The fields of one archive, with what is wrong beneath each."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from medviewer.archive.remote import Node, make_node
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import combo, explain, label, push, set_text

_DIMSE = ("host", "port", "ae_title", "own_ae_title", "retrieve_by", "receiver_host", "receiver_port", "tls")
_WEB = ("url", "auth", "user", "secret")
_TLS = ("verify", "ca_file", "cert_file", "key_file")
_MOVE = ("receiver_host", "receiver_port")

_TEXTS = {
    "name": ("Name", "What you call this archive", "Radiology PACS"),
    "kind": ("Protocol", "How the archive is spoken to", ""),
    "host": ("Host", "Host name or IP address of the archive", "pacs.hospital.example"),
    "port": ("Port", "Port that the archive listens on", ""),
    "ae_title": ("AE title", "AE title of the archive, 1 to 16 characters", "PACS"),
    "own_ae_title": ("Our AE title", "The title that the archive knows this machine by", "MEDVIEWER"),
    "retrieve_by": ("Retrieve by", "Over our own connection, or by one that the archive makes to us", ""),
    "receiver_host": (
        "Our address",
        "Address of this machine that C-MOVE is received on",
        "10.0.0.17",
    ),
    "receiver_port": ("Our port", "Port of the receiver, which is open during a C-MOVE only", ""),
    "tls": ("Encryption", "Encrypt the connection by TLS", ""),
    "url": ("Address", "Base address of the DICOMweb services", "https://pacs.hospital.example/dicom-web"),
    "auth": ("Log-in", "How to log in", ""),
    "user": ("User", "Name to log in with", ""),
    "secret": ("Password", "Kept in nodes.json, which only your user can read", ""),
    "verify": ("Certificate", "Check the certificate and the name of the archive", ""),
    "ca_file": ("Authority", "Authorities to check it by (PEM); empty for the system's own", "the system's own"),
    "cert_file": ("Our certificate", "Our certificate (PEM), where the archive asks for one", "none"),
    "key_file": ("Our key", "The key of our certificate (PEM, without a passphrase)", "none"),
}
"""Title, tool tip and example of each field, in their order."""

_CHOICES = {
    "kind": (("DICOM (C-FIND, C-GET, C-MOVE)", "dimse"), ("DICOMweb (QIDO, WADO, STOW)", "dicomweb")),
    "retrieve_by": (("C-GET, over our connection", "get"), ("C-MOVE, to our receiver", "move")),
    "auth": (("None", "none"), ("User and password", "basic"), ("Token", "bearer")),
}
_TICKS = {"tls": "Encrypt by TLS", "verify": "Check the archive's certificate"}
_FILES = ("ca_file", "cert_file", "key_file")

Field = QLineEdit | QSpinBox | QComboBox | QCheckBox


class NodeForm(QWidget):
    """Fields that come and go with the protocol. `changed` is sent for each change by the user."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, Field] = {}
        self.problems: dict[str, QLabel] = {}
        self._rows: dict[str, QWidget] = {}
        self._titles: dict[str, QLabel] = {}
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(7)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in _TEXTS:
            self._add(name)
        self.show_node(None)

    def show_node(self, node: Node | None) -> None:
        """Fill the fields; None empties them for a new archive."""
        self.blockSignals(True)
        defaults = {name: field.default for name, field in Node.model_fields.items() if name != "name"}
        values: dict[str, Any] = {"name": "", **defaults} if node is None else node.model_dump()
        values["secret"] = values["secret"].get_secret_value()
        for name, field in self.fields.items():
            value = values[name]
            if isinstance(field, QLineEdit):
                field.setText(value)
            elif isinstance(field, QSpinBox):
                field.setValue(value)
            elif isinstance(field, QComboBox):
                field.setCurrentIndex(field.findData(value))
            else:
                field.setChecked(value)
        self._tell({})
        self._arrange()
        self.blockSignals(False)

    def node(self) -> Node | None:
        """The archive that the fields describe; None, with the reason beneath the fields, where one is wrong."""
        node, problems = make_node(self._values())
        self._tell(problems)
        if problems:
            self.fields[next(iter(problems))].setFocus()
        return node

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            if isinstance(field, QLineEdit):
                values[name] = field.text()
            elif isinstance(field, QSpinBox):
                values[name] = field.value()
            elif isinstance(field, QComboBox):
                values[name] = field.currentData()
            else:
                values[name] = field.isChecked()
        return values

    def _add(self, name: str) -> None:
        title, tip, example = _TEXTS[name]
        field = self._field(name, example)
        explain(field, tip, title)
        problem = label(role="error", wrap=True)
        problem.hide()
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(field, 1)
        if name in _FILES:
            line.addWidget(push("Choose…", f"Choose the file: {tip}", lambda: self._choose(name)))
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(line)
        box.addWidget(problem)
        self.fields[name], self.problems[name], self._rows[name] = field, problem, holder
        self._titles[name] = label(title, "quiet")
        self._titles[name].setBuddy(field)
        self._form.addRow(self._titles[name], holder)

    def _field(self, name: str, example: str) -> Field:
        if name in _CHOICES:
            box = combo("", "")
            for text, value in _CHOICES[name]:
                box.addItem(tr(text), value)
            box.currentIndexChanged.connect(self._on_change)
            return box
        if name in _TICKS:
            tick = QCheckBox(tr(_TICKS[name]))
            tick.toggled.connect(self._on_change)
            return tick
        if name.endswith("port"):
            spin = QSpinBox()
            spin.setRange(1, 65535)
            spin.setMinimumHeight(24)
            spin.valueChanged.connect(self._on_change)
            return spin
        line = QLineEdit()
        line.setPlaceholderText(tr(example))
        if name == "secret":
            line.setEchoMode(QLineEdit.EchoMode.Password)
        line.textEdited.connect(self._on_change)
        return line

    def _choose(self, name: str) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, _TEXTS[name][0], "", "PEM (*.pem *.crt *.cer *.key);;All (*)")
        field = self.fields[name]
        if chosen and isinstance(field, QLineEdit):
            field.setText(chosen)
            self._on_change()

    def _on_change(self, *_: object) -> None:
        self._arrange()
        # what is told stays true: a field that was mended is no longer complained of
        if any(problem.text() for problem in self.problems.values()):
            self._tell(make_node(self._values())[1])
        self.changed.emit()

    def _tell(self, problems: dict[str, str]) -> None:
        for name, problem in self.problems.items():
            set_text(problem, problems.get(name, ""))

    def _arrange(self) -> None:
        """Show the fields of the protocol that is chosen."""
        values = self._values()
        web = values["kind"] == "dicomweb"
        hidden = set(_DIMSE if web else _WEB)
        if web and values["auth"] == "none":
            hidden |= {"user", "secret"}
        if web and values["auth"] == "bearer":
            hidden |= {"user"}
        if values["retrieve_by"] == "get":
            hidden |= set(_MOVE)
        if not (values["url"].startswith("https") if web else values["tls"]):
            hidden |= set(_TLS)
        self._titles["secret"].setText(tr("Token" if values["auth"] == "bearer" else "Password"))
        for name, row in self._rows.items():
            self._form.setRowVisible(row, name not in hidden)
