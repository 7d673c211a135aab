"""One measurement, by its handles in the patient: it belongs to no voxel, so it stays where it is on every grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Vector

Kind = Literal[
    "length",
    "bidirectional",
    "angle",
    "cobb",
    "ellipse",
    "rectangle",
    "freehand",
    "sphere",
    "arrow",
    "text",
    "point",
    "probe",
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

HANDLES: Final[Mapping[Kind, int]] = {
    "length": 2,
    "bidirectional": 4,
    "angle": 3,
    "cobb": 4,
    "ellipse": 4,
    "rectangle": 4,
    "freehand": 0,
    "sphere": 2,
    "arrow": 2,
    "text": 1,
    "point": 1,
    "probe": 1,
}
"""How many handles a measurement has, in this order; 0 is open-ended (three at least).

length: its ends. bidirectional: the ends of the long axis, then those of the short one, which is at right angles.
angle: an end, the vertex, the other end. cobb: the ends of the first line, then of the second.
ellipse: the ends of one axis, then those of the other. rectangle: its corners in turn. freehand: its corners in turn,
closed. sphere: the middle, then a point on it. arrow: its tip, then its tail.
"""

CLICKS: Final[Mapping[Kind, int]] = {**HANDLES, "bidirectional": 2, "ellipse": 2, "rectangle": 2}
"""How many places a person points at to begin one; `medviewer.domain.measure.placing.placed` finds the other handles.

bidirectional: the long axis; the short one is made half as long. ellipse and rectangle: two opposite corners.
"""

NO_PRIOR: Final = "none"
"""Stands in `Measurement.prior` for a lesion that was not there before."""

REGIONS: Final[frozenset[Kind]] = frozenset({"ellipse", "rectangle", "freehand", "sphere"})
"""Those that have voxels in them."""

PLACES: Final[frozenset[Kind]] = frozenset({"point", "probe", "text", "sphere"})
"""Those that have no plane: they show on every slice, however it is turned, that they touch."""

TITLES: Final[Mapping[Kind, str]] = {
    "length": "Length",
    "bidirectional": "Bidirectional",
    "angle": "Angle",
    "cobb": "Cobb angle",
    "ellipse": "Ellipse",
    "rectangle": "Rectangle",
    "freehand": "Freehand region",
    "sphere": "Sphere",
    "arrow": "Arrow",
    "text": "Text",
    "point": "Point",
    "probe": "Probe",
}
"""What each is called."""

_PARALLEL = 1e-3
"""Sine of the angle up to which two planes are one way round, the rounding of headers."""


@dataclass(frozen=True)
class Measurement:
    """Something that was measured, or noted, at a place of the patient.

    Parameters
    ----------
    uid
        What it is known by; see `new_uid`.
    kind
        What it is.
    points
        Its handles in the world (x, y, z), LPS, in mm, as `HANDLES` says. Where an image is uncalibrated, a unit is a
        pixel.
    normal
        Normal of the plane that it was drawn in, LPS; it is made a unit. A sphere was placed in it and has none.
    series_uid
        The series that it was drawn on.
    label
        What a person calls it, for example ``Target 1``; the same one in an earlier study is its prior.
    text
        What an arrow or a text says.
    target
        Whether it is a target lesion of RECIST 1.1.
    author, created
        Who made it, and when: UTC, ISO 8601.
    phase
        The step of the 4th axis that it was drawn in.
    node
        Whether the target lesion is a lymph node, of which RECIST 1.1 takes the short axis.
    organ
        Which organ it lies in, as a person says it: RECIST 1.1 takes two targets of one organ at most.
    prior
        UID of the same lesion's measurement in an earlier study, as a person confirmed it; `NO_PRIOR` where a person
        said that there is none; empty where nobody said anything and the label decides.
    text_at
        Where the middle of its text was dragged to, (x, y, z) in mm; None where it stands beside what was drawn.

    Raises
    ------
    ValueError
        If the number of points does not fit the kind, or a number is not finite, or the normal is zero.
    """

    uid: str
    kind: Kind
    points: tuple[Vector, ...]
    normal: Vector
    series_uid: str
    label: str = ""
    text: str = ""
    target: bool = False
    author: str = ""
    created: str = ""
    phase: int = 0
    node: bool = False
    organ: str = ""
    prior: str = ""
    text_at: Vector | None = None

    def __post_init__(self) -> None:
        if self.kind not in HANDLES:
            raise ValueError(f"a measurement is one of {', '.join(KINDS)}, not {self.kind!r}")
        points = np.asarray(self.points, float).reshape(-1, 3)
        wanted = HANDLES[self.kind]
        if len(points) != wanted and (wanted or len(points) < 3):
            raise ValueError(f"a {self.kind} has {wanted or 'at least 3'} points, not {len(points)}")
        normal = np.asarray(self.normal, float)
        length = float(np.linalg.norm(normal))
        if not (np.isfinite(points).all() and np.isfinite(length) and length > 0):
            raise ValueError("a measurement needs finite points and a normal that is not zero")
        if self.text_at is not None and not np.isfinite(np.asarray(self.text_at, float)).all():
            raise ValueError("the text of a measurement stands at finite numbers")
        object.__setattr__(self, "points", tuple(vector(point) for point in points))
        object.__setattr__(self, "normal", vector(normal / length))

    @property
    def array(self) -> NDArray[np.float64]:
        """The points, shape (n, 3), in mm."""
        return np.asarray(self.points, float)

    @property
    def centre(self) -> Vector:
        """Where it is: the middle of its handles; an angle's vertex, a sphere's middle, an arrow's tip."""
        if self.kind in ("sphere", "arrow"):
            return self.points[0]
        return self.points[1] if self.kind == "angle" else vector(self.array.mean(axis=0))

    @property
    def title(self) -> str:
        """What a list calls it: its label, else its text, else its kind."""
        return self.label or self.text or TITLES[self.kind]

    def shows_on(self, point: ArrayLike, normal: ArrayLike, slice_mm: float) -> bool:
        """Whether a slice shows it: its plane is parallel and within half a slice; of a sphere, the slice cuts it.

        Parameters
        ----------
        point
            Any point (x, y, z) of the slice's middle plane, in mm.
        normal
            The slice's unit normal.
        slice_mm
            Distance to the next slice, in mm.
        """
        across = np.asarray(normal, float)
        away = float((np.asarray(self.centre) - np.asarray(point, float)) @ across)
        # Half-open, so that what lies just between two slices shows on one of them.
        near = -slice_mm / 2 <= away < slice_mm / 2
        if self.kind == "sphere":
            return near or abs(away) < radius_of(self)
        if self.kind in PLACES:
            return near
        return near and float(np.linalg.norm(np.cross(across, self.normal))) <= _PARALLEL

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        made = {**asdict(self), "points": [list(p) for p in self.points], "normal": list(self.normal)}
        if self.text_at is not None:
            made["text_at"] = list(self.text_at)
        return made

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Read back what `to_json` wrote."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        points = tuple(vector(point) for point in data["points"])
        text_at = vector(data["text_at"]) if data.get("text_at") is not None else None
        return cls(**{**known, "points": points, "normal": vector(data["normal"]), "text_at": text_at})


def new_uid() -> str:
    """A name for a new measurement: a DICOM UID of a random UUID (PS3.5 B.2), so that a report can track it by it."""
    return f"2.25.{uuid4().int}"


def radius_of(m: Measurement) -> float:
    """Radius of a sphere, in mm."""
    return float(np.linalg.norm(m.array[1] - m.array[0]))


def shifted(m: Measurement, by: ArrayLike) -> Measurement:
    """The measurement, all of it moved by (x, y, z) mm."""
    text_at = None if m.text_at is None else vector(np.asarray(m.text_at) + np.asarray(by, float))
    return replace(m, points=tuple(vector(point) for point in m.array + np.asarray(by, float)), text_at=text_at)


def vector(values: ArrayLike) -> Vector:
    """Three numbers as plain floats."""
    a, b, c = (float(v) for v in np.ravel(values))
    return a, b, c
