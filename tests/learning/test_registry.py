from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medviewer.archive import Archive
from medviewer.domain.mask import Correction
from medviewer.domain.provenance import Provenance
from medviewer.errors import GateRefusal, ManifestError, NotFoundError, StoreError
from medviewer.inference.doubting.reference import Reference, read, reference_path, write
from medviewer.learning.compare import compare
from medviewer.learning.gate import CaseScore, Score, VerdictKind
from medviewer.learning.queue import CorrectionQueue, Status
from medviewer.learning.registry import ModelRegistry
from medviewer.learning.split import Side
from medviewer.learning.versions import ModelVersion, VersionState, next_candidate
from medviewer.plugin_api.discovery import DiscoverResult

Add = Callable[..., ModelVersion]
BASE = "1.0.0"


@pytest.fixture
def own_plugin(plugin: DiscoverResult, tmp_path: Path) -> DiscoverResult:
    """A copy of the plugin whose files a test may change."""
    return replace(plugin, folder=Path(shutil.copytree(plugin.folder, tmp_path / "tiny_plugin")))


@pytest.fixture
def base(registry: ModelRegistry, own_plugin: DiscoverResult) -> ModelVersion:
    return registry.ensure_base(own_plugin, own_plugin.folder / "weights" / "tiny.safetensors")


@pytest.fixture
def cases(approve: Callable[[int, str], Correction], queue: CorrectionQueue) -> list[str]:
    """Ids of four queued cases of four patients."""
    return [approve(k, f"P{k}").id for k in range(4)]


@pytest.fixture
def add(registry: ModelRegistry, base: ModelVersion, cases: list[str], tmp_path: Path) -> Add:
    """Add a candidate whose Dice differs by these changes on the first held-out cases."""

    def candidate(*changes: float, parent: str = BASE, training: Sequence[str] = ()) -> ModelVersion:
        weights = tmp_path / "candidate.safetensors"
        weights.write_bytes(f"weights after {parent} {changes}".encode())
        pairs = [
            CaseScore(case, Score(0.8, 5.0), Score(0.8 + change, 5.0))
            for case, change in zip(cases, changes, strict=False)
        ]
        return registry.add_candidate(
            "tiny",
            BASE,
            parent,
            weights,
            training_cases=training,
            sides={},
            pairs=pairs,
            provenance=Provenance("tiny", BASE, parent),
            author="ann",
        )

    return candidate


def better(add: Add, parent: str = BASE) -> str:
    return add(0.1, 0.1, 0.1, parent=parent).version


def test_the_first_version_is_referenced_and_active(registry: ModelRegistry, base: ModelVersion) -> None:
    assert registry.active("tiny") == base
    assert (base.version, base.state, base.parent, base.verdict) == (BASE, VersionState.ACTIVE, "", None)
    assert registry.weights_path("tiny", BASE) == base.weights
    assert [(step.version, step.action) for step in registry.history("tiny")] == [(BASE, "base")]


def test_registering_it_again_changes_nothing_but_the_place(
    registry: ModelRegistry, base: ModelVersion, own_plugin: DiscoverResult, tmp_path: Path
) -> None:
    moved = shutil.copy(base.weights, tmp_path / "moved.safetensors")
    assert registry.ensure_base(own_plugin, Path(moved)) == replace(base, weights=Path(moved))
    assert len(registry.versions("tiny")) == len(registry.history("tiny")) == 1


def test_weights_that_change_behind_its_back_are_told(
    registry: ModelRegistry, base: ModelVersion, own_plugin: DiscoverResult
) -> None:
    base.weights.write_bytes(b"other")
    with pytest.raises(StoreError, match="not the file that was registered"):
        registry.weights_path("tiny", BASE)
    with pytest.raises(StoreError, match="changed since they were first used"):
        registry.ensure_base(own_plugin, base.weights)
    base.weights.unlink()
    with pytest.raises(StoreError, match="missing or cannot be read"):
        registry.weights_path("tiny", BASE)


def test_a_new_version_of_the_plugin_takes_over_unless_one_was_fine_tuned(
    registry: ModelRegistry, base: ModelVersion, own_plugin: DiscoverResult, add: Add
) -> None:
    assert own_plugin.manifest is not None
    second = replace(own_plugin, manifest=own_plugin.manifest.model_copy(update={"version": "1.1.0"}))
    third = replace(own_plugin, manifest=own_plugin.manifest.model_copy(update={"version": "1.2.0"}))
    assert registry.ensure_base(second, base.weights).state is VersionState.ACTIVE
    tuned = registry.promote("tiny", better(add, "1.1.0"), "ann")
    assert registry.ensure_base(third, base.weights).state is VersionState.CANDIDATE
    assert registry.active("tiny") == tuned
    with pytest.raises(GateRefusal, match=r"compared with no other version, and 1\.0\.0-ft\.1 is active"):
        registry.promote("tiny", "1.2.0", "ann", "new", force=True)


def test_a_candidate_is_kept_whole(
    registry: ModelRegistry, queue: CorrectionQueue, add: Add, cases: list[str], archive: Archive
) -> None:
    made = add(0.1, 0.1, 0.1, training=cases[3:])
    assert registry.get("tiny", "1.0.0-ft.1") == made
    assert made.weights == archive.home / "models" / "tiny" / "1.0.0-ft.1" / "weights.safetensors"
    assert registry.weights_path("tiny", made.version).read_bytes().startswith(b"weights after")
    assert (made.state, made.parent, made.training_cases) == (VersionState.CANDIDATE, BASE, (cases[3],))
    assert made.verdict is not None
    assert made.verdict.kind is VerdictKind.BETTER
    used = queue.get(cases[3])
    assert (used.status, used.used_in) == (Status.USED, made.version)
    assert [case.status for case in queue.list("tiny")][:3] == [Status.WAITING] * 3
    assert len(queue.cases_for_training("tiny")) == 4
    comparison = compare(registry, "tiny", BASE, made.version)
    assert [pair.case_id for pair in comparison.pairs] == sorted(cases[:3])
    assert comparison.verdict == made.verdict


def test_a_candidate_that_cannot_be_kept_leaves_nothing(
    registry: ModelRegistry, queue: CorrectionQueue, add: Add, cases: list[str]
) -> None:
    before = registry.versions(), queue.list()
    with pytest.raises(NotFoundError, match=r"no version '0\.9'; it has: 1\.0\.0"):
        add(0.1, parent="0.9", training=cases)
    assert (registry.versions(), queue.list()) == before


def test_patients_stay_on_their_side(registry: ModelRegistry, base: ModelVersion, add: Add, tmp_path: Path) -> None:
    sides = {"a": Side.TRAIN, "b": Side.HELD_OUT}
    made = add(0.1)
    registry.record_comparison("tiny", BASE, made.version, sides=sides, pairs=[])
    assert registry.sides("tiny") == sides
    assert registry.planned_sides("tiny", ["b"]) == sides
    with pytest.raises(StoreError, match="fine-tune again"):
        registry.record_comparison("tiny", BASE, made.version, sides={"b": Side.TRAIN}, pairs=[])


def test_what_is_better_is_promoted_and_rolled_back_step_by_step(registry: ModelRegistry, add: Add) -> None:
    first = better(add)
    assert registry.promote("tiny", first, "ann", "looks good").state is VersionState.ACTIVE
    second = better(add, first)
    registry.promote("tiny", second, "bob")
    assert [v.state.value for v in registry.versions("tiny")] == ["retired", "retired", "active"]
    assert registry.rollback("tiny", "ann", "sees too much") == first
    assert registry.promote("tiny", second, "ann").version == second
    assert [registry.rollback("tiny", "ann"), registry.rollback("tiny", "ann")] == [first, BASE]
    with pytest.raises(StoreError, match="none to roll back to"):
        registry.rollback("tiny", "ann")
    assert registry.active("tiny").version == BASE
    steps = [(step.version.rpartition(".")[2], step.action, step.by) for step in registry.history("tiny")]
    assert steps == [
        ("0", "base", "medviewer"),
        ("1", "promote", "ann"),
        ("2", "promote", "bob"),
        ("1", "rollback", "ann"),
        ("2", "promote", "ann"),
        ("1", "rollback", "ann"),
        ("0", "rollback", "ann"),
    ]
    assert registry.history("tiny")[3].reason == "sees too much"


def test_what_is_worse_is_never_promoted(registry: ModelRegistry, add: Add) -> None:
    made = add(-0.1, -0.1, -0.1)
    assert made.state is VersionState.REFUSED
    for force in (False, True):
        with pytest.raises(GateRefusal, match="mean Dice did not rise"):
            registry.promote("tiny", made.version, "ann", "I like it", force=force)
    assert registry.active("tiny").version == BASE
    assert made.weights.is_file()


def test_a_person_decides_what_the_gate_cannot(registry: ModelRegistry, add: Add) -> None:
    made = add(0.1)
    for reason, force in (("", False), ("masks look right", False), ("  ", True)):
        with pytest.raises(GateRefusal, match=r"1 held-out case is too few.*give a reason"):
            registry.promote("tiny", made.version, "ann", reason, force)
    assert registry.promote("tiny", made.version, "ann", "masks look right", force=True).state is VersionState.ACTIVE
    assert registry.history("tiny")[-1].reason == "masks look right"


def test_a_verdict_counts_against_the_active_version_only(registry: ModelRegistry, add: Add, cases: list[str]) -> None:
    first, rival = better(add), better(add)
    registry.promote("tiny", first, "ann")
    with pytest.raises(GateRefusal, match=r"compared with 1\.0\.0, and 1\.0\.0-ft\.1 is active now; compare"):
        registry.promote("tiny", rival, "ann", "try", force=True)
    pairs = [CaseScore(case, Score(0.9, 5.0), Score(0.85, 5.0)) for case in cases]
    assert registry.record_comparison("tiny", first, rival, sides={}, pairs=pairs).kind is VerdictKind.WORSE
    assert registry.get("tiny", rival).state is VersionState.REFUSED
    with pytest.raises(GateRefusal, match="Not better"):
        registry.promote("tiny", rival, "ann")
    assert compare(registry, "tiny", first, rival).pairs == tuple(sorted(pairs, key=lambda pair: pair.case_id))


def test_promoting_the_active_version_is_no_event(registry: ModelRegistry, base: ModelVersion) -> None:
    assert registry.promote("tiny", BASE, "ann") == base
    assert len(registry.history("tiny")) == 1


def test_the_database_itself_allows_one_active_version(registry: ModelRegistry, add: Add, archive: Archive) -> None:
    add(0.1)
    connection = sqlite3.connect(archive.home / "medviewer.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE model_versions SET state = 'active'")
    connection.close()


def test_unknown_names_are_told(registry: ModelRegistry, base: ModelVersion) -> None:
    with pytest.raises(NotFoundError, match="run the plugin once"):
        registry.active("other")
    with pytest.raises(NotFoundError, match="run the plugin once"):
        registry.rollback("other", "ann")
    for attempt in (registry.get, registry.weights_path):
        with pytest.raises(NotFoundError, match=r"no version '9'; it has: 1\.0\.0"):
            attempt("tiny", "9")
    with pytest.raises(NotFoundError, match="no version '9'"):
        compare(registry, "tiny", BASE, "9")
    with pytest.raises(ManifestError, match="broken"):
        registry.ensure_base(DiscoverResult(Path("x"), None, "It is broken."), Path("x"))


def test_candidates_are_numbered_for_each_base() -> None:
    names = ["1.0.0", "1.0.0-ft.1", "1.0.0-ft.9", "1.0.0-ft.10", "1.1.0", "1.1.0-ft.3", "21.0.0-ft.99"]
    assert next_candidate("1.0.0", names) == "1.0.0-ft.11"
    assert next_candidate("1.1.0", names) == "1.1.0-ft.4"
    assert next_candidate("2.0.0", names) == "2.0.0-ft.1"


def test_what_a_version_knows_stays_beside_its_weights(registry: ModelRegistry, add: Add, tmp_path: Path) -> None:
    """Through promotion and rollback; a version of which nothing is known has none, whatever was there before."""
    beside = reference_path(tmp_path / "candidate.safetensors")
    write(beside, Reference(temperature=1.5))
    known = better(add)
    beside.unlink()
    registry.promote("tiny", known, "ann")
    unknown = better(add, parent=known)
    for _ in range(2):
        path = registry.reference_path("tiny", known)
        assert path == reference_path(registry.weights_path("tiny", known))
        assert path is not None
        assert read(path).temperature == 1.5
        assert registry.reference_path("tiny", unknown) is None
        registry.promote("tiny", unknown, "ann")
        registry.rollback("tiny", "ann")
