"""A viewport that shows slices: picture, camera, what lies over it, and the way from the pointer to requests."""

from __future__ import annotations

from dataclasses import replace
from math import atan2, pi

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from medviewer.app.ports.display import Display
from medviewer.app.state import MEASURE_TOOLS, PATH_TOOL
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport.background import Background
from medviewer.ui.viewport.camera import CameraView, turned_over
from medviewer.ui.viewport.colour_bar import ColourBar
from medviewer.ui.viewport.lens import Lens, lens_at
from medviewer.ui.viewport.marking import over_slice
from medviewer.ui.viewport.measures import TEXT, WHOLE, Hit, hit, hit_text
from medviewer.ui.viewport.overlay import Overlay, OverlayState
from medviewer.ui.viewport.picture import IMAGES, RESULTS, SlicePicture
from medviewer.ui.viewport.pointer import Pointer
from medviewer.ui.viewport.refining import Refining
from medviewer.ui.viewport.thick_slabs import ThickSlabs
from medviewer.ui.viewport.turned import Pixels

_NEAR_CENTRE = 8.0
"""Pixels from the crosshair within which a hand that trembles would turn it by far."""


class SliceView(CameraView):
    """Implements `ViewPort`. Emits requests and changes nothing by itself but its zoom and pan."""

    pointed = Signal(float, float)
    """Row and column where the crosshair should go."""
    scrolled = Signal(int)
    turned = Signal(float)
    """Radians, clockwise, by which the crosshair's lines should turn."""
    windowed = Signal(float, float)
    fused_windowed = Signal(float, float)
    """The same for what is laid over the image."""
    stroke_began = Signal(float, float)
    stroke_moved = Signal(float, float, float, float)
    """Rows and columns from and to."""
    stroke_ended = Signal()
    clicked = Signal(float, float, bool)
    """Row and column that the click tool points at, and whether it is looked for."""
    boxed = Signal(float, float, float, float, bool)
    """Rows and columns of two opposite corners, and whether what is inside is looked for."""
    measure_pressed = Signal(float, float, object)
    """Row and column, and the `Hit` of a measurement or None; then where the pointer goes, pressed or not:"""
    measure_moved = Signal(float, float)
    measure_released = Signal(float, float, bool)
    """Row and column, and whether the pointer was dragged."""
    measure_edited = Signal(object)
    """A double click, and the `Hit` or None."""
    hovered = Signal(float, float)
    """Row and column under the pointer, also when it rests and what is under it changed."""
    menu_asked = Signal(QPointF, object)
    """A click of the right button, in the widget's pixels, and the `Hit` of a measurement or None."""
    left = Signal()
    activated = Signal()
    enlarged = Signal()

    def __init__(self, parent: QWidget | None = None, background: Background | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setProperty("active", False)
        self.setMinimumSize(120, 100)
        self.picture = SlicePicture(self.canvas)
        self._refining = Refining(background, self._show)
        self._thick = ThickSlabs((self.picture.slabs, self.picture.fused.slabs), background, self._show)
        self.overlay = Overlay(self.canvas.native, COLOURS["accent"], COLOURS["text"])
        self.pointer = Pointer(self.canvas.native)
        self._brush_at: QPointF | None = None
        self._resting = QTimer(self, singleShot=True, interval=0)
        self._resting.timeout.connect(self._hover_again)
        self._box: tuple[QPointF, QPointF, bool] | None = None
        self._under: Hit | None = None
        self._measuring = False
        self._note = ""
        self._prepared: set[tuple[str, ...]] = set()
        self.looked.connect(self._draw_overlay)
        self.looked.connect(self._changed_under)
        self.canvas.native.installEventFilter(self)
        self._connect_pointer()

    # -- ViewPort -------------------------------------------------------------------------------------------------

    def apply(self, display: Display | None) -> None:
        """Show that, changing only what differs from what is shown."""
        self._show(self._thick.instead(self._refining.instead(self.shown, display)))

    def settle(self) -> None:
        """Show in full now what would be soon: for pictures."""
        self._refining.settle()
        self._thick.settle()

    def _show(self, display: Display | None, made: Pixels | None = None) -> None:
        old, self.shown = self.shown, display
        self._changed_under()
        if display is None:
            if old is not None:
                self.picture.clear()
                self._mark_active(False)
            self.overlay.show_state(OverlayState(note=self._note))
            return
        fresh = old is None or not old.same_picture(display)
        over = turned_over(old, display)
        place = self._place_between(old, display) if fresh or over else None
        self.picture.apply(old, display, made)
        self.canvas.undrawn = self.canvas.undrawn or fresh
        self._mark_active(display.active)
        if place is not None:
            self._look(place, self.canvas.camera.zoom)
        elif fresh or over:
            self.fit()
        self._draw_overlay()

    def say(self, note: str, active: bool) -> None:
        """What stands in it while it shows nothing, and whether it is the active one then."""
        self._note = note
        if self.shown is None:
            self._mark_active(active)
            self.overlay.show_state(OverlayState(note=note))

    def prepare(self) -> bool:
        """Make one thing that the first picture, or then the first result, would wait for; whether there was one."""
        return self.prepare_image() or self._prepare(RESULTS)

    def prepare_image(self) -> bool:
        """Make one thing that the first picture would wait for; whether there was one to make."""
        return self._prepare(IMAGES)

    def _prepare(self, names: tuple[str, ...]) -> bool:
        if names in self._prepared:
            return False
        if not self.picture.prepare(names):
            self.canvas.draw_ahead()
            self.picture.hide_prepared()
            self._prepared.add(names)
        return True

    # -- overlay, pointer, frame ----------------------------------------------------------------------------------

    def _draw_overlay(self) -> None:
        display = self.shown
        if display is None:
            return
        zoom = float(self.canvas.camera.zoom)
        brush = None
        if display.brush_mm is not None and self._brush_at is not None:
            radius = display.brush_mm * zoom
            brush = (self._brush_at.x(), self._brush_at.y(), radius, radius)
        self.overlay.show_state(
            replace(
                over_slice(display, self.to_pixel, zoom, box=self._box, under=self._under),
                brush=brush,
                lens=self._lens(display),
                line_angle=display.line_angle,
                bar=ColourBar.of(display.fused) if display.fused is not None and display.corners.shown else None,
            )
        )

    def _lens(self, display: Display) -> Lens | None:
        """The pixels around the pointer, enlarged, where a magnifier is asked for and the pointer is on the image."""
        if not display.magnifier or self._brush_at is None or self.picture.image is None:
            return None
        row, column = self.to_slice(self._brush_at)
        rows, columns = display.plane.shape
        if not (-0.5 <= row < rows - 0.5 and -0.5 <= column < columns - 0.5):
            return None
        return lens_at(display, self.picture.image.data, (row, column), self._brush_at, float(self.canvas.camera.zoom))

    def _find(self, point: QPointF) -> Hit | None:
        """What of a measurement is at a pixel."""
        measured, at = self.overlay.state.measures, (point.x(), point.y())
        found = hit(measured, at)
        if measured and (found is None or found.handle < 0):
            worded = hit_text(measured, self.overlay.boxes_of_texts(), at)
            if worded is not None:
                one, box = worded
                return Hit(one.uid, TEXT, self.to_slice(box.center()))
        return found

    def _grabs(self, point: QPointF) -> bool:
        """Whether a press there takes a handle or a text, also when the tool is none that measures."""
        found = self._find(point)
        return found is not None and found.handle != WHOLE

    def _hover_measure(self, point: QPointF) -> None:
        """Light up what the pointer is at."""
        found = self._find(point)
        if (found and found[:2]) != (self._under and self._under[:2]):
            self._under = found
            self._draw_overlay()
            self._shape_pointer()

    def set_tool(self, tool: str) -> None:
        """What the left button does from now on."""
        self.pointer.tool = tool
        self._shape_pointer()

    def _chosen_under(self) -> bool:
        """Whether the pointer is at the measurement that is worked on: with a tool that measures, it alone is moved."""
        under = self._under.uid if self._under is not None else ""
        return any(one.uid == under and one.chosen for one in self.overlay.state.measures)

    def _shape_pointer(self) -> None:
        tool = self.pointer.tool
        if self._under is not None and (self._chosen_under() if tool in MEASURE_TOOLS else self._under.handle != WHOLE):
            self.canvas.native.setCursor(QCursor(Qt.CursorShape.SizeAllCursor))
            return
        shapes = {"pan": Qt.CursorShape.OpenHandCursor, "scroll": Qt.CursorShape.SizeVerCursor}
        painting = tool in ("brush", "eraser", "fill", "crosshair", "click", "turn", PATH_TOOL, *MEASURE_TOOLS)
        default = Qt.CursorShape.CrossCursor if painting else Qt.CursorShape.ArrowCursor
        self.canvas.native.setCursor(QCursor(shapes.get(tool, default)))

    def _connect_pointer(self) -> None:
        pointer = self.pointer
        pointer.pointed.connect(self._on_pointed)
        pointer.scrolled.connect(self.scrolled)
        pointer.turned.connect(self._on_turned)
        pointer.windowed.connect(self.windowed)
        pointer.fused_windowed.connect(self.fused_windowed)
        pointer.panned.connect(self._pan)
        pointer.zoomed.connect(self._zoom)
        pointer.stroke_began.connect(self._on_stroke_began)
        pointer.stroke_moved.connect(self._on_stroke_moved)
        pointer.stroke_ended.connect(self.stroke_ended)
        pointer.clicked.connect(self._on_clicked)
        pointer.boxing.connect(self._on_boxing)
        pointer.boxed.connect(self._on_boxed)
        pointer.grabs = self._grabs
        pointer.measure_pressed.connect(self._on_measure_pressed)
        pointer.measure_moved.connect(self._on_measure_moved)
        pointer.measure_released.connect(self._on_measure_released)
        pointer.measure_edited.connect(lambda point: self.measure_edited.emit(self._find(point)))
        pointer.hovered.connect(self._on_hovered)
        pointer.asked.connect(lambda point: self.menu_asked.emit(point, self._find(point)))
        pointer.left.connect(self._on_left)
        pointer.pressed.connect(self.activated)
        pointer.doubled.connect(self.enlarged)

    def _on_pointed(self, point: QPointF) -> None:
        self.pointed.emit(*self.to_slice(point))

    def _on_turned(self, start: QPointF, end: QPointF) -> None:
        """The hand went round the crosshair; round the middle, where the crosshair is hidden."""
        if self.shown is None:
            return
        cross = self.shown.crosshair
        center = self.to_pixel(*cross) if cross else QPointF(self.canvas.native.rect().center())
        first, second = start - center, end - center
        if min(first.manhattanLength(), second.manhattanLength()) < _NEAR_CENTRE:
            return
        angle = atan2(second.y(), second.x()) - atan2(first.y(), first.x())
        self.turned.emit((angle + pi) % (2 * pi) - pi)

    def _on_stroke_began(self, point: QPointF) -> None:
        self.stroke_began.emit(*self.to_slice(point))

    def _on_stroke_moved(self, start: QPointF, end: QPointF) -> None:
        self.stroke_moved.emit(*self.to_slice(start), *self.to_slice(end))

    def _on_clicked(self, point: QPointF, wanted: bool) -> None:
        self._box = None
        self.clicked.emit(*self.to_slice(point), wanted)

    def _on_boxing(self, first: QPointF, second: QPointF, wanted: bool) -> None:
        self._box = (first, second, wanted)
        self._draw_overlay()

    def _on_boxed(self, first: QPointF, second: QPointF, wanted: bool) -> None:
        self._box = None
        self._draw_overlay()
        self.boxed.emit(*self.to_slice(first), *self.to_slice(second), wanted)

    def _on_measure_pressed(self, point: QPointF) -> None:
        self._measuring = True
        self.measure_pressed.emit(*self.to_slice(point), self._find(point))

    def _on_measure_moved(self, point: QPointF) -> None:
        self.measure_moved.emit(*self.to_slice(point))

    def _on_measure_released(self, point: QPointF, dragged: bool) -> None:
        self._measuring = False
        self.measure_released.emit(*self.to_slice(point), dragged)

    def _on_hovered(self, point: QPointF) -> None:
        self._brush_at = point
        if self.shown is not None:
            if not self._measuring:
                if self.pointer.tool in MEASURE_TOOLS:
                    self.measure_moved.emit(*self.to_slice(point))  # a line follows from the last click
                self._hover_measure(point)
            if self.shown.brush_mm is not None or self.shown.magnifier:
                self._draw_overlay()
            self.hovered.emit(*self.to_slice(point))

    def _changed_under(self) -> None:
        """Have what is under a resting pointer told anew, once for all that changes in one go."""
        if self._brush_at is not None:
            self._resting.start()

    def _hover_again(self) -> None:
        if self._brush_at is None or not self.isVisible():
            return
        if self.shown is None:
            self.left.emit()
        else:
            self.hovered.emit(*self.to_slice(self._brush_at))

    def _on_left(self) -> None:
        self._brush_at = self._under = None
        self._draw_overlay()
        self.left.emit()

    def _mark_active(self, active: bool) -> None:
        if bool(self.property("active")) != active:
            self.setProperty("active", active)
            self.style().unpolish(self)
            self.style().polish(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the overlay as large as the GL widget, and a fitted slice fitted."""
        if event.type() == QEvent.Type.Resize:
            self.overlay.setGeometry(self.canvas.native.rect())
            # the canvas has yet to take its new size, by which napari measures zoom
            QTimer.singleShot(0, self, self._on_resized)
        return False

    def _on_resized(self) -> None:
        if self._fitted:
            self.fit()
        else:
            self._draw_overlay()
