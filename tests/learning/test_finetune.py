"""Fine-tuning in a real child process, from the queue to the registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.archive import Archive
from medviewer.domain.mask import Correction
from medviewer.errors import GateRefusal, JobCancelled, ManifestError, PluginError, StoreError
from medviewer.jobs import FinishReason, Runner
from medviewer.learning.compare import compare, submit_comparison
from medviewer.learning.finetune import FinetuneOptions, submit_finetune
from medviewer.learning.gate import VerdictKind
from medviewer.learning.queue import CorrectionQueue, Status
from medviewer.learning.registry import ModelRegistry
from medviewer.learning.split import Side
from medviewer.learning.versions import VersionState
from medviewer.plugin_api.discovery import DiscoverResult

from .conftest import make_case

PATIENCE_S = 120.0
OPTIONS = FinetuneOptions(epochs=15, learning_rate=0.02, device="cpu")
Approve = Callable[[int, str], Correction]


@pytest.fixture
def patients(approve: Approve, queue: CorrectionQueue) -> dict[str, str]:
    """Two series each of five patients: case id -> patient key."""
    added = [approve(k, f"P{k % 5}") for k in range(10)]
    return {case.id: case.patient_key for case in added}


def run(runner: Runner, job: Any) -> Any:
    runner.wait(job, PATIENCE_S)
    return job.result()


def test_corrections_make_a_better_version_that_is_promoted_and_rolled_back(
    runner: Runner,
    queue: CorrectionQueue,
    registry: ModelRegistry,
    plugin: DiscoverResult,
    patients: dict[str, str],
) -> None:
    job = submit_finetune(runner, queue, registry, plugin, OPTIONS, author="ann")
    events: list[dict[str, Any]] = []
    job.event.connect(events.append)
    result = run(runner, job)

    assert result.losses[-1] < result.losses[0] / 2
    assert result.verdict.kind is VerdictKind.BETTER, result.verdict.sentence
    candidate = result.candidate
    assert (candidate.version, candidate.parent, candidate.author) == ("1.0.0-ft.1", "1.0.0", "ann")
    assert candidate.provenance.device == "cpu"
    assert candidate.provenance.parameters["epochs"] == 15

    held_out = {pair.case_id for pair in result.pairs}
    assert held_out | set(candidate.training_cases) == set(patients)
    assert not {patients[case] for case in held_out} & {patients[case] for case in candidate.training_cases}
    assert {side for patient, side in registry.sides("tiny").items() if patient in patients.values()} == set(Side)
    statuses = {case.id: case.status for case in queue.list("tiny")}
    assert {case for case, status in statuses.items() if status is Status.USED} == set(candidate.training_cases)
    assert {case for case, status in statuses.items() if status is Status.WAITING} == held_out

    steps = len(candidate.training_cases) * 15
    assert {event["kind"] for event in events} == {"loss"}
    assert events[-1]["step"] == events[-1]["steps"] == steps
    assert np.isfinite([event["loss"] for event in events]).all()

    assert registry.active("tiny").version == "1.0.0"
    registry.promote("tiny", candidate.version, "ann")
    assert registry.active("tiny").version == candidate.version

    again = run(runner, submit_finetune(runner, queue, registry, plugin, replace(OPTIONS, epochs=1), author="ann"))
    assert (again.candidate.version, again.candidate.parent) == ("1.0.0-ft.2", "1.0.0-ft.1")
    assert {pair.case_id for pair in again.pairs} == held_out
    for pair in again.pairs:  # the same version on the same case scores the same
        assert registry.scores("tiny", candidate.version)[pair.case_id] == pair.present

    assert registry.rollback("tiny", "ann") == "1.0.0"
    with pytest.raises(GateRefusal, match="compare the two first"):
        registry.promote("tiny", "1.0.0-ft.2", "ann", "newest", force=True)
    comparison = run(runner, submit_comparison(runner, queue, registry, plugin, "1.0.0-ft.2", device="cpu"))
    assert comparison.verdict.kind is VerdictKind.BETTER
    assert compare(registry, "tiny", "1.0.0", "1.0.0-ft.2").verdict.kind is VerdictKind.BETTER
    assert registry.promote("tiny", "1.0.0-ft.2", "ann").state is VersionState.ACTIVE
    with pytest.raises(StoreError, match="is the active version itself"):
        submit_comparison(runner, queue, registry, plugin, "1.0.0-ft.2")


def test_a_cancel_leaves_queue_and_registry_as_they_were(
    runner: Runner,
    archive: Archive,
    queue: CorrectionQueue,
    registry: ModelRegistry,
    plugin: DiscoverResult,
    patients: dict[str, str],
) -> None:
    registry.ensure_base(plugin, plugin.folder / "weights" / "tiny.safetensors")
    before = registry.versions(), registry.sides("tiny"), queue.list()
    job = submit_finetune(runner, queue, registry, plugin, replace(OPTIONS, epochs=10_000))
    job.event.connect(lambda event: job.cancel())
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    with pytest.raises(JobCancelled):
        job.result()
    assert (registry.versions(), registry.sides("tiny"), queue.list()) == before
    assert not (archive.home / "models").exists()


def test_one_patient_trains_and_a_person_decides(
    runner: Runner, queue: CorrectionQueue, registry: ModelRegistry, plugin: DiscoverResult, approve: Approve
) -> None:
    approve(1, "P1")
    result = run(runner, submit_finetune(runner, queue, registry, plugin, replace(OPTIONS, max_steps=3)))
    assert result.pairs == ()
    assert result.verdict.kind is VerdictKind.UNDECIDED
    assert "0 held-out cases are too few" in result.verdict.sentence
    registry.promote("tiny", result.candidate.version, "ann", "one patient only, for the demo", force=True)
    assert registry.active("tiny").version == "1.0.0-ft.1"


def test_a_training_that_blows_up_leaves_nothing(
    runner: Runner,
    queue: CorrectionQueue,
    registry: ModelRegistry,
    plugin: DiscoverResult,
    approve: Approve,
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(plugin.folder, tmp_path / "tiny_plugin"))
    code = (folder / "plugin.py").read_text()
    (folder / "plugin.py").write_text(code.replace("(output, target)", "(output, target) * float('nan')"))
    approve(1, "P1")
    job = submit_finetune(runner, queue, registry, replace(plugin, folder=folder), OPTIONS)
    runner.wait(job, PATIENCE_S)
    with pytest.raises(PluginError, match="needs a finite loss, but it became nan; lower the learning rate"):
        job.result()
    assert [version.version for version in registry.versions("tiny")] == ["1.0.0"]
    assert queue.list()[0].status is Status.WAITING


def test_nothing_approved_is_told(
    runner: Runner, queue: CorrectionQueue, registry: ModelRegistry, plugin: DiscoverResult, approve: Approve
) -> None:
    case = make_case(1)
    queue.add(case.image, case.series, "P1", case.truth, None, "rejected", "ann")
    with pytest.raises(StoreError, match="approve at least one mask first"):
        submit_finetune(runner, queue, registry, plugin, OPTIONS)
    key = approve(2, "P2").patient_key
    registry.record_comparison("tiny", "1.0.0", "1.0.0", sides={key: Side.HELD_OUT}, pairs=[])
    with pytest.raises(StoreError, match=r"are of patients that are held out.*another patient"):
        submit_finetune(runner, queue, registry, plugin, OPTIONS)


def test_what_cannot_be_trained_is_told(
    runner: Runner, queue: CorrectionQueue, registry: ModelRegistry, plugin: DiscoverResult
) -> None:
    assert plugin.manifest is not None
    fixed = replace(plugin, manifest=plugin.manifest.model_copy(update={"kinds": ("segment",)}))
    with pytest.raises(PluginError, match="whose kinds hold segment and train; Tiny has segment"):
        submit_finetune(runner, queue, registry, fixed, OPTIONS)
    with pytest.raises(ManifestError, match="broken"):
        submit_finetune(runner, queue, registry, DiscoverResult(Path("x"), None, "It is broken."), OPTIONS)
