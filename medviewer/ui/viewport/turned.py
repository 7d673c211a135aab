"""The pixels of planes that lie across a volume's axes: arrays only, so that any thread can work them out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.display import Display
from medviewer.domain.fusing import Sampled, slice_through
from medviewer.domain.reslice import reslice, reslice_labels

_QUICK = 300_000
"""Samples of a plane that follow a hand: larger planes are sampled in blocks of pixels while it moves them."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """What the layers of a viewport show of a turned plane, rows and columns as they lie on the screen.

    Parameters
    ----------
    image
        Real values.
    mask, heat
        Labels and values of the nearest voxels, or None.
    fused
        Stored values of what is laid over, and where it is, or None.
    """

    image: NDArray[np.float32]
    mask: NDArray[Any] | None
    heat: NDArray[Any] | None
    fused: Sampled | None


def pixels_of(display: Display) -> Pixels:
    """All of them."""
    fused = display.fused
    return Pixels(
        image=real_values(display),
        mask=None if display.mask is None else labels_of(display, display.mask.labels),
        heat=None if display.heat is None else labels_of(display, display.heat.values),
        fused=None
        if fused is None or fused.thick is not None
        else slice_through(fused.voxels, fused.grid, display.plane, display.k, block_of(display)),
    )


def block_of(display: Display) -> int:
    """Rows and columns that share a sample: 1 but for large turned planes that a hand moves."""
    if not display.coarse or display.turned is None:
        return 1
    rows, columns = display.plane.shape
    edge = ceil(sqrt(rows * columns / _QUICK))
    return edge + 1 - edge % 2  # odd: the middle is a pixel, which lies in the voxel that it lies in when all are drawn


def source_of(display: Display) -> tuple[object, ...]:
    """What a slice's real values are made of; the phases of an image differ in their voxels."""
    padding = None if display.padding is None else display.padding.value
    slab = None if display.slab is None else (display.slab.mode, display.slab.slices.start, display.slab.slices.stop)
    turned = None if display.turned is None else (display.plane.grid, display.turned.outside, block_of(display))
    return turned, id(display.voxels), display.arrived, display.k, display.slope, display.intercept, padding, slab


def real_values(display: Display) -> NDArray[np.float32]:
    """Real values of a turned plane."""
    turned, plane, block = display.turned, display.plane, block_of(display)
    assert turned is not None
    values, inside = reslice(display.voxels, turned.grid, plane.grid, display.k, block)
    real: NDArray[np.float32] = np.multiply(plane.turn(values), np.float32(display.slope), dtype=np.float32)
    real += np.float32(display.intercept)
    outside = np.logical_not(plane.turn(inside))
    real[outside] = turned.outside
    padding = display.padding
    if padding is not None:
        stored = plane.turn(reslice_labels(padding.voxels, turned.grid, plane.grid, display.k, block))
        padded = np.greater_equal(stored, padding.low) & np.less_equal(stored, padding.high)
        real[padded & np.logical_not(outside)] = padding.value
    return real


def labels_of(display: Display, values: NDArray[Any]) -> NDArray[Any]:
    """The slice of an overlay on the volume's grid; of a turned plane, the nearest voxels."""
    if display.turned is None:
        return display.plane.take(values, display.k)
    return display.plane.turn(
        reslice_labels(values, display.turned.grid, display.plane.grid, display.k, block_of(display))
    )
