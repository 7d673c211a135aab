"""A slice that a person marked, so that others find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class KeyImage:
    """One slice, and how it was looked at.

    Parameters
    ----------
    uid
        What it is known by; see `medviewer.domain.measure.measurement.new_uid`.
    series_uid
        Its series.
    axis, slice
        The array axis that the slice lies across (0 = z), and its index along it.
    cursor
        The crosshair's voxel (z, y, x).
    center, width
        The window, in the image's unit.
    inverted
        Whether low values were shown white.
    phase
        The step of the 4th axis.
    note
        What a person says of it.
    author, created
        Who marked it, and when: UTC, ISO 8601.
    """

    uid: str
    series_uid: str
    axis: int
    slice: int
    cursor: tuple[int, int, int]
    center: float
    width: float
    inverted: bool = False
    phase: int = 0
    note: str = ""
    author: str = ""
    created: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "cursor": list(self.cursor)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KeyImage:
        """Read back what `to_json` wrote."""
        z, y, x = (int(n) for n in data["cursor"])
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**{**known, "cursor": (z, y, x)})
