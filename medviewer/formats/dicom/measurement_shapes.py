"""What other programs draw in a report (PS3.3 C.18.6.1.2, C.18.9.1.2), as one of our kinds of measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.measure.measurement import Kind

Points = NDArray[np.float64]
_SAME_MM = 1e-3
_AXES_MM = 1.0
"""Two lines of a bidirectional cross; those of a Cobb angle do not come so near to each other."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One shape in the world.

    Parameters
    ----------
    graphic
        Graphic Type: ``POINT``, ``MULTIPOINT``, ``POLYLINE``, ``POLYGON``, ``CIRCLE``, ``ELLIPSE``, ``ELLIPSOID`` ...
    points
        Its points (n, 3), mm.
    """

    graphic: str
    points: Points


def foreign(shapes: Sequence[Shape], grid: Grid) -> tuple[Kind, Points, Points] | None:
    """Kind, handles (n, 3) and plane normal of a group's shapes; None where they are nothing that is measured here.

    Parameters
    ----------
    grid
        Of the series: a shape that lies in no plane of its own is taken to lie in its slices.
    """
    if not shapes:
        return None
    slices = np.asarray(grid.axes[:, 0], float)
    lines = [shape.points for shape in shapes if shape.graphic == "POLYLINE" and len(shape.points) == 2]
    if len(lines) == len(shapes) == 2:
        crossed = _apart(*lines) <= _AXES_MM
        both = sorted(lines, key=lambda line: -float(np.linalg.norm(line[1] - line[0]))) if crossed else lines
        return ("bidirectional" if crossed else "cobb"), np.vstack(both), _normal(np.vstack(both), slices)
    if len(shapes) != 1:
        return None
    found = _single(shapes[0], slices)
    return None if found is None else (found[0], found[1], _normal(found[1], slices))


def _single(shape: Shape, slices: Points) -> tuple[Kind, Points] | None:
    points, graphic = shape.points, shape.graphic
    if graphic in ("POINT", "MULTIPOINT") and len(points) == 1:
        return "point", points
    if graphic == "CIRCLE" and len(points) == 2:
        return "ellipse", _circle(points, slices)
    if graphic == "ELLIPSE" and len(points) == 4:
        return "ellipse", points
    if graphic == "ELLIPSOID" and len(points) == 6:
        return _sphere(points)
    if graphic not in ("POLYLINE", "POLYGON"):
        return None
    closed = len(points) > 3 and float(np.linalg.norm(points[0] - points[-1])) <= _SAME_MM
    if closed:
        return "freehand", points[:-1]
    if graphic == "POLYGON":
        return ("freehand", points) if len(points) >= 3 else None
    return ("length", points) if len(points) == 2 else ("angle", points) if len(points) == 3 else None


def _circle(points: Points, slices: Points) -> Points:
    """The ends of two axes at right angles, of a middle and a point on the circle."""
    middle, first = points[0], points[1] - points[0]
    second = np.cross(slices, first)
    length = float(np.linalg.norm(second))
    if length == 0:
        return np.stack([points[1], middle - first, points[1], middle - first])
    second *= float(np.linalg.norm(first)) / length
    return np.stack([middle + first, middle - first, middle + second, middle - second])


def _sphere(points: Points) -> tuple[Kind, Points] | None:
    """A ball, where all three axes are as long; an ellipsoid is not measured here."""
    radii = np.linalg.norm(points[::2] - points[1::2], axis=1) / 2
    if float(np.ptp(radii)) > 0.01 * float(radii.max()):
        return None
    return "sphere", np.stack([points[:2].mean(axis=0), points[0]])


def _normal(points: Points, slices: Points) -> Points:
    """Normal of the plane that the points lie in; that of the slices where they lie on a line, or in a slice."""
    around = points - points.mean(axis=0)
    if float(np.abs(around @ slices).max()) <= 0.5 or len(points) < 3:
        return slices
    _, spread, axes = np.linalg.svd(around)
    return slices if spread[1] <= _SAME_MM else np.asarray(axes[2], float)


def _apart(first: Points, second: Points) -> float:
    """Least distance of two lines, as far as they reach, mm."""
    steps = np.linspace(0, 1, 101)[:, None]
    a = first[0] + steps * (first[1] - first[0])
    b = second[0] + steps * (second[1] - second[0])
    return float(np.linalg.norm(a[:, None] - b[None], axis=2).min())
