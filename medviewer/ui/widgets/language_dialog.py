"""Chooses the language of the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from medviewer.app import settings
from medviewer.app.services import Services
from medviewer.ui.translate import folders, languages, tr
from medviewer.ui.widgets.parts import combo, label, push

_NOTE = "The window speaks it from the next start on. What files say, and the manual, stay as they are."


class LanguageDialog(QDialog):
    """The languages that there are translations for; what is chosen is kept at once.

    Parameters
    ----------
    services
        Its settings keep the choice.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        home = services.archive.home
        self.setWindowTitle(tr("Language"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.box = combo("The language of menus, panels and messages", "Language")
        self.box.addItem(tr("As the system"), "")
        for code, name in languages(folders(home)).items():
            self.box.addItem(name, code)
        self.box.setCurrentIndex(max(self.box.findData(settings.load(home).language), 0))
        self.box.currentIndexChanged.connect(self._chosen)
        form = QFormLayout()
        form.addRow(tr("Language"), self.box)
        close = push("Close", "Leave it as it is now", self.accept, primary=True)
        close.setDefault(True)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.addLayout(form)
        column.addWidget(label(_NOTE, "quiet", wrap=True))
        column.addStretch(1)
        column.addLayout(buttons)
        self.setMinimumWidth(340)

    def _chosen(self) -> None:
        home, code = self._services.archive.home, self.box.currentData()
        self._services.attempt(lambda: settings.change(home, language=code))
