"""The centre of the window while nothing is open."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from medviewer.ui.translate import tr


class EmptyState(QWidget):
    """What the centre says while nothing is open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("emptyState")
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        self._text = QLabel()
        for name, label in (
            ("emptyTitle", QLabel(tr("Drop a folder, files or a ZIP here"))),
            ("emptyText", self._text),
        ):
            label.setObjectName(name)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        layout.addStretch(1)

    def name_keys(self, key_of: Callable[[str], str]) -> None:
        """Say which keys open something, as they are now."""
        folder, demo = (key_of(name) for name in ("file.open_folder", "file.open_demo"))
        ways = (
            tr(f"or open a folder with {folder}" if folder else "or open a folder"),
            tr(f"or the demo with {demo}" if demo else "or the demo"),
        )
        self._text.setText(", ".join(ways))
