"""A volume sampled on a plane that lies across its axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid

_POINTS = 1 << 18
"""Points that are sampled at a time."""


def reslice(
    voxels: NDArray[np.generic], grid: Grid, lattice: Grid, k: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values on slice k of another lattice, trilinear between the voxels around each point.

    Parameters
    ----------
    voxels, grid
        Grey values (z, y, x) and where they lie; only the voxels around the slice are read, and none is copied.
    lattice, k
        Where to sample: slice k across the first axis of this grid.

    Returns
    -------
    tuple
        Values (rows, columns), 0 outside, and which points lie within the volume's voxels, edges included. Between the
        middle of the outermost voxels and their edge their own value holds, as with SimpleITK.
    """
    from scipy import ndimage  # a third of a second that the start of the window does not wait for

    rows, columns = lattice.shape[1:]
    out = np.zeros((rows, columns), np.float32)
    inside = np.zeros((rows, columns), np.bool_)
    for part, index, within in _places(grid, lattice, k):
        points = index[:, within]
        if points.size:
            low = np.maximum(np.floor(points.min(axis=1)).astype(int), 0)
            high = np.floor(points.max(axis=1)).astype(int) + 2
            box = cast("NDArray[np.float32]", voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
            found = ndimage.map_coordinates(
                box, points - low[:, None], np.float32, order=1, mode="nearest", prefilter=False
            )
            out[part][within] = found
            inside[part] = within
    return out, inside


def reslice_labels(labels: NDArray[np.generic], grid: Grid, lattice: Grid, k: int) -> NDArray[np.generic]:
    """The same for labels: those of the nearest voxel, 0 outside."""
    out = np.zeros(lattice.shape[1:], labels.dtype)
    for part, index, within in _places(grid, lattice, k):
        nearest = np.rint(index[:, within]).astype(np.intp)
        limits = np.array(grid.shape)[:, None] - 1
        z, y, x = np.clip(nearest, 0, limits)
        out[part][within] = labels[z, y, x]
    return out


def _places(grid: Grid, lattice: Grid, k: int) -> Iterator[tuple[slice, NDArray[np.float64], NDArray[np.bool_]]]:
    """Rows of a slice, the voxel indices (3, rows, columns) of their points, and which lie in the volume; by parts."""
    corner, below, beside = grid.world_to_index(lattice.index_to_world([(k, 0, 0), (k, 1, 0), (k, 0, 1)]))
    down, right = below - corner, beside - corner
    rows, columns = lattice.shape[1:]
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
