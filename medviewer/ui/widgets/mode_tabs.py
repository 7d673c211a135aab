"""The tabs above the viewports: Read, Correct, Review, Research."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTabBar, QWidget

from medviewer.app.modes import MODES
from medviewer.app.state import Session
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links


class ModeTabs(QTabBar):
    """One tab for each mode; it follows the session, and the session follows it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modes")
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(tr("Modes"))
        self._session = session
        self._names = tuple(MODES)
        for mode in MODES.values():
            self.setTabToolTip(self.addTab(tr(mode.title)), tr(mode.tip))
        self._links = Links(self)
        self._links.add(session.events.mode, self._follow)
        self._follow()
        self.currentChanged.connect(self._choose)

    def name_keys(self, keys: dict[str, str]) -> None:
        """Say in the tool tips which keys choose the modes, as they are now."""
        for number, name in enumerate(self._names):
            self.setTabToolTip(number, tr(f"{MODES[name].tip} ({keys[name]})" if keys[name] else MODES[name].tip))

    def _follow(self, *_: object) -> None:
        self.setCurrentIndex(self._names.index(self._session.mode))

    def _choose(self, number: int) -> None:
        self._session.mode = self._names[number]
