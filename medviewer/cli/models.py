"""Commands about model versions: which there are, how they compare, which one runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, table
from medviewer.cli.options import ANY_PLUGIN, DEVICE, JSON, PLUGIN, Device
from medviewer.cli.reading import opened_services, result_of

if TYPE_CHECKING:
    from medviewer.learning.gate import CaseScore
    from medviewer.learning.versions import ModelVersion

app = typer.Typer(help="List model versions, compare, promote and roll back.", no_args_is_help=True)


@app.command("list")
def list_versions(plugin: ANY_PLUGIN = None, as_json: JSON = False) -> None:
    """List every version of the models that were used on this machine, oldest first."""
    from medviewer.app.commands import learning

    with opened_services() as services:
        ids = [plugin] if plugin is not None else [found.id for found in services.plugins if found.manifest]
        rows = [_as_json(version) for one in ids for version in learning.versions(services, one)]
    if as_json:
        report_json({"versions": rows})
        return
    header = ("PLUGIN", "VERSION", "STATE", "FROM", "CASES", "CREATED", "AUTHOR")
    cells = [
        (
            r["plugin"],
            r["version"],
            r["state"],
            r["parent"] or "-",
            str(len(r["training_cases"])),
            r["created"],
            r["author"],
        )
        for r in rows
    ]
    report(table(header, cells))


@app.command("compare")
def compare(
    plugin: PLUGIN,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="The version to compare; the newest that does not run.")
    ] = "",
    device: DEVICE = Device.AUTO,
    as_json: JSON = False,
) -> None:
    """Score a version and the one that runs on today's held-out cases, and let the gate judge."""
    from medviewer.app.commands import learning

    with opened_services() as services:
        result = result_of(services, learning.compare(services, plugin, version, device=device))
    if as_json:
        data = {"plugin": plugin, "present": result.present, "candidate": result.candidate}
        report_json({**data, "verdict": result.verdict.to_json(), "cases": pairs_json(result.pairs)})
        return
    report(f"{plugin}: {result.candidate} against {result.present}, which runs now")
    if result.pairs:
        report(pairs_table(result.pairs))
    report(result.verdict.sentence)


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version that shall run.")],
    plugin: PLUGIN,
    decide: Annotated[
        bool, typer.Option("--decide", help="Take it on yourself where the gate cannot tell; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")] = "",
) -> None:
    """Make a version the one that runs, if the gate found it better.

    Where there are too few held-out cases to tell, a person decides with --decide and says why. A worse version is
    never promoted.
    """
    from medviewer.app.commands import learning

    if decide and not reason.strip():
        raise typer.BadParameter(
            "a person who decides says why; give --reason TEXT, which is kept in the history.", param_hint="--decide"
        )
    with opened_services() as services:
        learning.versions(services, plugin)  # the plugin's own version is known from its first use on
        learning.promote(services, plugin, version, reason=reason, decide=decide)
    report(f"Version {version} of {plugin} runs from now on.")


@app.command("rollback")
def rollback(plugin: PLUGIN) -> None:
    """Go back to the version that ran before the present one."""
    from medviewer.app.commands import learning

    with opened_services() as services:
        learning.versions(services, plugin)
        version = learning.rollback(services, plugin)
    report(f"Back to version {version} of {plugin}.")


def pairs_json(pairs: Sequence[CaseScore]) -> list[dict[str, Any]]:
    """Scores of held-out cases, JSON-ready."""
    return [
        {
            "case_id": pair.case_id,
            "present": {"dice": pair.present.dice, "hd95_mm": pair.present.hd95_mm},
            "candidate": {"dice": pair.candidate.dice, "hd95_mm": pair.candidate.hd95_mm},
        }
        for pair in pairs
    ]


def pairs_table(pairs: Sequence[CaseScore]) -> str:
    """Scores of held-out cases, for a person."""
    rows = [
        (
            pair.case_id,
            f"{pair.present.dice:.3f}",
            f"{pair.candidate.dice:.3f}",
            f"{pair.present.hd95_mm:.1f}",
            f"{pair.candidate.hd95_mm:.1f}",
        )
        for pair in pairs
    ]
    return table(("HELD-OUT CASE", "DICE NOW", "DICE NEW", "HD95 NOW", "HD95 NEW"), rows)


def _as_json(version: ModelVersion) -> dict[str, Any]:
    return {
        "plugin": version.plugin_id,
        "version": version.version,
        "state": version.state.value,
        "active": version.state.value == "active",
        "parent": version.parent,
        "created": version.created,
        "author": version.author,
        "training_cases": list(version.training_cases),
        "compared_with": version.compared_with,
        "verdict": version.verdict.to_json() if version.verdict else None,
        "sha256": version.sha256,
    }
