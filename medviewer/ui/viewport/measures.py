"""Measurements over a slice, in the viewport's pixels: what is under the pointer, how they look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen

from medviewer.ui.theme import colour

XY = tuple[float, float]

HANDLE_REACH = 8.0
"""Pixels within which a handle is grabbed."""
LINE_REACH = 5.0
_HANDLE = 3.5
_TEXT_PX = 13
GAP = 10.0
"""Between what is drawn and its text."""
_ARROW = 11.0
_ARC = 20.0
_SHADOW = QColor(0, 0, 0, 190)
_HALO = QColor(0, 0, 0, 215)
_HALO_PX = 4.5
"""Around the letters, so that they can be read over bone; what lies between two lines of text stays to be seen."""
_EDGE = 5.0
"""Room for it around a text."""


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


def points_of(one: PixelMeasure) -> list[XY]:
    """All that is drawn of a measurement."""
    return [*((x, y) for _, x, y in one.handles), *(point for line in one.lines for point in line)]


WHOLE, TEXT = -1, -2
"""In place of a handle's number: the lines, which move all of it; the text."""


class PlacedText(NamedTuple):
    """Where a text stands, and the point of what it is about that is nearest to it."""

    box: QRectF
    near: XY


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


# -- how they look


def text_font(font: QFont) -> QFont:
    """The font of texts, in a viewport of that font."""
    made = QFont(font)
    made.setPixelSize(_TEXT_PX)
    return made


def paint(painter: QPainter, measures: Sequence[PixelMeasure], font: QFont, texts: Sequence[PlacedText | None]) -> None:
    """Draw all, thin and with a dark rim; handles where the pointer is, and on the one that is worked on.

    Parameters
    ----------
    texts
        Where that of each stands.
    """
    if not measures:
        return
    painter.setFont(text_font(font))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for one in measures:
        _paint_lines(painter, one)
        if one.chosen or one.hovered or one.drafted:
            _paint_handles(painter, one)
    for one, text in zip(measures, texts, strict=True):
        if text is not None:
            _paint_text(painter, one, text)
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


def _paint_text(painter: QPainter, one: PixelMeasure, text: PlacedText) -> None:
    """Lines of text in a dark halo, and a thin link to what they are about where they stand away from it."""
    box, near = text
    foot = QPointF(min(max(near[0], box.left()), box.right()), min(max(near[1], box.top()), box.bottom()))
    if QLineF(foot, QPointF(*near)).length() > 3 * GAP:
        painter.setPen(QPen(_tint(one), 1, Qt.PenStyle.DotLine))
        painter.drawLine(foot, QPointF(*near))
    ratio = painter.device().devicePixelRatioF()
    written = _written("\n".join(one.text), painter.font().toString(), _tint(one).name(), ratio)
    painter.drawImage(box.topLeft() - QPointF(_EDGE, _EDGE), written)


@lru_cache(maxsize=128)
def _written(words: str, font: str, tint: str, ratio: float) -> QImage:
    """Lines of text in their halo, with room for that around them: it takes the most of what is drawn of one."""
    made = QFont()
    made.fromString(font)
    metrics, lines = QFontMetricsF(made), words.split("\n")
    places = [QPointF(_EDGE, _EDGE + round(metrics.ascent() + k * metrics.lineSpacing())) for k in range(len(lines))]
    path = QPainterPath()
    for place, line in zip(places, lines, strict=True):
        path.addText(place, made, line)
    wide, high = max(metrics.horizontalAdvance(line) for line in lines) + 2, metrics.lineSpacing() * len(lines)
    picture = QImage(
        ceil((wide + 2 * _EDGE) * ratio), ceil((high + 2 * _EDGE) * ratio), QImage.Format.Format_ARGB32_Premultiplied
    )
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(made)
    halo = QPen(_HALO, _HALO_PX, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(path, halo)
    painter.setPen(QColor(tint))
    for place, line in zip(places, lines, strict=True):
        painter.drawText(place, line)
    painter.end()
    return picture
