"""Every plugin that was found, one card each."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from medviewer.app.services import Services
from medviewer.ui.widgets.parts import GAP, MARGIN, label
from medviewer.ui.widgets.plugin_card import BrokenPluginCard, PluginCard


class AiPanel(QWidget):
    """The plugins that segment or classify, and those that are broken, below each other."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cards: dict[str, PluginCard] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        for plugin in services.plugins:
            if plugin.manifest is None:
                box.addWidget(BrokenPluginCard(plugin))
            else:
                card = self.cards[plugin.id] = PluginCard(services, plugin)
                box.addWidget(card)
        if not services.plugins:
            box.addWidget(label("No plugin is installed.", "quiet", wrap=True))
        box.addStretch(1)
