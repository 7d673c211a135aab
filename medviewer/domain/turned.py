"""Planes that were turned away from the acquisition's axes: where they lie, and how their pixels are spread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid, Matrix, Vector
from medviewer.domain.plane import PLANES, Plane, faced, plane_title

_MOST_PIXELS = 1024
"""Along an edge of a turned slice: more would be more than a screen shows."""

_ALONG = 1e-3
"""Sine of the angle up to which two normals are one, the rounding of headers."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Turned:
    """Three planes at right angles through one point, each with its own way up.

    Parameters
    ----------
    grid
        The volume's grid.
    bases
        For each of `PLANES` a matrix whose columns are unit vectors in the world: the plane's normal, the way its rows
        follow each other (down the screen), and the way its columns do (to the right).
    point
        Where the planes cross, in the world (x, y, z), mm.
    """

    grid: Grid
    bases: tuple[Matrix, Matrix, Matrix]
    point: Vector

    @classmethod
    def straight(cls, grid: Grid, point: Vector) -> Turned:
        """The planes as they lie before anything is turned."""
        left, _, right = np.linalg.svd(grid.axes)
        axes = left @ right  # headers round their directions; these are the unit vectors nearest to them
        bases = []
        for name in PLANES:
            plane = Plane.of(grid, name)
            down = axes[:, plane.row_axis] * (-1 if plane.flip_rows else 1)
            across = axes[:, plane.column_axis] * (-1 if plane.flip_columns else 1)
            bases.append(_matrix(np.stack([axes[:, plane.axis], down, across], axis=1)))
        return cls(grid, (bases[0], bases[1], bases[2]), point)

    @classmethod
    def facing(cls, grid: Grid, normal: Vector, point: Vector) -> Turned | None:
        """The planes turned by the least angle that gives one of them a normal; None where a straight one has it."""
        straight = cls.straight(grid, point)
        wanted = np.array(normal, float) / np.linalg.norm(normal)
        own = max((straight.basis(name)[:, 0] for name in PLANES), key=lambda one: abs(float(one @ wanted)))
        if own @ wanted < 0:
            own = -own
        axis = np.cross(own, wanted)
        sine = float(np.linalg.norm(axis))
        if sine < _ALONG:
            return None
        rotation = _rotation(axis / sine, float(np.arctan2(sine, own @ wanted)))
        bases = tuple(straight._faced(name, rotation @ straight.basis(name)) for name in PLANES)
        return replace(straight, bases=(bases[0], bases[1], bases[2]))

    def basis(self, name: str) -> Array:
        """Normal, down and right of a plane as the columns of a 3x3 array."""
        return np.array(self.bases[PLANES.index(name)], float).reshape(3, 3)

    def title(self, name: str) -> str:
        """What plane `name` is called as it lies now, for example ``Sagittal oblique``."""
        return plane_title(self.basis(name), name)

    def turned(self, name: str, angle: float) -> Turned:
        """With the two other planes turned about the normal of plane `name`, which stays as it is.

        Each lies on the screen by the convention of the anatomical plane that it is nearest to: one that comes nearer
        to another is flipped, so that no picture is mirrored against what a reader expects. Bases that came from
        elsewhere, as those of a key image, stay as they are until their plane is turned.

        Parameters
        ----------
        name
            The plane that is turned in.
        angle
            Radians, positive from the right of its screen towards its lower edge (clockwise).
        """
        own = self.basis(name)
        rotation = _rotation(np.cross(own[:, 2], own[:, 1]), angle)
        bases = tuple(
            base if other == name else self._faced(other, rotation @ self.basis(other))
            for other, base in zip(PLANES, self.bases, strict=True)
        )
        return replace(self, bases=(bases[0], bases[1], bases[2]))

    def _faced(self, name: str, basis: Array) -> Matrix:
        """Plane `name` as it is shown; the wheel goes through it the way that it goes through the straight plane."""
        seen, axes = faced(basis, name)
        straight = Turned.straight(self.grid, self.point).basis(seen)
        if np.linalg.det(axes) * np.linalg.det(straight) < 0:
            axes = axes * (-1, 1, 1)
        return _matrix(axes)

    def moved(self, point: Vector) -> Turned:
        """With the planes crossing at another point, which is brought back into the volume."""
        index = np.clip(self.grid.world_to_index(point), -0.499, np.array(self.grid.shape) - 0.501)
        x, y, z = (float(v) for v in self.grid.index_to_world(index))
        return replace(self, point=(x, y, z))

    def stepped(self, name: str, steps: int) -> Turned:
        """Moved along the normal of a plane by whole steps; where that would leave the volume, it stays."""
        place = np.array(self.point) + self.basis(name)[:, 0] * steps * self.spacing
        if not self.grid.contains(self.grid.world_to_index(place)):
            return self
        return replace(self, point=(float(place[0]), float(place[1]), float(place[2])))

    @property
    def spacing(self) -> float:
        """Distance of pixels and of slices in mm: the volume's finest, unless that made too many pixels."""
        return max(min(self.grid.spacing), self._diagonal / _MOST_PIXELS)

    @property
    def _diagonal(self) -> float:
        return float(np.linalg.norm(self.grid.size_mm))

    def plane(self, name: str) -> tuple[Plane, int]:
        """The slice of plane `name` through the point: a `Plane` of a lattice of its own, and which of its slices.

        The lattice has room for the volume however it is turned, so that its size never changes; its slices are placed
        so that one of them runs through the point.
        """
        basis, step = self.basis(name), self.spacing
        count = int(np.ceil(self._diagonal / step)) + 4
        # a voxel's middle is a pixel's: then a plane that was turned about its own normal shows the voxels themselves
        middle = self.grid.index_to_world(np.array(self.grid.shape) // 2)
        start = basis.T @ middle - count // 2 * step
        depth = float(basis[:, 0] @ np.array(self.point))
        k = round((depth - start[0]) / step)
        start[0] = depth - k * step
        x, y, z = (float(v) for v in basis @ start)
        lattice = Grid((count, count, count), (step, step, step), (x, y, z), _matrix(basis))
        return Plane(lattice, axis=0, row_axis=1, column_axis=2, name=name), k

    def line_angle(self, name: str) -> float:
        """How far the crosshair's lines are turned in plane `name`, radians, clockwise, less than 45 degrees off."""
        own = self.basis(name)
        normal = self.basis(next(other for other in PLANES if other != name))[:, 0]
        angle = float(np.arctan2(normal @ own[:, 1], normal @ own[:, 2]))
        quarter = np.pi / 2
        return float((angle + quarter / 2) % quarter - quarter / 2)

    def bounds(self, name: str) -> tuple[float, float, float, float]:
        """First and last row and column of plane `name` that the volume can reach: what a fit has to show."""
        plane, _ = self.plane(name)
        ends = [(-0.5, size - 0.5) for size in self.grid.shape]
        corners = plane.grid.world_to_index(self.grid.index_to_world(np.array(list(product(*ends)))))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return float(low[1]), float(low[2]), float(high[1]), float(high[2])


def _rotation(axis: Array, angle: float) -> Array:
    """Rodrigues' formula about a unit axis; positive turns by the right-hand rule."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return matrix


def _matrix(values: Array) -> Matrix:
    # The unit vectors nearest to them: so a thousand turns one after the other leave them as exact as the first.
    left, _, right = np.linalg.svd(values)
    a, b, c, d, e, f, g, h, i = (float(v) for v in (left @ right).ravel())
    return a, b, c, d, e, f, g, h, i
