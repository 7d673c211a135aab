"""Thick slices: the highest, the lowest or the mean value of the slices that lie within some millimetres.

Stored voxels are reduced as they are stored, and only the answer is brought into real units: `Rescale` is linear, so
the highest stored value is the highest real one (the lowest where the slope is negative), and means agree too.
"""

from __future__ import annotations

from math import ceil
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

Mode = Literal["none", "mip", "minip", "mean"]

MODES: tuple[Mode, ...] = ("none", "mip", "minip", "mean")
NAMES: dict[Mode, str] = {"none": "Off", "mip": "MIP", "minip": "MinIP", "mean": "Mean"}

WHOLE_MM = 0.0
"""A thickness that stands for the whole volume, wherever the middle slice is."""

_CHUNK = 1 << 20
"""Voxels that are reduced at a time: what is laid aside for them stays in the processor's cache."""


def slab_slices(k: int, count: int, spacing_mm: float, thickness_mm: float) -> slice:
    """Which slices lie within a slab around slice k, clipped at the volume's ends.

    Those whose middle is up to half the thickness before slice k, or less than that behind it: so their number times
    their distance is the thickness, as nearly as whole slices can be. Slice k is always one of them.

    Parameters
    ----------
    k, count
        The middle slice, and how many there are.
    spacing_mm
        Distance of the slices.
    thickness_mm
        Thickness of the slab; `WHOLE_MM` for all slices.
    """
    if thickness_mm == WHOLE_MM:
        return slice(0, count)
    half = thickness_mm / 2 / spacing_mm
    before, behind = ceil(-half - 1e-6), ceil(half - 1e-6)
    return slice(max(k + before, 0), min(k + max(behind, 1), count))


def stored_mode(mode: Mode, slope: float) -> Mode:
    """What to ask of stored values so that the answer holds for the real ones: a negative slope turns them round."""
    if slope < 0:
        return {"mip": "minip", "minip": "mip"}.get(mode, mode)  # type: ignore[return-value]  # both are modes
    return mode


def project(
    values: NDArray[np.generic],
    axis: int,
    slices: slice,
    k: int,
    mode: Mode,
    stored: NDArray[np.generic] | None = None,
    padding: tuple[float, float] | None = None,
) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    """Reduce some slices of a volume to one.

    Parameters
    ----------
    values
        Grey values (z, y, x).
    axis, slices, k
        The array axis to go along, what of it, and the middle slice.
    mode
        ``mip``, ``minip`` or ``mean``.
    stored, padding
        Voxels (z, y, x) that are no image where they lie from low to high, both included (PS3.3 C.7.5.1.1.2). They
        count nowhere; nor does a value that is no finite number.

    Returns
    -------
    tuple
        The slab over the two other axes in their order, of the values' own type (float32 for the mean), and where no
        voxel counted at all, or None where that cannot be. There the middle slice's values stand.
    """
    along = np.moveaxis(values, axis, 0)
    stack = along[slices]
    beside = stack if stored is values else None if stored is None else np.moveaxis(stored, axis, 0)[slices]
    out, nothing = project_stack(stack, mode, beside, padding)
    if nothing is not None:
        np.copyto(out, along[k], where=nothing, casting="unsafe")
    return out, nothing


def project_stack(
    stack: NDArray[np.generic],
    mode: Mode,
    stored: NDArray[np.generic] | None = None,
    padding: tuple[float, float] | None = None,
) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    """Reduce slices (slices, rows, columns), in whatever order, along their first axis: see `project`.

    Where no voxel counted, the answer means nothing.
    """
    if stack.dtype.kind == "f" or (padding is not None and stored is not None and stored is not stack):
        return _all_checked(stack, mode, stored, padding)
    out = _in_parts(stack, mode)
    if padding is None or stored is None:
        return out, None
    # A highest value that is no padding is the answer whatever else there is; so only some columns need a second look.
    low, high = (_in_parts(stack, "minip"), _in_parts(stack, "mip")) if mode == "mean" else (out, out)
    rows, columns = np.nonzero(np.less_equal(low, padding[1]) & np.greater_equal(high, padding[0]))
    nothing = np.zeros(out.shape, np.bool_)
    step = max(1, _CHUNK // stack.shape[0])
    for start in range(0, len(rows), step):
        at = rows[start : start + step], columns[start : start + step]
        some = stack[:, at[0], at[1]][:, None]
        missing = _missing(some, some, padding)
        out[at] = _reduced_but(some, missing, mode)[0]
        nothing[at] = np.logical_and.reduce(missing, axis=0)[0]
    return out, nothing


def _in_parts(stack: NDArray[np.generic], mode: Mode) -> NDArray[np.generic]:
    out = np.empty(stack.shape[1:], np.float32 if mode == "mean" else stack.dtype)
    for part in _parts(stack):
        out[part] = _reduced(stack[:, part], mode)
    return out


def _all_checked(
    stack: NDArray[np.generic],
    mode: Mode,
    stored: NDArray[np.generic] | None,
    padding: tuple[float, float] | None,
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Every voxel looked at: whether it is a number, and whether what was stored for it is padding."""
    out = np.empty(stack.shape[1:], np.float32 if mode == "mean" else stack.dtype)
    nothing = np.zeros(out.shape, np.bool_)
    for part in _parts(stack):
        missing = _missing(stack[:, part], None if stored is None else stored[:, part], padding)
        out[part] = _reduced_but(stack[:, part], missing, mode)
        nothing[part] = missing.all(0)
    return out, nothing


def _parts(stack: NDArray[np.generic]) -> list[slice]:
    rows = max(1, _CHUNK // max(1, stack.shape[0] * stack.shape[2]))
    return [slice(start, start + rows) for start in range(0, stack.shape[1], rows)]


def _missing(
    values: NDArray[np.generic], stored: NDArray[np.generic] | None, padding: tuple[float, float] | None
) -> NDArray[np.bool_]:
    missing = np.zeros(values.shape, np.bool_)
    if padding is not None and stored is not None:
        missing = np.greater_equal(stored, padding[0]) & np.less_equal(stored, padding[1])
    if values.dtype.kind == "f":
        missing |= ~np.isfinite(cast("NDArray[np.float64]", values))
    return missing


def _reduced(stack: NDArray[np.generic], mode: Mode) -> NDArray[np.generic]:
    """All of a stack (slices, rows, columns) reduced along its first axis."""
    if stack.strides[0] < stack.strides[2]:
        # Slices whose voxels lie side by side in memory: on a copy that lies the other way numpy is twice as fast.
        stack = np.ascontiguousarray(stack)
    if mode == "mean":
        return cast("NDArray[np.generic]", (_sum(stack) / stack.shape[0]).astype(np.float32))
    highest = np.maximum if mode == "mip" else np.minimum
    return cast("NDArray[np.generic]", highest.reduce(stack, axis=0))


def _reduced_but(stack: NDArray[np.generic], missing: NDArray[np.bool_], mode: Mode) -> NDArray[np.generic]:
    """The same without what is missing; anything where all is."""
    if mode == "mean":
        count = np.maximum(stack.shape[0] - np.count_nonzero(missing, axis=0), 1)
        total = _sum(np.where(missing, stack.dtype.type(0), stack))
        return cast("NDArray[np.generic]", (total / count).astype(np.float32))
    bounds = np.finfo(str(stack.dtype)) if stack.dtype.kind == "f" else np.iinfo(str(stack.dtype))
    worst = bounds.min if mode == "mip" else bounds.max
    return _reduced(np.where(missing, stack.dtype.type(worst), stack), mode)


def _sum(stack: NDArray[np.generic]) -> NDArray[np.generic]:
    dtype: type[np.generic] = np.float64
    if stack.dtype.kind in "iu" and stack.dtype.itemsize <= 4:
        # 32 bits hold the sum of 32767 values of 16 bits, and are summed faster
        dtype = np.int32 if stack.dtype.itemsize <= 2 and stack.shape[0] < 1 << 15 else np.int64
    return cast("NDArray[np.generic]", np.add.reduce(stack, axis=0, dtype=dtype))
