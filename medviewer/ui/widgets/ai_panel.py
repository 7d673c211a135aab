"""Every plugin that was found, one card each."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from medviewer.app.services import Services
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, label, push
from medviewer.ui.widgets.plugin_card import BrokenPluginCard, PluginCard


class AiPanel(QWidget):
    """The plugins that segment or classify, and those that are broken, below each other.

    Those that are switched off have no card. Cards follow what is installed, trusted and switched.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self.cards: dict[str, PluginCard] = {}
        self._shown: dict[str, tuple[DiscoverResult, QWidget]] = {}
        self.nothing = label("No plugin is offered. Install one, or switch one on.", "quiet", wrap=True)
        self.plugins_button = push("Plugins…", "Install, trust, check and switch plugins", self.show_plugins, "plugin")
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        self._box.setSpacing(GAP)
        self._box.addWidget(self.nothing)
        self._box.addWidget(self.plugins_button)
        self._box.addStretch(1)
        self._links.add(services.session.events.plugins_revision, self.refresh)
        self.refresh()

    def show_plugins(self) -> None:
        """Open the dialog about plugins."""
        from medviewer.ui.widgets.plugins_dialog import show_plugins

        show_plugins(self._services, self.window())

    def refresh(self, *_: object) -> None:
        """Make cards for plugins that are new or changed, and take away those of plugins that are gone."""
        rows = {str(row.folder): row for row in self._services.plugins if row.enabled}
        for key in [key for key, (row, _) in self._shown.items() if rows.get(key) != row]:
            row, card = self._shown.pop(key)
            self.cards.pop(row.id, None)
            card.hide()
            card.deleteLater()
        for place, (key, row) in enumerate(rows.items()):
            if key not in self._shown:
                made = self._card(row)
                self._shown[key] = (row, made)
                self._box.insertWidget(place, made)
        self.nothing.setVisible(not rows)

    def _card(self, row: DiscoverResult) -> QWidget:
        if row.manifest is None:
            return BrokenPluginCard(row)
        card = self.cards[row.id] = PluginCard(self._services, row)
        card.asked.connect(self.show_plugins)
        return card
