"""Commands about plugins: which there are, whether they keep their contract, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli import install, plugin_new
from medviewer.cli.console import confirmed, report, report_json, say, table
from medviewer.cli.options import DEVICE, INSTALLED_ID, JSON, Device
from medviewer.cli.reading import opened_services, result_of
from medviewer.errors import ContractError, InputError, ManifestError

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.plugin_api.discovery import DiscoverResult

app = typer.Typer(help="Plugins: list, install, trust, check, switch.", no_args_is_help=True)
app.command("new")(plugin_new.new)
app.command("install")(install.install)
app.command("trust")(install.trust)
app.command("distrust")(install.distrust)
app.command("enable")(install.enable)
app.command("disable")(install.disable)
app.command("remove")(install.remove)


@app.command("list")
def list_plugins(as_json: JSON = False) -> None:
    """List the plugins that were found.

    STATE says on whose word a plugin's code runs, or that it is switched off. A broken one is listed with what is wrong
    with it. Nothing of any plugin is run for this.
    """
    with opened_services() as services:
        rows = [_row(services, plugin) for plugin in services.plugins]
    if as_json:
        report_json({"plugins": rows})
        return
    good = [row for row in rows if not row["error"]]
    cells = [
        (row["id"], row["version"], ", ".join(row["kinds"]), row["state"], row["weights"], row["description"])
        for row in good
    ]
    report(table(("ID", "VERSION", "KINDS", "STATE", "WEIGHTS", "WHAT IT DOES"), cells))
    for row in rows:
        if row["error"]:
            report(f"{row['id']}  broken: {row['error']}")


@app.command("check")
def check(
    plugin: Annotated[str, typer.Argument(metavar="ID|FOLDER", help="The plugin's id, or its folder.")],
    device: DEVICE = Device.AUTO,
    as_json: JSON = False,
) -> None:
    """Run the conformance suite on a plugin.

    Each row says in a sentence what held or what did not. The exit code is 1 if something did not.
    """
    from medviewer.inference import base_weights, submit_check

    folder = _plugin_folder(plugin)
    with opened_services([folder] if folder else []) as services:
        found = _in_folder(services, folder) if folder else services.plugin(plugin)
        weights = base_weights(found, services.archive.home)
        rows = result_of(services, submit_check(services.runner, found, weights, device=device))
    failed = [row.name for row in rows if not row.ok]
    if as_json:
        checks = [{"name": row.name, "ok": row.ok, "text": row.text} for row in rows]
        report_json({"plugin": found.id, "ok": not failed, "checks": checks})
    else:
        report(table(("CHECK", "", ""), [(row.name, "ok" if row.ok else "FAILED", row.text) for row in rows]))
    if failed:
        raise ContractError(f"{found.id} should pass every check, but fails: {', '.join(failed)}; mend the plugin.")


def _plugin_folder(plugin: str) -> Path | None:
    """The plugin folder that is named, None where an id is."""
    from medviewer.plugin_api.manifest import FILE_NAME

    path = Path(plugin)
    if (path / FILE_NAME).is_file():
        return path.resolve()
    if len(path.parts) != 1:
        raise InputError(f"A plugin's folder holds a {FILE_NAME}, but {plugin} does not; name another, or an id.")
    return None


def _in_folder(services: Services, folder: Path) -> DiscoverResult:
    """The plugin in exactly that folder."""
    found = next(row for row in services.plugins if row.folder == folder)
    if found.manifest is None:
        raise ManifestError(found.error)
    return found


@app.command("fetch")
def fetch(
    plugin: INSTALLED_ID,
    yes: Annotated[bool, typer.Option("--yes", help="You have read source and licence; do not ask.")] = False,
) -> None:
    """Fetch the weights of a plugin.

    For plugins that come without them: you read source, licence and intended use, and agree.
    """
    from medviewer.app.commands import predict as predicting

    with opened_services() as services:
        found = services.plugin(plugin)
        assert found.manifest is not None
        if predicting.weights_present(services, found):
            report(f"The weights of {plugin} are here already.")
            return
        weights = found.manifest.weights
        say(f"Source: {weights.source}\nLicence: {weights.licence}\nIntended use: {weights.intended_use}")
        if not yes and not confirmed("Fetch these weights?"):
            raise InputError("The weights were not fetched: that needs your word, at the question or with --yes.")
        path = result_of(services, predicting.fetch(services, plugin))
    report(f"The weights of {plugin} are here: {path}")


def _row(services: Services, plugin: DiscoverResult) -> dict[str, Any]:
    from medviewer.app.commands.predict import weights_present
    from medviewer.app.plugin_state import state_of

    manifest, state = plugin.manifest, state_of(plugin)
    stands = {
        "state": state.text,
        "enabled": plugin.enabled,
        "runs": state.runs,
        "origin": str(plugin.origin),
        "fingerprint": state.fingerprint,
        "folder": str(plugin.folder),
        "error": plugin.error,
    }
    if manifest is None:
        return {"id": plugin.id, **stands}
    return {
        "id": plugin.id,
        "name": manifest.name,
        "version": manifest.version,
        "kinds": list(manifest.kinds),
        "description": " ".join(manifest.description.split()),
        "weights": "here" if weights_present(services, plugin) else "to be fetched",
        "licence": manifest.weights.licence,
        "adapter": manifest.adapter,
        **stands,
    }
