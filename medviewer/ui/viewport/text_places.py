"""Where the texts of measurements stand over a slice: beside what they are about, and over nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QFontMetricsF

from medviewer.ui.viewport.measures import GAP, XY, PixelMeasure, PlacedText, points_of, text_font

_APART = 2.0
"""Between a text and the words that it keeps clear of."""
_HANDLE = 5.0
_SAMPLES = 48
"""Into about so many parts a long line is cut to be looked at."""

Floats = NDArray[np.float64]


def placed_texts(
    measures: Sequence[PixelMeasure], font: QFont, room: QRectF, kept: Sequence[QRectF] = ()
) -> tuple[PlacedText | None, ...]:
    """Where the text of each stands, in the font of the viewport, clear of the words that are there."""
    metrics = QFontMetricsF(text_font(font))

    def size(lines: Sequence[str]) -> tuple[float, float]:
        return max(metrics.horizontalAdvance(line) for line in lines) + 2, metrics.lineSpacing() * len(lines)

    boxes = place_texts(measures, size, room, kept)
    return tuple(
        None if box is None else PlacedText(box, _nearest(points_of(one), box))
        for one, box in zip(measures, boxes, strict=True)
    )


def place_texts(
    measures: Sequence[PixelMeasure],
    size: Callable[[Sequence[str]], tuple[float, float]],
    room: QRectF,
    kept: Sequence[QRectF] = (),
) -> tuple[QRectF | None, ...]:
    """A box for the text of each measurement: beside it, within the room, over no handle and no other text.

    Parameters
    ----------
    size
        Width and height of lines of text.
    room
        What is to be seen of the viewport.
    kept
        Boxes of other words, to keep clear of. A text that was dragged stays where a hand put it.
    """
    handles = [QRectF(x - _HANDLE, y - _HANDLE, 2 * _HANDLE, 2 * _HANDLE) for m in measures for _, x, y in m.handles]
    segments, owners = _segments([line for one in measures for line in one.lines if len(line) > 1])
    taken: list[QRectF] = list(kept)
    found: list[QRectF | None] = []
    for one in measures:
        if one.text and one.text_at is not None:
            taken.append(_dragged(one.text_at, *size(one.text), room))  # the others make room for it
    for one in measures:
        points = points_of(one)
        if not one.text or not points:
            found.append(None)
            continue
        width, height = size(one.text)
        if one.text_at is not None:
            found.append(_dragged(one.text_at, width, height, room))
            continue
        choices = [_inside(box, room) for box in _choices(points, width, height)]
        choices += [_inside(box, room) for usual in choices for box in _moved_off(usual, kept)]
        box = choices[_best(_edges(choices), segments, owners, _edges([*handles, *taken]))]
        taken.append(box)
        found.append(box)
    return tuple(found)


def _nearest(points: Sequence[XY], box: QRectF) -> XY:
    """The point that is nearest to the middle of a box."""
    middle = box.center()
    away = np.hypot(*(np.array(points, float) - (middle.x(), middle.y())).T)
    return points[int(away.argmin())]


def _dragged(at: XY, width: float, height: float, room: QRectF) -> QRectF:
    return _inside(QRectF(at[0] - width / 2, at[1] - height / 2, width, height), room)


def _choices(points: Sequence[XY], width: float, height: float) -> list[QRectF]:
    """Around what is drawn, the most usual place first: at the right of its rightmost point."""
    right, left = max(points), min(points)
    top, bottom = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
    places = [
        (right[0] + GAP, right[1] - height / 2),
        (right[0] + GAP, right[1] + GAP),
        (right[0] + GAP, right[1] - height - GAP),
        (bottom[0] - width / 2, bottom[1] + GAP),
        (top[0] - width / 2, top[1] - height - GAP),
        (left[0] - width - GAP, left[1] - height / 2),
        (left[0] - width - GAP, left[1] + GAP),
        (left[0] - width - GAP, left[1] - height - GAP),
        (right[0] + GAP, right[1] + height + 2 * GAP),
        (right[0] + GAP, right[1] - 2 * height - 2 * GAP),
    ]
    return [QRectF(x, y, width, height) for x, y in places]


def _moved_off(box: QRectF, kept: Sequence[QRectF]) -> list[QRectF]:
    """The box below, above and at either side of each of those that it covers: a small viewport is full of words."""
    found = []
    for other in kept:
        if box.intersects(other):
            found += [
                QRectF(box.x(), other.bottom() + _APART, box.width(), box.height()),
                QRectF(box.x(), other.top() - _APART - box.height(), box.width(), box.height()),
                QRectF(other.right() + _APART, box.y(), box.width(), box.height()),
                QRectF(other.left() - _APART - box.width(), box.y(), box.width(), box.height()),
            ]
    return found


def _inside(box: QRectF, room: QRectF) -> QRectF:
    x = min(max(box.x(), room.left()), max(room.right() - box.width(), room.left()))
    y = min(max(box.y(), room.top()), max(room.bottom() - box.height(), room.top()))
    return QRectF(x, y, box.width(), box.height())


def _edges(boxes: Iterable[QRectF]) -> Floats:
    """Left, top, right and bottom of boxes (n, 4)."""
    return np.array([(box.left(), box.top(), box.right(), box.bottom()) for box in boxes], float).reshape(-1, 4)


def _segments(lines: Sequence[Sequence[XY]]) -> tuple[Floats, NDArray[np.intp]]:
    """The parts of polylines (n, 4), as x and y of both ends, and the number of the line that each belongs to."""
    found: list[tuple[float, float, float, float]] = []
    owners: list[int] = []
    for number, line in enumerate(lines):
        thin = [*line[:: max(1, len(line) // _SAMPLES)], line[-1]]
        found += [(*a, *b) for a, b in pairwise(thin)]
        owners += [number] * (len(thin) - 1)
    return np.array(found, float).reshape(-1, 4), np.array(owners, np.intp)


def _best(boxes: Floats, segments: Floats, owners: NDArray[np.intp], taken: Floats) -> int:
    """The best of several places: over fewest handles and texts, then lines; then the nearest to the first of them."""
    over = (boxes[:, None, :2] < taken[None, :, 2:]) & (boxes[:, None, 2:] > taken[None, :, :2])
    covered = over.all(axis=2).sum(axis=1)
    crossed = np.zeros(len(boxes), np.intp)
    if len(segments):
        first = np.flatnonzero(np.diff(owners, prepend=-1))
        crossed = np.logical_or.reduceat(crosses(segments, boxes), first, axis=1).sum(axis=1)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.hypot(*(middles - middles[0]).T)
    return int(np.lexsort((away, crossed, covered))[0])


def crosses(segments: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Which segments (n, 4) have a part in which boxes (m, 4): (m, n). Clipping by Liang and Barsky (1984)."""
    start, way = segments[:, :2], segments[:, 2:] - segments[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = ((boxes[:, None, part] - start) / way for part in (slice(0, 2), slice(2, 4)))
    enters, leaves = np.minimum(one, other), np.maximum(one, other)
    # along an axis on which a segment does not move it lies between the edges all the way, or never
    level = np.broadcast_to(way == 0, enters.shape)
    between = (boxes[:, None, :2] <= start) & (start <= boxes[:, None, 2:])
    enters = np.where(level, np.where(between, -np.inf, np.inf), enters).max(axis=2)
    leaves = np.where(level, np.where(between, np.inf, -np.inf), leaves).min(axis=2)
    found: NDArray[np.bool_] = np.maximum(enters, 0) <= np.minimum(leaves, 1)
    return found
