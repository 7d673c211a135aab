"""Words over a slice: letters at the edges, texts in the corners, the scale bar; where they stand, how they look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from medviewer.app.ports.display import Corners

MARGIN = 8
LETTER_ROOM = 30
"""Room that a letter at an edge takes along that edge's normal, in px."""
_LETTER_ROWS = 2
"""Rows of text that stand beside the letter at the upper edge."""
_BETWEEN = 14
"""Room between texts of one row, in px."""
_SMALL = (270, 160)
"""Width and height in px below which a viewport has room for the most needed text only."""
_TEXT_PX, _SMALL_PX, _BOLD_PX = 12, 11, 14
_LETTER_PX = 18
"""Height that a letter at the upper or lower edge takes."""
_TEXT_PART = 0.7
"""Of the width, for what models said: no letter or text stands beside it."""
_OVER_BAR = 18
_STEPS_MM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_RIM = QColor(0, 0, 0, 220)
_FLAGS = Qt.AlignmentFlag


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
        between = LETTER_ROOM if letter and number < _LETTER_ROWS else _BETWEEN
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


@dataclass(frozen=True)
class Words:
    """A text, the room it has, where in that it stands, and in which font."""

    text: str
    room: QRectF
    place: Qt.AlignmentFlag
    font: QFont
    wrap: bool = False

    @property
    def flags(self) -> int:
        """Qt's flags of where it stands."""
        return int(self.place) | (int(Qt.TextFlag.TextWordWrap) if self.wrap else 0)

    def box(self) -> QRectF:
        """What it covers."""
        return QFontMetricsF(self.font).boundingRect(self.room, self.flags, self.text)

    def draw(self, painter: QPainter, colour: QColor) -> None:
        """Write it with a dark rim, so that it can be read over bright bone and on the white around a PET."""
        painter.setFont(self.font)
        painter.setPen(_RIM)
        for dx, dy in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            painter.drawText(self.room.translated(dx, dy), self.flags, self.text)
        painter.setPen(colour)
        painter.drawText(self.room, self.flags, self.text)


@dataclass(frozen=True)
class Sheet:
    """What is to be written over one viewport, and how large that is.

    Parameters
    ----------
    width, height
        Of the viewport, in px.
    font
        The window's.
    letters
        At left, right, top, bottom.
    corners
        Text.
    pixels_per_mm
        For the scale bar; 0 draws none.
    """

    width: float
    height: float
    font: QFont
    letters: tuple[str, str, str, str]
    corners: Corners
    pixels_per_mm: float

    @property
    def small(self) -> bool:
        """Whether there is room for the most needed text only, above and below the letters."""
        return self.width < _SMALL[0] or self.height < _SMALL[1]

    def every(self) -> Iterator[Words]:
        """All words: the letters, the corners, and how long the scale bar is."""
        yield from self._letters()
        font = self._sized(_SMALL_PX if self.small else _TEXT_PX)
        metrics = QFontMetricsF(font)
        for words in (*self._top(font, metrics), *self._bottom(font, metrics), *self._bar_words(font, metrics)):
            if words.text:
                yield words

    def top_texts(self) -> list[tuple[str, str]]:
        """The rows of the two upper corners as they fit: in a small viewport those that are needed most."""
        return self._top_texts(QFontMetricsF(self._sized(_SMALL_PX if self.small else _TEXT_PX)))

    def boxes(self) -> list[QRectF]:
        """What words and scale bar cover, for others to keep clear of."""
        found = [words.box() for words in self.every()]
        bar = self._bar()
        if bar is not None:
            found.append(QRectF(bar.topLeft() - QPointF(0, 4), bar.bottomRight() + QPointF(0, 1)))
        return found

    def draw(self, painter: QPainter, colour: QColor) -> None:
        """Write everything, and draw the scale bar."""
        for words in self.every():
            words.draw(painter, colour)
        bar = self._bar()
        if bar is None:
            return
        for pen in (QPen(QColor(0, 0, 0, 200), 3), QPen(colour, 1)):
            painter.setPen(pen)
            painter.drawLine(bar.topLeft(), bar.topRight())
            for end in (bar.topLeft(), bar.topRight()):
                painter.drawLine(end - QPointF(0, 4), end + QPointF(0, 1))

    def _sized(self, px: int, bold: bool = False) -> QFont:
        made = QFont(self.font)
        made.setPixelSize(px)
        made.setBold(bold)
        return made

    def _letters(self) -> Iterator[Words]:
        font = self._sized(_BOLD_PX, bold=True)
        room = QRectF(MARGIN, MARGIN, self.width - 2 * MARGIN, self.height - 2 * MARGIN)
        places = (
            _FLAGS.AlignLeft | _FLAGS.AlignVCenter,
            _FLAGS.AlignRight | _FLAGS.AlignVCenter,
            _FLAGS.AlignHCenter | _FLAGS.AlignTop,
            _FLAGS.AlignHCenter | _FLAGS.AlignBottom,
        )
        for text, place in zip(self.letters, places, strict=True):
            if text:
                yield Words(text, room, place, font)

    def _top_texts(self, metrics: QFontMetricsF) -> list[tuple[str, str]]:
        corners, width = self.corners, self.width - 2 * MARGIN
        if self.small and (corners.brief_left or corners.brief_right):
            return top_rows(corners.brief_left, corners.brief_right, metrics, width, letter=False)
        return top_rows(corners.top_left, corners.top_right, metrics, width, bool(self.letters[2]))

    def _top(self, font: QFont, metrics: QFontMetricsF) -> Iterator[Words]:
        """Row by row; what has no room ends in an ellipsis, and never lies over the other corner or the letter."""
        top = MARGIN + (_LETTER_PX if self.small and self.letters[2] else 0)
        for k, (left, right) in enumerate(self._top_texts(metrics)):
            room = QRectF(MARGIN, top + k * metrics.lineSpacing(), self.width - 2 * MARGIN, metrics.height())
            yield Words(left, room, _FLAGS.AlignLeft | _FLAGS.AlignTop, font)
            yield Words(right, room, _FLAGS.AlignRight | _FLAGS.AlignTop, font)

    def _bottom(self, font: QFont, metrics: QFontMetricsF) -> Iterator[Words]:
        """Each wraps within its part of the width: never over the other, nor over the letter between them."""
        corners = self.corners
        width, height = self.width / 2 - MARGIN - LETTER_ROOM / 2, self.height - 2 * MARGIN
        over = height - (_OVER_BAR if self.pixels_per_mm else 0)
        right = QRectF(self.width - MARGIN - width, MARGIN, width, over)
        yield Words(corners.bottom_right, right, _FLAGS.AlignRight | _FLAGS.AlignBottom, font, wrap=True)
        place = _FLAGS.AlignLeft | _FLAGS.AlignBottom
        if self.small:
            room = QRectF(MARGIN, MARGIN, self.width * _TEXT_PART, height - _LETTER_PX)
            yield Words(corners.bottom_left, room, place, font, wrap=True)
            return
        # the last line stands beside the letter at the lower edge; those above it have more of the width
        above, _, last = corners.bottom_left.rpartition("\n")
        below = Words(last, QRectF(MARGIN, MARGIN, width, height), place, font, wrap=True)
        yield below
        if above:
            wide = QRectF(MARGIN, MARGIN, self.width * _TEXT_PART, height - below.box().height())
            yield Words(above, wide, place, font, wrap=True)

    def _bar(self) -> QRectF | None:
        """The scale bar, as a box without height."""
        found = scale_bar(self.pixels_per_mm, self.width)
        if found is None:
            return None
        right, y = self.width - MARGIN - 0.5, self.height - MARGIN - 2.5
        return QRectF(right - found[0], y, found[0], 0)

    def _bar_words(self, font: QFont, metrics: QFontMetricsF) -> Iterator[Words]:
        found, bar = scale_bar(self.pixels_per_mm, self.width), self._bar()
        if found is None or bar is None:
            return
        width = metrics.horizontalAdvance(found[1])
        room = QRectF(bar.left() - width - 13.5, bar.top() - 12, width + 8, 16)
        yield Words(found[1], room, _FLAGS.AlignRight | _FLAGS.AlignVCenter, font)
