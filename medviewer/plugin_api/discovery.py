"""Finding plugins by entry point and by folder; nothing is imported."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from medviewer.errors import ManifestError, NotFoundError
from medviewer.plugin_api.adapters import ADAPTER_FILE, AdapterManifest, read_adapter
from medviewer.plugin_api.manifest import FILE_NAME, Manifest, read_manifest

ENTRY_POINT_GROUP = "medviewer.plugins"
FOLDERS_VARIABLE = "MEDVIEWER_PLUGINS"


class Origin(StrEnum):
    """How a plugin came to be found, which says whose word its code runs on."""

    SHIPPED = "shipped"
    """It comes with medviewer."""
    PACKAGE = "package"
    """An installed Python package names it; whoever installed that trusts it."""
    NAMED = "named"
    """Its folder was named for this run, by ``MEDVIEWER_PLUGINS`` or an argument: a developer's own work."""
    INSTALLED = "installed"
    """It was put into medviewer's data folder: its code runs once the user trusts it as it is now."""


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
    origin
        How it came to be found.
    adapter
        The folder of the adapter that runs it, None for a plugin with code of its own.
    trusted
        The fingerprint under which the user trusted it; empty if nobody did, or nobody has to.
    enabled
        Whether the user wants it offered.
    """

    folder: Path
    manifest: Manifest | None = None
    error: str = ""
    origin: Origin = Origin.NAMED
    adapter: Path | None = None
    trusted: str = ""
    enabled: bool = True

    @property
    def may_run(self) -> bool:
        """Whether code that came with it may run: somebody answers for it."""
        return self.origin is not Origin.INSTALLED or bool(self.trusted)

    @property
    def id(self) -> str:
        """The plugin's id, or its folder's name when the manifest is broken."""
        return self.manifest.id if self.manifest else self.folder.name


@dataclass(frozen=True)
class AdapterResult:
    """One adapter that was found, good or bad; fields as in `DiscoverResult`."""

    folder: Path
    manifest: AdapterManifest | None = None
    error: str = ""
    origin: Origin = Origin.NAMED

    @property
    def id(self) -> str:
        """The adapter's id, or its folder's name when its manifest is broken."""
        return self.manifest.id if self.manifest else self.folder.name


def discover(
    folders: Iterable[Path] = (), *, shipped: Iterable[Path] = (), installed: Iterable[Path] = ()
) -> list[DiscoverResult]:
    """Every plugin of the installed packages, of ``MEDVIEWER_PLUGINS`` and of the given folders, sorted by id.

    The first of two plugins with one id wins; the second is a row with an error. One bad plugin never stops the rest.

    Parameters
    ----------
    folders
        Plugins, or folders of plugins, that were named for this run.
    shipped
        Folders of those that come with medviewer.
    installed
        Folders of those that were put into medviewer's data.
    """
    roots = _roots(folders, shipped, installed)
    adapters = [row for row in _unique(_adapters(roots)) if row.manifest is not None]
    rows = _unique(_with_adapter(_read(folder, origin), adapters) for folder, origin in _candidates(roots, FILE_NAME))
    return sorted(rows, key=lambda row: row.id)


def discover_adapters(folders: Iterable[Path] = (), *, shipped: Iterable[Path] = ()) -> list[AdapterResult]:
    """Every adapter that may run, and those that are broken, sorted by id; arguments as in `discover`.

    Adapters are code that runs without being asked about. They come with medviewer, with a Python package that somebody
    installed, or from a folder that was named for this run, and never from where plugins are installed.
    """
    return sorted(_unique(_adapters(_roots(folders, shipped, ()))), key=lambda row: row.id)


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


_Root = tuple[Path, Origin]
_Row = TypeVar("_Row", DiscoverResult, AdapterResult)


def _roots(folders: Iterable[Path], shipped: Iterable[Path], installed: Iterable[Path]) -> list[_Root]:
    variable = [Path(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    return [
        *((folder, Origin.PACKAGE) for folder in _packages()),
        *((folder, Origin.NAMED) for folder in (*variable, *folders)),
        *((folder, Origin.SHIPPED) for folder in shipped),
        *((folder, Origin.INSTALLED) for folder in installed),
    ]


def _packages() -> tuple[Path, ...]:
    """Folders of the packages that name a plugin; installing or removing one changes a folder of Python's path."""
    return _packages_in(tuple((folder, *_stamp(Path(folder))) for folder in sys.path))


@functools.lru_cache(maxsize=4)
def _packages_in(_: tuple[tuple[str | int, ...], ...]) -> tuple[Path, ...]:
    """Looks into every installed package, of which there are hundreds: once for each state of Python's path."""
    found = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        spec = importlib.util.find_spec(point.value.partition(":")[0].partition(".")[0])
        if spec and spec.submodule_search_locations:
            found.append(Path(next(iter(spec.submodule_search_locations))))
    return tuple(found)


def _candidates(roots: Iterable[_Root], file: str) -> Iterator[_Root]:
    """Each folder that holds such a file, once, with the first way that leads to it."""
    seen: set[Path] = set()
    for root, origin in roots:
        found = [root] if (root / file).is_file() else sorted(path.parent for path in root.glob(f"*/{file}"))
        for folder in found:
            resolved = folder.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield resolved, origin


def _unique(rows: Iterable[_Row]) -> list[_Row]:
    """The rows, those whose id is taken already turned into an error."""
    known: dict[str, str] = {}
    unique: list[_Row] = []
    for row in rows:
        if row.id in known:
            text = f"The id {row.id} is taken by {known[row.id]}; give this plugin another id."
            unique.append(replace(row, manifest=None, error=text))
        else:
            known[row.id] = row.folder.name
            unique.append(row)
    return unique


def _adapters(roots: Iterable[_Root]) -> Iterator[AdapterResult]:
    for folder, origin in _candidates(roots, ADAPTER_FILE):
        try:
            yield AdapterResult(folder, _adapter(folder, _stamp(folder / ADAPTER_FILE)), origin=origin)
        except ManifestError as error:
            yield AdapterResult(folder, None, str(error), origin)


def _with_adapter(row: DiscoverResult, adapters: Sequence[AdapterResult]) -> DiscoverResult:
    if row.manifest is None or not row.manifest.adapter:
        return row
    adapter = next((one for one in adapters if one.id == row.manifest.adapter), None)
    if adapter is not None and adapter.origin is not Origin.INSTALLED:
        return replace(row, adapter=adapter.folder)
    if adapter is not None:
        text = (
            f"The adapter {adapter.folder.name} lies among the installed plugins, where adapters are not run; install "
            "it as a Python package with pip."
        )
    else:
        known = ", ".join(one.id for one in adapters if one.origin is not Origin.INSTALLED) or "none"
        wanted = row.manifest.adapter
        text = f"{row.manifest.name} needs the adapter {wanted}, which is not here; installed are: {known}."
    return replace(row, manifest=None, error=text)


def _read(folder: Path, origin: Origin) -> DiscoverResult:
    try:
        return DiscoverResult(folder, _manifest(folder, _stamp(folder / FILE_NAME)), origin=origin)
    except ManifestError as error:
        return DiscoverResult(folder, None, str(error), origin)


# A list of plugins is looked at anew after every word about one of them: what was not written since is not read again.


@functools.lru_cache(maxsize=512)
def _manifest(folder: Path, _: tuple[int, ...]) -> Manifest:
    return read_manifest(folder)


@functools.lru_cache(maxsize=512)
def _adapter(folder: Path, _: tuple[int, ...]) -> AdapterManifest:
    return read_adapter(folder)


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes when a file is written or replaced, whatever time it claims to be of."""
    try:
        stat = file.stat()
    except OSError:
        return ()  # whoever reads it says so, and errors are not remembered
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
