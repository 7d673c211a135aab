"""Finding plugins by entry point and by folder; nothing is imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medviewer.errors import ManifestError, NotFoundError
from medviewer.plugin_api.manifest import FILE_NAME, Manifest, read_manifest

ENTRY_POINT_GROUP = "medviewer.plugins"
FOLDERS_VARIABLE = "MEDVIEWER_PLUGINS"


@dataclass(frozen=True)
class DiscoverResult:
    """One plugin that was found, good or bad.

    Parameters
    ----------
    folder
        The package folder that holds plugin.yaml.
    manifest
        What it says, or None when it is broken.
    error
        One sentence on what is wrong, empty when nothing is.
    """

    folder: Path
    manifest: Manifest | None = None
    error: str = ""

    @property
    def id(self) -> str:
        """The plugin's id, or its folder's name when the manifest is broken."""
        return self.manifest.id if self.manifest else self.folder.name


def discover(folders: Iterable[Path] = ()) -> list[DiscoverResult]:
    """Every plugin of the installed packages, of ``MEDVIEWER_PLUGINS`` and of the given folders, sorted by id.

    The first of two plugins with one id wins; the second is a row with an error. One bad plugin never stops the rest.
    """
    found: dict[str, DiscoverResult] = {}
    seen: set[Path] = set()
    for folder in _candidates(folders):
        resolved = folder.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        result = _read(resolved)
        if result.id in found:
            text = f"The id {result.id} is taken by {found[result.id].folder.name}; give this plugin another id."
            result = DiscoverResult(resolved, None, text)
            found[f"{result.id} ({len(found)})"] = result
        else:
            found[result.id] = result
    return sorted(found.values(), key=lambda result: result.id)


def find(plugin_id: str, plugins: Iterable[DiscoverResult]) -> DiscoverResult:
    """The healthy plugin of that id.

    Raises
    ------
    NotFoundError
        If no plugin has that id.
    ManifestError
        If it has, but its manifest is broken.
    """
    known = list(plugins)
    for result in known:
        if result.id == plugin_id:
            if result.manifest is None:
                raise ManifestError(result.error)
            return result
    names = ", ".join(result.id for result in known) or "none"
    raise NotFoundError(f"There is no plugin {plugin_id!r}; installed are: {names}.")


def _candidates(folders: Iterable[Path]) -> Iterator[Path]:
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        spec = importlib.util.find_spec(point.value.partition(":")[0].partition(".")[0])
        if spec and spec.submodule_search_locations:
            yield Path(next(iter(spec.submodule_search_locations)))
    extra = [Path(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    for root in [*extra, *folders]:
        if (root / FILE_NAME).is_file():
            yield root
        elif root.is_dir():
            yield from sorted(path.parent for path in root.glob(f"*/{FILE_NAME}"))


def _read(folder: Path) -> DiscoverResult:
    try:
        return DiscoverResult(folder, read_manifest(folder))
    except ManifestError as error:
        return DiscoverResult(folder, None, str(error))
