"""A part of a panel that folds away under its title."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from medviewer.ui.icons import icon
from medviewer.ui.translate import tr


class Section(QWidget):
    """A title that shows and hides what is below it.

    Not superqt's QCollapsible: that one fixes the height of its content while it unfolds, which cuts off panels whose
    rows come and go, and it draws no focus.

    Parameters
    ----------
    title
        What stands on the bar.
    content
        What folds; the section owns it from now on.
    """

    toggled = Signal(bool)
    menu_requested = Signal(QPoint)
    """What can be done with the panels? The place is one of the screen."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = content
        self._title = title
        self._bar = QToolButton()
        self._bar.setProperty("section", True)
        self._bar.setText(tr(title))
        self._bar.setCheckable(True)
        self._bar.setChecked(True)
        self._bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._bar.setIconSize(QSize(16, 16))
        self._bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._bar.setAccessibleName(tr(title))
        self._bar.toggled.connect(self._toggle)
        self._bar.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._bar.customContextMenuRequested.connect(
            lambda where: self.menu_requested.emit(self._bar.mapToGlobal(where))
        )
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self._bar)
        box.addWidget(content)
        self._toggle(True)

    @property
    def expanded(self) -> bool:
        """Whether the content is to be seen."""
        return self._bar.isChecked()

    @expanded.setter
    def expanded(self, wanted: bool) -> None:
        self._bar.setChecked(wanted)

    def rename(self, title: str) -> None:
        """Put another title on the bar."""
        self._title = title
        self._bar.setText(tr(title))
        self._bar.setAccessibleName(tr(title))

    def _toggle(self, expanded: bool) -> None:
        self._bar.setIcon(icon("chevron_down" if expanded else "chevron_right", "quiet"))
        self._bar.setToolTip(tr(f"{'Fold' if expanded else 'Unfold'} {self._title}"))
        self.content.setVisible(expanded)
        self.toggled.emit(expanded)
