"""One sentence from the program, where the user looks."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QResizeEvent, QShowEvent, QWindow
from PySide6.QtWidgets import (
    QApplication,
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
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import explain, push, tool

FADE_MS = 8000
"""How long a message stays that asks nothing of the user."""

_WIDTH = 460
_ABOVE_SCALE_BAR = 40
_MOST_LINES = 8
_LINES = 3
"""Lines of the sentence itself: it lies over an image. What does not fit is in the details."""

_COLOURS = {"info": "quiet", "ok": "ok", "warning": "warning", "error": "error"}


class ShortText(QLabel):
    """A text of three lines at most, whatever its width; an ellipsis stands for the rest."""

    fitted = Signal()
    """The width is another one: `shortened` may have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)  # what files and plugins say is never taken for markup
        self.setWordWrap(True)
        self.whole = ""

    @property
    def shortened(self) -> bool:
        """Whether some of the text is not seen."""
        return self.text() != self.whole

    def say(self, text: str) -> None:
        """Show another text."""
        self.whole = text
        self._fit()

    def heightForWidth(self, width: int) -> int:
        """Height of the whole text, or of three lines."""
        return min(self._height(self.whole, width), _LINES * self.fontMetrics().lineSpacing())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text anew."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the text, now that the width counts."""
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = self._fitting() if self.isVisible() else self.whole
        if shown != self.text():
            self.setText(shown)
        self.setToolTip(self.whole if self.shortened else "")
        self.setAccessibleName(self.whole)
        self.fitted.emit()

    def _fitting(self) -> str:
        width, most = self.contentsRect().width(), _LINES * self.fontMetrics().lineSpacing()
        if self._height(self.whole, width) <= most:
            return self.whole
        words = self.whole.split(" ")
        fits = (" ".join(words[:k]).rstrip(" ,;:.") + "…" for k in range(len(words) - 1, 1, -1))
        return next((text for text in fits if self._height(text, width) <= most), f"{words[0]}…")

    def _height(self, text: str, width: int) -> int:
        room = QRect(0, 0, width, 1 << 16)
        return self.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, text).height()


class MessageStrip(QWidget):
    """Shows the session's message until it fades or is dismissed; hidden when there is none.

    Where several windows have one, the message is in that window which the user is in, and goes with the user.

    Parameters
    ----------
    second
        Whether it is that of a window which belongs to the main one: it shows something while that window, or a dialog
        of it, is the active one. All else is for the main window's strip.
    """

    def __init__(self, services: Services, parent: QWidget | None = None, *, second: bool = False) -> None:
        super().__init__(parent)
        self._session = services.session
        self._second, self._in_front = second, False
        self._links = Links(self)
        self._edge = QFrame()
        self._edge.setFixedWidth(3)
        self._icon = QLabel()
        self.text = ShortText()
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.details_button = push("Details", "Show all that is known about this", self._fold)
        self.details_button.setCheckable(True)
        self.dismiss_button: QToolButton = tool("cancel", "Dismiss this message (Esc)", self.dismiss)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        explain(self.details, "All that is known about this message", "Details")
        self.fade = QTimer(self, singleShot=True, interval=FADE_MS)
        self.fade.timeout.connect(self.dismiss)
        self._lay_out()
        self.text.fitted.connect(self._tell_rest)
        self._links.add(self._session.events.message, self._show)
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)  # there is no widget without one
        app.focusWindowChanged.connect(self._go_with)
        self._show(self._session.message)

    def dismiss(self) -> None:
        """Take the message away: it is read."""
        self._session.message = None

    def float_over(self, area: QWidget) -> None:
        """Lie over the viewports: images must not move when there is something to say."""
        self._area = area
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.installEventFilter(self)
        area.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep in the lower right of the viewports, over 3D, where no name and no letter is hidden."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.LayoutRequest):
            width = min(_WIDTH, self._area.width() // 2 - 24)
            wrapped = self.heightForWidth(width)
            height = wrapped if wrapped > 0 else self.sizeHint().height()
            right, bottom = self._area.width() - 12, self._area.height() - _ABOVE_SCALE_BAR
            place = QRect(right - width, bottom - height, width, height)
            if self.geometry() != place:
                self.setGeometry(place)
            self.raise_()
        return super().eventFilter(watched, event)

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
        if message is None:
            self._appear()
            return
        colour = _COLOURS.get(message.level, "quiet")
        self._edge.setStyleSheet(f"background: {COLOURS[colour]}")
        self._icon.setPixmap(icon(message.level if message.level in _COLOURS else "info", colour).pixmap(16, 16))
        self._icon.setAccessibleName(tr(message.level))
        self.details_button.setChecked(False)
        self.text.say(tr(message.text))
        self._fold()
        self._appear()

    @property
    def is_here(self) -> bool:
        """Whether the user is in its window."""
        if self._second:
            active = QApplication.activeWindow()
            if active is not None:  # else another program is in front: the user comes back to where they were
                self._in_front = _belongs_to(active, self.window())
            return self._in_front and self.window().isVisible()
        return not any(one.is_here for one in self.window().findChildren(MessageStrip) if one._second)

    def _appear(self) -> None:
        """Be there if there is something to say and the user is here; only what is seen fades."""
        message = self._session.message
        shown = message is not None and self.is_here
        self.fade.stop()
        self.setVisible(shown)
        if shown and message is not None and message.level in ("info", "ok") and not self.details_button.isChecked():
            self.fade.start()

    def _go_with(self, window: QWindow | None) -> None:
        """The user went to another window."""
        if window is not None and self._session.message is not None and self.is_here == self.isHidden():
            self._appear()

    def _tell_rest(self) -> None:
        """Put into the details what is not in the sentence; all of the sentence, where its end is not seen."""
        message = self._session.message
        if message is None:
            return
        parts = (tr(message.text) if self.text.shortened else "", tr(message.details))
        text = "\n\n".join(part for part in parts if part)
        if text != self.details.toPlainText():
            self.details.setPlainText(text)
            lines = min(text.count("\n") + (4 if self.text.shortened else 2), _MOST_LINES)
            self.details.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 12)
        self.details_button.setVisible(bool(text))

    def _fold(self) -> None:
        """Show or hide the details; a message that is being studied does not fade."""
        shown = self.details_button.isChecked()
        self.details.setVisible(shown)
        if shown:
            self.fade.stop()


def _belongs_to(widget: QWidget | None, window: QWidget) -> bool:
    """Whether a widget is that window, or a dialog of it."""
    while widget is not None and widget is not window:
        widget = widget.parentWidget()
    return widget is window
