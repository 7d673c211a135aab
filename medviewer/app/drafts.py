"""A measurement that is being placed or changed: it lives in the session until it is whole, and is not kept yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import CLICKS, Kind, Measurement
from medviewer.domain.measure.placing import placed

DRAFT = "draft"
"""UID of what has none yet."""

_NEAR_MM = 1e-6


@dataclass(frozen=True)
class Draft:
    """What is being placed, or a changed copy of a measurement that there is.

    Parameters
    ----------
    kind
        What it is going to be.
    normal, across
        Of the plane that it lies in: its normal, and its direction to the right of the screen; unit vectors, LPS.
    series_uid, phase
        Of the image that it is drawn on.
    clicks
        The places (x, y, z) in mm that were pointed at.
    pointer
        Where the pointer is now; the place that the next click would add.
    changed
        While one that there is, is dragged: as it would be if it were let go now.
    """

    kind: Kind
    normal: Vector
    across: Vector
    series_uid: str = ""
    phase: int = 0
    clicks: tuple[Vector, ...] = ()
    pointer: Vector | None = None
    changed: Measurement | None = None

    @classmethod
    def of(cls, m: Measurement) -> Draft:
        """A copy of one that there is, to be dragged."""
        return cls(m.kind, m.normal, m.normal, m.series_uid, m.phase, changed=m)

    @property
    def wanted(self) -> int:
        """Places that it takes; 0 where it is open-ended."""
        return CLICKS[self.kind]

    @property
    def complete(self) -> bool:
        """Whether all its places were pointed at."""
        return bool(self.wanted) and len(self.clicks) >= self.wanted

    @property
    def points(self) -> tuple[Vector, ...]:
        """The places so far, the pointer's as the last."""
        room = not self.wanted or len(self.clicks) < self.wanted
        return (*self.clicks, self.pointer) if self.pointer is not None and room else self.clicks

    def add(self, point: Vector) -> Draft:
        """One place more."""
        return replace(self, clicks=(*self.clicks, point), pointer=None)

    def measurement(self, floating: bool = True) -> Measurement | None:
        """What it would be now, or None while places are missing or two of them coincide.

        Parameters
        ----------
        floating
            Whether the pointer's place counts.
        """
        if self.changed is not None:
            return self.changed
        points = self.points if floating else self.clicks
        enough = len(points) == self.wanted if self.wanted else len(points) > 2
        if not enough or (len(points) > 1 and not _spread(points)):
            return None
        handles = placed(self.kind, points, self.normal, self.across)
        return Measurement(DRAFT, self.kind, handles, self.normal, self.series_uid, phase=self.phase)


def _spread(points: tuple[Vector, ...]) -> bool:
    """Whether each two neighbours are apart, so that there is something to measure."""
    steps = np.diff(np.asarray(points, float), axis=0)
    return bool((np.linalg.norm(steps, axis=1) > _NEAR_MM).any())
