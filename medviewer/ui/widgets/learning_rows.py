"""What the learning panel's tables say of a case and of a version. No patient is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from medviewer.learning.gate import Score, VerdictKind
from medviewer.learning.queue import QueueCase, Status
from medviewer.learning.versions import ModelVersion, VersionState
from medviewer.ui.widgets.plain_table import Row

_CASE_COLOURS = {Status.REJECTED: "quiet", Status.SUPERSEDED: "disabled"}
_VERSION_COLOURS = {VersionState.ACTIVE: "ok", VersionState.REFUSED: "quiet", VersionState.RETIRED: "quiet"}


def case_row(case: QueueCase) -> Row:
    """Case, date, Dice against the model, state."""
    correction = case.correction
    what = " ".join(part for part in (case.modality, case.body_part.capitalize()) if part) or "Case"
    size = " × ".join(str(n) for n in case.shape) if case.shape else "only the verdict is kept"
    lines = (
        f"Case {case.id}, {what}, {size}",
        f"{correction.verdict} {correction.created[:10]} by {correction.author}",
        f"Plugin {correction.plugin_id}, model {correction.model_version or 'none'}",
        f"Dice of the model's mask against this one: {correction.dice_text}",
        f"Used in {case.used_in}" if case.used_in else "",
        case.note,
    )
    cells = (what, correction.created[:10], correction.dice_text, case.status.value)
    return Row(case.id, cells, "\n".join(line for line in lines if line), _CASE_COLOURS.get(case.status, "text"))


def count_line(cases: Sequence[QueueCase]) -> str:
    """How many cases wait, were used, were rejected."""
    if not cases:
        return "No case yet: approve a mask, and it enters this queue."
    counts = Counter(case.status for case in cases)
    return "Cases: " + ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])


def version_row(version: ModelVersion, scores: dict[str, Score]) -> Row:
    """Version, state, mean Dice and HD95 on the held-out cases that it was scored on."""
    known = list(scores.values())
    dice = f"{fmean(s.dice for s in known):.3f}" if known else "–"
    hd95 = f"{fmean(s.hd95_mm for s in known):.1f}" if known else "–"
    lines = (
        f"Version {version.version}, {version.state.value}",
        f"{version.created[:10]} by {version.author}",
        f"Trained from {version.parent} on {len(version.training_cases)} cases" if version.parent else "",
        f"Mean over {len(known)} held-out cases, HD95 in mm" if known else "Not scored on held-out cases yet",
    )
    cells = (version.version, version.state.value, dice, hd95)
    tip = "\n".join(line for line in lines if line)
    return Row(version.version, cells, tip, _VERSION_COLOURS.get(version.state, "text"))


def sentence_of(version: ModelVersion) -> tuple[str, str]:
    """What the gate said of a version, in full, and the role that it is shown in."""
    if version.verdict is None:
        return ("The version that the plugin came with." if not version.parent else "Not compared yet."), "quiet"
    roles = {VerdictKind.BETTER: "ok", VerdictKind.UNDECIDED: "warning", VerdictKind.WORSE: "quiet"}
    return version.verdict.sentence, roles[version.verdict.kind]
