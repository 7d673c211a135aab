"""How the rows of the study browser are painted."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from medviewer.domain.study import Patient, Series
from medviewer.ui.icons import icon
from medviewer.ui.theme import colour
from medviewer.ui.widgets.study_model import Index, Node, Role, StudyModel, extent, title
from medviewer.ui.widgets.thumbnails import EDGE, Thumbnails

_PAD = 4


class StudyDelegate(QStyledItemDelegate):
    """Paints patients and studies as one line, and series with their thumbnail.

    Parameters
    ----------
    model
        The tree's own model, for what the session says of a series.
    thumbnails
        Asked only for rows that are painted, so only for those on the screen.
    """

    def __init__(self, model: StudyModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._model = model
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Height of a row."""
        is_series = isinstance(_node(index).value, Series)
        return QSize(100, EDGE + 2 * _PAD if is_series else option.fontMetrics.height() + 2 * _PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        painter.save()
        style = option.widget.style()
        style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)
        value = _node(index).value
        if isinstance(value, Series):
            self._paint_series(painter, option, value)
        else:
            strong = isinstance(value, Patient)
            _line(painter, option, option.rect.adjusted(2, 0, -_PAD, 0), title(value), "text", strong=strong)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(colour("accent"))
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))
        painter.restore()

    def _paint_series(self, painter: QPainter, option: QStyleOptionViewItem, series: Series) -> None:
        row = option.rect
        shown = self._model.is_shown(series)
        if shown:
            painter.fillRect(QRect(row.left(), row.top(), 3, row.height()), colour("accent"))
        frame = QRect(row.left() + 6, row.top() + _PAD, EDGE, EDGE)
        self._paint_thumbnail(painter, frame, series)
        warned = bool(self._model.warnings_of(series))
        text = row.adjusted(frame.right() - row.left() + 9, 0, -(24 if warned else _PAD), 0)
        upper = QRect(text.left(), frame.top() + 4, text.width(), EDGE // 2 - 4)
        lower = QRect(text.left(), frame.center().y(), text.width(), EDGE // 2 - 4)
        _line(painter, option, upper, title(series), "text", strong=shown)
        _line(painter, option, lower, extent(series), "quiet")
        if warned:
            spot = QRect(row.right() - 22, frame.top() + 5, 16, 16)
            icon("warning", "warning").paint(painter, spot)

    def _paint_thumbnail(self, painter: QPainter, frame: QRect, series: Series) -> None:
        painter.fillRect(frame, colour("background"))
        made = self._thumbnails.get(series)
        if made is None:
            name = "volume" if series.grid.shape[0] > 1 else "image"
            icon(name, "track").paint(painter, frame.adjusted(12, 12, -12, -12))
            return
        size = made.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
        corner = frame.topLeft() + QPoint((frame.width() - size.width()) // 2, (frame.height() - size.height()) // 2)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRect(corner, size), made)


def _node(index: Index) -> Node:
    node: Node = index.data(Role.NODE)
    return node


def _line(
    painter: QPainter, option: QStyleOptionViewItem, where: QRect, text: str, name: str, *, strong: bool = False
) -> None:
    font = QFont(option.font)
    font.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    painter.setFont(font)
    painter.setPen(colour(name))
    elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, where.width())
    painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
