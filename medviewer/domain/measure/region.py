"""The values inside a region. A voxel belongs to it when its centre lies inside.

A region whose plane is one of the grid's own takes the voxels of that slice, as they are. One in an oblique plane takes
what that plane shows: values interpolated linearly between the eight voxels around (trilinear), on a square lattice in
the plane whose step is the grid's finest spacing. A sphere takes the voxels of all slices. What the file marks as
padding, what is no number, and what lies outside the volume is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import Measurement, radius_of
from medviewer.domain.measure.outline import axes_of, basis

_ALIGNED = 1e-3
"""Sine of the angle up to which a plane is one of the grid's own."""

_MOST = 4_000_000
"""Most places of an oblique plane that are looked at; a larger region is looked at in wider steps."""

_EDGE = 1e-9
"""In voxels: what is nearer to a line than that lies on it, so that rounding decides nothing."""


@dataclass(frozen=True)
class _Raster:
    """Places in a plane: ``origin + row * down + column * right``, in voxel indices (z, y, x)."""

    origin: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]

    def to_plane(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Row and column (..., 2), not rounded, of voxel indices (..., 3); what lies off the plane is dropped on it."""
        steps = np.stack([self.down, self.right], axis=1)
        places: NDArray[np.float64] = (index - self.origin) @ np.linalg.pinv(steps).T
        return places

    def to_index(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voxel indices (n, 3) of rows and columns (n, 2)."""
        index: NDArray[np.float64] = self.origin + places @ np.stack([self.down, self.right])
        return index


def values_in(m: Measurement, image: Image) -> NDArray[np.float64]:
    """Real values of the voxels in a region, shape (n,), in the image's unit; empty for what has no voxels.

    Parameters
    ----------
    image
        One phase of a grey image.
    """
    if image.is_colour:
        return np.empty(0)
    if m.kind == "sphere":
        return _kept(image, _in_sphere(m, image.grid))
    grid = image.grid
    axis = own_axis(grid, m)
    if axis is None:
        places, raster = _oblique(m, grid)
        return _interpolated(image, raster.to_index(places))
    raster = _slice_raster(m, grid, axis)
    inside = _inside(m, grid, raster, tuple(n for k, n in enumerate(grid.shape) if k != axis))
    index = np.rint(raster.to_index(inside)).astype(np.intp)
    return _kept(image, index[_within(index, grid)])


def own_axis(grid: Grid, m: Measurement) -> int | None:
    """The array axis that a measurement's plane is square to, or None for an oblique plane."""
    along = np.abs(np.asarray(m.normal) @ grid.axes)
    axis = int(np.argmax(along))
    return axis if np.linalg.norm(np.cross(m.normal, grid.axes[:, axis])) <= _ALIGNED else None


def _slice_raster(m: Measurement, grid: Grid, axis: int) -> _Raster:
    origin = np.zeros(3)
    origin[axis] = round(float(grid.world_to_index(m.centre)[axis]))
    rows, columns = (k for k in range(3) if k != axis)
    return _Raster(origin, np.eye(3)[rows], np.eye(3)[columns])


def _oblique(m: Measurement, grid: Grid) -> tuple[NDArray[np.float64], _Raster]:
    first, second = basis(m.normal)
    points = m.array - np.asarray(m.centre)
    reach = max(float(np.abs(points @ way).max()) for way in (first, second)) * np.sqrt(2)
    step = max(min(grid.spacing), 2 * reach / np.sqrt(_MOST))
    count = int(np.ceil(reach / step)) + 1
    corner = np.asarray(m.centre) - count * step * (first + second)
    start = grid.world_to_index(corner)
    ways = [grid.world_to_index(corner + step * way) - start for way in (first, second)]
    raster = _Raster(start, ways[0], ways[1])
    return _inside(m, grid, raster, (2 * count + 1, 2 * count + 1)), raster


def _inside(m: Measurement, grid: Grid, raster: _Raster, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Rows and columns (n, 2) of the raster's places in the region."""
    if m.kind == "ellipse":
        middle, first, second = axes_of(m)
        ends = np.stack([middle, middle + first, middle + second])
        plane = raster.to_plane(grid.world_to_index(ends))
        return _in_ellipse(plane[0], plane[1] - plane[0], plane[2] - plane[0], shape)
    return in_polygon(raster.to_plane(grid.world_to_index(m.array)), shape)


def _in_ellipse(
    middle: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    axes = np.stack([first, second], axis=1)
    if abs(np.linalg.det(axes)) < _EDGE:
        return np.empty((0, 2))
    reach = np.sqrt((axes**2).sum(axis=1))
    low = np.maximum(np.ceil(middle - reach - _EDGE), 0).astype(int)
    high = np.minimum(np.floor(middle + reach + _EDGE), np.array(shape) - 1).astype(int)
    places = _box(low, high)
    round_ones = (places - middle) @ np.linalg.inv(axes).T
    found: NDArray[np.float64] = places[(round_ones**2).sum(axis=1) <= 1 + _EDGE]
    return found


def in_polygon(corners: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Whole rows and columns (n, 2) in a closed polygon, from (0, 0) up to `shape`, by the even-odd rule.

    A place on an edge belongs to it at the low side, not at the high one, so polygons that share an edge share no
    place.

    Parameters
    ----------
    corners
        Row and column of its corners in turn, shape (k, 2).
    """
    low = np.maximum(np.ceil(corners.min(axis=0) - _EDGE), 0).astype(int)
    high = np.minimum(np.floor(corners.max(axis=0) + _EDGE), np.array(shape) - 1).astype(int)
    rows, columns = (int(n) for n in high - low + 1)
    if rows < 1 or columns < 1:
        return np.empty((0, 2))
    flips = np.zeros((rows, columns + 1), np.intp)
    for start, end in zip(corners - low, np.roll(corners, -1, axis=0) - low, strict=True):
        (top, left), (bottom, right) = (start, end) if start[0] <= end[0] else (end, start)
        first, last = np.ceil(np.clip([top - _EDGE, bottom - _EDGE], 0, rows)).astype(int)
        if first < last:
            crossed = np.arange(first, last)
            at = left + (crossed - top) / (bottom - top) * (right - left)
            np.add.at(flips, (crossed, np.ceil(np.clip(at - _EDGE, 0, columns)).astype(int)), 1)
    inside = np.cumsum(flips[:, :-1], axis=1) % 2 == 1
    found: NDArray[np.float64] = np.argwhere(inside) + low.astype(float)
    return found


def _in_sphere(m: Measurement, grid: Grid) -> NDArray[np.intp]:
    middle, radius = np.asarray(m.points[0]), radius_of(m)
    index = grid.world_to_index(middle)
    # Headers round their directions, so a little more than the radius is looked at.
    reach = 1.01 * radius / np.array(grid.spacing) + 1
    low = np.maximum(np.floor(index - reach), 0).astype(int)
    high = np.minimum(np.ceil(index + reach), np.array(grid.shape) - 1).astype(int)
    if (low > high).any():
        return np.empty((0, 3), np.intp)
    # Slice by slice, by squares of distances: all voxels of the box at once would take gigabytes.
    steps = grid.axes * np.array(grid.spacing)
    square = steps.T @ steps
    rows, columns = (np.arange(low[k], high[k] + 1) for k in (1, 2))
    y, x = (rows - index[1])[:, None], (columns - index[2])[None, :]
    flat = square[1, 1] * y**2 + square[2, 2] * x**2 + 2 * square[1, 2] * y * x
    found = []
    for z in range(int(low[0]), int(high[0]) + 1):
        up = z - index[0]
        away = flat + up * (square[0, 0] * up + 2 * (square[0, 1] * y + square[0, 2] * x))
        row, column = np.nonzero(away <= (radius * (1 + _EDGE)) ** 2)
        found.append(np.stack([np.full(len(row), z), row + low[1], column + low[2]], axis=1))
    return np.asarray(np.concatenate(found), np.intp)


def _box(low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.float64]:
    """All whole places from `low` to `high`, both ends included, shape (n, axes)."""
    ranges = [np.arange(a, b + 1, dtype=float) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(ranges))


def _within(index: NDArray[np.intp], grid: Grid) -> NDArray[np.bool_]:
    return np.asarray(((index >= 0) & (index < np.array(grid.shape))).all(axis=1), np.bool_)


def _kept(image: Image, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Real values of voxels (n, 3), those that are no image left out."""
    z, y, x = index.T
    values = _real(image, index)
    return values[_is_image(image, image.voxels[z, y, x])]


def _is_image(image: Image, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    values = stored.astype(np.float64)
    keep = np.asarray(np.isfinite(values), np.bool_)
    if image.padding is not None:
        keep = keep & ((values < image.padding[0]) | (values > image.padding[1]))
    return keep


def _real(image: Image, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Real values of voxels (n, 3), each by the rescale of its own slice."""
    z, y, x = index.T
    stored = image.voxels[z, y, x]
    if image.lut is not None:
        return image.lut.apply(stored).astype(np.float64)
    low = int(z.min(initial=image.grid.shape[0]))
    pairs = np.array([image.rescale.at(k) for k in range(low, int(z.max(initial=-1)) + 1)], float).reshape(-1, 2)
    at = z - low
    # In double precision: a mean of many float32 would lose more than the last digit shown.
    values: NDArray[np.float64] = stored.astype(np.float64) * pairs[at, 0] + pairs[at, 1]
    return values


def _interpolated(image: Image, index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Real values between voxels, at indices (n, 3); a place that needs a voxel which is no image is left out."""
    size = np.array(image.grid.shape)
    index = index[((index >= -_EDGE) & (index <= size - 1 + _EDGE)).all(axis=1)]
    index = np.clip(index, 0, size - 1)
    base = np.minimum(np.floor(index), np.maximum(size - 2, 0)).astype(np.intp)
    part = index - base
    total, keep = np.zeros(len(index)), np.ones(len(index), bool)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, part, 1 - part).prod(axis=1)
        voxel = np.minimum(base + corner, size - 1)
        z, y, x = voxel.T
        keep &= (weight <= _EDGE) | _is_image(image, image.voxels[z, y, x])
        total += np.where(weight > _EDGE, weight * _real(image, voxel), 0)
    return total[keep]
