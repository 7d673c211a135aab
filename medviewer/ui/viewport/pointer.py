"""From mouse and wheel to requests: what the left button does depends on the tool, the rest never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from medviewer.app.state import EDIT_TOOLS, MEASURE_TOOLS, PATH_TOOL

_WHEEL_STEP = 120
"""Eighths of a degree in one notch of a wheel (Qt's QWheelEvent)."""
_ZOOM_STEP = 1.1
_BOX_PIXELS = 6
"""Pixels from where a drag of the click tool draws a box; a hand trembles by less."""
_STILL_PIXELS = 4
"""Pixels that the right button may move and still be a click, which opens the menu, and no window/level drag."""
_SCROLL_PIXELS = 8
"""Pixels of a scroll drag that move one slice."""


class Pointer(QObject):
    """Watches the GL widget's mouse and turns it into requests, in the widget's pixels.

    napari's own mouse handling never sees these events.
    """

    pointed = Signal(QPointF)
    """The crosshair should go here."""
    scrolled = Signal(int)
    windowed = Signal(float, float)
    """Window/level drag: part of the widget's width to the right, of its height down."""
    fused_windowed = Signal(float, float)
    """The same with Shift: for what is laid over the image."""
    turned = Signal(QPointF, QPointF)
    """The crosshair's lines should turn as the hand goes from one place to the other."""
    asked = Signal(QPointF)
    """A click of the right button: what can be done here?"""
    panned = Signal(QPointF)
    zoomed = Signal(float, QPointF)
    """Factor, and the point that stays where it is."""
    stroke_began = Signal(QPointF)
    stroke_moved = Signal(QPointF, QPointF)
    stroke_ended = Signal()
    clicked = Signal(QPointF, bool)
    """Something is pointed at with the click tool, and whether it is looked for (without Ctrl)."""
    boxing = Signal(QPointF, QPointF, bool)
    """A box is being drawn with the click tool; and in the end:"""
    boxed = Signal(QPointF, QPointF, bool)
    measure_pressed = Signal(QPointF)
    """The button went down with a measuring tool, or on a handle; then, and in the end whether it was a drag:"""
    measure_moved = Signal(QPointF)
    measure_released = Signal(QPointF, bool)
    measure_edited = Signal(QPointF)
    """A double click with a measuring tool, or on a handle, ended."""
    hovered = Signal(QPointF)
    left = Signal()
    pressed = Signal()
    doubled = Signal()

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.tool = "crosshair"
        self.grabs: Callable[[QPointF], bool] = lambda _: False
        """Whether there is a handle at that place, which a press takes whatever the tool."""
        self._widget = widget
        self._action = ""
        self._last = QPointF()
        self._anchor = QPointF()
        self._wheel = 0.0
        self._drag = 0.0
        self._wanted = True
        self._double = False
        widget.setMouseTracking(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take mouse, wheel and leave events of the GL widget."""
        kind = event.type()
        if kind == QEvent.Type.MouseMove:
            self._move(cast("QMouseEvent", event))
        elif kind == QEvent.Type.MouseButtonPress:
            self._press(cast("QMouseEvent", event))
        elif kind == QEvent.Type.MouseButtonRelease:
            self._release(cast("QMouseEvent", event))
        elif kind == QEvent.Type.MouseButtonDblClick:
            if self._measures(cast("QMouseEvent", event)):
                self._press(cast("QMouseEvent", event))
                self._double = True
            elif self.tool in (*EDIT_TOOLS, "click"):
                self._press(cast("QMouseEvent", event))
            else:
                self.doubled.emit()
        elif kind == QEvent.Type.Wheel:
            self._roll(cast("QWheelEvent", event))
        elif kind == QEvent.Type.Leave:
            self.left.emit()
            return False
        else:
            return False
        return True

    def _press(self, event: QMouseEvent) -> None:
        if self._action:
            return
        self._last = self._anchor = event.position()
        self._drag = 0.0
        self.pressed.emit()
        button = event.button()
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if button == Qt.MouseButton.RightButton:
            self._action = "fused" if shift else "menu"  # the menu, until the hand moves
        elif button == Qt.MouseButton.MiddleButton:
            self._action = "pan"
        elif button == Qt.MouseButton.LeftButton:
            turning = event.modifiers() & Qt.KeyboardModifier.AltModifier
            self._action = "turn" if turning else "measure" if self._measures(event) else self.tool
            if shift and self._action == "window":
                self._action = "fused"
            self._wanted = not event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if self._action == "crosshair":
            self.pointed.emit(self._last)
        elif self._action in EDIT_TOOLS:
            self.stroke_began.emit(self._last)
        elif self._action == "measure":
            self.measure_pressed.emit(self._last)

    def _measures(self, event: QMouseEvent) -> bool:
        """Whether a press is about a measurement."""
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        return self.tool in (PATH_TOOL, *MEASURE_TOOLS) or (
            self.tool not in (*EDIT_TOOLS, "click") and self.grabs(event.position())
        )

    def _release(self, event: QMouseEvent) -> None:
        action, self._action = self._action, ""
        if action == "menu":
            self.asked.emit(event.position())
        elif action in EDIT_TOOLS:
            self.stroke_ended.emit()
        elif action == "click" and self._drags(event.position()):
            self.boxed.emit(self._anchor, event.position(), self._wanted)
        elif action == "click":
            self.clicked.emit(self._anchor, self._wanted)
        elif action == "measure":
            double, self._double = self._double, False
            self.measure_released.emit(event.position(), self._drags(event.position()))
            if double:
                self.measure_edited.emit(event.position())

    def _drags(self, position: QPointF) -> bool:
        return (position - self._anchor).manhattanLength() > _BOX_PIXELS

    def _move(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._action == "menu":
            if (position - self._anchor).manhattanLength() <= _STILL_PIXELS:
                return
            self._action, self._last = "window", self._anchor  # the drag counts from where it began
        delta = position - self._last
        if self._action == "window":
            self.windowed.emit(delta.x() / max(self._widget.width(), 1), delta.y() / max(self._widget.height(), 1))
        elif self._action == "fused":
            part = delta.x() / max(self._widget.width(), 1), delta.y() / max(self._widget.height(), 1)
            self.fused_windowed.emit(*part)
        elif self._action == "pan":
            self.panned.emit(delta)
        elif self._action == "zoom":
            self.zoomed.emit(_ZOOM_STEP ** (-delta.y() / 15), self._anchor)
        elif self._action == "scroll":
            self._drag += delta.y() / _SCROLL_PIXELS
            steps, self._drag = int(self._drag), self._drag - int(self._drag)
            if steps:
                self.scrolled.emit(steps)
        elif self._action == "crosshair":
            self.pointed.emit(position)
        elif self._action == "turn":
            self.turned.emit(self._last, position)
        elif self._action in EDIT_TOOLS:
            self.stroke_moved.emit(self._last, position)
        elif self._action == "click":
            if self._drags(position):
                self.boxing.emit(self._anchor, position, self._wanted)
        elif self._action == "measure":
            self.measure_moved.emit(position)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.pointed.emit(position)
        self._last = position
        self.hovered.emit(position)

    def _roll(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / _WHEEL_STEP
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(_ZOOM_STEP**notches, event.position())
            return
        self._wheel -= notches
        steps, self._wheel = int(self._wheel), self._wheel - int(self._wheel)
        if steps:
            self.scrolled.emit(steps)
