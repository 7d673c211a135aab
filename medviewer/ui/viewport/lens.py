"""The magnifier, and how large the screen is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

from medviewer.app.ports.display import Display
from medviewer.errors import InputError
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport.tables import coloured

RADIUS = 110
"""Of the lens, in pixels of the screen."""
_FACTOR = 2.5
"""How much larger than the picture around it the lens shows things."""
_LEAST = 2.0
"""Pixels of the screen that a pixel of the image takes in the lens at least: the lens shows every one of them."""
_DPI = (40.0, 700.0)
"""Screens have a density between these; others do not know their size."""


@dataclass(frozen=True, eq=False)
class Lens:
    """What the magnifier shows.

    Parameters
    ----------
    at
        The pointer, in the viewport's pixels.
    picture
        Pixels of the image around it, each one a pixel, in their grey or colour.
    place
        Where the picture's corners lie in the viewport, in its pixels.
    """

    at: QPointF
    picture: QImage
    place: QRectF

    def draw(self, painter: QPainter) -> None:
        """Draw it: round, with a rim."""
        circle = QPainterPath()
        circle.addEllipse(self.at, RADIUS, RADIUS)
        painter.save()
        painter.setClipPath(circle)
        painter.fillPath(circle, QColor("black"))
        painter.drawImage(self.place, self.picture)  # unsmoothed: its pixels are those of the image
        painter.restore()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(QColor(0, 0, 0, 200), 4), QPen(QColor(COLOURS["quiet"]), 1.5)):
            painter.setPen(pen)
            painter.drawEllipse(self.at, RADIUS, RADIUS)
        painter.restore()


def lens_at(display: Display, real: NDArray[np.generic], center: tuple[float, float], at: QPointF, zoom: float) -> Lens:
    """The lens over a slice.

    Parameters
    ----------
    display
        How the slice is shown.
    real
        Its real values (rows, columns), or colours (rows, columns, 3).
    center
        Row and column under the pointer.
    at
        The pointer, in the viewport's pixels.
    zoom
        Pixels of the viewport a mm, outside the lens.
    """
    row_mm, column_mm = display.plane.spacing
    larger = max(zoom * _FACTOR, _LEAST / min(row_mm, column_mm))
    half_rows, half_columns = RADIUS / (larger * row_mm), RADIUS / (larger * column_mm)
    rows = _range(center[0], half_rows, real.shape[0])
    columns = _range(center[1], half_columns, real.shape[1])
    part = real[rows, columns]
    left = at.x() + (columns.start - 0.5 - center[1]) * column_mm * larger
    top = at.y() + (rows.start - 0.5 - center[0]) * row_mm * larger
    place = QRectF(left, top, part.shape[1] * column_mm * larger, part.shape[0] * row_mm * larger)
    return Lens(at, _picture(coloured(display, part)), place)


def _range(center: float, half: float, count: int) -> slice:
    return slice(max(int(center - half), 0), min(int(center + half) + 2, count))


def _picture(colours: NDArray[np.uint8]) -> QImage:
    rows, columns = colours.shape[:2]
    pixels = np.ascontiguousarray(colours)
    return QImage(pixels.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()


def screen_pixels_per_mm(widget: QWidget) -> float:
    """How many of a widget's pixels make one mm of the screen that it is on, as the screen says.

    Raises
    ------
    InputError
        If the screen does not say how large it is, or what it says cannot be.
    """
    dpi = widget.screen().physicalDotsPerInch()
    if not _DPI[0] <= dpi * widget.devicePixelRatioF() <= _DPI[1]:
        raise InputError("True size needs to know how large the screen is, and this one does not say so; use Fit.")
    return dpi / 25.4
