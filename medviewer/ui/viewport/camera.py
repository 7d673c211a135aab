"""Where a viewport of slices looks: from rows and columns to its pixels and back, zoom, pan and fit."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QFrame, QWidget

from medviewer.app.ports.display import Display
from medviewer.errors import InputError
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.fitting import fitted
from medviewer.ui.viewport.lens import screen_pixels_per_mm

_SAME_WAY = 0.5
"""Cosine of the angle up to which a plane went on being turned by a hand: it is flipped by a right angle or more."""


class CameraView(QFrame):
    """A napari canvas over one slice, and where on it the user looks."""

    moved = Signal()
    """The user has zoomed or moved the picture."""
    looked = Signal()
    """The camera looks elsewhere, whoever asked for it: what lies over the slice has another place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = NapariCanvas(self)
        self.shown: Display | None = None
        self._fitted = True

    @property
    def fitted(self) -> bool:
        """Whether the slice fits the viewport, as it does until the user zooms or moves it."""
        return self._fitted

    def fit(self) -> None:
        """Fit the slice into the viewport."""
        if self.shown is None:
            return
        size = self.canvas.native.size()
        self._look(*fitted(self.shown, size.width(), size.height()))
        self._fitted = True

    def true_size(self) -> None:
        """Show a length in the patient as long on the screen, as far as the screen knows how large it is.

        Raises
        ------
        InputError
            If either is not known.
        """
        if self.shown is None:
            return
        if not self.shown.calibrated:
            raise InputError("True size needs the size of a pixel in the patient, which the file does not give.")
        self._zoom_to(screen_pixels_per_mm(self))

    def pixel_size(self) -> None:
        """Show each pixel as one of the screen; where pixels are not square, along their shorter side."""
        if self.shown is not None:
            self._zoom_to(1 / (min(self.shown.plane.spacing) * self.devicePixelRatioF()))

    def _zoom_to(self, zoom: float) -> None:
        self._fitted = False
        self._look(tuple(self.canvas.camera.center[1:]), zoom)

    def _place_between(self, old: Display | None, display: Display) -> tuple[float, float] | None:
        """What to look at, down and right in mm, so that a plane that was turned, or turned over, stays in place."""
        if old is None or self._fitted:
            return None
        if (old.turned is None) == (display.turned is None) and not turned_over(old, display):
            return None
        if old.identity is None or old.identity is not display.identity or old.plane.name != display.plane.name:
            return None
        row, column = self.to_slice(QPointF(self.canvas.native.rect().center()), old)
        world = old.plane.grid.index_to_world(old.plane.to_index(row, column, old.k))
        z, y, x = (float(v) for v in display.plane.grid.world_to_index(world))
        row, column = display.plane.to_screen((z, y, x))
        return row * display.plane.spacing[0], column * display.plane.spacing[1]

    def to_pixel(self, row: float, column: float) -> QPointF:
        """Where a row and column lie in the GL widget, in its pixels."""
        camera, size = self.canvas.camera, self.canvas.native.size()
        row_mm, column_mm = self.shown.plane.spacing if self.shown else (1.0, 1.0)
        x = (column * column_mm - camera.center[2]) * camera.zoom + size.width() / 2
        y = (row * row_mm - camera.center[1]) * camera.zoom + size.height() / 2
        return QPointF(x, y)

    def to_slice(self, point: QPointF, display: Display | None = None) -> tuple[float, float]:
        """Row and column, not rounded, under a pixel of the GL widget, of what is shown or of a display before it."""
        camera, size = self.canvas.camera, self.canvas.native.size()
        shown = display or self.shown
        row_mm, column_mm = shown.plane.spacing if shown else (1.0, 1.0)
        column = ((point.x() - size.width() / 2) / camera.zoom + camera.center[2]) / column_mm
        row = ((point.y() - size.height() / 2) / camera.zoom + camera.center[1]) / row_mm
        return row, column

    def _look(self, center: tuple[float, float], zoom: float) -> None:
        camera = self.canvas.camera
        camera.center = (0, *center)
        camera.zoom = zoom
        self.looked.emit()

    def _pan(self, delta: QPointF) -> None:
        camera = self.canvas.camera
        self._fitted = False
        y, x = camera.center[1] - delta.y() / camera.zoom, camera.center[2] - delta.x() / camera.zoom
        self._look((y, x), camera.zoom)
        self.moved.emit()

    def _zoom(self, factor: float, at: QPointF) -> None:
        if self.shown is None:
            return
        camera = self.canvas.camera
        self._fitted = False
        size = self.canvas.native.size()
        offset = QPointF(at.x() - size.width() / 2, at.y() - size.height() / 2)
        zoom = float(np.clip(camera.zoom * factor, 0.02, 200))
        change = 1 / camera.zoom - 1 / zoom
        self._look((camera.center[1] + offset.y() * change, camera.center[2] + offset.x() * change), zoom)
        self.moved.emit()

    @property
    def looking_at(self) -> tuple[float, float, float]:
        """Row and column in the middle of the viewport, and pixels a mm."""
        camera = self.canvas.camera
        row_mm, column_mm = self.shown.plane.spacing if self.shown else (1.0, 1.0)
        return camera.center[1] / row_mm, camera.center[2] / column_mm, float(camera.zoom)

    def look_at(self, row: float, column: float, zoom: float) -> None:
        """Bring a row and column to the middle, with so many pixels a mm."""
        if self.shown is not None:
            row_mm, column_mm = self.shown.plane.spacing
            self._fitted = False
            self._look((row * row_mm, column * column_mm), zoom)


def turned_over(old: Display | None, display: Display) -> bool:
    """Whether a turned plane was flipped or rotated by quarters, to lie as the plane does that it is nearest to."""
    if old is None or old.turned is None or display.turned is None:
        return False
    before, now = old.plane.grid.axes[:, 1:], display.plane.grid.axes[:, 1:]
    return bool((before * now).sum(axis=0).min() < _SAME_WAY)
