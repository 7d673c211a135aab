"""Two versions beside each other, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medviewer.errors import StoreError
from medviewer.inference.client import checked_manifest
from medviewer.inference.device import check_choice, gpu_resource
from medviewer.learning.finetune import LANE, read_scores, split_cases, version_run
from medviewer.learning.gate import CaseScore, Verdict, judge
from medviewer.learning.queue import CorrectionQueue
from medviewer.learning.registry import ModelRegistry
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

_SILENCE_S = 900.0


@dataclass(frozen=True)
class Comparison:
    """A version against the present one.

    Parameters
    ----------
    present, candidate
        The two versions.
    pairs
        Their scores on the held-out cases that both were scored on.
    verdict
        What the gate says of the candidate.
    """

    present: str
    candidate: str
    pairs: tuple[CaseScore, ...]
    verdict: Verdict


def compare(registry: ModelRegistry, plugin_id: str, present: str, candidate: str) -> Comparison:
    """Compare two versions by the scores that are kept; nothing is run.

    Raises
    ------
    NotFoundError
        If either version is unknown.
    """
    for version in (present, candidate):
        registry.get(plugin_id, version)
    first, second = registry.scores(plugin_id, present), registry.scores(plugin_id, candidate)
    pairs = tuple(CaseScore(case, first[case], second[case]) for case in sorted(first.keys() & second.keys()))
    return Comparison(present, candidate, pairs, judge(pairs))


def submit_comparison(
    runner: Runner,
    queue: CorrectionQueue,
    registry: ModelRegistry,
    plugin: DiscoverResult,
    candidate: str,
    *,
    device: str = "auto",
) -> Job[Comparison]:
    """Score the active version and another one on today's held-out cases, and let the gate judge anew.

    The candidate may be promoted by that verdict as long as the active version stays the same.

    Raises
    ------
    NotFoundError
        If the version is unknown.
    StoreError
        If it is the active one, or the weights of either are not what was registered.
    ManifestError
        If the plugin is broken.
    """
    manifest = checked_manifest(plugin)
    check_choice(device)
    present = registry.active(plugin.id).version
    if candidate == present:
        raise StoreError(
            f"{manifest.name} {present} is the active version itself; choose another one to compare with it."
        )
    cases = split_cases(queue, registry, plugin.id)
    payload = {
        "runs": [version_run(registry, plugin, version, device).to_json() for version in (present, candidate)],
        "held_out": [queue.case_files(case.id) for case in cases.held_out],
    }

    def record(reply: WorkerReply) -> Comparison:
        pairs = read_scores(reply.payload["scores"])
        verdict = registry.record_comparison(plugin.id, present, candidate, sides=cases.sides, pairs=pairs)
        return Comparison(present, candidate, pairs, verdict)

    return runner.submit_process(
        "medviewer.learning.worker:compare",
        payload,
        {},
        title=f"Comparing {manifest.name} {present} and {candidate}",
        lane=LANE,
        convert=record,
        silence_s=_SILENCE_S,
        resource=gpu_resource(device, manifest),
    )
