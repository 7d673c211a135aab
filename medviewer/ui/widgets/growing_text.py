"""A text field as high as its text, so that a page of several scrolls as one."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent, QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget

_LEAST_LINES = 2
_PAD = 12


class GrowingText(QPlainTextEdit):
    """Wraps at its width and never scrolls by itself; Tab goes to the next field.

    Parameters
    ----------
    least_lines
        How high it is when it is empty.
    """

    def __init__(self, text: str = "", least_lines: int = _LEAST_LINES, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least = least_lines
        self.setPlainText(text)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        self._fit()

    def freeze(self) -> None:
        """Become plain text that can be read and copied: nothing about it looks as if it could be written in."""
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("frozen", True)
        self._least = 1
        self._fit()

    def _fit(self) -> None:
        lines = max(int(self.document().size().height()), self._least)  # a plain text's height is in lines
        height = lines * self.fontMetrics().lineSpacing() + _PAD
        if height != self.minimumHeight():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap anew."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        """As high as the text."""
        return QSize(super().sizeHint().width(), self.minimumHeight())
