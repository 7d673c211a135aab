"""Probabilities as bars with figures."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from medviewer.ui.theme import colour
from medviewer.ui.translate import tr


class ProbabilityBars(QWidget):
    """One line a class: name, bar, figure. The most probable class is the bright one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, float] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Class probabilities"))

    @property
    def values(self) -> dict[str, float]:
        """What is shown: class name -> probability, 0 to 1."""
        return dict(self._values)

    def show_values(self, values: dict[str, float]) -> None:
        """Show these, or hide where there are none."""
        self._values = dict(values)
        text = "\n".join(f"{name} {p:.2f}" for name, p in values.items())
        self.setToolTip(tr(text))
        self.setAccessibleDescription(tr(text))
        self.setVisible(bool(values))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """A line a class."""
        return QSize(120, self._line * len(self._values))

    @property
    def _line(self) -> int:
        return self.fontMetrics().height() + 5

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        figure = metrics.horizontalAdvance("0.00") + 8
        name_width = min(max((metrics.horizontalAdvance(n) for n in self._values), default=0) + 12, self.width() // 2)
        top = max(self._values.values(), default=0.0)
        track = self.width() - name_width - figure
        for k, (name, p) in enumerate(self._values.items()):
            y, height = k * self._line, self._line
            painter.setPen(colour("text" if p == top else "quiet"))
            elided = metrics.elidedText(name, Qt.TextElideMode.ElideRight, name_width - 8)
            painter.drawText(QRectF(0, y, name_width, height), Qt.AlignmentFlag.AlignVCenter, elided)
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(QRectF(self.width() - figure, y, figure, height), right, f"{p:.2f}")
            painter.setPen(Qt.PenStyle.NoPen)
            for part, tint in ((1.0, "track"), (p, "accent" if p == top else "disabled")):
                painter.setBrush(colour(tint))
                painter.drawRoundedRect(QRectF(name_width, y + height / 2 - 2, track * part, 4), 2, 2)
