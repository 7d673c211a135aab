"""A calm note that points at a part of the window, and a ring around that part. Neither takes the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medviewer.ui.icons import icon
from medviewer.ui.theme import colour
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import label, push, set_role

WIDTH = 300
_TIP = 10
"""Length of the point, in px; as wide is the room around the note's text."""
_PAD = 14
_BAR = 4
"""What is so much wider than high is a bar."""
_AWAY = 6
"""Room between the point and what it points at."""


@dataclass(frozen=True)
class Line:
    """One thing to do: its text, and whether it was done."""

    text: str
    done: bool = False


@dataclass(frozen=True)
class Note:
    """What a callout says.

    Parameters
    ----------
    title, text
        In bold, and below it.
    lines
        What is to be done, each with a tick once it was.
    count
        Where one is, for example ``Step 1 of 3``; empty for nothing.
    buttons
        Word, tool tip and deed of each button; where there is nothing to do, the last one is to be expected.
    """

    title: str
    text: str = ""
    lines: tuple[Line, ...] = ()
    count: str = ""
    buttons: tuple[tuple[str, str, Callable[[], object]], ...] = ()


class Ring(QWidget):
    """A thin line around a part of the window; the mouse goes through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour("accent"), 2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 5, 5)
        painter.end()


class Callout(QFrame):
    """A note over the window, beside what it is about.

    Parameters
    ----------
    parent
        The window: the note lies over it and goes with it.
    on_escape
        What Escape does while one of its buttons has the keyboard.
    """

    def __init__(self, parent: QWidget, on_escape: Callable[[], object]) -> None:
        super().__init__(parent)
        self.setObjectName("callout")
        self._on_escape = on_escape
        self._ring = Ring(parent)
        self._tip: tuple[QPointF, QPointF, QPointF] | None = None
        self.note: Note | None = None
        self.count = label(role="quiet")
        self.title = label(role="title", wrap=True)
        self.text = label(wrap=True)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(4)
        self._shown: list[QPushButton] = []
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(6)
        box = QVBoxLayout(self)
        box.setContentsMargins(_TIP + _PAD, _TIP + _PAD - 4, _TIP + _PAD, _TIP + _PAD - 4)
        box.setSpacing(6)
        for part in (self.count, self.title, self.text):
            box.addWidget(part)
        box.addLayout(self._lines)
        box.addSpacing(2)
        box.addLayout(self._buttons)
        self.hide()

    @property
    def buttons(self) -> list[QPushButton]:
        """The buttons, in their order."""
        return list(self._shown)

    def say(self, note: Note) -> None:
        """Say that; what is said already stays as it is, so that a button keeps the keyboard."""
        if note == self.note:
            return
        former, self.note = self.note, note
        for part, text in ((self.count, note.count), (self.title, note.title), (self.text, note.text)):
            part.setText(tr(text))
            part.setVisible(bool(text))
        _empty(self._lines)
        for line in note.lines:
            self._lines.addLayout(_line(line))
        if former is None or former.buttons != note.buttons:
            self._make_buttons(note.buttons, expected=not note.lines)
        self.setAccessibleName(tr(note.title))
        self.setAccessibleDescription("\n".join(tr(text) for text in (note.text, *(line.text for line in note.lines))))

    def point_at(self, target: QRect | None) -> None:
        """Stand beside a part of the window, in its coordinates; None is the middle, without a ring."""
        window = self.parentWidget()
        assert window is not None  # it was made with one
        self.setFixedWidth(WIDTH + 2 * _TIP)
        layout = self.layout()
        assert layout is not None  # as above
        layout.activate()
        size = QSize(self.width(), layout.totalHeightForWidth(self.width()))
        place, tip = placed(size, target, window.rect())
        if self.geometry() != QRect(place, size):
            self.setGeometry(QRect(place, size))
        if tip != self._tip:
            self._tip = tip
            self.update()
        self._ring.setVisible(target is not None)
        if target is not None:
            self._ring.setGeometry(target.adjusted(-3, -3, 3, 3) & window.rect())
            self._ring.raise_()
        self.show()
        self.raise_()

    def close_all(self) -> None:
        """Go, with the ring."""
        self.note = None
        self._ring.hide()
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends it."""
        if event.key() == Qt.Key.Key_Escape:
            self._on_escape()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card and its point."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour("accent"), 1))
        painter.setBrush(colour("raised"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(_TIP, _TIP, -_TIP, -_TIP), 7, 7)
        if self._tip is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("accent"))
            painter.drawPolygon(QPolygonF(list(self._tip)))
        painter.end()

    def _make_buttons(self, wanted: Sequence[tuple[str, str, Callable[[], object]]], expected: bool) -> None:
        _empty(self._buttons)
        self._shown = []
        self._buttons.addStretch(1)
        for number, (text, tip, act) in enumerate(wanted, 1):
            made = push(text, tip, act, primary=expected and number == len(wanted))
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._buttons.addWidget(made)
            self._shown.append(made)


def placed(size: QSize, target: QRect | None, room: QRect) -> tuple[QPoint, tuple[QPointF, QPointF, QPointF] | None]:
    """Where a note of a size stands beside a target, wholly within the room, and its point in the note's coordinates.

    At the target's right where there is room, else at its left, below it, above it; else over its middle, without a
    point.
    """
    if target is None:
        return QPoint(room.center().x() - size.width() // 2, room.center().y() - size.height() // 2), None
    x, y = target.center().x() - size.width() // 2, target.center().y() - size.height() // 2
    choices = (
        (QPoint(target.right() + _AWAY, y), "left"),
        (QPoint(target.left() - size.width() - _AWAY, y), "right"),
        (QPoint(x, target.bottom() + _AWAY), "top"),
        (QPoint(x, target.top() - size.height() - _AWAY), "bottom"),
    )
    if target.width() > _BAR * target.height():
        choices = (*choices[2:], *choices[:2])  # below a bar, so that what stands beside it is not covered
    for place, side in choices:
        along = QPoint(0, 1) if side in ("left", "right") else QPoint(1, 0)
        inside = _within(place, size, room)
        if (inside.x() == place.x() if along.y() else inside.y() == place.y()) and room.contains(target.center()):
            return inside, _tip(QRect(inside, size), target.center(), side)
    return _within(QPoint(x, y), size, room), None


def _within(place: QPoint, size: QSize, room: QRect) -> QPoint:
    x = min(max(place.x(), room.left()), room.right() - size.width() + 1)
    y = min(max(place.y(), room.top()), room.bottom() - size.height() + 1)
    return QPoint(x, y)


def _tip(box: QRect, at: QPoint, side: str) -> tuple[QPointF, QPointF, QPointF]:
    """The three corners of the point, on a side of the box."""
    edge = _TIP + 8.0
    along = min(max(float(at.y() - box.y()), edge + 6), box.height() - edge - 6)
    across = min(max(float(at.x() - box.x()), edge + 6), box.width() - edge - 6)
    if side in ("left", "right"):
        x, foot = (0.0, float(_TIP)) if side == "left" else (float(box.width()), float(box.width() - _TIP))
        return QPointF(x, along), QPointF(foot, along - 8), QPointF(foot, along + 8)
    y, foot = (0.0, float(_TIP)) if side == "top" else (float(box.height()), float(box.height() - _TIP))
    return QPointF(across, y), QPointF(across - 8, foot), QPointF(across + 8, foot)


def _line(line: Line) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    mark = QLabel()
    mark.setPixmap(icon("ok" if line.done else "todo", "ok" if line.done else "accent").pixmap(16, 16))
    mark.setAccessibleName(tr("done" if line.done else "to do"))
    text = label(line.text, wrap=True)
    if line.done:
        set_role(text, "quiet")
    row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(text, 1)
    return row


def _empty(layout: QVBoxLayout | QHBoxLayout) -> None:
    while layout.count():
        item = layout.takeAt(0)
        if item is None:
            continue
        inner, widget = item.layout(), item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif isinstance(inner, QVBoxLayout | QHBoxLayout):
            _empty(inner)
            inner.deleteLater()
