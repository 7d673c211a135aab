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
    own, named = installed_folder(home), tuple(folders)
    adapters = {row.folder for row in adapter_rows(named)}
    return [
        _told(row, said[row.id].fingerprint if row.id in said else "", row.id not in disabled, adapters)
        for row in discover(named, shipped=plugin_folders(), installed=[own])
    ]


def adapter_rows(folders: Iterable[Path] = ()) -> list[AdapterResult]:
    """Every adapter that may run, and those that are broken.

    Adapters are code. They come with medviewer, with a Python package that somebody installed, or from a folder that
    was named for this run, and never from the folder into which plugins are installed: what lies there needs trust,
    and an adapter would run without.
    """
    return discover_adapters(folders, shipped=plugin_folders())


def _told(row: DiscoverResult, trusted: str, enabled: bool, adapters: Collection[Path]) -> DiscoverResult:
    row = replace(row, enabled=enabled, trusted=trusted if row.origin is Origin.INSTALLED else "")
    if row.adapter is None or row.adapter in adapters:
        return row
    text = (
        f"The adapter {row.adapter.name} lies among the installed plugins, where adapters are not run; install it as "
        "a Python package with pip."
    )
    return replace(row, manifest=None, adapter=None, error=text)
