"""What is drawn over a slice: crosshair, orientation letters, corner text, scale bar, brush. Crisp at any zoom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import cos, pi, sin

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from medviewer.app.ports.display import Corners
from medviewer.ui.theme import COLOURS
from medviewer.ui.translate import tr
from medviewer.ui.viewport import measures
from medviewer.ui.viewport.colour_bar import ColourBar
from medviewer.ui.viewport.lens import Lens
from medviewer.ui.viewport.measures import PixelMeasure, PlacedText
from medviewer.ui.viewport.text_places import placed_texts
from medviewer.ui.viewport.words import LETTER_ROOM, MARGIN, Sheet, Words

_MARK_RADIUS = 6.0
_FEW_BOXES = 8
_WORDS_MS = 200
"""How often words change that follow a drag: Qt paints every sheet of the window anew for one of them."""


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
        self._boxes: tuple[Sheet, list[QRectF]] | None = None  # asked for with each move of the pointer
        self._texts: tuple[tuple[object, ...], tuple[PlacedText | None, ...]] | None = None  # so are they
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
        self._draw_measures(painter)
        self._sheet().draw(painter, self._text)
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
        return tuple(None if text is None else text.box for text in self._placed())

    def _placed(self) -> tuple[PlacedText | None, ...]:
        shown = self._measures()
        if not shown:
            return ()
        asked = shown, self.font(), self._room(), self.own_words()
        if self._texts is None or self._texts[0] != asked:
            self._texts = asked, placed_texts(*asked)
        return self._texts[1]

    def top_texts(self) -> list[tuple[str, str]]:
        """The rows of the two upper corners as they fit."""
        return self._sheet().top_texts()

    def _sheet(self) -> Sheet:
        state = self.state
        return Sheet(self.width(), self.height(), self.font(), state.letters, state.corners, state.pixels_per_mm)

    def _draw_measures(self, painter: QPainter) -> None:
        measures.paint(painter, self._measures(), self.font(), self._placed())

    def own_words(self) -> list[QRectF]:
        """What words and bars of the viewport itself cover: texts of measurements keep clear of them."""
        bar = self.state.bar.covered(self.width(), self.height()) if self.state.bar is not None else None
        sheet = self._sheet()
        if self._boxes is None or self._boxes[0] != sheet:
            self._boxes = sheet, sheet.boxes()
        return [*self._boxes[1], *([bar] if bar is not None else [])]

    def _measures(self) -> tuple[PixelMeasure, ...]:
        """What was measured; in a small viewport with what it comes to alone."""
        shown = self.state.measures
        if not self.small:
            return shown
        return tuple(replace(one, text=(one.brief,) if one.brief else one.text[:1]) for one in shown)

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
        gap, edge = 10, LETTER_ROOM if any(self.state.letters) else 0
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
                Words(box.text, room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, font).draw(
                    painter, colour
                )

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

    @property
    def small(self) -> bool:
        """Whether there is room for the most needed text only, above and below the letters."""
        return self._sheet().small
