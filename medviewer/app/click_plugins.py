"""Which plugins answer clicks: asked for by menus and cards, before anybody clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.plugin_api import Manifest
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.app.services import Services


def plugins_of(services: Services) -> list[DiscoverResult]:
    """The plugins that answer clicks, sorted by id."""
    return [
        plugin
        for plugin in services.plugins
        if plugin.manifest is not None and plugin.enabled and "interactive" in plugin.manifest.kinds
    ]


def answers_clicks_only(manifest: Manifest) -> bool:
    """Whether a plugin does nothing without a click."""
    return set(manifest.kinds).isdisjoint({"segment", "classify", "detect"})
