"""What an empty list says."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractScrollArea, QLabel, QVBoxLayout

from medviewer.ui.widgets.parts import label


def hint_in(area: QAbstractScrollArea) -> QLabel:
    """A quiet text in the middle of a list, to be shown while the list has nothing."""
    made = label(role="quiet", wrap=True)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    made.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    box = QVBoxLayout(area.viewport())
    box.setContentsMargins(16, 16, 16, 16)
    box.addWidget(made)
    return made
