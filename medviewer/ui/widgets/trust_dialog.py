"""What the user reads before a plugin is installed, and before its code may run: two questions, never one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain, fit_height, label, push

_WIDTH = 560


class TrustDialog(QDialog):
    """Rows to read, and a question.

    Parameters
    ----------
    title, question
        Of the dialog, and what it asks.
    rows
        Name and value.
    accept
        The word on the button that does it.
    trust
        Whether trust in code is asked for as well, by a tick that is not set.
    """

    def __init__(
        self,
        title: str,
        question: str,
        rows: Sequence[tuple[str, str]],
        accept: str,
        *,
        trust: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr(title))
        self.setWindowModality(Qt.WindowModality.WindowModal)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        for name, text in rows:
            value = label(_broken(text), wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            named = label(name, "quiet")
            named.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)  # a name is as high as its text
            form.addRow(named, value)
        self.trust = QCheckBox(tr("I trust this code. It runs with my rights: it can read and write what I can."))
        explain(self.trust, "Without this the plugin is listed, and nothing of it runs", "Trust its code")
        self.trust.setVisible(trust)
        self.accept_button = push(accept, question, self.accept, primary=True)
        self.cancel_button = push("Cancel", "Leave everything as it is", self.reject)
        self.accept_button.setAutoDefault(False)
        self.cancel_button.setDefault(True)  # neither is ever said by an Enter too many
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 16, 16, 12)
        box.setSpacing(14)
        box.addWidget(label(question, "title", wrap=True))
        box.addLayout(form)
        box.addWidget(self.trust)
        box.addLayout(buttons)
        fit_height(self, _WIDTH)


def _broken(text: str) -> str:
    """A text that wraps even where it has no blank: a fingerprint is one word of 64 letters."""
    return " ".join(
        word if len(word) <= 40 else " ".join(word[k : k + 32] for k in range(0, len(word), 32))
        for word in text.split(" ")
    )
