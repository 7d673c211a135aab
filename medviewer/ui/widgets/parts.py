"""The small parts that panels are made of: labels, buttons and sliders that look and speak alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDialog,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from medviewer.ui.icons import SIZE, icon
from medviewer.ui.translate import tr

Button = TypeVar("Button", bound=QAbstractButton)

MARGIN = 8
GAP = 6
"""Space at a panel's edge and between its rows, in px."""


def label(text: str = "", role: str = "", *, wrap: bool = False) -> QLabel:
    """A text; its role (``quiet``, ``title``, ``ok``, ``warning``, ``error``) is a rule of the style sheet."""
    made = QLabel(tr(text))
    made.setTextFormat(Qt.TextFormat.PlainText)  # what files and plugins say is never taken for markup
    made.setWordWrap(wrap)
    if role:
        made.setProperty("role", role)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Change the role of a label that is on the screen already."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def set_text(widget: QLabel, text: str) -> None:
    """Show a text, or nothing at all where it is empty."""
    widget.setText(tr(text))
    widget.setVisible(bool(text))


def explain(widget: QWidget, tip: str, name: str = "") -> None:
    """Give a widget its tool tip, and the name that a screen reader says."""
    widget.setToolTip(tr(tip))
    widget.setAccessibleName(tr(name or tip))


def push(text: str, tip: str, slot: Callable[[], object], icon_name: str = "", *, primary: bool = False) -> QPushButton:
    """A button with a word on it."""
    made = QPushButton(tr(text))
    if icon_name:
        made.setIcon(icon(icon_name))
        made.setIconSize(QSize(16, 16))
    made.setProperty("primary", primary)
    return _wired(made, tip, text, slot)


def tool(icon_name: str, tip: str, slot: Callable[[], object]) -> QToolButton:
    """A button with an icon only."""
    made = QToolButton()
    made.setIcon(icon(icon_name))
    made.setIconSize(QSize(SIZE, SIZE))
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return _wired(made, tip, tip, slot)


def slider(low: int, high: int, tip: str, name: str) -> QSlider:
    """A horizontal slider over whole numbers."""
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(low, high)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    explain(made, tip, name)
    return made


def combo(tip: str, name: str) -> QComboBox:
    """A list to choose from that never makes its panel wider."""
    made = QComboBox()
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    explain(made, tip, name)
    return made


def refill(box: QComboBox, rows: list[tuple[str, object]]) -> None:
    """Put other rows (text, data) into a combo box; the chosen one stays chosen where it still is there."""
    chosen = box.currentData()
    if [(box.itemText(k), box.itemData(k)) for k in range(box.count())] == rows:
        return
    with QSignalBlocker(box):
        box.clear()
        for text, data in rows:
            box.addItem(tr(text), data)
        box.setCurrentIndex(next((k for k, (_, data) in enumerate(rows) if data == chosen), 0 if rows else -1))


def exchange(layout: QLayout, former: QWidget, widget: QWidget) -> QWidget:
    """Put a widget in the place of another one, which is gone at once: Qt frees it later, and draws it until then."""
    layout.replaceWidget(former, widget)
    former.hide()
    former.deleteLater()
    return widget


def keep_height(widget: QWidget) -> None:
    """Never let a layout make a widget lower than it wants to be: a scroll area squeezes what it may, and cuts it."""
    widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)


def fit_height(dialog: QDialog, width: int) -> None:
    """Make a dialog of wrapped texts that wide, and as high as it needs to be then."""
    dialog.setMinimumWidth(width)
    layout = dialog.layout()
    if layout is not None:
        layout.activate()
        dialog.resize(width, layout.totalHeightForWidth(width))


def _wired(made: Button, tip: str, name: str, slot: Callable[[], object]) -> Button:
    explain(made, tip, name)
    made.clicked.connect(lambda *_: slot())
    return made
