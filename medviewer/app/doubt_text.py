"""What speaks against a result, in words that fit beside it."""

from __future__ import annotations

import math

from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Classification

_FAR = 100
"""Beyond this, how many times says nothing more."""


def doubt_text(doubt: Doubt) -> str:
    """The figures, for example ``uncertainty 12 %, 1.8x beyond the training set``; says when none was measured."""
    parts = []
    if doubt.uncertainty is not None:
        parts.append(f"uncertainty {doubt.uncertainty:.0%}".replace("%", " %"))
    if doubt.distance is not None:
        parts.append(_distance(doubt.distance))
    return ", ".join(parts) or "doubt not measured"


def _distance(distance: float) -> str:
    if distance <= 1:
        return f"like the training set ({distance:.1f} of 1)"
    if not math.isfinite(distance) or distance > _FAR:
        return "far beyond the training set"
    return f"{distance:.1f}× beyond the training set"


def no_answer(result: Classification) -> str:
    """Why a model gives no answer, in one sentence; empty when it gives one."""
    if not result.abstained:
        return ""
    flags = result.provenance.doubt.flags
    reason = next((flag for flag in flags if "no answer" in flag.lower()), flags[0] if flags else "")
    return reason or f"No answer: the highest probability is {result.top[1]:.0%}, which is too low.".replace("%", " %")


def warnings_of(doubt: Doubt, notes: tuple[str, ...]) -> tuple[str, ...]:
    """Flags, and then notes, each of them once."""
    return tuple(dict.fromkeys((*doubt.flags, *notes)))
