"""What is drawn over a slice: crosshair, orientation letters, corner text, scale bar, brush. Crisp at any zoom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from math import cos, pi, sin

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from medviewer.app.ports import Corners
from medviewer.ui.theme import COLOURS
from medviewer.ui.translate import tr
from medviewer.ui.viewport import measures
from medviewer.ui.viewport.colour_bar import ColourBar
from medviewer.ui.viewport.lens import Lens
from medviewer.ui.viewport.measures import PixelMeasure

MARGIN = 8
_LETTER_ROOM = 30
_LETTER_ROWS = 2
"""Rows of text that stand beside the letter at the upper edge."""
_BETWEEN = 14
"""Room between texts of one row, in px."""
_MARK_RADIUS = 6.0
_FEW_BOXES = 8
_SMALL = (270, 160)
"""Width and height in px below which a viewport has room for the most needed text only."""
_TEXT_PX, _SMALL_PX = 12, 11
_LETTER_PX = 18
"""Height that a letter at the upper or lower edge takes."""
_TEXT_PART = 0.7
"""Of the width, for what models said: no letter or text stands beside it."""
_WORDS_MS = 200
"""How often words change that follow a drag: Qt paints every sheet of the window anew for one of them."""
_STEPS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class PixelMark:
    """Something that was pointed at: its positions in pixels, whether it is looked for, whether it is looked at now."""

    at: tuple[tuple[float, float], ...]
    positive: bool
    waiting: bool = False


@dataclass(frozen=True)
class PixelBox:
    """The box around something that a model found: left, top, right and bottom in pixels, its colour and its words."""

    edges: tuple[float, float, float, float]
    colour: tuple[int, int, int]
    text: str
    chosen: bool = False


@dataclass(frozen=True)
class OverlayState:
    """Everything that the overlay draws, in the viewport's pixels.

    Parameters
    ----------
    crosshair
        x and y, or None.
    letters
        At left, right, top, bottom.
    corners
        Text.
    pixels_per_mm
        For the scale bar; 0 draws none.
    brush
        x, y and radius of the brush along x and y, or None.
    lens
        What the magnifier shows, or None.
    marks
        What was pointed at.
    boxes
        What was found, the one that is looked at last.
    measures
        What was measured.
    lines
        Reference lines: x and y of both ends.
    line_angle
        How far the crosshair's lines are turned, radians, clockwise.
    bar
        Which colours stand for which values of what is laid over, or None.
    note
        What stands in the middle of a viewport that shows nothing.
    """

    crosshair: tuple[float, float] | None = None
    letters: tuple[str, str, str, str] = ("", "", "", "")
    corners: Corners = field(default_factory=Corners)
    pixels_per_mm: float = 0.0
    brush: tuple[float, float, float, float] | None = None
    lens: Lens | None = None
    marks: tuple[PixelMark, ...] = ()
    boxes: tuple[PixelBox, ...] = ()
    measures: tuple[PixelMeasure, ...] = ()
    lines: tuple[tuple[float, float, float, float], ...] = ()
    line_angle: float = 0.0
    bar: ColourBar | None = None
    note: str = ""


def scale_bar(pixels_per_mm: float, width: float) -> tuple[float, str] | None:
    """Length in pixels and text of the scale bar: the largest round length within a quarter of the width."""
    if pixels_per_mm <= 0:
        return None
    fitting = [mm for mm in _STEPS_MM if mm * pixels_per_mm <= width / 4]
    if not fitting:
        return None
    mm = fitting[-1]
    return mm * pixels_per_mm, f"{mm // 10} cm" if mm >= 10 else f"{mm} mm"


def top_rows(left: str, right: str, metrics: QFontMetricsF, width: float, letter: bool) -> list[tuple[str, str]]:
    """The rows of the two upper corners, each shortened to the room that the other one leaves it.

    Parameters
    ----------
    left, right
        Texts of the corners, lines separated by newlines.
    metrics
        Of the font that they are written in.
    width
        From the left edge of the one to the right edge of the other, in pixels.
    letter
        Whether an orientation letter stands between the first rows.
    """
    rows = []
    lines = zip_longest(*(text.split("\n") if text else [] for text in (left, right)), fillvalue="")
    for number, (one, other) in enumerate(lines):
        between = _LETTER_ROOM if letter and number < _LETTER_ROWS else _BETWEEN
        half = (width - between) / 2
        wanted = [metrics.horizontalAdvance(text) for text in (one, other)]
        most = (
            [half, half]
            if letter and number < _LETTER_ROWS
            else [
                max(half, width - between - wanted[1]),
                max(half, width - between - wanted[0]),
            ]
        )
        elided = (
            metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            for text, room in zip((one, other), most, strict=True)
        )
        first, last = elided
        rows.append((first, last))
    return rows


class Overlay(QWidget):
    """A transparent sheet over the GL widget; it never takes the mouse.

    What is drawn follows at once. Where only the corners' words change, as while a window is dragged, they do so at
    first, now and then, and at last.
    """

    def __init__(self, parent: QWidget, accent: str, text: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.state = OverlayState()
        self._words = QTimer(self, singleShot=True, interval=_WORDS_MS)
        self._words.timeout.connect(self._say_newest)
        self._said = self.state.corners
        self._accent, self._text = QColor(accent), QColor(text)

    def show_state(self, state: OverlayState) -> None:
        """Draw that, if it differs from what is drawn."""
        if state == self.state:
            return
        only_words = replace(state, corners=self.state.corners) == self.state
        self.state = state
        if not only_words:
            self.update()
        elif not self._words.isActive():
            self._words.start()
            self.update()

    def _say_newest(self) -> None:
        if self._said != self.state.corners:
            self._words.start()
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw everything."""
        self._said = self.state.corners
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        self._draw_lines(painter)
        self._draw_crosshair(painter)
        self._draw_brush(painter)
        self._draw_boxes(painter)
        self._draw_marks(painter)
        measures.paint(painter, self._measures(), self.font(), self._room())
        self._draw_letters(painter)
        self._draw_corners(painter)
        self._draw_scale_bar(painter)
        if self.state.bar is not None:
            self.state.bar.draw(painter, self.width(), self.height(), self.font())
        self._draw_note(painter)
        if self.state.lens is not None:
            self.state.lens.draw(painter)
        painter.end()

    def _draw_note(self, painter: QPainter) -> None:
        if self.state.note:
            painter.setPen(QColor(COLOURS["quiet"]))
            room = self.rect().adjusted(*(4 * MARGIN * sign for sign in (1, 1, -1, -1)))
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, tr(self.state.note))

    def text_boxes(self) -> tuple[QRectF, ...]:
        """Where the texts of measurements stand."""
        return tuple(box for box in self.boxes_of_texts() if box is not None)

    def boxes_of_texts(self) -> tuple[QRectF | None, ...]:
        """Where the text of each measurement stands; None where it has none."""
        return measures.text_boxes(self._measures(), self.font(), self._room())

    def _measures(self) -> tuple[PixelMeasure, ...]:
        """What was measured; in a small viewport with the first line of its text alone."""
        shown = self.state.measures
        return tuple(replace(one, text=one.text[:1]) for one in shown) if self.small else shown

    def _room(self) -> QRectF:
        return QRectF(self.rect()).adjusted(2, 2, -2, -2)

    def _draw_crosshair(self, painter: QPainter) -> None:
        if self.state.crosshair is None:
            return
        x, y = (round(v) for v in self.state.crosshair)
        line = QColor(self._accent)
        line.setAlpha(150)
        painter.setPen(QPen(line, 1))
        if self.state.line_angle:
            self._draw_turned_lines(painter, QPointF(*self.state.crosshair))
            return
        # the lines leave room for the voxel that they point at, and for the letters at the edges
        gap, edge = 10, _LETTER_ROOM if any(self.state.letters) else 0
        for low, high in ((edge, x - gap), (x + gap, self.width() - edge)):
            if low < high:
                painter.fillRect(low, y, high - low, 1, line)  # several times as quick as a line
        for low, high in ((edge, y - gap), (y + gap, self.height() - edge)):
            if low < high:
                painter.fillRect(x, low, 1, high - low, line)

    def _draw_lines(self, painter: QPainter) -> None:
        """Dashed, so that nobody takes them for the crosshair."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for x0, y0, x1, y1 in self.state.lines:
            for pen in (QPen(QColor(0, 0, 0, 160), 3), QPen(QColor(COLOURS["warning"]), 1.2)):
                pen.setStyle(Qt.PenStyle.DashLine)
                painter.setPen(pen)
                painter.drawLine(QPointF(x0, y0), QPointF(x1, y1))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_turned_lines(self, painter: QPainter, at: QPointF) -> None:
        """Four arms as long as the viewport, which ends them."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        far = float(self.width() + self.height())
        for quarter in range(4):
            angle = self.state.line_angle + quarter * pi / 2
            along = QPointF(cos(angle), sin(angle))
            painter.drawLine(at + along * 10, at + along * far)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_brush(self, painter: QPainter) -> None:
        if self.state.brush is None:
            return
        x, y, rx, ry = self.state.brush
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(255, 255, 255, 200), 1))
        painter.drawEllipse(QPointF(x, y), rx, ry)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_boxes(self, painter: QPainter) -> None:
        """Frames, thin so that they hide nothing; numbers stand at all of a few, words at the one that is looked at."""
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for box in self.state.boxes:
            left, top, right, bottom = box.edges
            frame, colour = QRectF(left, top, right - left, bottom - top), QColor(*box.colour)
            for pen in (QPen(QColor(0, 0, 0, 200), 4 if box.chosen else 3), QPen(colour, 2 if box.chosen else 1)):
                painter.setPen(pen)
                painter.drawRect(frame)
            if box.chosen or len(self.state.boxes) <= _FEW_BOXES:
                # words stand below, numbers above: those of a close neighbour stay readable
                room = QRectF(left, bottom + 2 if box.chosen else top - 17, self.width(), 15)
                self._write(painter, room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, box.text, colour)

    def _draw_marks(self, painter: QPainter) -> None:
        """A plus where something is looked for, a minus where it is not; hollow as long as the answer is awaited."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for mark in self.state.marks:
            colour = QColor(COLOURS["mark_in" if mark.positive else "mark_out"])
            points = [QPointF(x, y) for x, y in mark.at]
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for pen in (QPen(QColor(0, 0, 0, 200), 3.5), QPen(colour, 1.8)):
                pen.setStyle(Qt.PenStyle.DashLine if mark.waiting and len(points) > 1 else Qt.PenStyle.SolidLine)
                painter.setPen(pen)
                if len(points) == 2:
                    painter.drawRect(QRectF(points[0], points[1]).normalized())
                else:
                    painter.drawPolyline(points)
            self._draw_sign(painter, points[0], colour, mark)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    @staticmethod
    def _draw_sign(painter: QPainter, at: QPointF, colour: QColor, mark: PixelMark) -> None:
        painter.setPen(QPen(QColor(0, 0, 0, 200) if not mark.waiting else colour, 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush if mark.waiting else colour)
        painter.drawEllipse(at, _MARK_RADIUS, _MARK_RADIUS)
        painter.setPen(QPen(colour if mark.waiting else QColor(0, 0, 0), 1.8))
        half = _MARK_RADIUS * 0.55
        painter.drawLine(at - QPointF(half, 0), at + QPointF(half, 0))
        if mark.positive:
            painter.drawLine(at - QPointF(0, half), at + QPointF(0, half))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_letters(self, painter: QPainter) -> None:
        left, right, top, bottom = self.state.letters
        font = QFont(self.font())
        font.setBold(True)
        font.setPixelSize(14)
        painter.setFont(font)
        w, h = self.width(), self.height()
        box = QRectF(MARGIN, MARGIN, w - 2 * MARGIN, h - 2 * MARGIN)
        flags = Qt.AlignmentFlag
        for text, place in (
            (left, flags.AlignLeft | flags.AlignVCenter),
            (right, flags.AlignRight | flags.AlignVCenter),
            (top, flags.AlignHCenter | flags.AlignTop),
            (bottom, flags.AlignHCenter | flags.AlignBottom),
        ):
            self._write(painter, box, place, text, self._text)

    @property
    def small(self) -> bool:
        """Whether there is room for the most needed text only, above and below the letters."""
        return self.width() < _SMALL[0] or self.height() < _SMALL[1]

    def _draw_corners(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPixelSize(_SMALL_PX if self.small else _TEXT_PX)
        painter.setFont(font)
        corners, flags = self.state.corners, Qt.AlignmentFlag
        # each lower corner wraps within its part of the width: never over the other, nor over the letter between them
        width, height = self.width() / 2 - MARGIN - _LETTER_ROOM / 2, self.height() - 2 * MARGIN
        left = QRectF(MARGIN, MARGIN, width, height)
        right = QRectF(self.width() - MARGIN - width, MARGIN, width, height)
        above_bar = right.adjusted(0, 0, 0, -18 if self.state.pixels_per_mm else 0)
        self._draw_top(painter)
        place = flags.AlignRight | flags.AlignBottom
        self._write(painter, above_bar, place, corners.bottom_right, self._text, wrap=True)
        if self.small:
            above = QRectF(MARGIN, MARGIN, self.width() * _TEXT_PART, height - _LETTER_PX)
            self._write(painter, above, flags.AlignLeft | flags.AlignBottom, corners.bottom_left, self._text, wrap=True)
        else:
            self._draw_bottom_left(painter, left)

    def top_texts(self) -> list[tuple[str, str]]:
        """The rows of the two upper corners as they fit: in a small viewport those that are needed most."""
        font = QFont(self.font())
        font.setPixelSize(_SMALL_PX if self.small else _TEXT_PX)
        corners, metrics, width = self.state.corners, QFontMetricsF(font), self.width() - 2 * MARGIN
        if self.small and (corners.brief_left or corners.brief_right):
            return top_rows(corners.brief_left, corners.brief_right, metrics, width, letter=False)
        return top_rows(corners.top_left, corners.top_right, metrics, width, bool(self.state.letters[2]))

    def _draw_top(self, painter: QPainter) -> None:
        """Row by row; what has no room ends in an ellipsis, and never lies over the other corner or the letter."""
        metrics = QFontMetricsF(painter.font())
        top = MARGIN + (_LETTER_PX if self.small and self.state.letters[2] else 0)
        for k, (left, right) in enumerate(self.top_texts()):
            room = QRectF(MARGIN, top + k * metrics.lineSpacing(), self.width() - 2 * MARGIN, metrics.height())
            self._write(painter, room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, left, self._text)
            self._write(painter, room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, right, self._text)

    def _draw_bottom_left(self, painter: QPainter, room: QRectF) -> None:
        """The last line stands beside the letter at the lower edge; those above it have more of the width."""
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        above, _, last = self.state.corners.bottom_left.rpartition("\n")
        self._write(painter, room, flags, last, self._text, wrap=True)
        wrapped = QFontMetricsF(painter.font()).boundingRect(room, int(flags) | int(Qt.TextFlag.TextWordWrap), last)
        wide = QRectF(room.left(), room.top(), self.width() * _TEXT_PART, room.height() - wrapped.height())
        self._write(painter, wide, flags, above, self._text, wrap=True)

    def _draw_scale_bar(self, painter: QPainter) -> None:
        bar = scale_bar(self.state.pixels_per_mm, self.width())
        if bar is None:
            return
        length, text = bar
        right, y = self.width() - MARGIN - 0.5, self.height() - MARGIN - 2.5
        ends = ((right - length, right), (right - length, right - length), (right, right))
        for pen in (QPen(QColor(0, 0, 0, 200), 3), QPen(self._text, 1)):
            painter.setPen(pen)
            painter.drawLine(QPointF(ends[0][0], y), QPointF(ends[0][1], y))
            for x, _ in ends[1:]:
                painter.drawLine(QPointF(x, y - 4), QPointF(x, y + 1))
        width = QFontMetricsF(painter.font()).horizontalAdvance(text)
        place = QRectF(right - length - width - 14, y - 12, width + 8, 16)
        self._write(painter, place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text, self._text)

    @staticmethod
    def _write(
        painter: QPainter, box: QRectF, place: Qt.AlignmentFlag, text: str, colour: QColor, wrap: bool = False
    ) -> None:
        """Text with a dark rim, so that it can be read over bright bone and on the white around a PET."""
        if not text:
            return
        flags = int(place) | int(Qt.TextFlag.TextWordWrap) if wrap else int(place)
        painter.setPen(QColor(0, 0, 0, 220))
        for dx, dy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            painter.drawText(box.translated(dx, dy), flags, text)
        painter.setPen(colour)
        painter.drawText(box, flags, text)
