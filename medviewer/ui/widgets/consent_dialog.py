"""What the user reads before weights are fetched."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from medviewer.plugin_api import Manifest
from medviewer.ui.widgets.parts import fit_height, label, push


class ConsentDialog(QDialog):
    """Source, licence and intended use of a plugin's weights, and the question whether to fetch them."""

    def __init__(self, manifest: Manifest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Download the weights of {manifest.name}")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        weights = manifest.weights
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        rows = (
            ("Source", weights.source),
            ("Licence", weights.licence),
            ("Intended use", weights.intended_use),
            ("Checked", "The download is taken only if its SHA-256 is the one that the plugin names."),
        )
        for name, text in rows:
            form.addRow(label(name, "quiet"), label(text, wrap=True))
        self.fetch_button = push("Download", "Download and check these weights", self.accept, "download", primary=True)
        self.cancel_button = push("Cancel", "Leave everything as it is", self.reject)
        self.fetch_button.setAutoDefault(False)
        self.cancel_button.setDefault(True)  # consent is never given by an Enter too many
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.fetch_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 16, 16, 12)
        box.setSpacing(14)
        box.addWidget(
            label(f"{manifest.name} comes without its weights. They can be downloaded now.", "title", wrap=True)
        )
        box.addLayout(form)
        box.addLayout(buttons)
        fit_height(self, 460)
