"""A volume sampled on a plane that lies across its axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import Plane

Kind = TypeVar("Kind", bound=np.generic)

_POINTS = 1 << 15
"""Points that are sampled at a time: what is laid aside for them stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Where the pixels of a slice lie in a volume, in voxel indices (z, y, x), not rounded.

    Parameters
    ----------
    corner
        Of row 0, column 0.
    down, right
        From a row, and from a column, to the next.
    shape
        Rows and columns.
    """

    corner: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]
    shape: tuple[int, int]

    @classmethod
    def of_lattice(cls, grid: Grid, lattice: Grid, k: float) -> Rays:
        """Slice k across the first axis of another grid."""
        return cls._through(grid, lattice.index_to_world([(k, 0, 0), (k, 1, 0), (k, 0, 1)]), lattice.shape[1:])

    @classmethod
    def of_plane(cls, grid: Grid, plane: Plane, k: float) -> Rays:
        """Slice k of a plane, rows and columns as they lie on the screen."""
        corners = [plane.to_index(0, 0, k), plane.to_index(1, 0, k), plane.to_index(0, 1, k)]
        return cls._through(grid, plane.grid.index_to_world(corners), plane.shape)

    def in_blocks(self, edge: int) -> Rays:
        """One for each block of so many rows and columns, through its middle."""
        rows, columns = (-(-n // edge) for n in self.shape)
        middle = (edge - 1) / 2 * (self.down + self.right)
        return Rays(self.corner + middle, self.down * edge, self.right * edge, (rows, columns))

    @classmethod
    def _through(cls, grid: Grid, corners: NDArray[np.float64], shape: tuple[int, int]) -> Rays:
        corner, below, beside = grid.world_to_index(corners)
        return cls(corner, below - corner, beside - corner, shape)


def reslice(
    voxels: NDArray[np.generic], grid: Grid, lattice: Grid, k: int, block: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values on slice k of another lattice, trilinear between the voxels around each point.

    Parameters
    ----------
    voxels, grid
        Grey values (z, y, x) and where they lie; only the voxels around the slice are read, and none is copied.
    lattice, k
        Where to sample: slice k across the first axis of this grid.
    block
        Rows and columns that share the value in their middle: quicker by the square of it, and nothing is moved.

    Returns
    -------
    tuple
        Values (rows, columns), 0 outside, and which points lie within the volume's voxels, edges included. Between the
        middle of the outermost voxels and their edge their own value holds, as with SimpleITK.
    """
    return sample(voxels, grid, Rays.of_lattice(grid, lattice, k), block)


def sample(
    voxels: NDArray[np.generic], grid: Grid, rays: Rays, block: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values along rays, as `reslice` has them."""
    if block > 1:
        values, within = sample(voxels, grid, rays.in_blocks(block))
        return _spread(values, block, rays.shape), _spread(within, block, rays.shape)
    out = np.zeros(rays.shape, np.float32)
    inside = np.zeros(rays.shape, np.bool_)
    for part, index, within in _places(grid, rays):
        columns = np.flatnonzero(within.any(axis=0))
        if columns.size:  # of a turned lattice, which has room for every angle, the most lies beside the volume
            some = slice(int(columns[0]), int(columns[-1]) + 1)
            np.copyto(out[part, some], trilinear(voxels, index[..., some]), where=within[:, some])
            inside[part] = within
    return out, inside


def trilinear(voxels: NDArray[np.generic], index: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values at voxel indices (3, ...), linear between the eight voxels around each; outside, the nearest one's.

    Several times as quick as SciPy's `map_coordinates`, which does the same for splines of any order.
    """
    lows, highs, parts = [], [], []
    for along, count in zip(index, voxels.shape, strict=True):
        held = np.clip(along, 0, count - 1)
        low = np.minimum(held.astype(np.intp), max(count - 2, 0))
        lows.append(low)
        highs.append(np.minimum(low + 1, count - 1))
        parts.append((held - low).astype(np.float32))

    def mixed(ends: tuple[NDArray[np.intp], ...], axis: int) -> NDArray[np.float32]:
        if axis == 3:
            return _picked(voxels, ends).astype(np.float32)
        first = mixed((*ends, lows[axis]), axis + 1)
        step = mixed((*ends, highs[axis]), axis + 1)
        step -= first
        step *= parts[axis]
        step += first
        return step

    return mixed((), 0)


def _picked(voxels: NDArray[np.generic], at: tuple[NDArray[np.intp], ...]) -> NDArray[np.generic]:
    if not voxels.flags.c_contiguous:
        return voxels[at]
    z, y, x = at
    picked: NDArray[np.generic] = voxels.reshape(-1).take((z * voxels.shape[1] + y) * voxels.shape[2] + x)
    return picked


def reslice_labels(
    labels: NDArray[np.generic], grid: Grid, lattice: Grid, k: int, block: int = 1
) -> NDArray[np.generic]:
    """The same for labels: those of the nearest voxel, 0 outside."""
    full = Rays.of_lattice(grid, lattice, k)
    rays = full if block == 1 else full.in_blocks(block)
    out = np.zeros(rays.shape, labels.dtype)
    for part, index, within in _places(grid, rays):
        nearest = np.rint(index[:, within]).astype(np.intp)
        limits = np.array(grid.shape)[:, None] - 1
        z, y, x = np.clip(nearest, 0, limits)
        out[part][within] = labels[z, y, x]
    return _spread(out, block, full.shape)


def _spread(values: NDArray[Kind], block: int, shape: tuple[int, int]) -> NDArray[Kind]:
    """What was sampled in blocks, in every pixel."""
    if block == 1:
        return values
    return np.repeat(np.repeat(values, block, axis=0), block, axis=1)[: shape[0], : shape[1]]


def _places(grid: Grid, rays: Rays) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]:
    """Rows of a slice, the voxel indices (3, rows, columns) of their points, and which lie in the volume; by parts."""
    corner, down, right = rays.corner, rays.down, rays.right
    rows, columns = rays.shape
    step = max(1, _POINTS // columns)
    limits = np.array(grid.shape).reshape(3, 1, 1) - 0.5
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        index = (
            corner[:, None, None]
            + down[:, None, None] * np.arange(part.start, part.stop)[None, :, None]
            + right[:, None, None] * np.arange(columns)[None, None, :]
        )
        within = cast("NDArray[np.bool_]", ((index >= -0.5) & (index < limits)).all(axis=0))
        yield part, index, within
