"""A button of the tool bar that stands for several actions: the one that was used last, and the others below it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from medviewer.ui.translate import tr


class ToolMenu(QToolButton):
    """Does what was done last by it, or what is chosen in its list.

    What is chosen elsewhere, by a key or in a menu, is shown here too.

    Parameters
    ----------
    title
        What all of it is about, for who cannot see it.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolMenu")
        self.setAccessibleName(tr(title))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # as the other buttons of a tool bar: keys stay with the viewports
        self.offered: tuple[QAction, ...] = ()
        self.list = QMenu(tr(title), self)
        self.setMenu(self.list)

    def offer(self, actions: Iterable[QAction]) -> None:
        """Stand for these actions: for one that is checked, else for the one that was used last."""
        for action in self.offered:
            action.changed.disconnect(self._follow)
            action.triggered.disconnect(self._note)
        before, self.offered = self.defaultAction(), tuple(actions)
        self.list.clear()
        self.list.addActions(list(self.offered))
        for action in self.offered:
            action.changed.connect(self._follow)
            action.triggered.connect(self._note)
        self.setDefaultAction(before if before in self.offered else self.offered[0])
        self._follow()

    def _note(self, *_: object) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.setDefaultAction(action)
        self._follow()

    def _follow(self) -> None:
        """Show what is checked; and never what cannot be done, for then the list could not be opened either."""
        now = self.defaultAction()
        wanted = next((one for one in self.offered if one.isChecked() and one.isEnabled()), now)
        if not wanted.isEnabled():
            wanted = next((one for one in self.offered if one.isEnabled()), wanted)
        if wanted is not now:
            self.setDefaultAction(wanted)
