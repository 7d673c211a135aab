"""The bar that says which value has which colour, for what is laid over an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter, QPen

from medviewer.app.ports.display import FusedLook
from medviewer.ui.viewport.tables import colour_table

_WIDTH = 9.0
_MOST = 150.0
_PART = 0.3
"""Of the viewport's height."""
_STOPS = 24
_FROM_EDGE = 34.0
"""Room for the orientation letter at the right edge, in px."""
_WORDS = 66.0
"""Room for the values at its left, in px."""
_LEAST_HEIGHT = 150.0
"""A viewport that is lower has no room for it."""


@dataclass(frozen=True)
class ColourBar:
    """Which colours stand for which values.

    Parameters
    ----------
    colours
        An id of `app.colours`.
    low, high
        The values at its ends.
    unit
        Theirs.
    """

    colours: str
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, look: FusedLook) -> ColourBar:
        """The bar of what is laid over."""
        return cls(look.colours, look.limits[0], look.limits[1], look.unit)

    def place(self, width: float, height: float) -> QRectF | None:
        """Where it stands in a viewport of that size; None where there is no room."""
        if height < _LEAST_HEIGHT or width < _LEAST_HEIGHT:
            return None
        long = min(_MOST, _PART * height)
        return QRectF(width - _FROM_EDGE - _WIDTH, (height - long) / 2, _WIDTH, long)

    def covered(self, width: float, height: float) -> QRectF | None:
        """What it covers, with its words."""
        place = self.place(width, height)
        return place.adjusted(-_WORDS, -24, 0, 8) if place is not None else None

    def draw(self, painter: QPainter, width: float, height: float, font: QFont) -> None:
        """Draw it at the right edge, the highest value at its top."""
        place = self.place(width, height)
        if place is None:
            return
        gradient = QLinearGradient(place.bottomLeft(), place.topLeft())
        positions = np.linspace(0, 1, _STOPS, dtype=np.float32)
        for at, (red, green, blue, _) in zip(
            positions.tolist(), colour_table(self.colours, positions).tolist(), strict=True
        ):
            gradient.setColorAt(at, QColor.fromRgbF(red, green, blue))
        painter.fillRect(place, gradient)
        painter.setPen(QPen(QColor(255, 255, 255, 130), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(place)
        small = QFont(font)
        small.setPixelSize(11)
        painter.setFont(small)
        middle = (self.low + self.high) / 2
        for value, y in ((self.high, place.top()), (middle, place.center().y()), (self.low, place.bottom())):
            painter.drawLine(QPointF(place.left() - 3, y), QPointF(place.left(), y))
            self._write(painter, QRectF(place.left() - _WORDS, y - 8, 60, 16), f"{value:.4g}")
        self._write(painter, QRectF(place.left() - _WORDS, place.top() - 24, _WORDS + _WIDTH, 16), self.unit)

    @staticmethod
    def _write(painter: QPainter, box: QRectF, text: str) -> None:
        flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.save()
        painter.setPen(QColor(0, 0, 0, 220))
        for dx, dy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            painter.drawText(box.translated(dx, dy), flags, text)
        painter.setPen(QColor(230, 232, 235))
        painter.drawText(box, flags, text)
        painter.restore()
