"""The lines that a measurement is drawn by."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import Measurement, radius_of, vector

STEPS = 64
"""Points of a closed curve."""

Line = tuple[Vector, ...]


def outline(m: Measurement, point: ArrayLike | None = None, normal: ArrayLike | None = None) -> tuple[Line, ...]:
    """Polylines in the world (x, y, z), in mm; closed ones end where they began.

    An ellipse is 65 points, of which the last is the first. A bidirectional is two lines, so is a Cobb angle. A sphere
    is the circle in which a plane cuts it, or nothing where that passes it by. What is a single point has none.

    Parameters
    ----------
    point, normal
        The plane that cuts a sphere; by default the one that it was placed in.
    """
    points = m.points
    if m.kind in ("length", "arrow", "angle"):
        return (points,)
    if m.kind in ("bidirectional", "cobb"):
        return points[:2], points[2:]
    if m.kind in ("rectangle", "freehand"):
        return ((*points, points[0]),)
    if m.kind == "ellipse":
        middle, first, second = axes_of(m)
        return (_curve(middle, first, second),)
    return _cut(m, m.points[0] if point is None else point, m.normal if normal is None else normal)


def axes_of(m: Measurement) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Middle and half axes of an ellipse, each (x, y, z), in mm."""
    points = m.array
    return points.mean(axis=0), (points[1] - points[0]) / 2, (points[3] - points[2]) / 2


def basis(normal: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors at right angles that span the plane of a unit normal; with it they are right-handed."""
    n = np.asarray(normal, float)
    helper = np.eye(3)[int(np.argmin(np.abs(n)))]
    first = np.cross(helper, n)
    first /= np.linalg.norm(first)
    return first, np.cross(n, first)


def _cut(m: Measurement, point: ArrayLike, normal: ArrayLike) -> tuple[Line, ...]:
    if m.kind != "sphere":
        return ()
    n, middle = np.asarray(normal, float), np.asarray(m.points[0])
    away = float((np.asarray(point, float) - middle) @ n)
    left = radius_of(m) ** 2 - away**2
    if left <= 0:
        return ()
    first, second = basis(n)
    return (_curve(middle + away * n, np.sqrt(left) * first, np.sqrt(left) * second),)


def _curve(middle: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]) -> Line:
    turns = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)
    points = [vector(middle + np.cos(turn) * first + np.sin(turn) * second) for turn in turns]
    return (*points, points[0])
