"""Where slices of one volume lie on those of another: pure geometry in the world, whatever the grids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.plane import Plane

_PARALLEL = 0.087
"""Sine of the angle below which planes count as parallel, about 5 degrees: their line would mean nothing."""

Segment = tuple[tuple[float, float], tuple[float, float]]


def crossing(plane: Plane, k: float, other: Plane, other_k: float) -> Segment | None:
    """Where slice `other_k` of another plane cuts slice `k` of this one: the reference line.

    Both planes lie in the same world (frame of reference); their grids may be oblique to each other.

    Returns
    -------
    tuple or None
        Row and column of both ends of the line on this slice, as far as both slices reach; None where they do not meet,
        or are parallel to within 5 degrees.
    """
    corners = np.array([plane.to_index(0, 0, k), plane.to_index(1, 0, k), plane.to_index(0, 1, k)])
    # rows and columns of the other slice, and the distance from it, are linear in rows and columns of this one
    there = other.grid.world_to_index(plane.grid.index_to_world(corners))
    distance = there[:, other.axis] - other_k
    gradient = np.array([distance[1] - distance[0], distance[2] - distance[0]])
    steps = gradient * other.grid.spacing[other.axis] / np.array(plane.spacing)
    if float(np.linalg.norm(steps)) < _PARALLEL:
        return None
    start = -distance[0] * gradient / float(gradient @ gradient)
    along = np.array([-gradient[1], gradient[0]]) / float(np.linalg.norm(gradient))
    span = (-np.inf, np.inf)
    span = _within(span, start, along, plane.shape)
    frame = there - there[0]
    to_other = np.stack([frame[1], frame[2]], axis=1)  # (3, 2): from rows and columns to the other's index
    for axis in (other.row_axis, other.column_axis):
        first = float(there[0, axis] + to_other[axis] @ start)
        span = _clip(span, first, float(to_other[axis] @ along), -0.5, other.grid.shape[axis] - 0.5)
    if not span[0] < span[1]:
        return None
    (r0, c0), (r1, c1) = start + span[0] * along, start + span[1] * along
    return (float(r0), float(c0)), (float(r1), float(c1))


def _within(
    span: tuple[float, float], start: NDArray[np.float64], along: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[float, float]:
    for axis in range(2):
        span = _clip(span, float(start[axis]), float(along[axis]), -0.5, shape[axis] - 0.5)
    return span


def _clip(span: tuple[float, float], start: float, step: float, low: float, high: float) -> tuple[float, float]:
    """The part of `span` in which ``start + t * step`` lies between two values."""
    if abs(step) < 1e-12:
        return span if low <= start <= high else (0.0, 0.0)
    first, last = sorted(((low - start) / step, (high - start) / step))
    return max(span[0], first), min(span[1], last)
