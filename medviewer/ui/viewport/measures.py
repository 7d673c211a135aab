"""Measurements over a slice, in the viewport's pixels: what is under the pointer, where texts stand, how they look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from medviewer.ui.theme import colour

XY = tuple[float, float]

HANDLE_REACH = 8.0
"""Pixels within which a handle is grabbed."""
LINE_REACH = 5.0
_HANDLE = 3.5
_TEXT_PX = 13
_GAP = 10.0
_APART = 2.0
"""Between a text and the words that it keeps clear of."""
_ARROW = 11.0
_ARC = 20.0
_SHADOW = QColor(0, 0, 0, 190)
_HALO = QColor(0, 0, 0, 215)
_HALO_PX = 4.5
"""Around the letters, so that they can be read over bone; what lies between two lines of text stays to be seen."""
_SAMPLES = 48


@dataclass(frozen=True)
class PixelMeasure:
    """One measurement on the screen.

    Parameters
    ----------
    uid
        Which one.
    kind
        Of `domain.measure.Kind`.
    handles
        Number, x and y of each handle on this slice.
    lines
        What is drawn, as polylines.
    text
        What stands beside it.
    chosen
        Whether it is the one that is worked on.
    hovered
        Whether the pointer is at it.
    drafted
        Whether it is still being placed.
    text_at
        Where the middle of its text was dragged to, or None for a place beside what is drawn.
    brief
        What stands there in a small viewport; the first line where it is empty.
    """

    uid: str
    kind: str
    handles: tuple[tuple[int, float, float], ...]
    lines: tuple[tuple[XY, ...], ...]
    text: tuple[str, ...]
    chosen: bool = False
    hovered: bool = False
    drafted: bool = False
    text_at: XY | None = None
    brief: str = ""


WHOLE, TEXT = -1, -2
"""In place of a handle's number: the lines, which move all of it; the text."""


class Hit(NamedTuple):
    """What of a measurement is under the pointer: a handle by its number, -1 for its lines, or `TEXT`.

    Of a text, `middle` is the row and column of its middle.
    """

    uid: str
    handle: int = -1
    middle: XY | None = None


def hit(measures: Sequence[PixelMeasure], at: XY) -> Hit | None:
    """What is under a point: the nearest handle within reach, else the nearest line within reach, else nothing."""
    best: Hit | None = None
    reach = HANDLE_REACH
    for one in measures:
        for number, x, y in one.handles:
            away = math.dist((x, y), at)
            if away <= reach and not one.drafted:
                best, reach = Hit(one.uid, number), away
    if best is not None:
        return best
    reach = LINE_REACH
    for one in measures:
        away = min((_distance(line, at) for line in one.lines if not one.drafted), default=math.inf)
        if away <= reach:
            best, reach = Hit(one.uid), away
    return best


def hit_text(
    measures: Sequence[PixelMeasure], boxes: Sequence[QRectF | None], at: XY
) -> tuple[PixelMeasure, QRectF] | None:
    """The measurement whose text is under a point, and the text's box; the last of those that lie over each other."""
    for one, box in zip(reversed(measures), reversed(boxes), strict=True):
        if box is not None and not one.drafted and box.contains(QPointF(*at)):
            return one, box
    return None


def _distance(line: Sequence[XY], at: XY) -> float:
    """From a point to a polyline, in pixels."""
    if len(line) == 1:
        return math.dist(line[0], at)
    return min((_to_segment(a, b, at) for a, b in pairwise(line)), default=math.inf)


def _to_segment(a: XY, b: XY, at: XY) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    part = 0.0 if length == 0 else ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / length
    part = min(max(part, 0.0), 1.0)
    return math.dist((a[0] + part * dx, a[1] + part * dy), at)


# -- where texts stand


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
    handles = [QRectF(x - 5, y - 5, 10, 10) for one in measures for _, x, y in one.handles]
    lines = [(line, _bounds(line)) for one in measures for line in one.lines if len(line) > 1]
    taken: list[QRectF] = list(kept)
    found: list[QRectF | None] = []
    for one in measures:
        if one.text and one.text_at is not None:
            taken.append(_dragged(one.text_at, *size(one.text), room))  # the others make room for it
    for one in measures:
        points = _points(one)
        if not one.text or not points:
            found.append(None)
            continue
        width, height = size(one.text)
        if one.text_at is not None:
            found.append(_dragged(one.text_at, width, height, room))
            continue
        choices = [_inside(box, room) for box in _choices(points, width, height)]
        choices += [_inside(box, room) for usual in choices for box in _moved_off(usual, kept)]
        box = min(choices, key=lambda b: _blame(b, lines, handles, taken, choices[0]))
        taken.append(box)
        found.append(box)
    return tuple(found)


def _dragged(at: XY, width: float, height: float, room: QRectF) -> QRectF:
    return _inside(QRectF(at[0] - width / 2, at[1] - height / 2, width, height), room)


def _points(one: PixelMeasure) -> list[XY]:
    return [*((x, y) for _, x, y in one.handles), *(point for line in one.lines for point in line)]


def _choices(points: Sequence[XY], width: float, height: float) -> list[QRectF]:
    """Around what is drawn, the most usual place first: at the right of its rightmost point."""
    right, left = max(points), min(points)
    top, bottom = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
    places = [
        (right[0] + _GAP, right[1] - height / 2),
        (right[0] + _GAP, right[1] + _GAP),
        (right[0] + _GAP, right[1] - height - _GAP),
        (bottom[0] - width / 2, bottom[1] + _GAP),
        (top[0] - width / 2, top[1] - height - _GAP),
        (left[0] - width - _GAP, left[1] - height / 2),
        (left[0] - width - _GAP, left[1] + _GAP),
        (left[0] - width - _GAP, left[1] - height - _GAP),
        (right[0] + _GAP, right[1] + height + 2 * _GAP),
        (right[0] + _GAP, right[1] - 2 * height - 2 * _GAP),
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


def _blame(
    box: QRectF,
    lines: Iterable[tuple[Sequence[XY], QRectF]],
    handles: Iterable[QRectF],
    taken: Iterable[QRectF],
    usual: QRectF,
) -> tuple[int, int, float]:
    """How bad a place is: handles and texts that it covers, then lines; then how far it is."""
    covered = sum(box.intersects(other) for others in (handles, taken) for other in others)
    crossed = sum(bounds.intersects(box) and _crosses(line, box) for line, bounds in lines)
    return covered, crossed, QLineF(box.center(), usual.center()).length()


def _bounds(line: Sequence[XY]) -> QRectF:
    """The box around a line, a little wider than it, so that a level line has one too."""
    return QPolygonF([QPointF(*point) for point in line]).boundingRect().adjusted(-1, -1, 1, 1)


def _crosses(line: Sequence[XY], box: QRectF) -> bool:
    """Whether a polyline runs through a box; long ones are looked at in samples."""
    step = max(1, len(line) // _SAMPLES)
    thin = [*line[::step], line[-1]] if line else []
    corners = [box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft(), box.topLeft()]
    sides = [QLineF(a, b) for a, b in pairwise(corners)]
    crossing = QLineF.IntersectionType.BoundedIntersection
    for a, b in pairwise(thin):
        if box.contains(QPointF(*a)) or box.contains(QPointF(*b)):
            return True
        segment = QLineF(QPointF(*a), QPointF(*b))
        if any(segment.intersects(side)[0] == crossing for side in sides):
            return True
    return False


def text_boxes(
    measures: Sequence[PixelMeasure], font: QFont, room: QRectF, kept: Sequence[QRectF] = ()
) -> tuple[QRectF | None, ...]:
    """Where the text of each stands, in the font of the viewport, clear of the words that are there."""
    metrics = QFontMetricsF(_text_font(font))

    def size(lines: Sequence[str]) -> tuple[float, float]:
        return max(metrics.horizontalAdvance(line) for line in lines) + 2, metrics.lineSpacing() * len(lines)

    return place_texts(measures, size, room, kept)


def _text_font(font: QFont) -> QFont:
    made = QFont(font)
    made.setPixelSize(_TEXT_PX)
    return made


# -- how they look


def paint(
    painter: QPainter, measures: Sequence[PixelMeasure], font: QFont, room: QRectF, kept: Sequence[QRectF] = ()
) -> None:
    """Draw all, thin and with a dark rim; handles where the pointer is, and on the one that is worked on."""
    if not measures:
        return
    painter.setFont(_text_font(font))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for one in measures:
        _paint_lines(painter, one)
        if one.chosen or one.hovered or one.drafted:
            _paint_handles(painter, one)
    for one, box in zip(measures, text_boxes(measures, font, room, kept), strict=True):
        if box is not None:
            _paint_text(painter, one, box)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _tint(one: PixelMeasure) -> QColor:
    return colour("measure_chosen" if one.chosen or one.hovered or one.drafted else "measure")


def _paint_lines(painter: QPainter, one: PixelMeasure) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(_SHADOW, 3.2), QPen(_tint(one), 1.4)):
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        for line in one.lines:
            painter.drawPolyline([QPointF(*point) for point in line])
        _paint_sign(painter, one)


def _paint_sign(painter: QPainter, one: PixelMeasure) -> None:
    """The head of an arrow, the cross of a point, the ring of a probe: of one size at any zoom."""
    if not one.handles:
        return
    x, y = one.handles[0][1:]
    if one.kind == "arrow" and len(one.handles) > 1:
        shaft = QLineF(QPointF(x, y), QPointF(*one.handles[1][1:]))
        for turn in (-24.0, 24.0):
            barb = QLineF(shaft)
            barb.setLength(min(_ARROW, shaft.length()))
            barb.setAngle(shaft.angle() + turn)
            painter.drawLine(barb)
    elif one.kind == "angle" and len(one.handles) == 3:
        _paint_arc(painter, one)
    elif one.kind == "point":
        painter.drawLine(QPointF(x - 6, y), QPointF(x + 6, y))
        painter.drawLine(QPointF(x, y - 6), QPointF(x, y + 6))
    elif one.kind == "probe":
        painter.drawEllipse(QPointF(x, y), 5.0, 5.0)
        painter.drawPoint(QPointF(x, y))


def _paint_arc(painter: QPainter, one: PixelMeasure) -> None:
    """The arc between the arms of an angle, at its vertex."""
    first, vertex, second = (QPointF(x, y) for _, x, y in one.handles)
    arms = QLineF(vertex, first), QLineF(vertex, second)
    radius = min(_ARC, *(arm.length() / 2 for arm in arms))
    if radius < 4:
        return
    start = arms[0].angle()
    turn = (arms[1].angle() - start + 180) % 360 - 180
    box = QRectF(vertex.x() - radius, vertex.y() - radius, 2 * radius, 2 * radius)
    painter.drawArc(box, round(start * 16), round(turn * 16))


def _paint_handles(painter: QPainter, one: PixelMeasure) -> None:
    painter.setPen(QPen(_tint(one), 1.4))
    painter.setBrush(QColor(0, 0, 0, 150))
    for _, x, y in one.handles:
        painter.drawEllipse(QPointF(x, y), _HANDLE, _HANDLE)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _paint_text(painter: QPainter, one: PixelMeasure, box: QRectF) -> None:
    """Lines of text in a dark halo, and a thin link to what they are about where they stand away from it."""
    near = min(_points(one), key=lambda p: math.dist(p, (box.center().x(), box.center().y())))
    foot = QPointF(min(max(near[0], box.left()), box.right()), min(max(near[1], box.top()), box.bottom()))
    if QLineF(foot, QPointF(*near)).length() > 3 * _GAP:
        painter.setPen(QPen(_tint(one), 1, Qt.PenStyle.DotLine))
        painter.drawLine(foot, QPointF(*near))
    words, flags = "\n".join(one.text), int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    halo = QPen(_HALO, _HALO_PX, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(_outline(words, painter.font().toString()).translated(box.topLeft()), halo)
    painter.setPen(_tint(one))
    painter.drawText(box, flags, words)


@lru_cache(maxsize=64)
def _outline(words: str, font: str) -> QPainterPath:
    """The letters of lines of text, from the upper left corner of the first."""
    written = QFont()
    written.fromString(font)
    metrics, path = QFontMetricsF(written), QPainterPath()
    for number, line in enumerate(words.split("\n")):
        path.addText(QPointF(0, metrics.ascent() + number * metrics.lineSpacing()), written, line)
    return path
