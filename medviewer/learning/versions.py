"""What a model version is, and the names and the line of descent of versions. Pure, but for reading a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from medviewer.archive.tables import VersionRow
from medviewer.domain.provenance import Provenance
from medviewer.learning.gate import Verdict


class VersionState(StrEnum):
    """Where a version stands."""

    CANDIDATE = "candidate"  # may be promoted, by the gate or by a person
    ACTIVE = "active"  # predictions use it; one a plugin
    RETIRED = "retired"  # was active
    REFUSED = "refused"  # the gate found it worse, or no better


@dataclass(frozen=True)
class ModelVersion:
    """One version of a plugin's weights.

    Parameters
    ----------
    plugin_id, version
        Its name: ``1.0.0`` as the plugin comes, ``1.0.0-ft.1`` and so on when fine-tuned from it.
    state
        Where it stands.
    parent
        The version that it was trained from; empty for the plugin's own.
    weights, sha256
        Its safetensors file, and what that has to hash to.
    created, author
        UTC time, ISO 8601, and who had it trained.
    training_cases
        Ids of the queue's cases that it was trained on in its own run.
    provenance
        How it was trained.
    compared_with, verdict
        The version that the gate compared it with, and what it said; empty and None before that.
    """

    plugin_id: str
    version: str
    state: VersionState
    parent: str
    weights: Path
    sha256: str
    created: str
    author: str
    training_cases: tuple[str, ...]
    provenance: Provenance
    compared_with: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Activation:
    """One change of the active version.

    Parameters
    ----------
    version
        What became active.
    action
        ``base``, ``promote`` or ``rollback``.
    by, reason, at
        Who did it, why, and when (UTC, ISO 8601).
    """

    version: str
    action: str
    by: str
    reason: str
    at: str


def as_version(row: VersionRow, home: Path) -> ModelVersion:
    """A row of the database as a value; `home` is the archive's folder."""
    return ModelVersion(
        plugin_id=row.plugin_id,
        version=row.version,
        state=VersionState(row.state),
        parent=row.parent or "",
        weights=home / row.weights,
        sha256=row.sha256,
        created=row.created,
        author=row.author,
        training_cases=tuple(row.training_cases),
        provenance=Provenance.from_json(row.provenance),
        compared_with=row.compared_with or "",
        verdict=Verdict.from_json(row.verdict) if row.verdict else None,
    )


def next_candidate(base: str, versions: Iterable[str]) -> str:
    """The next free name ``base-ft.N`` among the names of all versions."""
    pattern = re.compile(re.escape(base) + r"-ft\.(\d+)")
    numbers = [int(match[1]) for name in versions if (match := pattern.fullmatch(name))]
    return f"{base}-ft.{max(numbers, default=0) + 1}"


def line_of_activations(history: Sequence[Activation]) -> list[str]:
    """The versions that one would come back to by rolling back, the present one last."""
    line: list[str] = []
    for step in history:
        if step.action == "rollback":
            line.pop()
        else:
            line.append(step.version)
    return line
