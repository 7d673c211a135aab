"""Which voxels a brush, an eraser or a bucket touches: in one plane, in mm, clipped to the volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.indices import ascending
from medviewer.domain.plane import Plane

Point = tuple[float, float]


def stroke_voxels(plane: Plane, k: int, start: Point, end: Point, radius_mm: float) -> NDArray[np.int64]:
    """Flat indices of the voxels whose centres lie within `radius_mm` of a segment on slice k.

    Parameters
    ----------
    plane, k
        The slice that is painted on.
    start, end
        Rows and columns, not rounded, of the two ends; equal for a dab.
    radius_mm
        Radius of the brush; the voxel under each end is always included.
    """
    spacing = np.array(plane.spacing)
    a, b = np.array(start) * spacing, np.array(end) * spacing
    limit = np.array(plane.shape)
    low = np.clip(np.floor((np.minimum(a, b) - radius_mm) / spacing).astype(int), 0, limit)
    high = np.clip(np.ceil((np.maximum(a, b) + radius_mm) / spacing).astype(int) + 1, 0, limit)
    rows, columns = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), indexing="ij")
    points = np.stack([rows * spacing[0], columns * spacing[1]], -1)
    along = b - a
    length = float(along @ along)
    t = np.clip((points - a) @ along / length, 0, 1)[..., None] if length else 0.0
    near = ((points - (a + t * along)) ** 2).sum(-1) <= radius_mm**2
    picked = np.concatenate([np.stack([rows[near], columns[near]], -1), _inside([start, end], plane)])
    return _flat(plane, k, picked)


def fill_voxels(plane: Plane, k: int, at: Point, labels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Flat indices of the voxels of slice k that are connected to `at` and carry the same label (4-connected)."""
    from scipy import ndimage  # a third of a second that the start of the window does not wait for

    seed = _inside([at], plane)
    if len(seed) == 0:
        return np.empty(0, np.int64)
    view = plane.take(labels, k)
    regions, _ = ndimage.label(view == view[tuple(seed[0])])
    return _flat(plane, k, np.argwhere(regions == regions[tuple(seed[0])]))


def _inside(points: list[Point], plane: Plane) -> NDArray[np.int64]:
    cells = np.rint(np.array(points)).astype(np.int64)
    inside: NDArray[np.int64] = cells[np.all((cells >= 0) & (cells < np.array(plane.shape)), axis=1)]
    return inside


def _flat(plane: Plane, k: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat volume indices, ascending and unique, of (n, 2) rows and columns on slice k."""
    rows, columns = plane.shape
    index = [np.empty(0, np.int64)] * 3
    index[plane.axis] = np.full(len(cells), k, np.int64)
    index[plane.row_axis] = rows - 1 - cells[:, 0] if plane.flip_rows else cells[:, 0]
    index[plane.column_axis] = columns - 1 - cells[:, 1] if plane.flip_columns else cells[:, 1]
    flat = np.ravel_multi_index((index[0], index[1], index[2]), plane.grid.shape)
    return ascending(flat.astype(np.int64))
