"""The gate: whether a candidate may take the place of the present version, judged on held-out cases. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

MIN_CASES = 3
"""Fewer held-out cases cannot tell better from worse.

Even with three wins out of three, a version that is no better does as well one time in eight (sign test); with two it
is one in four, and one case says nothing about the next one.
"""

MIN_GAIN = 0.001
"""Mean Dice has to rise by this much: less is the noise of resampling and rounding."""

MAX_CASE_LOSS = 0.02
"""No single case may lose more Dice: a better mean must not be paid for by one patient."""

HD95_TOLERANCE_MM = 0.5
"""Mean HD95 may grow by at most this: half a voxel of a usual 1 mm scan."""


class VerdictKind(StrEnum):
    """What the gate says of a candidate."""

    BETTER = "better"
    WORSE = "worse"  # or not better: there is no reason to take it
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Score:
    """How one version did on one case.

    Parameters
    ----------
    dice
        Dice coefficient, mean over the plugin's labels.
    hd95_mm
        95th percentile of the symmetric surface distance in mm, mean over the labels; see `metrics.hd95_mm` for masks
        that are empty.
    """

    dice: float
    hd95_mm: float


@dataclass(frozen=True)
class CaseScore:
    """How the present version and the candidate did on one held-out case."""

    case_id: str
    present: Score
    candidate: Score

    @property
    def dice_change(self) -> float:
        """Dice gained by the candidate."""
        return self.candidate.dice - self.present.dice

    @property
    def hd95_change(self) -> float:
        """HD95 in mm added by the candidate."""
        return self.candidate.hd95_mm - self.present.hd95_mm


@dataclass(frozen=True)
class Verdict:
    """What the gate says, and why.

    Parameters
    ----------
    kind
        Better, worse (or not better), or undecided.
    sentence
        For the user, with the figures.
    cases
        Number of held-out cases.
    dice_change, hd95_change
        Mean changes from the present version to the candidate; HD95 in mm. 0 without cases.
    """

    kind: VerdictKind
    sentence: str
    cases: int
    dice_change: float = 0.0
    hd95_change: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "kind": self.kind.value,
            "sentence": self.sentence,
            "cases": self.cases,
            "dice_change": self.dice_change,
            "hd95_change": self.hd95_change,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Read back what `to_json` wrote."""
        return cls(**{**data, "kind": VerdictKind(data["kind"])})


def judge(pairs: Sequence[CaseScore]) -> Verdict:
    """Judge a candidate against the present version.

    It is better only if mean Dice rose, mean HD95 did not grow beyond the tolerance and no case lost more than
    `MAX_CASE_LOSS` of Dice. With fewer than `MIN_CASES` cases it is undecided, whatever they say: a person decides.
    """
    if not pairs:
        return Verdict(VerdictKind.UNDECIDED, _too_few(0), 0)
    dice, hd95 = _mean([p.dice_change for p in pairs]), _mean([p.hd95_change for p in pairs])
    worst = min(pairs, key=lambda pair: pair.dice_change)
    figures = _figures(pairs)
    if len(pairs) < MIN_CASES:
        return Verdict(VerdictKind.UNDECIDED, f"{figures} {_too_few(len(pairs))}", len(pairs), dice, hd95)
    reasons = []
    if not dice >= MIN_GAIN:
        reasons.append("mean Dice did not rise")
    if not hd95 <= HD95_TOLERANCE_MM:
        reasons.append(f"HD95 grew by more than {HD95_TOLERANCE_MM} mm")
    if not worst.dice_change >= -MAX_CASE_LOSS:
        reasons.append(f"case {worst.case_id} lost {-worst.dice_change:.3f} Dice")
    if reasons:
        text = f"{figures} Not better: {', and '.join(reasons)}; the present version stays."
        return Verdict(VerdictKind.WORSE, text, len(pairs), dice, hd95)
    return Verdict(
        VerdictKind.BETTER, f"{figures} Better, and no case lost more than {MAX_CASE_LOSS}.", len(pairs), dice, hd95
    )


def _figures(pairs: Sequence[CaseScore]) -> str:
    dice = [_mean([getattr(p, side).dice for p in pairs]) for side in ("present", "candidate")]
    hd95 = [_mean([getattr(p, side).hd95_mm for p in pairs]) for side in ("present", "candidate")]
    return (
        f"On {_count(len(pairs))} mean Dice went from {dice[0]:.3f} to {dice[1]:.3f} "
        f"and HD95 from {hd95[0]:.1f} to {hd95[1]:.1f} mm."
    )


def _too_few(count: int) -> str:
    verb = "is" if count == 1 else "are"
    return (
        f"{_count(count)} {verb} too few to tell better from worse ({MIN_CASES} needed): "
        "look at the masks and decide yourself."
    )


def _count(cases: int) -> str:
    return f"{cases} held-out case{'' if cases == 1 else 's'}"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
