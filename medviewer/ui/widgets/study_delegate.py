"""How the rows of the list of studies are painted: two lines each, all of one height."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from medviewer.archive.catalog import SeriesEntry, State, StudyEntry
from medviewer.domain.study import Attachment, Patient, is_usual
from medviewer.ui.icons import icon
from medviewer.ui.theme import colour
from medviewer.ui.widgets.study_model import Index, Role, StudyModel
from medviewer.ui.widgets.study_rows import Node, state_text, subtitle, title
from medviewer.ui.widgets.thumbnails import EDGE, Thumbnails

_PAD = 3
ROW = EDGE + 2 * _PAD
_STATE_COLOURS = {State.NEW: "accent", State.READ: "quiet", State.TO_CORRECT: "warning", State.APPROVED: "ok"}
_ATTACHED = {"seg": "mask", "rtstruct": "mask", "report": "report", "pdf": "pdf"}


class StudyDelegate(QStyledItemDelegate):
    """Paints the rows.

    Parameters
    ----------
    model
        For what the session says of a series.
    thumbnails
        Asked only for rows that are painted, so only for those on the screen.
    """

    def __init__(self, model: StudyModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._model = model
        self._thumbnails = thumbnails
        self._fonts: dict[bool, QFont] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Height of any row: the view asks once."""
        return QSize(100, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        node = index.data(Role.NODE)
        if not isinstance(node, Node):
            return
        painter.save()
        style = option.widget.style()
        style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)
        value = node.value
        if isinstance(value, Patient):
            self._two_lines(painter, option, option.rect.adjusted(2, 0, -_PAD, 0), node, strong=True)
        elif isinstance(value, StudyEntry):
            self._paint_study(painter, option, node, value)
        else:
            self._paint_part(painter, option, node, value)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(colour("accent"))
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))
        painter.restore()

    def _paint_study(self, painter: QPainter, option: QStyleOptionViewItem, node: Node, value: StudyEntry) -> None:
        row = option.rect.adjusted(2, 0, -(22 if node.absent else _PAD), 0)
        upper, lower = _halves(row)
        self._line(painter, option, upper, title(value), "text")
        width = self._line(painter, option, lower, state_text(value.state), _STATE_COLOURS[value.state])
        self._line(painter, option, lower.adjusted(width + 8, 0, 0, 0), subtitle(value), "quiet")
        if node.absent:
            _warn(painter, option.rect)

    def _paint_part(
        self, painter: QPainter, option: QStyleOptionViewItem, node: Node, value: SeriesEntry | Attachment
    ) -> None:
        row = option.rect
        shown = self._model.is_shown(value.uid)
        if shown:
            painter.fillRect(QRect(row.left(), row.top(), 3, row.height()), colour("accent"))
        frame = QRect(row.left() + 6, row.top() + _PAD, EDGE, EDGE)
        warned = isinstance(value, SeriesEntry) and any(not is_usual(text) for text in self._model.warnings_of(value))
        self._paint_picture(painter, frame, value)
        text = QRect(frame.right() + 8, row.top(), row.right() - frame.right() - 8 - (24 if warned else _PAD), ROW)
        self._two_lines(painter, option, text, node, strong=shown)
        if warned:
            _warn(painter, row)

    def _paint_picture(self, painter: QPainter, frame: QRect, value: SeriesEntry | Attachment) -> None:
        painter.fillRect(frame, colour("background"))
        made: QPixmap | None = None
        if isinstance(value, SeriesEntry):
            made = self._thumbnails.get(value)
            name = "volume" if value.slices > 1 else "image"
        else:
            name = _ATTACHED.get(value.kind, "report")
        if made is None:
            quiet = "track" if isinstance(value, SeriesEntry) else "quiet"
            _icon(name, quiet).paint(painter, frame.adjusted(9, 9, -9, -9))
            return
        size = made.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
        corner = frame.topLeft() + QPoint((frame.width() - size.width()) // 2, (frame.height() - size.height()) // 2)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRect(corner, size), made)

    def _two_lines(
        self, painter: QPainter, option: QStyleOptionViewItem, row: QRect, node: Node, *, strong: bool
    ) -> None:
        below = subtitle(node.value)
        upper, lower = _halves(row) if below else (row, row)
        self._line(painter, option, upper, title(node.value), "text", strong=strong)
        if below:
            self._line(painter, option, lower, below, "quiet")

    def _line(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        where: QRect,
        text: str,
        name: str,
        *,
        strong: bool = False,
    ) -> int:
        """Write a line and return its width in px."""
        if strong not in self._fonts:
            self._fonts[strong] = QFont(option.font)
            self._fonts[strong].setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
        painter.setFont(self._fonts[strong])
        painter.setPen(colour(name))
        metrics = painter.fontMetrics()
        elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, where.width())
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
        return metrics.horizontalAdvance(elided)


@cache
def _icon(name: str, colour_name: str) -> QIcon:
    """An icon, made once: rows are painted over and over while they scroll."""
    return icon(name, colour_name)


def _halves(row: QRect) -> tuple[QRect, QRect]:
    """The places of the two lines, a little closer than the halves of a row."""
    half = row.height() // 2
    return row.adjusted(0, 3, 0, -half), row.adjusted(0, half - 1, 0, -4)


def _warn(painter: QPainter, row: QRect) -> None:
    _icon("warning", "warning").paint(painter, QRect(row.right() - 20, row.top() + 5, 15, 15))
