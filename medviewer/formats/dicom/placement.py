"""Where the slices of a stack lie, and the Grid that they are shown on.

A stack whose slices lie evenly, one above the other, is its own lattice. One whose slices are shifted sideways
(gantry tilt) or lie unevenly is shown on an even grid at right angles that covers it; `resample` goes from one to the
other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.study import SliceStack, Warning
from medviewer.formats.dicom.geometry import Steps, direction_of, follow
from medviewer.formats.lattice import vector

SHEAR_MM = 0.1
"""Slices that are shifted sideways by no more than this, or by a quarter of a pixel, are shown as if they were not:
headers round their positions, and resampling costs sharpness."""

SHEAR_PIXELS = 0.25

_MOST_SLICES = (4, 256)
"""An even grid has at most so many slices a slice of the file, or so many in all where that is more."""

_CLOSEST = 1.02
"""Steps up to this times the smallest one are the same step, rounded."""

_USUAL = 0.8
"""Where this part of the steps is one and the same, the grid has that step: a slice that was moved, or scanned once
more, makes it no finer."""

_SAME_PART, _SAME_MM = 0.02, 0.02
"""Steps, or places on a lattice, that differ by this part of a step or this many mm are one; see `geometry.follow`."""

_GAP = 3.0
"""A step this many times as long as three quarters of the steps are is a gap: nothing is made up to fill it."""

_THICKER = 1.5
"""Slices this many times as thick as those elsewhere belong to a part that was scanned otherwise."""

_MOST_WIDENING = 3
"""A grid that covers a sheared stack is at most so many times as wide or high as a slice; slices that lie further apart
sideways are no tilted volume."""


@dataclass(frozen=True)
class Placement:
    """Where the slices of a stack are shown.

    Parameters
    ----------
    grid
        The lattice that they are shown on.
    index
        For every slice its z: among the slices of `source` where there is one, else on `grid`; jumps where slices are
        missing.
    source
        Where the slices really lie, when that is not `grid`; it has a place for missing slices too.
    warnings
        What is odd about the stack: missing slices, gantry tilt, uneven spacing.
    """

    grid: Grid
    index: tuple[int, ...]
    source: SliceStack | None
    warnings: tuple[Warning, ...]


def place(
    positions: NDArray[np.float64],
    axes: NDArray[np.float64],
    spacing: tuple[float, float],
    shape: tuple[int, int],
    thickness_mm: float,
    names: Sequence[str],
    thicknesses: Sequence[float] = (),
) -> Placement:
    """Find the grid of slices that share orientation, size and pixel spacing.

    Parameters
    ----------
    positions
        World position (x, y, z) in mm of the first pixel's centre of every slice, shape (n, 3), ascending and distinct
        along the normal ``axes[0] x axes[1]``.
    axes
        Unit steps in the world from column to column and from row to row, shape (2, 3).
    spacing
        Distance in mm between rows and between columns.
    shape
        Rows and columns.
    thickness_mm
        Extent along z of a stack of one slice.
    names
        What the slices are called in warnings, one a slice.
    thicknesses
        Slice Thickness in mm, one a slice; empty where not all say it.
    """
    across = np.array([np.cross(axes[0], axes[1]), axes[1], axes[0]])
    offsets = (positions - positions[0]) @ across.T  # along z, y, x in mm
    steps = follow(offsets[:, 0].tolist()) if len(positions) > 1 else Steps(thickness_mm, (0,), 0.0)
    if _thicker_where_wider(steps, thicknesses):
        steps = Steps(steps.spacing, tuple(range(len(positions))), float(np.diff(offsets[:, 0]).max()))
    warnings = _gaps(names, steps)
    shear = float(np.max(np.linalg.norm(offsets[:, 1:], axis=1)))
    sheared = shear > max(SHEAR_MM, SHEAR_PIXELS * min(spacing))
    low = np.minimum(offsets[:, 1:].min(axis=0), 0.0) if sheared else np.zeros(2)
    extra = np.ceil(np.ptp(offsets[:, 1:], axis=0) / spacing - 1e-6) if sheared else np.zeros(2)
    if sheared and np.any(extra > np.array(shape) * (_MOST_WIDENING - 1)):
        sheared, low, extra = False, np.zeros(2), np.zeros(2)
        positions = positions[0] + np.outer(offsets[:, 0], across[0])
        warnings.append(_scattered(shear))
    start, count, between = 0.0, steps.index[-1] + 1, steps.spacing
    if steps.irregular:
        start, count, between = _even(offsets[:, 0])
    rows, columns = (int(n + more) for n, more in zip(shape, extra, strict=True))
    origin = positions[0] + start * across[0] + low @ across[1:]
    grid = Grid((count, rows, columns), (between, *spacing), vector(origin), direction_of(axes))
    if steps.irregular:
        warnings.append(_uneven(offsets[:, 0], between))
    if sheared:
        warnings.append(_tilt(offsets, shear))
    if not (steps.irregular or sheared):
        return Placement(grid, steps.index, None, tuple(warnings))
    stack = SliceStack(shape, spacing, vector(axes[1]), vector(axes[0]), _filled(positions, steps.index))
    return Placement(grid, steps.index, stack, tuple(warnings))


def gap_over(along: NDArray[np.float64]) -> float:
    """The longest step between ascending places, two or more, that is no gap; in their unit."""
    return _GAP * float(np.percentile(np.diff(along), 75, method="lower"))


def _thicker_where_wider(steps: Steps, thicknesses: Sequence[float]) -> bool:
    """Whether slices are thicker where they lie further apart, as in a head scanned in 5 and then in 10 mm.

    Then none is missing: the stack is uneven.
    """
    jumps = np.diff(steps.index)
    if len(thicknesses) != len(steps.index) or not np.any(jumps > 1) or not np.any(jumps == 1):
        return False
    thin = np.minimum(thicknesses[:-1], thicknesses[1:])
    return bool(np.any(thin[jumps > 1] >= _THICKER * np.median(thin[jumps == 1])))


def _even(distances: NDArray[np.float64]) -> tuple[float, int, float]:
    """Start, number and spacing in mm of even slices from about the first to about the last.

    They are as far apart as nearly all slices of the file (`_USUAL`), and most of these stay as they are. Where no step
    is so frequent, they are as far apart as the closest two, so that every slice has one of its own and those that do
    lie evenly from the first on stay as they are; wider where that would be too many.
    """
    extent, apart = float(distances[-1]), np.diff(distances)
    start, spacing = 0.0, float(apart[apart <= apart.min() * _CLOSEST].mean())
    usual = _usual(apart)
    if usual is not None:
        start, spacing = _most_on(distances, usual), usual
    most = max(_MOST_SLICES[0] * len(distances), _MOST_SLICES[1])
    if extent > spacing * (most - 1):
        return 0.0, most, extent / (most - 1)
    return start, math.floor((extent - start) / spacing + 0.5 + 1e-6) + 1, spacing


def _usual(apart: NDArray[np.float64]) -> float | None:
    """The step in mm that nearly all steps are, or None."""
    ordered = np.sort(apart)
    reach = np.maximum(_SAME_PART * ordered, _SAME_MM)
    low = np.searchsorted(ordered, ordered - reach, "left")
    high = np.searchsorted(ordered, ordered + reach, "right")
    k = int(np.argmax(high - low))
    if high[k] - low[k] < _USUAL * len(apart):
        return None
    return float(ordered[low[k] : high[k]].mean())


def _most_on(distances: NDArray[np.float64], spacing: float) -> float:
    """Where the lattice that most slices lie on begins, in mm from the first slice, half a step away at most."""
    reach = max(_SAME_PART, _SAME_MM / spacing)
    places = distances / spacing % 1.0
    around = np.sort(np.concatenate((places - 1, places, places + 1)))
    count = np.searchsorted(around, places + reach, "right") - np.searchsorted(around, places - reach, "left")
    place = float(places[int(np.argmax(count))])
    return (place - math.floor(place + 0.5)) * spacing


def _filled(positions: NDArray[np.float64], index: Sequence[int]) -> tuple[tuple[float, float, float], ...]:
    """A position for every slot, missing slices between their neighbours."""
    slots = np.arange(index[-1] + 1)
    return tuple(zip(*(np.interp(slots, index, positions[:, k]).tolist() for k in range(3)), strict=True))


def _gaps(names: Sequence[str], steps: Steps) -> list[Warning]:
    found = []
    for k, jump in enumerate(np.diff(steps.index)):
        if jump > 1:
            count = "1 slice is" if jump == 2 else f"{jump - 1} slices are"
            where = f"between {names[k]} and {names[k + 1]}"
            text = (
                f"{count} missing {where} (slice {steps.index[k] + 2}); the gap is shown blank, fetch the series again."
            )
            found.append(Warning("missing-slice", text))
    return found


def _uneven(distances: NDArray[np.float64], between: float) -> Warning:
    apart = np.diff(distances)
    longest = gap_over(distances)
    blank = f" (left blank in gaps of more than {longest:.1f} mm)" if apart.max() > longest else ""
    text = (
        f"The slices lie {apart.min():.2f} to {apart.max():.2f} mm apart, not evenly; they are resampled to "
        f"{between:.2f} mm, so what is between them is interpolated{blank}, and a mask is saved on the slices of the "
        "file."
    )
    return Warning("irregular-spacing", text)


def _tilt(offsets: NDArray[np.float64], shear: float) -> Warning:
    """What was straightened: degrees where the slices shift evenly, and mm."""
    along, sideways = offsets[:, :1], offsets[:, 1:]
    slope = (along.T @ sideways)[0] / float(np.sum(along**2))
    even = np.max(np.linalg.norm(sideways - along * slope, axis=1)) <= max(SHEAR_MM, 0.05 * shear)
    degrees = math.degrees(math.atan(float(np.linalg.norm(slope))))
    what = f"gantry tilt of {degrees:.1f} degrees" if even else "unevenly, as after gantry tilt"
    text = (
        f"The slices are shifted sideways by up to {shear:.1f} mm ({what}); the volume is straightened to show it, and "
        "a mask is saved on the slices of the file."
    )
    return Warning("gantry-tilt", text)


def _scattered(shear: float) -> Warning:
    text = (
        f"The slices are shifted sideways by up to {shear:.1f} mm, too far for one volume; they are shown one above "
        "the other, so positions are right on the first slice only."
    )
    return Warning("gantry-tilt", text)
