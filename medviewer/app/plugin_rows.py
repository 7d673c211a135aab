"""The plugins and adapters that the program works with: what was found, and what the user said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from medviewer.app.resources import plugin_folders
from medviewer.plugin_api.discovery import AdapterResult, DiscoverResult, Origin, discover, discover_adapters
from medviewer.trust import TrustLedger

FOLDER = "plugins"
"""Where plugins that are installed lie, in medviewer's folder."""


def installed_folder(home: Path) -> Path:
    """Where plugins are installed; need not exist."""
    return home / FOLDER


def plugin_rows(
    home: Path, folders: Iterable[Path], ledger: TrustLedger, disabled: Collection[str]
) -> list[DiscoverResult]:
    """Every plugin that is found, with what the user said of it. Manifests are read; nothing is imported.

    Parameters
    ----------
    home
        medviewer's folder.
    folders
        More folders to search.
    disabled
        Ids that the user switched off.
    """
    said = ledger.entries()
    return [
        replace(
            row,
            enabled=row.id not in disabled,
            trusted=said[row.id].fingerprint if row.origin is Origin.INSTALLED and row.id in said else "",
        )
        for row in discover(folders, shipped=plugin_folders(), installed=[installed_folder(home)])
    ]


def adapter_rows(folders: Iterable[Path] = ()) -> list[AdapterResult]:
    """Every adapter that may run, and those that are broken (see `discover_adapters`)."""
    return discover_adapters(folders, shipped=plugin_folders())
