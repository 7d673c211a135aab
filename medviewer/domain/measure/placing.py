"""From where a person points to the handles of a measurement, and what follows when one of them is dragged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import Kind, Measurement, vector

_FLAT = 1e-9


def placed(kind: Kind, clicks: Sequence[Vector], normal: ArrayLike, across: ArrayLike) -> tuple[Vector, ...]:
    """All handles of a measurement of which a person pointed at `CLICKS` places.

    Parameters
    ----------
    clicks
        The places (x, y, z) in mm, in the order that they were pointed at.
    normal
        Normal of the plane that they lie in.
    across
        A direction in that plane, which runs to the right on the screen: sides of boxes run along it.
    """
    if kind not in ("bidirectional", "ellipse", "rectangle") or len(clicks) != 2:
        return tuple(clicks)
    a, b = (np.asarray(point, float) for point in clicks)
    middle = (a + b) / 2
    if kind == "bidirectional":
        half = np.cross(_unit(normal), b - a) / 4
        return _vectors(a, b, middle - half, middle + half)
    right = _unit(across)
    along = (b - a) @ right * right
    down = (b - a) - along
    if kind == "rectangle":
        return _vectors(a, a + along, b, a + down)
    return _vectors(middle - along / 2, middle + along / 2, middle - down / 2, middle + down / 2)


def moved(m: Measurement, handle: int, to: ArrayLike) -> Measurement:
    """The measurement with one of its handles dragged to (x, y, z) mm; the others follow so that it stays what it is.

    An ellipse keeps its middle and the length of its other axis, a rectangle its opposite corner and the directions of
    its sides, a bidirectional its short axis at right angles and where it crosses, a sphere its radius where its
    middle is dragged. Others move one point.
    """
    points, target = m.array.copy(), np.asarray(to, float)
    if m.kind == "ellipse":
        points = _ellipse(points, handle, target, np.asarray(m.normal))
    elif m.kind == "rectangle":
        points = _rectangle(points, handle, target)
    elif m.kind == "bidirectional":
        points = _bidirectional(points, handle, target, np.asarray(m.normal))
    elif m.kind == "sphere" and handle == 0:
        points += target - points[0]
    else:
        points[handle] = target
    return replace(m, points=_vectors(*points))


def _ellipse(
    points: NDArray[np.float64], handle: int, to: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    first = handle - handle % 2
    other = 2 - first
    middle = points.mean(axis=0)
    half = to - middle
    if np.linalg.norm(half) < _FLAT:
        return points
    sign = 1 if handle % 2 else -1
    points[first], points[first + 1] = middle - sign * half, middle + sign * half
    length = np.linalg.norm(points[other + 1] - points[other]) / 2
    turned = np.cross(normal, half) / np.linalg.norm(half) * length
    if turned @ (points[other + 1] - points[other]) < 0:
        turned = -turned
    points[other], points[other + 1] = middle - turned, middle + turned
    return points


def _rectangle(points: NDArray[np.float64], handle: int, to: NDArray[np.float64]) -> NDArray[np.float64]:
    fixed, before, after = points[(handle + 2) % 4].copy(), (handle + 3) % 4, (handle + 1) % 4
    side = points[after] - fixed
    other = points[before] - fixed
    if np.linalg.norm(side) < _FLAT and np.linalg.norm(other) < _FLAT:
        return points
    # A side of no length has the direction that is left: what the diagonal has beside the other one.
    along = _unit(side) if np.linalg.norm(side) >= _FLAT else None
    if along is None:
        rest = (to - fixed) - (to - fixed) @ _unit(other) * _unit(other)
        along = _unit(rest) if np.linalg.norm(rest) >= _FLAT else np.zeros(3)
    part = (to - fixed) @ along * along
    points[handle], points[after], points[before] = to, fixed + part, to - part
    return points


def _bidirectional(
    points: NDArray[np.float64], handle: int, to: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    a, b = points[0].copy(), points[1].copy()
    axis = b - a
    length = np.linalg.norm(axis)
    points[handle] = to
    if length < _FLAT or np.linalg.norm(points[1] - points[0]) < _FLAT:
        return points
    aside = np.cross(normal, axis) / length
    crossing = ((points[2] + points[3]) / 2 - a) @ axis / length**2
    heights = (points[2:] - a) @ aside
    if handle >= 2:
        crossing = (to - a) @ axis / length**2
        heights[handle - 2] = (to - a) @ aside
    a, axis = points[0], points[1] - points[0]
    aside = np.cross(normal, axis) / np.linalg.norm(axis)
    points[2:] = a + np.clip(crossing, 0, 1) * axis + heights[:, None] * aside
    return points


def _unit(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    unit: NDArray[np.float64] = array / np.linalg.norm(array)
    return unit


def _vectors(*points: ArrayLike) -> tuple[Vector, ...]:
    return tuple(vector(point) for point in points)
