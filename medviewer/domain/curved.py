"""Curved planar reformation: a volume along a drawn path, straightened.

Kanitsar, Fleischmann, Wegenkittl, Felkel, Groeller: CPR - Curved Planar Reformation. IEEE Visualization 2002, 37-44:
the straightened CPR, which keeps lengths along the path and across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.cached import cached
from medviewer.domain.geometry import Grid, Vector
from medviewer.domain.reslice import trilinear

Array = NDArray[np.float64]

_MOST_ALONG, _MOST_ACROSS = 2000, 800
"""Pixels of a picture: more would be more than a screen shows."""
_APART_MM = 1e-3
"""Two points that are nearer than this are one."""
_FINE = 64
"""Places between two points in which the length of the curve is measured."""


@dataclass(frozen=True)
class Path:
    """Points that a smooth curve goes through.

    Parameters
    ----------
    points
        In the world (x, y, z), mm, in order.
    normal
        Where the reader looked along when it was begun: away from the reader, a unit vector.
    """

    points: tuple[Vector, ...]
    normal: Vector

    @property
    def complete(self) -> bool:
        """Whether there is a curve through them."""
        return len(_distinct(self.points)) > 1


@dataclass(frozen=True, eq=False)
class Ribbon:
    """A curve, sampled evenly, and the way across it at each place.

    Parameters
    ----------
    places
        Positions (n, 3) in the world, mm, `step` apart along the curve.
    along, across
        Unit vectors (n, 3): the curve's direction, and at right angles to it the way that rows of the picture go. It
        never twists about the curve: each is the one before, carried along.
    step
        mm from one place to the next.
    """

    places: Array
    along: Array
    across: Array
    step: float

    @classmethod
    def of(cls, path: Path, step: float) -> Ribbon:
        """The ribbon of a path, which has to be complete.

        A cubic spline through the points, less of it where there are fewer than four, with centripetal parameters (Lee
        1989), so that it neither overshoots nor loops between unevenly spaced points. The last place lies up to a step
        before the last point.
        """
        from scipy.interpolate import make_interp_spline  # the start of the window does not wait for it

        points = _distinct(path.points)
        knots = np.concatenate([[0.0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1)))])
        spline = make_interp_spline(knots, points, k=min(3, len(points) - 1))
        fine = np.unique(np.concatenate([np.linspace(a, b, _FINE) for a, b in pairwise(knots)]))
        lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(spline(fine), axis=0), axis=1))])
        count = max(int(np.floor(lengths[-1] / step + 1e-6)) + 1, 2)
        parameters = np.interp(np.arange(count) * step, lengths, fine)
        along = spline.derivative()(parameters) if len(points) > 2 else np.tile(points[1] - points[0], (count, 1))
        along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        return cls(np.asarray(spline(parameters), float), along, _carried(along, np.array(path.normal, float)), step)

    @property
    def length_mm(self) -> float:
        """Length of the curve, to within a step."""
        return (len(self.places) - 1) * self.step

    def turned(self, angle: float) -> Array:
        """The way across (n, 3), turned about the curve by so many radians."""
        other = np.cross(self.along, self.across)
        return np.asarray(self.across * np.cos(angle) + other * np.sin(angle), float)


@dataclass(frozen=True)
class Strip:
    """The straightened picture: columns go along the path, rows across it.

    Parameters
    ----------
    path
        What it follows.
    angle
        How far it is turned about the path, radians.
    width_mm
        From its upper to its lower edge; the path is its middle row.
    spacing
        Of its pixels, mm.
    """

    path: Path
    angle: float
    width_mm: float
    spacing: float

    @classmethod
    def of(cls, path: Path, grid: Grid, angle: float, width_mm: float) -> Strip:
        """With the finest spacing of a grid, unless that made too many pixels."""
        chords = float(np.linalg.norm(np.diff(_distinct(path.points), axis=0), axis=1).sum())
        return cls(path, angle, width_mm, max(min(grid.spacing), chords / _MOST_ALONG, width_mm / _MOST_ACROSS))

    @cached
    def ribbon(self) -> Ribbon:
        """The curve at its pixels."""
        return Ribbon.of(self.path, self.spacing)

    @cached
    def across(self) -> Array:
        """The way that rows go (n, 3), at each column: unit vectors."""
        return self.ribbon.turned(self.angle)

    @property
    def middle(self) -> int:
        """The row of the path; there are as many below as above."""
        return round(self.width_mm / 2 / self.spacing)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return 2 * self.middle + 1, len(self.ribbon.places)

    @cached
    def world(self) -> Array:
        """Positions (rows, columns, 3) of the pixels in the world, mm."""
        offsets = (np.arange(self.shape[0]) - self.middle) * self.spacing
        places: Array = self.ribbon.places[None] + offsets[:, None, None] * self.across[None]
        return places

    def place(self, row: float, column: float) -> Vector:
        """The position of a row and column, not rounded, in the world; beyond the ends, that at the end."""
        at = float(np.clip(column, 0, self.shape[1] - 1))
        low = min(int(at), self.shape[1] - 2)
        part = at - low
        middle = (1 - part) * self.ribbon.places[low] + part * self.ribbon.places[low + 1]
        across = (1 - part) * self.across[low] + part * self.across[low + 1]
        x, y, z = (float(v) for v in middle + (row - self.middle) * self.spacing * across)
        return x, y, z

    def nearest(self, world: ArrayLike) -> tuple[float, float, float]:
        """Where a position is: row and column of the place of the path that is nearest, and mm from the strip's plane.

        The row says how far it lies from the path along the strip; it may be beyond its edges.
        """
        away = np.asarray(world, float) - self.ribbon.places
        column = int(np.argmin(np.einsum("ij,ij->i", away, away)))
        row = self.middle + float(away[column] @ self.across[column]) / self.spacing
        off = float(away[column] @ np.cross(self.ribbon.along[column], self.across[column]))
        return row, column, abs(off)

    def sample(self, voxels: NDArray[np.generic], grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of a volume at the pixels, trilinear, 0 outside; and which pixels lie in it."""
        index = np.moveaxis(grid.world_to_index(self.world), -1, 0)
        inside = self._inside(index, grid)
        return np.where(inside, trilinear(voxels, index), np.float32(0)), inside

    def labels(self, labels: NDArray[np.generic], grid: Grid) -> NDArray[np.generic]:
        """Labels of the nearest voxels, 0 outside."""
        index = np.moveaxis(grid.world_to_index(self.world), -1, 0)
        z, y, x = np.clip(np.rint(index).astype(np.intp), 0, np.array(grid.shape).reshape(3, 1, 1) - 1)
        return np.where(self._inside(index, grid), labels[z, y, x], labels.dtype.type(0))

    @staticmethod
    def _inside(index: Array, grid: Grid) -> NDArray[np.bool_]:
        limits = np.array(grid.shape).reshape(3, 1, 1) - 0.5
        return np.asarray(((index >= -0.5) & (index < limits)).all(axis=0), np.bool_)


def _distinct(points: ArrayLike) -> Array:
    """Points without those that lie on the one before."""
    array = np.asarray(points, float).reshape(-1, 3)
    keep = np.concatenate([[True], np.linalg.norm(np.diff(array, axis=0), axis=1) > _APART_MM])[: len(array)]
    return np.asarray(array[keep], float)


def _carried(along: Array, normal: Array) -> Array:
    """At right angles to the curve, in the plane that the reader looked at where that can be, then without a twist."""
    across = np.cross(normal, along[0])
    if np.linalg.norm(across) < 0.02:  # it begins by going away from the reader
        across = np.eye(3)[int(np.argmin(np.abs(along[0])))]
    out = np.empty_like(along)
    for k, way in enumerate(along):
        ahead = across - (across @ way) * way
        length = float(np.linalg.norm(ahead))
        if length > 1e-6:  # else the curve turns back on itself, at a corner
            across = ahead / length
        out[k] = across
    return out
