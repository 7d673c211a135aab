"""A viewport as Qt itself can draw it: what is seen of a study while napari is on its way.

It shows what `SliceView` shows next, pixel for pixel: the same slice at the same place, sampled as the graphics card
does it (between pixels first, then through the window), and the same letters and texts. It can be scrolled, and stays
fitted; whatever else a hand may want waits for the viewport itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from medviewer.app.ports.display import Display
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport.fitting import fitted
from medviewer.ui.viewport.marking import over_slice
from medviewer.ui.viewport.overlay import Overlay, OverlayState
from medviewer.ui.viewport.slabs import SlabFeed
from medviewer.ui.viewport.tables import coloured

_NOTCH = 120
"""Eighths of a degree in one notch of a wheel (Qt's QWheelEvent)."""
AWAITED = "Opening…"


class Still(QFrame):
    """Implements `ViewPort` as far as a picture goes. What it cannot draw as the viewport will, it does not draw."""

    scrolled = Signal(int)
    """The wheel asks for so many slices on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setProperty("active", False)
        self.setMinimumSize(120, 100)
        self.setCursor(Qt.CursorShape.BusyCursor)
        self.shown: Display | None = None
        self._wheel = 0
        self._slabs = SlabFeed()
        self.sheet = _Sheet(self)
        self.overlay = Overlay(self.sheet, COLOURS["accent"], COLOURS["text"])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self.sheet)

    @property
    def has_picture(self) -> bool:
        """Whether it shows a slice, and not only that one will come."""
        return self.shown is not None and is_plain(self.shown) and not self._slabs.lacks(self.shown)

    def apply(self, display: Display | None) -> None:
        """Show that."""
        self.shown = display
        self.sheet.forget()
        active = display is not None and display.active
        if bool(self.property("active")) != active:
            self.setProperty("active", active)
            self.style().unpolish(self)
            self.style().polish(self)
        self.mark()

    def fit(self) -> None:
        """It always fits."""

    def mark(self) -> None:
        """Draw what lies over the slice."""
        display = self.shown
        if display is None or not self.has_picture:
            self.overlay.show_state(OverlayState(note=AWAITED))
            return
        _, zoom = fitted(display, self.sheet.width(), self.sheet.height())
        self.overlay.show_state(over_slice(display, self._to_pixel, zoom))

    def slice_values(self) -> NDArray[np.generic]:
        """The real values of the slice (rows, columns), or its colours (rows, columns, 3)."""
        display = self.shown
        assert display is not None
        nothing = None
        if display.slab is not None:
            piece, nothing = self._slabs.take(display)
        else:
            piece = display.plane.take(display.voxels, display.k)
        if piece.ndim == 3:
            return piece
        values: NDArray[np.float32] = np.multiply(piece, np.float32(display.slope), dtype=np.float32)
        values += np.float32(display.intercept)
        if display.padding is not None:
            if nothing is None:
                stored = display.plane.take(display.padding.voxels, display.k)
                nothing = np.greater_equal(stored, display.padding.low) & np.less_equal(stored, display.padding.high)
            values[nothing] = display.padding.value
        return values

    def _to_pixel(self, row: float, column: float) -> QPointF:
        assert self.shown is not None
        width, height = self.sheet.width(), self.sheet.height()
        (down, right), zoom = fitted(self.shown, width, height)
        row_mm, column_mm = self.shown.plane.spacing
        return QPointF((column * column_mm - right) * zoom + width / 2, (row * row_mm - down) * zoom + height / 2)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ask for other slices, as the viewport does."""
        event.accept()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return  # zooming waits for the viewport
        self._wheel += event.angleDelta().y()
        steps = int(self._wheel / _NOTCH)
        if steps:
            self._wheel -= steps * _NOTCH
            self.scrolled.emit(-steps)


class _Sheet(QWidget):
    """The slice, where the viewport has its GL widget."""

    def __init__(self, still: Still) -> None:
        super().__init__(still)
        self._still = still
        self._drawn: QImage | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def forget(self) -> None:
        """Another slice is to be drawn."""
        self._drawn = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the slice fit."""
        self._still.overlay.setGeometry(self.rect())
        self._still.mark()
        self.forget()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the slice in the pixels of the screen."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._still.has_picture:
            if self._drawn is None:
                self._drawn = self._draw()
            painter.drawImage(QRectF(self.rect()), self._drawn)
        painter.end()

    def _draw(self) -> QImage:
        display, ratio = self._still.shown, self.devicePixelRatioF()
        assert display is not None
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        (down, right), zoom = fitted(display, self.width(), self.height())
        row_mm, column_mm = display.plane.spacing
        rows = (((np.arange(height) + 0.5) / ratio - self.height() / 2) / zoom + down) / row_mm
        columns = (((np.arange(width) + 0.5) / ratio - self.width() / 2) / zoom + right) / column_mm
        inside = [_inside(at, size) for at, size in zip((rows, columns), display.plane.shape, strict=True)]
        picture = np.zeros((height, width, 3), np.uint8)
        values = sampled(self._still.slice_values(), rows[inside[0]], columns[inside[1]])
        part = _masked(display, coloured(display, values), rows[inside[0]], columns[inside[1]])
        picture[inside[0], inside[1]] = part
        return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)


def is_plain(display: Display) -> bool:
    """Whether Qt draws it as the viewport will: a slice of voxels with no second series and no heat map over it."""
    return display.turned is None and display.fused is None and display.heat is None and display.graphics is None


def sampled(
    values: NDArray[np.generic], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Values between pixels, linearly, and at the border those of its pixels: what the graphics card does.

    Parameters
    ----------
    values
        Of pixels, (rows, columns) or (rows, columns, 3).
    rows, columns
        Where, at the crossings of these.
    """
    low, high, part = _neighbours(rows, values.shape[0])
    part = part.reshape(-1, *([1] * (values.ndim - 1)))
    given = values.astype(np.float32, copy=False)
    lines = given[low] * (1 - part) + given[high] * part
    low, high, part = _neighbours(columns, values.shape[1])
    part = part.reshape(1, -1, *([1] * (values.ndim - 2)))
    return np.asarray(lines[:, low] * (1 - part) + lines[:, high] * part, np.float32)


def _neighbours(at: NDArray[np.floating], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    within = np.clip(at, 0, size - 1)
    low = np.floor(within).astype(np.intp)
    return low, np.minimum(low + 1, size - 1), (within - low).astype(np.float32)


def _inside(at: NDArray[np.floating], size: int) -> slice:
    """Which of some places, in ascending order, lie on pixels."""
    return slice(int(np.searchsorted(at, -0.5)), int(np.searchsorted(at, size - 0.5)))


def _masked(
    display: Display, picture: NDArray[np.uint8], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """The picture with the mask over it; each pixel is of the label that is nearest."""
    look = display.mask
    if look is None:
        return picture
    labels = display.plane.take(look.labels, display.k)
    near = [
        np.clip(np.rint(at), 0, size - 1).astype(np.intp)
        for at, size in zip((rows, columns), labels.shape, strict=True)
    ]
    here = labels[near[0]][:, near[1]]
    mixed = picture.astype(np.float32)
    for label, colour in look.colours:
        mixed[here == label] += look.opacity * (np.array(colour, np.float32) - mixed[here == label])
    return np.rint(mixed).astype(np.uint8)
