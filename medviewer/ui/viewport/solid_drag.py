"""What the mouse does on the 3D view, beside turning and zooming, which are vispy's own."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent

from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.solid_camera import right_of

_RANGE_PX = 300
"""Pixels of a drag that move a look by its whole range."""
_CLICK_PX = 4
"""A press that moves less is a click."""


class SolidDrag(QObject):
    """Right button: the look; right click: the menu; middle button: move; double click: large.

    Parameters
    ----------
    canvas
        Whose GL widget is listened to.
    """

    look_moved = Signal(float, float)
    menu_requested = Signal(QPoint)
    enlarge_requested = Signal()
    moved = Signal()
    """Something is being moved: what is drawn may be coarse."""

    def __init__(self, canvas: NapariCanvas) -> None:
        super().__init__(canvas.native)
        self._canvas = canvas
        self._from = QPointF()
        self._pressed = QPointF()
        self._dragged = False
        self.held = False
        """Whether a button is down."""
        canvas.native.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what is ours; vispy gets the left button and the wheel."""
        kind = event.type()
        if kind == QEvent.Type.Wheel:
            self.moved.emit()
        if not isinstance(event, QMouseEvent):
            return False
        if kind == QEvent.Type.MouseButtonPress:
            return self._press(event)
        if kind == QEvent.Type.MouseMove and self.held:
            return self._move(event)
        if kind == QEvent.Type.MouseButtonRelease:
            return self._release(event)
        if kind == QEvent.Type.MouseButtonDblClick and event.button() == Qt.MouseButton.LeftButton:
            self.enlarge_requested.emit()
            return True
        return False

    def _press(self, event: QMouseEvent) -> bool:
        self.held, self._dragged = True, False
        self._from = self._pressed = event.position()
        return event.button() != Qt.MouseButton.LeftButton

    def _move(self, event: QMouseEvent) -> bool:
        gone = event.position() - self._from
        if not self._dragged and (event.position() - self._pressed).manhattanLength() < _CLICK_PX:
            return bool(event.buttons() != Qt.MouseButton.LeftButton)
        self._dragged = True
        self.moved.emit()
        if event.buttons() & Qt.MouseButton.RightButton:
            # as in a slice: downwards darkens, which here is less to be seen; to the right widens
            self.look_moved.emit(gone.y() / _RANGE_PX, gone.x() / _RANGE_PX)
        elif event.buttons() & Qt.MouseButton.MiddleButton:
            self._pan(gone)
        else:
            return False
        self._from = event.position()
        return True

    def _release(self, event: QMouseEvent) -> bool:
        self.held = bool(event.buttons())
        if event.button() == Qt.MouseButton.RightButton and not self._dragged:
            self.menu_requested.emit(event.globalPosition().toPoint())
        return event.button() != Qt.MouseButton.LeftButton

    def _pan(self, gone: QPointF) -> None:
        camera = self._canvas.camera
        right = right_of(camera.view_direction, camera.up_direction)
        up = np.array(camera.up_direction)
        move = (-right * gone.x() + up * gone.y()) / camera.zoom
        camera.center = tuple(float(v) for v in np.array(camera.center) + move)
