"""A volume laid over the slices of another: its values at their pixels, trilinear, whatever the two grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import Plane
from medviewer.domain.reslice import Rays, sample
from medviewer.domain.slab import Mode

_STRAY = 1e-4
"""Voxels by which rows may stray over a whole slice from an axis of the volume, and still count as along it."""

Sampled = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Values (rows, columns), 0 outside, and which pixels lie within the volume's voxels, edges included."""


def slice_through(voxels: NDArray[np.generic], grid: Grid, plane: Plane, k: float, block: int = 1) -> Sampled:
    """Values of a volume at the pixels of slice k of another's plane, as they lie on the screen.

    Parameters
    ----------
    voxels, grid
        Grey values (z, y, x) and where they lie, in the same world as the plane.
    plane, k
        The slice, flipped and rotated as its plane is.
    block
        Rows and columns that share a value where the slice lies across the volume's axes, as in `reslice`.

    Returns
    -------
    tuple
        As `Sampled` says; between the middle of the outermost voxels and their edge their own value holds, as with
        SimpleITK.
    """
    rays = Rays.of_plane(grid, plane, k)
    axes = _apart(rays)
    return sample(voxels, grid, rays, block) if axes is None else _separable(voxels, grid, rays, *axes)


def runs_along(grid: Grid, plane: Plane) -> bool:
    """Whether a plane's rows and columns run along the axes of a volume: its slices are sampled far quicker then."""
    return _apart(Rays.of_plane(grid, plane, 0)) is not None


def _apart(rays: Rays) -> tuple[int, int] | None:
    """The axes of the volume that rows and columns run along, where they do: then one axis goes after the other."""
    down, right = (np.abs(step) * n for step, n in zip((rays.down, rays.right), rays.shape, strict=True))
    row_axis, column_axis = int(np.argmax(down)), int(np.argmax(right))
    down[row_axis] = right[column_axis] = 0
    return (row_axis, column_axis) if row_axis != column_axis and max(down.max(), right.max()) < _STRAY else None


def _separable(
    voxels: NDArray[np.generic], grid: Grid, rays: Rays, row_axis: int, column_axis: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Linear along one axis after the other: the same as trilinear, and some twenty times as quick."""
    fixed = 3 - row_axis - column_axis
    rows, columns = rays.shape
    low, high, part, inside = _between(rays.corner[fixed : fixed + 1], grid.shape[fixed])
    down = rays.corner[row_axis] + rays.down[row_axis] * np.arange(rows)
    right = rays.corner[column_axis] + rays.right[column_axis] * np.arange(columns)
    row_low, row_high, row_part, row_inside = _between(down, grid.shape[row_axis])
    column_low, column_high, column_part, column_inside = _between(right, grid.shape[column_axis])
    within = row_inside[:, None] & column_inside[None, :] & inside[0]
    if not within.any():
        return np.zeros((rows, columns), np.float32), within
    along = np.moveaxis(voxels, fixed, 0)
    flat = _mixed(along[low[0]], along[high[0]], part[0])
    if row_axis > column_axis:
        flat = flat.T
    flat = _mixed(flat[row_low], flat[row_high], row_part[:, None])
    out = _mixed(np.take(flat, column_low, axis=1), np.take(flat, column_high, axis=1), column_part)
    out[~row_inside] = 0
    out[:, ~column_inside] = 0
    return out, within


def _between(
    index: NDArray[np.float64], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
    """For places along an axis: the voxels before and behind, the part of the second, and whether they lie within."""
    inside = (index >= -0.5) & (index < count - 0.5)
    held = np.clip(index, 0, count - 1)
    low = np.floor(held).astype(np.intp)
    return low, np.minimum(low + 1, count - 1), (held - low).astype(np.float32), inside


def _mixed(
    low: NDArray[np.generic], high: NDArray[np.generic], part: NDArray[np.float32] | np.float32
) -> NDArray[np.float32]:
    first = np.asarray(low, np.float32)
    out: NDArray[np.float32] = np.subtract(high, first, dtype=np.float32)
    out *= part
    out += first
    return out


@dataclass(frozen=True)
class Thickness:
    """Slices that are shown as one.

    Parameters
    ----------
    start, stop
        The first slice, and the one after the last.
    mode
        ``mip``, ``minip`` or ``mean`` of the stored values.
    """

    start: int
    stop: int
    mode: Mode


def join(slices: list[Sampled], mode: Mode) -> Sampled:
    """Reduce sampled slices to one: the highest, lowest or mean of what lies in the volume."""
    inside = slices[0][1].copy()
    for _, within in slices[1:]:
        inside |= within
    if mode == "mean":
        out = slices[0][0].copy()
        count = slices[0][1].astype(np.float32)
        for values, within in slices[1:]:
            out += values  # 0 outside
            count += within
        np.divide(out, count, out=out, where=count > 0)
        return out, inside
    better = np.fmax if mode == "mip" else np.fmin  # they pass over what is not a number, and so over what is outside
    out = np.where(slices[0][1], slices[0][0], np.float32(np.nan))
    for values, within in slices[1:]:
        better(out, values, out=out, where=True if within.all() else within)
    out[~inside] = 0
    return out, inside


def value_at(
    voxels: NDArray[np.generic], grid: Grid, plane: Plane, at: tuple[float, float, float], thick: Thickness | None
) -> float | None:
    """The stored value over row, column and slice `at` of a plane; of a slab what it shows; None outside.

    Parameters
    ----------
    voxels, grid
        The volume.
    plane, at
        Row, column and slice, not rounded.
    thick
        The slab that the plane shows.
    """
    row, column, k = at
    slices = (k,) if thick is None else range(thick.start, thick.stop)
    first, second = plane.to_index(row, column, slices[0]), plane.to_index(row, column, slices[0] + 1)
    corner, after = grid.world_to_index(plane.grid.index_to_world([first, second]))
    column_of = sample(voxels, grid, Rays(corner, after - corner, np.zeros(3), (len(slices), 1)))
    each = list(zip(*column_of, strict=True))
    values, inside = join(each, "mip" if thick is None else thick.mode)
    return float(values[0]) if inside[0] else None
