"""Which patients train and which are held out. By patient, and for good.

A patient's cases are never on both sides, and a patient never changes sides: the held-out scores of two versions stay
comparable, and no version is scored on what an earlier one learned from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

HELD_OUT_FRACTION = 0.3
"""Part of the patients that is held out, to the nearest whole patient; at least one as soon as there are two."""


class Side(StrEnum):
    """Where a patient stands."""

    TRAIN = "train"
    HELD_OUT = "held-out"


def assign(plugin_id: str, patients: Iterable[str], known: Mapping[str, Side]) -> dict[str, Side]:
    """Side of every patient: those known before stay, new ones fill up the held-out part in the order of a hash.

    Parameters
    ----------
    plugin_id
        Each plugin has a split of its own.
    patients
        Keys of the patients that have approved cases now.
    known
        Sides that were given before, also of patients who have no approved case any more.

    Returns
    -------
    Sides of all patients of both arguments. At least one of them trains.
    """
    new = sorted(set(patients) - set(known), key=lambda patient: _order(plugin_id, patient))
    total = len(known) + len(new)
    wanted = max(1, round(total * HELD_OUT_FRACTION)) if total > 1 else 0
    missing = max(0, wanted - sum(side is Side.HELD_OUT for side in known.values()))
    fresh = {patient: Side.HELD_OUT if k < missing else Side.TRAIN for k, patient in enumerate(new)}
    return {**known, **fresh}


def _order(plugin_id: str, patient: str) -> str:
    """A place that depends on the patient alone, not on when cases came or in which order."""
    return hashlib.sha256(f"{plugin_id}\n{patient}".encode()).hexdigest()
