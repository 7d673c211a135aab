"""A viewport that shows slices.

Each viewport owns two-dimensional napari layers, and slices of the shared volume are copied into their buffers: the
volume itself is never copied, and napari's slicing of n dimensions, which takes half of a crosshair step, is not run.
"""

from __future__ import annotations

from math import atan2, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QFrame, QWidget

from medviewer.app.ports import Display, HeatLook, MaskLook, Padding, TurnedSlice
from medviewer.app.state import MEASURE_TOOLS
from medviewer.domain.reslice import reslice, reslice_labels
from medviewer.errors import InputError
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.layers import SliceLayers
from medviewer.ui.viewport.lens import Lens, lens_at, screen_pixels_per_mm
from medviewer.ui.viewport.looks import (
    PlainImage,
    PlainLabels,
    heat_colours,
    image_colours,
    label_colours,
    line_colours,
    ordered,
    set_visible,
)
from medviewer.ui.viewport.measures import Hit, PixelMeasure, hit
from medviewer.ui.viewport.overlay import Overlay, OverlayState, PixelBox, PixelMark
from medviewer.ui.viewport.pointer import Pointer
from medviewer.ui.viewport.slabs import SlabFeed

_FIT = 0.96
"""Part of the viewport that a fitted slice takes."""
_NEAR_CENTRE = 8.0
"""Pixels from the crosshair within which a hand that trembles would turn it by far."""


class SliceView(QFrame):
    """Implements `ViewPort`. Emits requests and changes nothing by itself but its zoom and pan."""

    pointed = Signal(float, float)
    """Row and column where the crosshair should go."""
    scrolled = Signal(int)
    turned = Signal(float)
    """Radians, clockwise, by which the crosshair's lines should turn."""
    windowed = Signal(float, float)
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
    left = Signal()
    activated = Signal()
    enlarged = Signal()
    moved = Signal()
    """The user has zoomed or moved the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setProperty("active", False)
        self.setMinimumSize(120, 100)
        self.canvas = NapariCanvas(self)
        self._layers = SliceLayers(self.canvas)
        self.overlay = Overlay(self.canvas.native, COLOURS["accent"], COLOURS["text"])
        self.pointer = Pointer(self.canvas.native)
        self.shown: Display | None = None
        self._image: Any = None
        self._mask: Any = None
        self._heat: Any = None
        self._graphics: Any = None
        self._slabs = SlabFeed()
        self._shade: tuple[object, ...] | None = None
        self._curve: NDArray[np.float32] | None = None
        """Kept while its colours are shown: it is told from others by what it is, not by its values."""
        self._brush_at: QPointF | None = None
        self._box: tuple[QPointF, QPointF, bool] | None = None
        self._under: Hit | None = None
        self._measuring = False
        self._fitted = True
        self.canvas.native.installEventFilter(self)
        self._connect_pointer()

    # -- ViewPort -------------------------------------------------------------------------------------------------

    def apply(self, display: Display | None) -> None:
        """Show that, changing only what differs from what is shown."""
        old, self.shown = self.shown, display
        if display is None:
            if old is not None:
                self._clear()
            return
        fresh = old is None or not old.same_picture(display)
        place = self._place_between(old, display) if fresh else None
        if fresh:
            self._make_image(display)
        if fresh or old is None or _source(old) != _source(display):
            self._feed_image(display)
        if fresh or old is None or _grey(old) != _grey(display):
            self._set_limits(display)
        self._apply_graphics(display, None if fresh else old)
        self._apply_mask(display, None if fresh else old)
        self._apply_heat(display, None if fresh else old)
        self._mark_active(display.active)
        if place is not None:
            self._look(place, self.canvas.camera.zoom)
        elif fresh:
            self.fit()
        self._draw_overlay()

    def fit(self) -> None:
        """Fit the slice into the viewport."""
        if self.shown is None:
            return
        rows, columns = self.shown.plane.shape
        top, left, bottom, right = (-0.5, -0.5, rows - 0.5, columns - 0.5)
        if self.shown.turned is not None:
            top, left, bottom, right = self.shown.turned.bounds
        row_mm, column_mm = self.shown.plane.spacing
        size = self.canvas.native.size()
        zoom = _FIT * min(size.height() / ((bottom - top) * row_mm), size.width() / ((right - left) * column_mm))
        self._look(((top + bottom) / 2 * row_mm, (left + right) / 2 * column_mm), max(zoom, 1e-3))
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
        """What to look at, down and right in mm, so that a plane that begins or ends to be turned stays in place."""
        if old is None or self._fitted or (old.turned is None) == (display.turned is None):
            return None
        if old.identity is None or old.identity is not display.identity or old.plane.name != display.plane.name:
            return None
        row, column = self.to_slice(QPointF(self.canvas.native.rect().center()), old)
        world = old.plane.grid.index_to_world(old.plane.to_index(row, column, old.k))
        z, y, x = (float(v) for v in display.plane.grid.world_to_index(world))
        row, column = display.plane.to_screen((z, y, x))
        return row * display.plane.spacing[0], column * display.plane.spacing[1]

    # -- layers ---------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._layers.hide()
        self._slabs.forget()
        self._image = self._mask = self._heat = self._graphics = None
        self._mark_active(False)
        self.overlay.show_state(OverlayState())

    def _make_image(self, display: Display) -> None:
        self._layers.hide()
        self._mask = self._heat = self._graphics = self._shade = None
        colour = display.voxels.ndim == 4
        shape = (*display.plane.shape, 3) if colour else display.plane.shape
        extra: dict[str, Any] = {} if colour else {"contrast_limits": ordered(display.limits), "colormap": "gray"}
        self._image = self._layers.get(
            "colour" if colour else "grey",
            PlainImage,
            shape,
            np.uint8 if colour else np.float32,
            display.plane.spacing,
            below=True,
            rgb=colour,
            interpolation2d="linear",
            **extra,
        )

    def _feed_image(self, display: Display) -> None:
        nothing = None
        if display.turned is not None:
            self._feed_turned(display, display.turned)
            return
        if display.slab is not None:
            piece, nothing = self._slabs.take(display)
        else:
            self._slabs.forget()
            piece = display.plane.take(display.voxels, display.k)
        buffer = self._image.data
        if buffer.ndim == 3:
            np.copyto(buffer, piece, casting="unsafe")
        else:
            np.multiply(piece, np.float32(display.slope), out=buffer, casting="unsafe")
            buffer += np.float32(display.intercept)
            if display.padding is not None:
                padded = nothing if nothing is not None else _padded(display, display.padding)
                buffer[padded] = display.padding.value
        self._upload(self._image, buffer)

    def _feed_turned(self, display: Display, turned: TurnedSlice) -> None:
        lattice, buffer = display.plane.grid, self._image.data
        values, inside = reslice(display.voxels, turned.grid, lattice, display.k)
        np.multiply(display.plane.turn(values), np.float32(display.slope), out=buffer)
        buffer += np.float32(display.intercept)
        outside = np.logical_not(display.plane.turn(inside))
        buffer[outside] = turned.outside
        if display.padding is not None:
            stored = display.plane.turn(reslice_labels(display.padding.voxels, turned.grid, lattice, display.k))
            low, high = display.padding.low, display.padding.high
            padded = np.greater_equal(stored, low) & np.less_equal(stored, high) & np.logical_not(outside)
            buffer[padded] = display.padding.value
        self._upload(self._image, buffer)

    def _set_limits(self, display: Display) -> None:
        if display.voxels.ndim == 4:
            return
        low, high = ordered(display.limits)
        node = self.canvas.node(self._image)
        node.clim = (low, high)
        node.update()
        shade = _grey(display)[1:]
        if self._shade != shade:
            self._shade, self._curve = shade, display.curve
            self._image.colormap = image_colours(display.colours, display.curve, display.limits[0] > display.limits[1])

    def _apply_graphics(self, display: Display, old: Display | None) -> None:
        look, before = display.graphics, old.graphics if old else None
        planes = [] if look is None else [one.planes[look.slot] for one in look.overlays if look.slot in one.planes]
        if look is None or not planes:
            set_visible(self._graphics, False)
            return
        if self._graphics is None:
            self._make_graphics(display)
            before = None
        set_visible(self._graphics, True)
        if before is None or before.overlays is not look.overlays or before.slot != look.slot:
            drawn = np.logical_or.reduce(planes)
            np.copyto(self._graphics.data, display.plane.take(drawn[None], 0))
            self._upload(self._graphics, self._graphics.data)

    def _make_graphics(self, display: Display) -> None:
        self._graphics = self._layers.get(
            "graphics",
            PlainImage,
            display.plane.shape,
            np.float32,
            display.plane.spacing,
            contrast_limits=(0, 1),
            colormap=line_colours(COLOURS["graphics"]),
            blending="translucent",
            interpolation2d="linear",
        )

    def _apply_mask(self, display: Display, old: Display | None) -> None:
        look, before = display.mask, old.mask if old else None
        if look is None:
            set_visible(self._mask, False)
            return
        if self._mask is None or self._mask.data.dtype != look.labels.dtype:
            self._make_mask(display, look)
            before = None
        set_visible(self._mask, True)
        if before is None or before.colours != look.colours:
            self._mask.colormap = label_colours(look)
        if self._mask.opacity != look.opacity:
            self._mask.opacity = look.opacity
        same = before is not None and before.labels is look.labels
        if not (
            same and old is not None and (old.k, old.revision) == (display.k, display.revision) and _stays(old, display)
        ):
            np.copyto(self._mask.data, _labels(display, look.labels))
            self._upload(self._mask, self._mask.data)

    def _make_mask(self, display: Display, look: MaskLook) -> None:
        set_visible(self._mask, False)
        # one layer for each type of label, since a texture keeps the type that it was made with
        self._mask = self._layers.get(
            f"mask {look.labels.dtype}", PlainLabels, display.plane.shape, look.labels.dtype, display.plane.spacing
        )

    def _apply_heat(self, display: Display, old: Display | None) -> None:
        look, before = display.heat, old.heat if old else None
        if look is None:
            set_visible(self._heat, False)
            return
        if self._heat is None:
            self._make_heat(display, look)
            before = None
        set_visible(self._heat, True)
        if self._heat.opacity != look.opacity:
            self._heat.opacity = look.opacity
        if before is None or before.colormap != look.colormap:
            self._heat.colormap = heat_colours(look.colormap)
        same = before is not None and before.values is look.values
        if not (same and old is not None and old.k == display.k and _stays(old, display)):
            np.copyto(self._heat.data, _labels(display, look.values), casting="unsafe")
            self._upload(self._heat, self._heat.data)

    def _make_heat(self, display: Display, look: HeatLook) -> None:
        self._heat = self._layers.get(
            "heat",
            PlainImage,
            display.plane.shape,
            np.float32,
            display.plane.spacing,
            contrast_limits=(0, 1),
            colormap=heat_colours(look.colormap),
            blending="translucent",
            interpolation2d="linear",
        )

    def _upload(self, layer: Any, data: NDArray[np.generic]) -> None:
        """Hand a layer's buffer to its texture, past napari's cascade of events for new data."""
        node = self.canvas.node(layer)
        node.set_data(data)
        node.update()

    # -- camera ---------------------------------------------------------------------------------------------------

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
        self._draw_overlay()

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

    # -- overlay, pointer, frame ----------------------------------------------------------------------------------

    def _draw_overlay(self) -> None:
        display = self.shown
        if display is None:
            return
        cross = self.to_pixel(*display.crosshair) if display.crosshair else None
        zoom = float(self.canvas.camera.zoom)
        brush = None
        if display.brush_mm is not None and self._brush_at is not None:
            radius = display.brush_mm * zoom
            brush = (self._brush_at.x(), self._brush_at.y(), radius, radius)
        self.overlay.show_state(
            OverlayState(
                crosshair=(cross.x(), cross.y()) if cross else None,
                letters=display.letters,
                corners=display.corners,
                pixels_per_mm=zoom if display.calibrated and display.corners.shown else 0.0,
                brush=brush,
                lens=self._lens(display),
                marks=self._marks(display),
                boxes=self._boxes(display),
                measures=self._measures(display),
                lines=self._lines(display),
                line_angle=display.line_angle,
            )
        )

    def _lens(self, display: Display) -> Lens | None:
        """The pixels around the pointer, enlarged, where a magnifier is asked for and the pointer is on the image."""
        if not display.magnifier or self._brush_at is None or self._image is None:
            return None
        row, column = self.to_slice(self._brush_at)
        rows, columns = display.plane.shape
        if not (-0.5 <= row < rows - 0.5 and -0.5 <= column < columns - 0.5):
            return None
        return lens_at(display, self._image.data, (row, column), self._brush_at, float(self.canvas.camera.zoom))

    def _lines(self, display: Display) -> tuple[tuple[float, float, float, float], ...]:
        """Where other slices cut this one, on the screen now."""
        ends = ((self.to_pixel(*first), self.to_pixel(*last)) for first, last in display.lines)
        return tuple((first.x(), first.y(), last.x(), last.y()) for first, last in ends)

    def _boxes(self, display: Display) -> tuple[PixelBox, ...]:
        """What was found, where it lies on the screen now."""
        boxes = []
        for box in display.boxes:
            first, second = (self.to_pixel(*corner) for corner in box.corners)
            (left, right), (top, bottom) = sorted((first.x(), second.x())), sorted((first.y(), second.y()))
            boxes.append(PixelBox((left, top, right, bottom), box.colour, box.text, box.chosen))
        return tuple(boxes)

    def _marks(self, display: Display) -> tuple[PixelMark, ...]:
        """What was pointed at, and the box that is being drawn."""
        marks = []
        for mark in display.marks:
            points = (self.to_pixel(*position) for position in mark.at)
            marks.append(PixelMark(tuple((p.x(), p.y()) for p in points), mark.positive, mark.waiting))
        if self._box is not None:
            first, second, wanted = self._box
            marks.append(PixelMark(((first.x(), first.y()), (second.x(), second.y())), wanted, True))
        return tuple(marks)

    def _measures(self, display: Display) -> tuple[PixelMeasure, ...]:
        """What was measured, where it lies on the screen now."""
        made = []
        for one in display.measures:
            handles = tuple((n, p.x(), p.y()) for n, p in ((n, self.to_pixel(r, c)) for n, r, c in one.handles))
            lines = tuple(tuple((p.x(), p.y()) for p in (self.to_pixel(*at) for at in line)) for line in one.lines)
            under = self._under is not None and self._under.uid == one.uid
            made.append(PixelMeasure(one.uid, one.kind, handles, lines, one.text, one.chosen, under, one.drafted))
        return tuple(made)

    def _find(self, point: QPointF) -> Hit | None:
        """What of a measurement is at a pixel."""
        return hit(self.overlay.state.measures, (point.x(), point.y()))

    def _grabs(self, point: QPointF) -> bool:
        """Whether a press there takes a handle, also when the tool is none that measures."""
        found = self._find(point)
        return found is not None and found.handle >= 0

    def _hover_measure(self, point: QPointF) -> None:
        """Light up what the pointer is at."""
        found = self._find(point)
        if found != self._under:
            self._under = found
            self._draw_overlay()
            self._shape_pointer()

    def set_tool(self, tool: str) -> None:
        """What the left button does from now on."""
        self.pointer.tool = tool
        self._shape_pointer()

    def _shape_pointer(self) -> None:
        tool = self.pointer.tool
        if self._under is not None and (tool in MEASURE_TOOLS or self._under.handle >= 0):
            self.canvas.native.setCursor(QCursor(Qt.CursorShape.SizeAllCursor))
            return
        shapes = {"pan": Qt.CursorShape.OpenHandCursor, "scroll": Qt.CursorShape.SizeVerCursor}
        painting = tool in ("brush", "eraser", "fill", "crosshair", "click", "turn", *MEASURE_TOOLS)
        default = Qt.CursorShape.CrossCursor if painting else Qt.CursorShape.ArrowCursor
        self.canvas.native.setCursor(QCursor(shapes.get(tool, default)))

    def _connect_pointer(self) -> None:
        pointer = self.pointer
        pointer.pointed.connect(self._on_pointed)
        pointer.scrolled.connect(self.scrolled)
        pointer.turned.connect(self._on_turned)
        pointer.windowed.connect(self.windowed)
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


def _source(display: Display) -> tuple[object, ...]:
    """What a slice's real values are made of; the phases of an image differ in their voxels."""
    padding = None if display.padding is None else display.padding.value
    slab = None if display.slab is None else (display.slab.mode, display.slab.slices.start, display.slab.slices.stop)
    turned = None if display.turned is None else (display.plane.grid, display.turned.outside)
    return turned, id(display.voxels), display.arrived, display.k, display.slope, display.intercept, padding, slab


def _stays(old: Display, display: Display) -> bool:
    """Whether the pixels lie where they lay; of a turned plane they move with the crosshair."""
    return old.plane == display.plane


def _labels(display: Display, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The slice of an overlay on the volume's grid; of a turned plane, the nearest voxels."""
    if display.turned is None:
        return display.plane.take(values, display.k)
    return display.plane.turn(reslice_labels(values, display.turned.grid, display.plane.grid, display.k))


def _grey(display: Display) -> tuple[object, ...]:
    """What turns real values into colours: the limits, and what the table between them is made of."""
    return display.limits, id(display.curve), display.colours, display.limits[0] > display.limits[1]


def _padded(display: Display, padding: Padding) -> NDArray[np.bool_]:
    stored = display.plane.take(padding.voxels, display.k)
    inside: NDArray[np.bool_] = np.greater_equal(stored, padding.low) & np.less_equal(stored, padding.high)
    return inside
