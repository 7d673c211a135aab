"""Install, remove, trust and switch plugins."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from medviewer.app import settings
from medviewer.app.commands.weights import read_ahead
from medviewer.app.plugin_rows import installed_folder
from medviewer.app.services import Services
from medviewer.archive.blobs import write_atomic
from medviewer.errors import MedviewerError, NotFoundError, PluginError, StoreError, UntrustedError
from medviewer.inference.acquiring.install import (
    PARTIAL,
    Candidate,
    discard,
    put_in_place,
    submit_discard,
    submit_prepare,
)
from medviewer.inference.client import base_weights
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult, Origin
from medviewer.plugin_api.fingerprint import fingerprint

T = TypeVar("T")

_GONE_S = 5.0
"""How long a plugin's warm process may take to end before its files are moved."""


@dataclass(frozen=True)
class Proposal:
    """What would be installed, for the user to decide on.

    Parameters
    ----------
    candidate
        The plugin, made ready beside its place.
    replaces
        The installed plugin that it takes the place of, or None.
    """

    candidate: Candidate
    replaces: DiscoverResult | None = None

    @property
    def brings_code(self) -> bool:
        """Whether trust is to be asked for: it has code of its own, or files that can hold code."""
        return bool(self.candidate.manifest.entry or self.candidate.code)

    @property
    def question(self) -> str:
        """What is asked before it is put in place; empty when nothing is replaced."""
        if self.replaces is None:
            return ""
        made, former = self.candidate.manifest, self.replaces.manifest
        old = former.version if former is not None else "a broken one"
        same = former is not None and former.version == made.version
        return f"{made.name} is installed already ({old}). Replace it by {'this copy' if same else made.version}?"


def has_other_files(proposal: Proposal) -> bool:
    """Whether the same version is installed already, with other files; reads all of them."""
    former, made = proposal.replaces, proposal.candidate
    if former is None or former.manifest is None or former.manifest.version != made.manifest.version:
        return False
    return fingerprint(former.folder) != made.fingerprint


def rows_to_show(proposal: Proposal) -> list[tuple[str, str]]:
    """What the user reads before a plugin is installed: name and value."""
    candidate = proposal.candidate
    manifest, weights = candidate.manifest, candidate.manifest.weights
    rows = [
        ("Name", f"{manifest.name} {manifest.version} ({manifest.id})"),
        ("Does", " ".join(manifest.description.split())),
        ("Source", weights.source),
        ("Licence", weights.licence),
        ("Intended use", weights.intended_use),
        ("Code", _code_text(candidate)),
        ("Fingerprint", candidate.fingerprint),
    ]
    if candidate.adapter:
        rows.insert(2, ("Taken over by", candidate.adapter))
    return rows


def prepare(services: Services, source: Path, plugin_id: str = "") -> Job[Candidate]:
    """Make a plugin ready from a folder, wheel, archive or model; nothing of it is run, and nothing is in place yet.

    Hand the result to `propose`.
    """
    root = installed_folder(services.archive.home)
    return submit_prepare(services.runner, source, root, services.adapters(), plugin_id)


def propose(services: Services, candidate: Candidate) -> Proposal:
    """What putting a prepared plugin in place would mean.

    Raises
    ------
    PluginError
        If its id or its name is taken by a plugin that is not an installed one; what was prepared is removed.
    """
    try:
        return Proposal(candidate, _replaced(services, candidate))
    except MedviewerError:
        forget(services, candidate)
        raise


def forget(services: Services, candidate: Candidate) -> None:
    """Remove what was prepared and is not wanted, beside the home thread."""
    submit_discard(services.runner, candidate)


def install(services: Services, proposal: Proposal, *, trusted: bool = False) -> Job[str]:
    """Put a prepared plugin in place. Call it only after the user has agreed, to trust as well if `trusted`.

    Closing the program waits for it. However it ends without the plugin in its place, what was prepared is removed and
    what was there before is there still.

    Returns
    -------
    A job that gives the plugin's id; `row_of` knows the plugin once it is over.

    Raises
    ------
    PluginError
        If the one that it replaces is at work.
    """
    candidate, former = proposal.candidate, proposal.replaces
    manifest, root = candidate.manifest, installed_folder(services.archive.home)
    began = threading.Event()

    def work(context: RunContext) -> str:
        began.set()
        try:
            if former is not None and former.manifest is not None:
                _keep_weights(services, former)
            gone(_GONE_S)
            context.check()  # from here on there is no way back
            put_in_place(candidate, root)
        except BaseException:
            discard(candidate)
            raise
        if trusted:
            services.trust.trust(manifest.id, candidate.fingerprint, services.author)
        elif services.trust.trusted(manifest.id) != candidate.fingerprint:
            services.trust.revoke(manifest.id, services.author)  # that word was about other files
        return manifest.id

    def installed() -> None:
        if job.error is None:
            services.attempt(lambda: _switch(services, manifest.id, on=True))
        elif not began.is_set():  # stopped before its turn; otherwise the work itself cleans up
            forget(services, candidate)

    try:
        gone = _retired(services, former.id if former is not None else manifest.id, "install again")
        job = services.runner.submit(work, title=f"Installing {manifest.name}", must_finish=True)
    except MedviewerError:
        forget(services, candidate)
        raise
    return _refreshing(services, job, installed)


def remove(services: Services, plugin_id: str) -> Job[None]:
    """Remove an installed plugin with its trust and what was fetched for it; its results and versions stay.

    Closing the program waits for it. The job fails with a StoreError if its folder cannot be removed.

    Raises
    ------
    PluginError
        If it is not an installed one, or is at work.
    """
    row = _installed(services, plugin_id, "removed", f"switch it off with: medviewer plugin disable {plugin_id}")
    fetched = base_weights(row, services.archive.home) if row.manifest is not None else None
    moved = row.folder.with_name(f"{PARTIAL}removed-{row.folder.name}")
    gone = _retired(services, plugin_id, "remove it then")

    def work(context: RunContext) -> None:
        gone(_GONE_S)
        context.check()
        try:
            shutil.rmtree(moved, ignore_errors=True)
            row.folder.rename(moved)  # at once, so that half a plugin is never found
            services.trust.revoke(plugin_id, services.author)
            if fetched is not None and row.manifest is not None and row.manifest.weights.fetch:
                shutil.rmtree(fetched.parent, ignore_errors=True)
            shutil.rmtree(moved)
        except OSError as error:
            raise StoreError(
                f"{plugin_id} could not be removed ({error.strerror or type(error).__name__}); close what uses it and "
                "remove it again.",
                str(error),
            ) from error

    def removed() -> None:
        if not row.folder.exists():  # one that is installed again begins anew
            services.attempt(lambda: _switch(services, plugin_id, on=True))

    name = row.manifest.name if row.manifest is not None else plugin_id
    job = services.runner.submit(work, title=f"Removing {name}", must_finish=True)
    return _refreshing(services, job, removed)


def trust(services: Services, plugin_id: str, expected: str) -> Job[None]:
    """Let the code of an installed plugin run as it is now.

    The job fails with an UntrustedError if the plugin changed since its fingerprint was shown.

    Parameters
    ----------
    expected
        The fingerprint that the user was shown.

    Raises
    ------
    PluginError
        If it is not an installed one.
    """
    row = _installed(services, plugin_id, "trusted", "its code runs already")
    if row.manifest is None:
        raise PluginError(f"{plugin_id} is broken and cannot be trusted. {row.error}")

    def work(context: RunContext) -> None:
        if fingerprint(row.folder) != expected:
            raise UntrustedError(f"{plugin_id} changed while it was looked at; look at it again before you trust it.")
        context.check()  # who stopped it meanwhile does not trust it
        services.trust.trust(plugin_id, expected, services.author)

    job = services.runner.submit(work, title=f"Looking at the files of {row.manifest.name}")
    return _refreshing(services, job)


def distrust(services: Services, plugin_id: str) -> None:
    """Let the code of an installed plugin run no more.

    Raises
    ------
    PluginError
        If it is not an installed one.
    """
    _installed(services, plugin_id, "distrusted", f"switch it off with: medviewer plugin disable {plugin_id}")
    services.trust.revoke(plugin_id, services.author)
    services.refresh()


def switch(services: Services, plugin_id: str, on: bool) -> None:
    """Offer a plugin, or offer it no more; it stays where it is.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    row_of(services, plugin_id)
    _switch(services, plugin_id, on)
    services.refresh()


def at_work(services: Services, plugin_id: str) -> bool:
    """Whether a job of that plugin runs or waits, be it for what is open, a click or a run on many."""
    return plugin_id in services.session.busy_plugins or services.runner.in_use(f"plugin:{plugin_id}")


def _retired(services: Services, plugin_id: str, then: str) -> Callable[[float], None]:
    """Let a plugin's warm process end, for it holds the files; what is returned waits until it is gone."""
    if at_work(services, plugin_id):
        raise PluginError(f"{plugin_id} is at work; wait for it or stop it, and {then}.")
    return services.runner.retire(f"plugin:{plugin_id}")


def _refreshing(services: Services, job: Job[T], first: Callable[[], None] = lambda: None) -> Job[T]:
    """Look for plugins anew once a job is over, however it ended: part of it may be done."""

    def over() -> None:
        first()
        services.refresh()
        read_ahead(services)

    job.finished.connect(over)
    return job


def _switch(services: Services, plugin_id: str, on: bool) -> None:
    home = services.archive.home
    kept = settings.load(home)
    if (plugin_id in kept.disabled) is on:
        settings.save(home, kept.switched(plugin_id, on))


def row_of(services: Services, plugin_id: str) -> DiscoverResult:
    """The plugin of that id, good or bad, switched on or off.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    for row in services.plugins:
        if row.id == plugin_id:
            return row
    names = ", ".join(row.id for row in services.plugins) or "none"
    raise NotFoundError(f"There is no plugin {plugin_id!r}; there are: {names}.")


def _installed(services: Services, plugin_id: str, done: str, instead: str) -> DiscoverResult:
    row = row_of(services, plugin_id)
    if row.origin is not Origin.INSTALLED:
        raise PluginError(f"Only a plugin that was installed can be {done}; {plugin_id} was not, so {instead}.")
    return row


def _replaced(services: Services, candidate: Candidate) -> DiscoverResult | None:
    """The installed plugin that this one takes the place of; refuses what has no place."""
    manifest, place = candidate.manifest, candidate.staged.name
    if manifest.adapter and manifest.adapter not in [row.id for row in services.adapters() if row.manifest]:
        raise PluginError(f"{manifest.name} needs the adapter {manifest.adapter}, which is not here; install it first.")
    _refuse_other_weights(services, candidate)
    found = None
    for row in services.plugins:
        mine = row.origin is Origin.INSTALLED
        if row.id == manifest.id and not mine:
            raise PluginError(
                f"The id {manifest.id} belongs to a plugin that {_BELONGS[row.origin]}; have the author of this one "
                "choose another, or give --id if it is a model."
            )
        if not mine or (row.id != manifest.id and row.folder.name != place):
            continue
        if row.manifest is not None and (row.id != manifest.id or row.folder.name != place):
            raise PluginError(
                f"{manifest.name} would lie in the folder {place}, and {row.id} is installed in {row.folder.name}; "
                f"remove that first with: medviewer plugin remove {row.id}"
            )
        found = row
    return found


_BELONGS = {
    Origin.SHIPPED: "comes with medviewer",
    Origin.PACKAGE: "came as a Python package",
    Origin.NAMED: "was named for this run",
}


def _refuse_other_weights(services: Services, candidate: Candidate) -> None:
    """A version names its weights for good: results tell their version, and mean those weights."""
    manifest = candidate.manifest
    for known in services.registry.versions(manifest.id):
        if manifest.weights.file and known.version == manifest.version and known.sha256 != manifest.weights.sha256:
            raise PluginError(
                f"{manifest.name} {manifest.version} was used on this machine with other weights; have its author "
                "raise the version."
            )


def _keep_weights(services: Services, former: DiscoverResult) -> None:
    """Copy the weights of a version that was used to where versions are kept, so that one can go back to it."""
    manifest = former.manifest
    assert manifest is not None
    weights = base_weights(former, services.archive.home)
    used = [known for known in services.registry.versions(former.id) if known.version == manifest.version]
    if not used or not manifest.weights.file or not weights.is_file():
        return
    kept = services.archive.home / "models" / former.id / manifest.version / weights.name
    try:
        with weights.open("rb") as source:
            write_atomic(kept, partial(shutil.copyfileobj, source))  # whole or not at all, whenever the program ends
    except (OSError, StoreError) as error:
        raise StoreError(
            f"The weights of {former.id} {manifest.version} could not be kept before they are replaced; make room and "
            "install again.",
            str(error),
        ) from error
    services.registry.ensure_base(former, kept)


def _code_text(candidate: Candidate) -> str:
    if not candidate.code:
        return "none" if candidate.manifest.adapter else "an entry, but no file with code"
    shown = ", ".join(candidate.code[:8])
    more = f" and {len(candidate.code) - 8} more" if len(candidate.code) > 8 else ""
    return f"{shown}{more}: runs with your rights once you trust it"
