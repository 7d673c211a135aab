"""Between the slices of a file and the even grid that they are shown on.

Used only for stacks that are no lattice at right angles (`Series.source`): sheared by gantry tilt or unevenly spaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.study import Series, SliceStack
from medviewer.formats.dicom.placement import gap_over

_SNAP = 0.02
"""A slice this part of a spacing, or this many mm, from a slice of the grid lies on it; see `geometry.follow`."""

_SAME = 1e-6
"""Places that differ by this part of a voxel are one."""

_FARTHEST = 0.75
"""A slice whose nearest slice of the grid is taken may have one up to this many slices away."""


@dataclass(frozen=True)
class _Places:
    """Where slices lie on a grid, in voxels along z, y and x, one number a slice."""

    z: NDArray[np.float64]
    y: NDArray[np.float64]
    x: NDArray[np.float64]


def onto_grid(stack: NDArray[Any], series: Series, fill: float) -> NDArray[Any]:
    """Resample slices linearly onto the grid of their series.

    Every slice is shifted in its plane to where it lies, and between two slices the grid gets their weighted mean, but
    in gaps (`placement.gap_over`) nothing.
    Voxels equal to `fill` are never mixed with others: there the nearer of the two counts.

    Parameters
    ----------
    stack
        Stored values, shape (slices, rows, columns) or (slices, rows, columns, 3), of ``series.source``.
    series
        Has a `source`.
    fill
        Stored value of voxels that no slice covers: padding, else the lowest value.

    Returns
    -------
    Shape of ``series.grid``, and 3 for colour, of the type of `stack`; integers are rounded.

    Raises
    ------
    ValueError
        If the series has no `source`, or `stack` does not fit it.
    """
    source, grid = series.source, series.grid
    if source is None or stack.shape[:3] != (len(source.positions), *source.shape):
        raise ValueError(f"a stack of shape {stack.shape} does not fit the slices of the series")
    places = _places(source, grid)
    result = np.full((*grid.shape, *stack.shape[3:]), fill, stack.dtype)
    moved: dict[int, NDArray[Any]] = {}
    for z in range(grid.shape[0]):
        between = _between(places.z, z, grid.spacing[0])
        if between is None:
            continue
        low, weight = between
        wanted = {low} if weight == 0 else {low, low + 1}
        moved = {
            k: moved[k] if k in moved else _moved(stack[k], places.y[k], places.x[k], grid.shape[1:], fill)
            for k in sorted(wanted)
        }
        values = moved[low] if weight == 0 else _mixed(moved[low], moved[low + 1], weight, fill)
        result[z] = values if stack.dtype.kind == "f" else np.rint(values)
    return result


def onto_slices(labels: NDArray[Any], grid: Grid, source: SliceStack) -> NDArray[Any]:
    """The labels that the slices of a file have, shape (slices, rows, columns): those of the nearest voxels of `grid`.

    `labels` has the shape of `grid`. `from_slices` is the way back. Slices that lie closer together than those of the
    grid may share one, and have the same labels then.
    """
    places = _places(source, grid)
    rows, columns = source.shape
    result = np.zeros((len(source.positions), rows, columns), labels.dtype)
    for k, z in enumerate(_own(places.z, grid.shape[0])):
        inside, own = _overlap(places.y[k], places.x[k], grid.shape[1:], source.shape)
        result[k][own] = labels[z][inside]
    return result


def from_slices(labels: NDArray[Any], grid: Grid, source: SliceStack) -> NDArray[Any]:
    """The labels on `grid`, its shape, of labels on the slices of a file: those of the nearest slice and pixel.

    Nothing is labelled beyond half a step from the first and the last slice. Of a label map that came by `onto_slices`
    every voxel of a slice comes back as it was, where every slice has a slice of the grid of its own.
    """
    places = _places(source, grid)
    result = np.zeros(grid.shape, labels.dtype)
    taken: dict[int, int] = {}
    for k, z in enumerate(_own(places.z, grid.shape[0])):
        if z not in taken or abs(places.z[k] - z) < abs(places.z[taken[z]] - z):
            taken[z] = k
    for z in range(grid.shape[0]):
        k = taken.get(z, int(np.argmin(np.abs(places.z - z))))
        if abs(places.z[k] - z) > _reach(places.z, k):
            continue
        inside, own = _overlap(places.y[k], places.x[k], grid.shape[1:], source.shape)
        result[z][inside] = labels[k][own]
    return result


def _own(along: NDArray[np.float64], size: int) -> list[int]:
    """For every slice the nearest slice of the grid; where that is taken a free one beside it, or else the same one."""
    own: list[int] = np.clip(np.floor(along + 0.5 + _SAME).astype(int), 0, size - 1).tolist()
    for k in range(1, len(own)):
        if own[k] == own[k - 1]:
            moved = _made_room(along, own, k, 1, size) or _made_room(along, own, k - 1, -1, size)
            for j, z in (moved or {}).items():
                own[j] = z
    return own


def _made_room(along: NDArray[np.float64], own: list[int], k: int, way: int, size: int) -> dict[int, int] | None:
    """Slices of the grid for slice `k` and those that it pushes on, one further that way; None where one lands too far.

    Nobody is pushed past a slice that lies right where it would go, so one slice too many never shifts the others.
    """
    moved: dict[int, int] = {}
    z = own[k] + way
    while 0 <= k < len(own) and (not moved or (own[k] - z) * way < 0):
        if not 0 <= z < size or abs(along[k] - z) > _FARTHEST:
            return None
        moved[k] = z
        k, z = k + way, z + way
    return moved


def _places(source: SliceStack, grid: Grid) -> _Places:
    z, y, x = grid.world_to_index(np.array(source.positions)).T
    return _Places(z, y, x)


def _reach(along: NDArray[np.float64], k: int) -> float:
    """How far a slice counts, in slices of the grid: half way to its further neighbour, gaps aside; one at least."""
    steps = np.diff(along)
    if not len(steps):
        return 1.0
    near = [step for step in steps[max(k - 1, 0) : k + 1].tolist() if step <= gap_over(along) + _SAME]
    return max(1.0, *(step / 2 for step in near)) + _SAME if near else 1.0


def _between(along: NDArray[np.float64], z: int, spacing: float) -> tuple[int, float] | None:
    """The slice at or below a slice of the grid, and the weight of the next one; None in a gap."""
    nearest = int(np.argmin(np.abs(along - z)))
    if abs(along[nearest] - z) <= max(_SNAP, _SNAP / spacing):
        return nearest, 0.0
    low = int(np.searchsorted(along, z)) - 1
    if not 0 <= low < len(along) - 1:
        return nearest, 0.0
    step = float(along[low + 1] - along[low])
    if step > gap_over(along) + _SAME:
        return (nearest, 0.0) if abs(along[nearest] - z) <= 0.5 else None
    return low, float((z - along[low]) / step)


def _moved(plane: NDArray[Any], y: float, x: float, shape: tuple[int, ...], fill: float) -> NDArray[Any]:
    """A slice on the plane of the grid, its first pixel at (y, x); float, shape (*shape, ...)."""
    kind = np.float64 if plane.dtype.itemsize > 2 and plane.dtype != np.float32 else np.float32
    values = _shifted(plane.astype(kind), y, shape[0], fill)
    across = _shifted(values.swapaxes(0, 1), x, shape[1], fill)
    return across.swapaxes(0, 1)


def _shifted(values: NDArray[Any], start: float, size: int, fill: float) -> NDArray[Any]:
    """Lines moved by `start` along the first axis and cut or filled to `size`; linear between lines.

    A line of the grid up to half a step outside the first or last line takes that line.
    """
    count = len(values)
    low, high = max(0, int(np.ceil(start - 0.5))), min(size, int(np.ceil(start + count - 0.5)))
    result = np.full((size, *values.shape[1:]), fill, values.dtype)
    if low >= high:
        return result
    whole = int(np.floor(-start + _SAME))
    weight = -start - whole  # the same for every line
    first = np.arange(low, high) + whole
    lines = values[np.clip(first, 0, count - 1)]
    if weight > _SAME:
        lines = _mixed(lines, values[np.clip(first + 1, 0, count - 1)], weight, fill)
    result[low:high] = lines
    return result


def _mixed(low: NDArray[Any], high: NDArray[Any], weight: float, fill: float) -> NDArray[Any]:
    """Weighted mean, but the nearer of the two where one of them is `fill`."""
    blank = (low == fill) | (high == fill)
    mixed: NDArray[Any] = low + (high - low) * low.dtype.type(weight)
    if blank.any():
        mixed[blank] = (low if weight < 0.5 else high)[blank]
    return mixed


def _overlap(
    y: float, x: float, shape: tuple[int, ...], own: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The pixels of the grid's plane that a slice covers, shifted by whole pixels, and these pixels of the slice."""
    starts = [int(np.floor(value + 0.5)) for value in (y, x)]
    low = [max(start, 0) for start in starts]
    high = [min(start + count, size) for start, count, size in zip(starts, own, shape, strict=True)]
    inside = [slice(a, max(a, b)) for a, b in zip(low, high, strict=True)]
    mine = [slice(a - start, max(a, b) - start) for a, b, start in zip(low, high, starts, strict=True)]
    return (inside[0], inside[1]), (mine[0], mine[1])
