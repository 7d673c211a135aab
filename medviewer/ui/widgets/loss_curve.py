"""How the loss falls while a model is trained."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from medviewer.ui.theme import colour
from medviewer.ui.translate import tr


class LossCurve(QWidget):
    """A line over the steps of a run, with the highest and the lowest loss at the axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._losses: list[tuple[int, float]] = []
        self._steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Training loss"))
        self.clear()

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        """Steps and losses, in order."""
        return tuple(self._losses)

    def clear(self) -> None:
        """Begin a new run."""
        self._losses = []
        self.setToolTip(tr("Training loss of each step; it should fall"))
        self.update()

    def add(self, step: int, steps: int, loss: float) -> None:
        """One more step of `steps`; a loss that is not a number is left out."""
        if math.isfinite(loss):
            self._losses.append((step, loss))
            self._steps = max(steps, step, 1)
            text = f"Training loss {loss:.4f} at step {step} of {self._steps}"
            self.setToolTip(tr(text))
            self.setAccessibleDescription(tr(text))
            self.update()

    def sizeHint(self) -> QSize:
        """Low and wide."""
        return QSize(200, 72)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the axes, the figures and the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), colour("field"))
        metrics = self.fontMetrics()
        margin, line = metrics.horizontalAdvance("0.0000") + 8, metrics.height()
        plot = QRectF(margin, 6, self.width() - margin - 8, self.height() - line - 10)
        painter.setPen(QPen(colour("line"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.drawLine(plot.topLeft(), plot.bottomLeft())
        painter.setPen(colour("quiet"))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if not self._losses:
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, tr("waiting for the first step"))
            return
        values = [loss for _, loss in self._losses]
        low, high = min(values), max(values)
        painter.drawText(QRectF(0, plot.top() - line / 2 + 3, margin - 5, line), right, f"{high:.3g}")
        if high > low:
            painter.drawText(QRectF(0, plot.bottom() - line + 3, margin - 5, line), right, f"{low:.3g}")
        foot = QRectF(plot.left(), plot.bottom() + 2, plot.width(), line)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, tr(f"step {self._losses[-1][0]}"))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, tr(f"{self._steps}"))
        span = (high - low) or 1.0
        points = [
            QPointF(
                plot.left() + plot.width() * (step - 1) / max(self._steps - 1, 1),
                plot.bottom() - 2 - (plot.height() - 4) * (loss - low) / span,
            )
            for step, loss in self._losses
        ]
        painter.setPen(QPen(colour("accent"), 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(colour("accent"))
        painter.drawEllipse(points[-1], 2, 2)
