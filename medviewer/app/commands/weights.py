"""Weights are read once before they are first used, to tell their SHA-256; large ones beside the window."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer.errors import InputError, JobError, MedviewerError, StoreError
from medviewer.inference.client import base_weights
from medviewer.jobs import Job
from medviewer.learning.versions import VersionState
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.app.services import Services

log = logging.getLogger(__name__)

AT_ONCE_BYTES = 16 << 20
"""Weights up to this size take less than a tenth of a second."""
_READING = "reading its weights"


def read_ahead(services: Services) -> None:
    """Read what the plugins would run with, beside the window, before somebody waits for it."""
    plugins = tuple(services.plugins)
    try:
        services.runner.submit(lambda context: read_all(services, plugins, context), title="")
    except JobError:  # the program is closing: they are read after its next start
        return


def read_all(services: Services, plugins: Iterable[DiscoverResult], context: RunContext) -> None:
    """Read the weights of plugins that were never read; who runs one that cannot be read is told why.

    Raises
    ------
    JobCancelled
        If the end of the program cancelled it.
    """
    for plugin in plugins:
        if plugin.manifest is not None and plugin.enabled:
            for path in _unread(services, plugin, ()):
                try:
                    services.registry.read(path, lambda _: context.check())
                except StoreError:
                    log.warning("the weights of %s cannot be read", plugin.id)


def begin_work(services: Services, plugin_id: str) -> Callable[[], None]:
    """Note that a plugin is at work; what is returned takes that back."""
    session = services.session
    session.busy_plugins = session.busy_plugins | {plugin_id}

    def idle() -> None:
        session.busy_plugins = session.busy_plugins - {plugin_id}

    return idle


def once_read(services: Services, plugin_id: str, versions: Iterable[str], then: Callable[[], Job[Any]]) -> Job[Any]:
    """Call `then`, after large weights that were never read have been; returns its job, or that of the reading.

    Parameters
    ----------
    versions
        What is run, beside the active one.
    """
    plugin = services.plugin(plugin_id)
    sizes = _large(services, plugin, versions)
    if not sizes:
        return then()
    job = services.runner.submit(lambda context: _read(services, sizes, context), title=f"{_name(plugin)}: {_READING}")
    return services.when_done(job, lambda _: then(), begin_work(services, plugin_id))


def check_read(services: Services, plugin_id: str, versions: Iterable[str] = ()) -> None:
    """See that the large weights of a plugin were read, for what cannot wait for that.

    Parameters
    ----------
    versions
        What is run, beside the active one.

    Raises
    ------
    InputError
        If they were not; they are read from now on.
    """
    plugin = services.plugin(plugin_id)
    sizes = _large(services, plugin, versions)
    if not sizes:
        return
    if not all(services.registry.reads(path) for path in sizes):  # who is impatient has nothing read twice
        services.runner.submit(lambda context: _read(services, sizes, context), title=f"{_name(plugin)}: {_READING}")
    raise InputError(f"The weights of {_name(plugin)} are being read for the first time; try again in a moment.")


def _read(services: Services, sizes: Mapping[Path, int], context: RunContext) -> None:
    before, size = 0, sum(sizes.values())
    for path in sizes:

        def progress(done: int, before: int = before) -> None:
            context.progress((before + done) / size, "Reading its weights for the first time")

        services.registry.read(path, progress)
        before += sizes[path]


def _name(plugin: DiscoverResult) -> str:
    return plugin.manifest.name if plugin.manifest is not None else plugin.id


def _large(services: Services, plugin: DiscoverResult, versions: Iterable[str]) -> dict[Path, int]:
    """Those of `_unread` that the home thread must not read, and their bytes."""
    sizes = {path: path.stat().st_size for path in _unread(services, plugin, versions)}
    return {path: size for path, size in sizes.items() if size > AT_ONCE_BYTES}


def _unread(services: Services, plugin: DiscoverResult, versions: Iterable[str]) -> list[Path]:
    """The files of a plugin's own, its active and the named versions that are here and were not read yet."""
    wanted = set(versions)
    try:
        paths = [base_weights(plugin, services.archive.home)]
        paths += [
            row.weights
            for row in services.registry.versions(plugin.id)
            if row.version in wanted or row.state is VersionState.ACTIVE
        ]
    except MedviewerError:  # who runs it is told why
        return []
    return [path for path in dict.fromkeys(paths) if path.is_file() and not services.registry.knows(path)]
