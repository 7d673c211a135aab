"""Commands that bring plugins in, and say what may run: install, trust, switch, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medviewer.cli.console import confirmed, report, say
from medviewer.cli.options import INSTALLED_ID, YES
from medviewer.cli.reading import opened_services, result_of
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.commands.plugins import Proposal
    from medviewer.app.services import Services


def install(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A plugin folder, a wheel or ZIP archive with one, or a model that an adapter reads."
        ),
    ],
    trusted: Annotated[
        bool, typer.Option("--trust", help="You trust its code as it is; without, it is listed and runs nothing.")
    ] = False,
    yes: YES = False,
    plugin_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="The id of a model; by default its adapter makes one up.")
    ] = "",
) -> None:
    """Install a plugin or a model of another form.

    You read its source, licence, intended use and whether it brings code, and agree. Nothing of it is run, and pip is
    not called. Trust in its code is a question of its own.
    """
    from medviewer.app.commands import plugins
    from medviewer.inference.acquiring.install import discard

    with opened_services() as services:
        proposal = plugins.propose(services, result_of(services, plugins.prepare(services, path, plugin_id)))
        try:
            _show(plugins.rows_to_show(proposal))
            if plugins.has_other_files(proposal):
                manifest = proposal.candidate.manifest
                say(
                    f"{manifest.name} {manifest.version} is installed with other files; raise version in plugin.yaml, "
                    "or results of the two cannot be told apart."
                )
            if not yes and not confirmed(proposal.question or "Install it?"):
                raise InputError("Nothing was installed: that needs your word, at the question or with --yes.")
            agreed = trusted or _trust_agreed(proposal, ask=not yes)
        except BaseException:
            discard(proposal.candidate)
            raise
        job = plugins.install(services, proposal, trusted=agreed and proposal.brings_code)
        row = plugins.row_of(services, result_of(services, job))
    report(f"{row.id} is installed: {row.folder}")
    if proposal.brings_code and not agreed:
        say(f"Its code runs once you trust it: medviewer plugin trust {row.id}")


def trust(plugin: INSTALLED_ID, yes: YES = False) -> None:
    """Let the code of an installed plugin run as it is now.

    A change of its files ends that, and is told.
    """
    from medviewer.app.commands import plugins

    with opened_services() as services:
        shown = _shown_state(services, plugin)
        if not yes and not confirmed("Trust this code? It runs with your rights"):
            raise InputError(f"{plugin} is not trusted: that needs your word, at the question or with --yes.")
        result_of(services, plugins.trust(services, plugin, shown))
    report(f"{plugin} is trusted as it is now.")


def distrust(plugin: INSTALLED_ID) -> None:
    """Let the code of an installed plugin run no more."""
    from medviewer.app.commands import plugins

    with opened_services() as services:
        plugins.distrust(services, plugin)
    report(f"{plugin} is not trusted any more; nothing of it runs.")


def enable(plugin: INSTALLED_ID) -> None:
    """Offer a plugin again that was switched off."""
    _switch(plugin, on=True)


def disable(plugin: INSTALLED_ID) -> None:
    """Offer a plugin no more; it stays where it is."""
    _switch(plugin, on=False)


def remove(plugin: INSTALLED_ID, yes: YES = False) -> None:
    """Remove an installed plugin, what was fetched for it, and the trust in it.

    What it found before stays, and so do versions that were trained from it.
    """
    from medviewer.app.commands import plugins

    with opened_services() as services:
        if not yes and not confirmed(f"Remove {plugin} and its files?"):
            raise InputError(f"{plugin} was not removed: that needs your word, at the question or with --yes.")
        result_of(services, plugins.remove(services, plugin))
    report(f"{plugin} is removed.")


def _switch(plugin: str, on: bool) -> None:
    from medviewer.app.commands import plugins

    with opened_services() as services:
        plugins.switch(services, plugin, on)
    report(f"{plugin} is switched {'on' if on else 'off'}.")


def _trust_agreed(proposal: Proposal, ask: bool) -> bool:
    return ask and proposal.brings_code and confirmed("Trust its code? It runs with your rights")


def _shown_state(services: Services, plugin: str) -> str:
    """Show what would be trusted; the fingerprint of that."""
    from medviewer.app.commands.plugins import row_of
    from medviewer.app.plugin_state import Word, state_of

    row = row_of(services, plugin)
    state = state_of(row)
    rows = [("Name", f"{row.manifest.name} {row.manifest.version} ({row.id})" if row.manifest else row.id)]
    if row.manifest is not None:
        rows += [("Source", row.manifest.weights.source), ("Licence", row.manifest.weights.licence)]
    rows += [("Folder", str(row.folder)), ("Code", ", ".join(state.code) or "none")]
    rows += [("Fingerprint", state.fingerprint or "none")]
    if state.word is Word.CHANGED:
        rows.append(("Changed", "It is not what you trusted before."))
    _show(rows)
    return state.fingerprint


def _show(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows) + 2
    for name, text in rows:
        say(f"{name + ':':{width}}{text}")
