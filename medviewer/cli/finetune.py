"""The command that trains a candidate version from the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json
from medviewer.cli.models import pairs_json, pairs_table
from medviewer.cli.options import DEVICE, JSON, PLUGIN, Device
from medviewer.cli.reading import opened_services, result_of
from medviewer.learning.options import FinetuneOptions

if TYPE_CHECKING:
    from medviewer.learning.finetune import FinetuneResult


def finetune(
    plugin: PLUGIN,
    epochs: Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="How often each case is seen.")] = (
        FinetuneOptions.epochs
    ),
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, metavar="N", help="Steps at most, a case each.")] = 40,
    learning_rate: Annotated[float, typer.Option("--learning-rate", metavar="RATE", help="Of AdamW.")] = (
        FinetuneOptions.learning_rate
    ),
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="For the order of the cases.")
    ] = FinetuneOptions.seed,
    device: DEVICE = Device.AUTO,
    as_json: JSON = False,
) -> None:
    """Train a candidate version from the queue.

    It learns from the approved cases and is compared with the present version. Patients are held out for the
    comparison and never trained on. The loss of every step is told on stderr; Ctrl+C stops the run and leaves nothing
    behind. The candidate runs only after: medviewer models promote
    """
    from medviewer.app.commands import learning

    options = FinetuneOptions(epochs, learning_rate, max_steps, seed, device.value)
    with opened_services() as services:
        result = result_of(services, learning.finetune(services, plugin, options), _loss_line)
    if as_json:
        report_json(_as_json(result))
        return
    version, count = result.candidate, len(result.candidate.training_cases)
    cases = f"{count} case{'' if count == 1 else 's'}"
    report(f"Version {version.version} was trained from {version.parent} on {cases}.")
    if result.pairs:
        report(pairs_table(result.pairs))
    report(result.verdict.sentence)


def _loss_line(event: dict[str, Any]) -> str:
    if event.get("kind") != "loss":
        return ""
    return f"epoch {event['epoch']}  step {event['step']} of {event['steps']}  loss {event['loss']:.4f}"


def _as_json(result: FinetuneResult) -> dict[str, Any]:
    candidate = result.candidate
    return {
        "plugin": candidate.plugin_id,
        "version": candidate.version,
        "state": candidate.state.value,
        "parent": candidate.parent,
        "training_cases": list(candidate.training_cases),
        "losses": list(result.losses),
        "verdict": result.verdict.to_json(),
        "cases": pairs_json(result.pairs),
    }
