"""A slice that a person marked, so that others find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from medviewer.domain.geometry import Matrix, Vector
from medviewer.domain.plane import PLANES, UNTURNED, Turn, seen_as
from medviewer.domain.slab import Mode

_SHORT = {"Axial": "Ax", "Sagittal": "Sag", "Coronal": "Cor"}


@dataclass(frozen=True)
class Oblique:
    """How planes lay that were turned away from the acquisition's axes; see `medviewer.domain.turned.Turned`.

    Parameters
    ----------
    bases
        Of the three planes.
    point
        Where they crossed, in the world (x, y, z), mm.
    """

    bases: tuple[Matrix, Matrix, Matrix]
    point: Vector


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
        What a person says of it: its caption in a report.
    author, created
        Who marked it, and when: UTC, ISO 8601.
    plane
        ``Axial``, ``Sagittal`` or ``Coronal``; empty for a picture that has no planes.
    colours
        The colour map, an id of `medviewer.app.colours`.
    slab_mode, slab_mm
        What of a slab was shown, and how thick it was.
    turn
        How the viewport was flipped and rotated.
    oblique
        How the planes were turned away from the axes, or None.
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
    plane: str = ""
    colours: str = "gray"
    slab_mode: Mode = "none"
    slab_mm: float = 10.0
    turn: Turn = UNTURNED
    oblique: Oblique | None = None

    @property
    def place(self) -> str:
        """Which slice it is, counted from 1, for example ``Ax 91``; of a turned plane the nearest: ``Cor oblique``."""
        if self.oblique is not None and self.plane in PLANES:
            base = np.reshape(self.oblique.bases[PLANES.index(self.plane)], (3, 3))
            name, oblique = seen_as(base, self.plane)
            if oblique:
                return f"{_SHORT[name]} oblique"
        return f"{_SHORT[self.plane]} {self.slice + 1}" if self.plane in _SHORT else "Picture"

    @property
    def is_stored_slice(self) -> bool:
        """Whether it is a slice as its file has it, so that the file can be pointed at."""
        return self.axis == 0 and self.oblique is None and self.slab_mode == "none"

    def same_place(self, other: KeyImage) -> bool:
        """Whether the other marks the same slice: one mark a slice, or a list fills with copies."""
        if self.oblique is not None or other.oblique is not None:
            mine, theirs = ((one.series_uid, one.plane, one.phase, one.oblique) for one in (self, other))
            return mine == theirs
        mine_, theirs_ = ((one.series_uid, one.axis, one.slice, one.phase, one.slab_mode) for one in (self, other))
        return mine_ == theirs_

    def looked_at_as(self, other: KeyImage) -> KeyImage:
        """The same mark with the look of another: who made it first, when, and its note stay."""
        kept = {"uid": self.uid, "note": self.note, "author": self.author, "created": self.created}
        return replace(other, **kept)  # type: ignore[arg-type]  # all four are texts

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "cursor": list(self.cursor)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KeyImage:
        """Read back what `to_json` wrote, also by a version that knew less of the look."""
        z, y, x = (int(n) for n in data["cursor"])
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        turn, oblique = data.get("turn") or {}, data.get("oblique")
        read = {
            "cursor": (z, y, x),
            "turn": Turn(**turn),
            "oblique": None if oblique is None else _oblique(oblique),
        }
        return cls(**{**known, **read})


def _oblique(data: Mapping[str, Any]) -> Oblique:
    first, second, third = (tuple(float(n) for n in base) for base in data["bases"])
    x, y, z = (float(n) for n in data["point"])
    return Oblique((first, second, third), (x, y, z))  # type: ignore[arg-type]  # nine numbers each
