"""What lies over a slice, from its rows and columns to the viewport's pixels."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF

from medviewer.app.ports.display import Display
from medviewer.ui.viewport.measures import Hit, PixelMeasure
from medviewer.ui.viewport.overlay import OverlayState, PixelBox, PixelMark

ToPixel = Callable[[float, float], QPointF]
"""Where a row and a column are on the screen now."""


def over_slice(
    display: Display,
    to_pixel: ToPixel,
    zoom: float,
    *,
    box: tuple[QPointF, QPointF, bool] | None = None,
    under: Hit | None = None,
) -> OverlayState:
    """All that lies over a slice, but for what follows the pointer.

    Parameters
    ----------
    zoom
        Pixels a mm.
    box
        A box that is being drawn, see `prompt_marks`.
    under
        What is under the pointer.
    """
    cross = to_pixel(*display.crosshair) if display.crosshair else None
    return OverlayState(
        crosshair=(cross.x(), cross.y()) if cross else None,
        letters=display.letters,
        corners=display.corners,
        pixels_per_mm=zoom if display.calibrated and display.corners.shown else 0.0,
        marks=prompt_marks(display, to_pixel, box),
        boxes=found_boxes(display, to_pixel),
        measures=measures(display, to_pixel, under),
        lines=reference_lines(display, to_pixel),
    )


def reference_lines(display: Display, to_pixel: ToPixel) -> tuple[tuple[float, float, float, float], ...]:
    """Where other slices cut this one."""
    ends = ((to_pixel(*first), to_pixel(*last)) for first, last in display.lines)
    return tuple((first.x(), first.y(), last.x(), last.y()) for first, last in ends)


def found_boxes(display: Display, to_pixel: ToPixel) -> tuple[PixelBox, ...]:
    """What was found."""
    boxes = []
    for box in display.boxes:
        first, second = (to_pixel(*corner) for corner in box.corners)
        (left, right), (top, bottom) = sorted((first.x(), second.x())), sorted((first.y(), second.y()))
        boxes.append(PixelBox((left, top, right, bottom), box.colour, box.text, box.chosen))
    return tuple(boxes)


def prompt_marks(
    display: Display, to_pixel: ToPixel, drawn: tuple[QPointF, QPointF, bool] | None
) -> tuple[PixelMark, ...]:
    """What was pointed at, and the box that is being drawn: two corners, and whether what is inside is looked for."""
    marks = []
    for mark in display.marks:
        points = (to_pixel(*position) for position in mark.at)
        marks.append(PixelMark(tuple((p.x(), p.y()) for p in points), mark.positive, mark.waiting))
    if drawn is not None:
        first, second, wanted = drawn
        marks.append(PixelMark(((first.x(), first.y()), (second.x(), second.y())), wanted, True))
    return tuple(marks)


def measures(display: Display, to_pixel: ToPixel, under: Hit | None) -> tuple[PixelMeasure, ...]:
    """What was measured; that which is under the pointer is lit up."""
    made = []
    for one in display.measures:
        handles = tuple((n, p.x(), p.y()) for n, p in ((n, to_pixel(r, c)) for n, r, c in one.handles))
        lines = tuple(tuple((p.x(), p.y()) for p in (to_pixel(*at) for at in line)) for line in one.lines)
        hovered = under is not None and under.uid == one.uid
        middle = to_pixel(*one.text_at) if one.text_at is not None else None
        text_at = (middle.x(), middle.y()) if middle is not None else None
        made.append(
            PixelMeasure(
                one.uid, one.kind, handles, lines, one.text, one.chosen, hovered, one.drafted, text_at, one.brief
            )
        )
    return tuple(made)
