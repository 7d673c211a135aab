"""One sentence from the program, where the user looks."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from medviewer.app.services import Services
from medviewer.app.state import Message
from medviewer.ui.icons import icon
from medviewer.ui.theme import COLOURS
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import explain, label, push, tool

FADE_MS = 8000
"""How long a message stays that asks nothing of the user."""

_MOST_LINES = 8

_COLOURS = {"info": "quiet", "ok": "ok", "warning": "warning", "error": "error"}


class MessageStrip(QWidget):
    """Shows the session's message until it fades or is dismissed; hidden when there is none."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = services.session
        self._links = Links(self)
        self._edge = QFrame()
        self._edge.setFixedWidth(3)
        self._icon = QLabel()
        self.text = label(wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.details_button = push("Details", "Show what a developer wants to know about this", self._fold)
        self.details_button.setCheckable(True)
        self.dismiss_button: QToolButton = tool("cancel", "Dismiss this message (Esc)", self.dismiss)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        explain(self.details, "What a developer wants to know about this message", "Details")
        self.fade = QTimer(self, singleShot=True, interval=FADE_MS)
        self.fade.timeout.connect(self.dismiss)
        self._lay_out()
        self._links.add(self._session.events.message, self._show)
        self._show(self._session.message)

    def dismiss(self) -> None:
        """Take the message away: it is read."""
        self._session.message = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape dismisses."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(8, 3, 4, 3)
        row.setSpacing(8)
        for part in (self._icon, self.text, self.details_button, self.dismiss_button):
            row.addWidget(part)
        row.setStretch(1, 1)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.details)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self._edge)
        box.addLayout(column)
        self.setAutoFillBackground(True)

    def _show(self, message: Message | None) -> None:
        self.fade.stop()
        self.setVisible(message is not None)
        if message is None:
            return
        colour = _COLOURS.get(message.level, "quiet")
        self._edge.setStyleSheet(f"background: {COLOURS[colour]}")
        self._icon.setPixmap(icon(message.level if message.level in _COLOURS else "info", colour).pixmap(16, 16))
        self._icon.setAccessibleName(message.level)
        self.text.setText(message.text)
        self.details.setPlainText(message.details)
        lines = min(message.details.count("\n") + 2, _MOST_LINES)
        self.details.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 12)
        self.details_button.setVisible(bool(message.details))
        self.details_button.setChecked(False)
        self._fold()
        if message.level in ("info", "ok"):
            self.fade.start()

    def _fold(self) -> None:
        """Show or hide the details; a message that is being studied does not fade."""
        shown = self.details_button.isChecked()
        self.details.setVisible(shown)
        if shown:
            self.fade.stop()
