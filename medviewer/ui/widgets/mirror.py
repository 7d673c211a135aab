"""An entry of a right-click menu that stands for one of the window's actions."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from medviewer.ui.translate import tr


def mirror(menu: QMenu, action: QAction, reason: str = "") -> QAction:
    """Add an entry that does what an action does, with its key beside it, or the reason why it cannot."""
    beside = action.shortcut().toString() if action.isEnabled() else tr(reason)
    made = menu.addAction(f"{action.text()}\t{beside}" if beside else action.text())
    if not action.isChecked():
        made.setIcon(action.icon())  # a picture would stand where the check mark goes
    made.setObjectName(action.objectName())
    made.setToolTip(action.statusTip())
    made.setEnabled(action.isEnabled())
    made.setVisible(action.isVisible())
    made.setCheckable(action.isCheckable() and action.isChecked())
    made.setChecked(action.isChecked())
    made.triggered.connect(lambda *_: action.trigger())
    return made
