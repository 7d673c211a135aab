"""Which measurement of an earlier study may be of the same lesion: by its place, for a person to confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medviewer.domain.geometry import Vector
from medviewer.domain.measure.follow_up import Measured
from medviewer.domain.measure.measurement import NO_PRIOR

NEAR_MM = 20.0
"""How far apart the middles of a lesion's measurements may lie: patients never lie twice in quite the same way."""

_SHAPES = {"length": "line", "bidirectional": "line"}
"""Kinds that are measured instead of each other."""


def suggest(
    now: Sequence[Measured], prior: Sequence[Measured], places: Mapping[str, Vector], near_mm: float = NEAR_MM
) -> dict[str, str]:
    """UID of a measurement -> UID of the earlier one that lies nearest to it, each once, the nearest pairs first.

    What has a prior already, by a person's word or by its label, is left out on both sides.

    Parameters
    ----------
    now, prior
        What was measured in both studies.
    places
        Where each earlier measurement lies in the present study's frame of reference, mm, by its UID; those of which
        that is not known are left out.
    near_mm
        How far apart they may lie.
    """
    labels = {one.label for one in prior if one.label}
    taken = {one.measurement.prior for one in now}
    taken |= {other.measurement.uid for other in prior for one in now if one.label and one.label == other.label}
    open_ = [one for one in now if not one.measurement.prior and one.label not in labels]
    pairs = []
    for one in open_:
        for other in prior:
            uid = other.measurement.uid
            if uid in taken or uid == NO_PRIOR or uid not in places or _shape(one) != _shape(other):
                continue
            away = float(np.linalg.norm(np.subtract(one.measurement.centre, places[uid])))
            if away <= near_mm:
                pairs.append((away, one.measurement.uid, uid))
    found: dict[str, str] = {}
    for _, uid, before in sorted(pairs):
        if uid not in found and before not in found.values():
            found[uid] = before
    return found


def _shape(one: Measured) -> str:
    kind = one.measurement.kind
    return _SHAPES.get(kind, kind)
