"""A line of text that ends in an ellipsis where it has no room."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel

_SPARE = 2
"""Pixels that are left free: without them Qt cuts the ellipsis off."""


class ElidedLabel(QLabel):
    """A label of one line. superqt has one too, but all of superqt and qtpy come with it, at each start."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._whole = text
        self._fit()

    def text(self) -> str:
        """All of the text, whatever there is room for."""
        return self._whole

    def setText(self, text: str) -> None:
        """Show another text."""
        self._whole = text
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as much as there is room for now."""
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Room for the ellipsis."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance("…") + _SPARE, metrics.height())

    def _fit(self) -> None:
        room = self.width() - _SPARE
        super().setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, room))
