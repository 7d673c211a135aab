"""The two questions of learning: how long to train, and why to promote what the gate could not judge."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from medviewer.learning.finetune import SplitCases
from medviewer.learning.options import FinetuneOptions
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import combo, explain, fit_height, label, push, refill

_LENGTHS = (
    ("Short, up to 40 steps", 40, 10),
    ("Medium, up to 200 steps", 200, 50),
    ("Long, up to 1000 steps", 1000, 250),
)
"""What the user reads, steps at most, and how often each case is seen at most."""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class FinetuneDialog(QDialog):
    """Says what a run will learn from and be judged on, and asks how long it may take."""

    def __init__(self, name: str, cases: SplitCases, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr(f"Fine-tune {name}"))
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.length = combo("How long to train; it can be stopped at any time", "Length of the training")
        refill(self.length, [(text, (steps, epochs)) for text, steps, epochs in _LENGTHS])
        self.start_button = push("Start", "Train a candidate version", self.accept, "train", primary=True)
        self.start_button.setDefault(True)
        self.start_button.setEnabled(bool(cases.training))
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow(label("Learns from", "quiet"), label(_count(len(cases.training), "approved case")))
        held_out = f"{_count(len(cases.held_out), 'held-out case')}, of other patients"
        form.addRow(label("Is judged on", "quiet"), label(held_out))
        form.addRow(label("Length", "quiet"), self.length)
        text = "A candidate version is trained beside the present one. Nothing changes until it is promoted."
        _lay_out(self, text, form, self.start_button)

    @property
    def options(self) -> FinetuneOptions:
        """What was chosen."""
        steps, epochs = self.length.currentData()
        return FinetuneOptions(epochs=epochs, max_steps=steps)


class ReasonDialog(QDialog):
    """Asks why a version is promoted that the gate could not judge."""

    def __init__(self, version: str, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr(f"Promote {version}"))
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("For example: I compared the masks of ten studies"))
        explain(self.reason, "Why you take this version; it is kept in the history", "Reason")
        self.promote_button = push("Promote", "Use this version from now on", self.accept, "promote", primary=True)
        self.promote_button.setDefault(True)
        self.promote_button.setEnabled(False)
        self.reason.textChanged.connect(lambda text: self.promote_button.setEnabled(bool(text.strip())))
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.addRow(label("Why do you take it?", "quiet"), self.reason)
        _lay_out(self, sentence, form, self.promote_button)


def _lay_out(dialog: QDialog, text: str, form: QFormLayout, accept: QPushButton) -> None:
    cancel = push("Cancel", "Leave everything as it is", dialog.reject)
    cancel.setAutoDefault(False)
    buttons = QHBoxLayout()
    buttons.addStretch(1)
    buttons.addWidget(cancel)
    buttons.addWidget(accept)
    box = QVBoxLayout(dialog)
    box.setContentsMargins(16, 16, 16, 12)
    box.setSpacing(14)
    box.addWidget(label(text, wrap=True))
    box.addLayout(form)
    box.addLayout(buttons)
    fit_height(dialog, 420)
