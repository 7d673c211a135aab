"""What lies over the 3D view: letters at its edges, the orientation cube, the legend of values and structures."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPolygonF,
    QTransform,
)
from PySide6.QtWidgets import QWidget

from medviewer.app.ports.scene import Scene
from medviewer.app.solid_looks import PROJECTIONS, SolidLook
from medviewer.domain.mask import Colour
from medviewer.ui.theme import COLOURS, colour
from medviewer.ui.translate import tr
from medviewer.ui.viewport.overlay import Overlay, OverlayState
from medviewer.ui.viewport.solid_camera import LETTERS, CubeFace, Direction, cube_faces, edge_letters

_CUBE = 84
_BAR_WIDTH, _LEGEND_WIDTH = 9, 116
_BAR_HEIGHT, _LOWEST_BAR = 110, 48
_NAMES = 6
"""Structures that the legend names; the others are counted."""
_LETTER = 15
"""Half of the room that a letter at an edge takes, in px."""
_BUTTONS = 44
"""Room that the buttons at the upper right take from the top, in px."""


class EdgeLetters(Overlay):
    """Where the patient's sides lie, at the four edges: drawn as over the slices."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, COLOURS["accent"], COLOURS["text"])
        self.setObjectName("edgeLetters")
        self.towards = Scene.towards

    def turn(self, view: Direction, up: Direction) -> None:
        """Show where is what."""
        self.show_state(OverlayState(letters=edge_letters(view, up, self.towards)))

    def place(self, view: QRect, note: QRect, cube: QRect, reserved: int) -> None:
        """Fill the view but for what else stands where letters would: the note and buttons above, the cube at the left.

        Parameters
        ----------
        view
            All there is.
        note, cube
            Where they are.
        reserved
            Pixels at the upper right that are the buttons'.
        """
        room = self._below(view, note, reserved)
        if room.center().y() + _LETTER > cube.top():
            room = self._below(view.adjusted(cube.right(), 0, 0, 0), note, reserved)
        self.setGeometry(room)

    @property
    def right_letter_ends(self) -> int:
        """How far down the letter at the right edge reaches, in the view's pixels."""
        return self.geometry().center().y() + _LETTER

    @staticmethod
    def _below(view: QRect, note: QRect, reserved: int) -> QRect:
        """What of a view is below the note and the buttons, where they reach to its middle."""
        middle, top = view.center().x(), 0
        if note.right() > middle - _LETTER:
            top = note.bottom()
        if reserved and view.right() - reserved < middle + _LETTER:
            top = max(top, _BUTTONS)
        return view.adjusted(0, top, 0, 0)


class OrientationCube(QWidget):
    """A cube that turns with the view; a click on a face looks from that side."""

    clicked = Signal(str)
    """The side of the face."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("orientationCube")
        self.setFixedSize(_CUBE, _CUBE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(tr("Where you look from; click on a face to look from there"))
        self.lettered = True
        self.faces: list[CubeFace] = []

    def turn(self, view: Direction, up: Direction) -> None:
        """Show where is what."""
        self.faces = cube_faces(view, up)
        self.update()

    def side_at(self, position: QPointF) -> str:
        """The side whose face lies there; empty for none."""
        for face in reversed(self.faces):
            if self._outline(face).containsPoint(position, Qt.FillRule.OddEvenFill):
                return face.side
        return ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Look from the side of the face that was clicked on."""
        side = self.side_at(event.position())
        if side:
            self.clicked.emit(side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the faces that can be seen, each with its letter as it lies in space."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        for face in self.faces:
            fill = QColor(colour("raised"))
            fill.setAlpha(round(150 + 80 * face.facing))
            painter.setPen(colour("disabled"))
            painter.setBrush(fill)
            outline = self._outline(face)
            painter.drawPolygon(outline)
            # seen from far aside, a letter is a smear
            if self.lettered and face.facing > 0.25:
                self._letter(painter, face, outline)
        painter.end()

    def _letter(self, painter: QPainter, face: CubeFace, outline: QPolygonF) -> None:
        square = QRectF(0, 0, 100, 100)
        corners = QPolygonF([square.topLeft(), square.topRight(), square.bottomRight(), square.bottomLeft()])
        placed = QTransform.quadToQuad(corners, outline)
        if not isinstance(placed, QTransform):
            return
        painter.save()
        painter.setTransform(placed, True)
        font = painter.font()
        font.setPixelSize(68)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(colour("text" if face.facing > 0.6 else "quiet"))
        painter.drawText(square, Qt.AlignmentFlag.AlignCenter, LETTERS[face.side])
        painter.restore()

    def _outline(self, face: CubeFace) -> QPolygonF:
        middle, edge = _CUBE / 2, _CUBE / 1.85
        return QPolygonF([QPointF(middle + right * edge, middle + down * edge) for right, down in face.corners])


class SolidLegend(QWidget):
    """Which colour stands for which value, and for which structure."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("solidLegend")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.look: SolidLook | None = None
        self.names: tuple[tuple[str, Colour], ...] = ()
        self.bar_height = _BAR_HEIGHT

    def fit(self, height: int) -> None:
        """Be no higher than that where a lower bar does it."""
        self.bar_height = min(max(_LOWEST_BAR, self.bar_height + height - self.sizeHint().height()), _BAR_HEIGHT)
        self.resize(self.sizeHint())
        self.update()

    def show_look(self, look: SolidLook | None, names: tuple[tuple[str, Colour], ...]) -> None:
        """Tell of that look and those structures."""
        if (look, names) == (self.look, self.names):
            return
        self.look, self.names = look, names
        self.resize(self.sizeHint())
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the bar with its values, and a line for each name."""
        line = round(QFontMetricsF(self.font()).lineSpacing()) + 2
        bar = 0 if self.look is None else self.bar_height + line + 10
        title = round(QFontMetricsF(self.font()).horizontalAdvance(self.title())) + 4
        return QSize(max(_LEGEND_WIDTH, title), bar + line * len(self.lines()))

    def title(self) -> str:
        """The look, and the unit of its values."""
        if self.look is None:
            return ""
        name = tr(self.look.preset.name)
        return f"{name}, {self.look.unit}" if self.look.unit else name

    def lines(self) -> list[str]:
        """The names that are shown, and how many are not."""
        shown = [name for name, _ in self.names[:_NAMES]]
        more = len(self.names) - len(shown)
        return [*shown, tr(f"and {more} more")] if more else shown

    def values(self) -> list[tuple[float, str]]:
        """Places along the bar, 0 for its lower end, with what stands at them."""
        if self.look is None:
            return []
        low, high = self.look.limits
        decimals = 0 if high - low >= 20 else 1 if high - low >= 2 else 2
        points = [point.value for point in self.look.points]
        if self.look.preset.mode in PROJECTIONS or self.look.preset.mode == "surface":
            points = [low, (low + high) / 2, high]
        return [((value - low) / (high - low), f"{value:.{decimals}f}") for value in points]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar, its values at the left, and the names below."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = QFontMetricsF(self.font()).lineSpacing() + 2
        top = 0.0
        if self.look is not None:
            self._bar(painter, self.look, line)
            top = self.bar_height + line + 10
        colours = [QColor(*rgb) for _, rgb in self.names[:_NAMES]]
        for k, text in enumerate(self.lines()):
            row = QRectF(0, top + k * line, self.width() - 14, line)
            metrics = QFontMetricsF(self.font())
            painter.setPen(colour("text"))
            painter.drawText(
                row,
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(text, Qt.TextElideMode.ElideRight, row.width()),
            )
            if k < len(colours):
                painter.fillRect(QRectF(self.width() - _BAR_WIDTH, row.top() + 3, _BAR_WIDTH, line - 6), colours[k])
        painter.end()

    def _bar(self, painter: QPainter, look: SolidLook, line: float) -> None:
        painter.setPen(colour("text"))
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignRight, self.title())
        bar = QRectF(self.width() - _BAR_WIDTH, line + 4, _BAR_WIDTH, self.bar_height)
        gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        table = look.table()
        for k in range(0, len(table), 15):
            red, green, blue, opacity = (float(v) for v in table[k])
            seen = 1.0 if look.preset.mode in PROJECTIONS else min(1.0, 0.15 + opacity)
            gradient.setColorAt(k / (len(table) - 1), QColor.fromRgbF(red * seen, green * seen, blue * seen))
        painter.fillRect(bar, gradient)
        painter.setPen(colour("quiet"))
        below = bar.bottom() + line
        for place, text in self.values():
            middle = bar.bottom() - place * bar.height()
            if middle > below - line * 0.8:  # two values at one place would be unreadable
                continue
            below = middle
            row = QRectF(0, middle - line / 2, bar.left() - 6, line)
            painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
