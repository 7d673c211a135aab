"""Commands about the fine-tuning queue: what people said about masks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, table
from medviewer.cli.options import ANY_PLUGIN, JSON, PLUGIN, SERIES, SOURCE
from medviewer.cli.reading import opened_services, read

if TYPE_CHECKING:
    from medviewer.learning.queue import QueueCase


class Verdict(StrEnum):
    """What a person says of a mask."""

    APPROVED = "approved"
    REJECTED = "rejected"


class State(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"
    USED = "used"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


app = typer.Typer(help="Look into the fine-tuning queue, and add corrections to it.", no_args_is_help=True)


@app.command("list")
def list_cases(
    plugin: ANY_PLUGIN = None,
    status: Annotated[State | None, typer.Option("--status", help="Only the cases that stand there.")] = None,
    as_json: JSON = False,
) -> None:
    """List the corrections, oldest first."""
    with opened_services() as services:
        cases = [_as_json(case) for case in services.queue.list(plugin, status)]
    if as_json:
        report_json({"cases": cases})
        return
    header = ("ID", "PLUGIN", "MODEL", "STATUS", "DICE BEFORE", "AUTHOR", "CREATED")
    rows = [
        (c["id"], c["plugin"], c["model"] or "-", c["status"], _dice(c["dice_before"]), c["author"], c["created"])
        for c in cases
    ]
    nothing = "The queue is empty; approve a mask, or: medviewer queue add --help"
    if plugin or status:
        nothing = "No case of the queue is like that; all of them: medviewer queue list"
    report(table(header, rows) if rows else nothing)


@app.command("show")
def show(
    case: Annotated[str, typer.Argument(metavar="ID", help="The case's id, or the beginning of it.")],
    as_json: JSON = False,
) -> None:
    """Show all that is known of one correction."""
    with opened_services() as services:
        data = _as_json(services.queue.get(case))
    if as_json:
        report_json(data)
        return
    for name, value in data.items():
        report(f"{name.replace('_', ' ')}: {'-' if value in (None, '') else value}")


@app.command("add")
def add(
    path: SOURCE,
    mask: Annotated[
        Path, typer.Option("--mask", metavar="FILE", help="The mask that was judged: DICOM SEG, RTSTRUCT or NIfTI.")
    ],
    plugin: PLUGIN,
    verdict: Annotated[Verdict, typer.Option("--verdict", help="What you say of it.")] = Verdict.APPROVED,
    model_mask: Annotated[
        Path | None,
        typer.Option("--model-mask", metavar="FILE", help="What the model gave before it was corrected."),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Anything to keep beside it.")] = "",
    series: SERIES = None,
    as_json: JSON = False,
) -> None:
    """Add a correction from files: the series, and the mask that a person approved or rejected.

    Only approved masks are trained on. A later verdict on the same series takes the place of an earlier one.
    """
    from medviewer import formats
    from medviewer.app.commands import verdicts

    with opened_services() as services:
        case = read(path, series, services.plugin(plugin).manifest)
        corrected = formats.load_segmentation(mask, case.image.grid, case.series)
        made = corrected.provenance
        model = verdicts.model_mask(services, case.series, made) if made.plugin_id == plugin else None
        if model_mask is not None:
            model = formats.load_segmentation(model_mask, case.image.grid, case.series)
        correction = verdicts.judge(
            services,
            case.image,
            case.series,
            case.study,
            corrected,
            verdict.value,
            model=model,
            plugin_id=plugin,
            note=note,
        )
        data = _as_json(services.queue.get(correction.id))
    if as_json:
        report_json(data)
        return
    report(f"{verdict.value.capitalize()}: case {data['id']} (Dice against the model {_dice(data['dice_before'])})")


def _dice(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _as_json(case: QueueCase) -> dict[str, Any]:
    correction = case.correction
    return {
        "id": case.id,
        "status": case.status.value,
        "verdict": correction.verdict,
        "plugin": correction.plugin_id,
        "model": correction.model_version,
        "used_in": case.used_in,
        "dice_before": correction.dice_before,
        "author": correction.author,
        "created": correction.created,
        "note": case.note,
        "series_uid": correction.series_uid,
        "patient_key": correction.patient_key,
        "modality": case.modality,
        "body_part": case.body_part,
        "shape": list(case.shape) if case.shape else None,
    }
