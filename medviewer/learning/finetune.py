"""The host's side of fine-tuning: from the queue's approved cases to a candidate with a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer.domain.provenance import Provenance
from medviewer.errors import PluginError, StoreError
from medviewer.inference.client import base_weights, checked_manifest
from medviewer.inference.device import check_choice, gpu_resource
from medviewer.inference.request import PluginRun
from medviewer.learning.gate import CaseScore, Score, Verdict
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.queue import CorrectionQueue, QueueCase
from medviewer.learning.registry import ModelRegistry
from medviewer.learning.split import Side
from medviewer.learning.versions import ModelVersion
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

LANE = "learning"
"""Training has a process of its own, so that predictions go on beside it."""

_SILENCE_S = 900.0
"""One step, or one distance between surfaces, may take minutes on a slow machine and a large volume."""


@dataclass(frozen=True)
class FinetuneResult:
    """What fine-tuning gave.

    Parameters
    ----------
    candidate
        The new version, registered.
    verdict
        What the gate says of it.
    pairs
        Its scores beside the present version's, a held-out case each.
    losses
        Mean training loss of each epoch.
    """

    candidate: ModelVersion
    verdict: Verdict
    pairs: tuple[CaseScore, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class SplitCases:
    """The approved cases of a plugin on either side of the split, and the side of every patient."""

    training: tuple[QueueCase, ...]
    held_out: tuple[QueueCase, ...]
    sides: dict[str, Side]


def submit_finetune(
    runner: Runner,
    queue: CorrectionQueue,
    registry: ModelRegistry,
    plugin: DiscoverResult,
    options: FinetuneOptions | None = None,
    *,
    author: str = "",
) -> Job[FinetuneResult]:
    """Start to train the active version of a plugin on the approved corrections.

    The job's events are ``{"kind": "loss", "epoch", "step", "steps", "loss"}``. Registry and queue change only when it
    is done; a run that was cancelled or failed leaves nothing behind.

    Parameters
    ----------
    options
        Settings; the defaults suit a handful of cases.
    author
        Who had it trained.

    Raises
    ------
    StoreError
        If there is no approved case to train on, or the active weights are not what was registered.
    PluginError
        If the plugin cannot be trained.
    ManifestError
        If it is broken.
    InputError
        If the device is unknown.
    """
    manifest = checked_manifest(plugin)
    chosen = options or FinetuneOptions()
    check_choice(chosen.device)
    if "train" not in manifest.kinds or "segment" not in manifest.kinds:
        raise PluginError(
            f"Fine-tuning needs a plugin whose kinds hold segment and train; {manifest.name} has "
            f"{', '.join(manifest.kinds)}; choose another."
        )
    registry.ensure_base(plugin, base_weights(plugin, registry.archive.home))
    active = registry.active(plugin.id)
    cases = split_cases(queue, registry, plugin.id)
    if not cases.training:
        raise StoreError(_nothing_to_train(manifest.name, len(cases.held_out)))

    def register(reply: WorkerReply) -> FinetuneResult:
        pairs = read_scores(reply.payload["scores"])
        made = Provenance(
            manifest.id,
            manifest.version,
            active.version,
            {**chosen.to_json(), "held_out_cases": [case.id for case in cases.held_out]},
            author=author,
            device=reply.payload["device"],
        )
        candidate = registry.add_candidate(
            manifest.id,
            manifest.version,
            active.version,
            Path(reply.payload["weights"]),
            training_cases=reply.payload["seen"],
            sides=cases.sides,
            pairs=pairs,
            provenance=made,
            author=author,
        )
        assert candidate.verdict is not None  # add_candidate judges
        return FinetuneResult(candidate, candidate.verdict, pairs, tuple(reply.payload["losses"]))

    payload = {
        "run": version_run(registry, plugin, active.version, chosen.device).to_json(),
        "options": chosen.to_json(),
        "training": [queue.case_files(case.id) for case in cases.training],
        "held_out": [queue.case_files(case.id) for case in cases.held_out],
    }
    return runner.submit_process(
        "medviewer.learning.worker:finetune",
        payload,
        {},
        title=f"Fine-tuning {manifest.name}",
        lane=LANE,
        convert=register,
        silence_s=_SILENCE_S,
        resource=gpu_resource(chosen.device, manifest),
    )


def split_cases(queue: CorrectionQueue, registry: ModelRegistry, plugin_id: str) -> SplitCases:
    """The approved cases of a plugin by side, new patients put on one."""
    cases = queue.cases_for_training(plugin_id)
    sides = registry.planned_sides(plugin_id, {case.correction.patient_key for case in cases})

    def on(side: Side) -> tuple[QueueCase, ...]:
        return tuple(case for case in cases if sides[case.correction.patient_key] is side)

    return SplitCases(on(Side.TRAIN), on(Side.HELD_OUT), sides)


def version_run(registry: ModelRegistry, plugin: DiscoverResult, version: str, device: str) -> PluginRun:
    """A run of one version of a plugin. Raises StoreError if its weights are not what was registered."""
    found = registry.get(plugin.id, version)
    return PluginRun(
        folder=plugin.folder,
        weights=registry.weights_path(plugin.id, version).absolute(),
        sha256=found.sha256,
        model_version=version,
        device=device,
        parameters=checked_manifest(plugin).default_parameters(),
        adapter=plugin.adapter,
        fingerprint=plugin.trusted,
        trusted=plugin.may_run,
    )


def read_scores(rows: Sequence[dict[str, Any]]) -> tuple[CaseScore, ...]:
    """The scores that a child process answered."""
    return tuple(CaseScore(row["case_id"], Score(**row["present"]), Score(**row["candidate"])) for row in rows)


def _nothing_to_train(name: str, held_out: int) -> str:
    if not held_out:
        return f"{name} has no approved correction to learn from; approve at least one mask first."
    return (
        f"All approved corrections of {name} are of patients that are held out for comparing versions; "
        "approve at least one mask of another patient."
    )
