"""The part of an image that is worth looking at: the box of voxels above a value, found on the stored voxels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.inference.preparing.frame import Box, NetworkFrame, window_size
from medviewer.inference.preparing.intensity import GREY_LEVELS, display_limits
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Inputs

_MARGIN = 8
"""Voxels of the network's grid around the box, so that an edge is seen from both sides."""

_SLAB_VOXELS = 1 << 20


def foreground_box(
    image: Image, inputs: Inputs, frame: NetworkFrame, context: RunContext
) -> tuple[Box, tuple[str, ...]]:
    """The box of voxels above ``inputs.foreground``, a little wider, and a note where there is none.

    Parameters
    ----------
    frame
        The network's grid on the whole image.

    Returns
    -------
    A box of the source that is wide enough for one window of the network wherever the image is, and holds a margin of
    a few of the network's voxels.
    """
    assert inputs.foreground is not None  # the caller asked for the box of one
    z, y, x = image.grid.shape
    found = _tight(image, inputs.foreground, inputs.intensity.source, context)
    if found is None:
        note = f"No voxel lies above {inputs.foreground:g}, so that the whole image was looked at."
        return ((0, z), (0, y), (0, x)), (note,)
    roi = window_size(inputs) if inputs.windows is not None else (1, 1, 1)
    sides = list(found)
    for k, axis in enumerate(frame.axes):
        voxels = frame.turned.shape[k] / frame.shape[k] if not inputs.size else 1.0
        sides[axis] = _wider(
            found[axis], math.ceil(_MARGIN * voxels), math.ceil(roi[k] * voxels), image.grid.shape[axis]
        )
    return (sides[0], sides[1], sides[2]), ()


def _wider(side: tuple[int, int], margin: int, least: int, size: int) -> tuple[int, int]:
    """A side with its margin, at least `least` long, inside an axis of `size` voxels."""
    start, stop = side[0] - margin, side[1] + margin
    missing = max(0, least - (stop - start))
    start, stop = start - missing // 2, stop + missing - missing // 2
    if start < 0:
        start, stop = 0, max(stop, min(least, size))
    if stop > size:
        start, stop = min(start, max(0, size - least)), size
    return max(start, 0), min(stop, size)


def _tight(image: Image, value: float, source: str, context: RunContext) -> Box | None:
    shape = image.grid.shape
    seen = [np.zeros(size, bool) for size in shape]
    for start, above in _slabs_above(image, *_in_real(image, value, source)):
        context.check()
        seen[0][start : start + len(above)] = above.any(axis=(1, 2))
        within: NDArray[np.bool_] = np.any(above, axis=0)
        seen[1] |= within.any(axis=1)
        seen[2] |= within.any(axis=0)
    if not seen[0].any():
        return None
    z, y, x = ((int(line.argmax()), len(line) - int(line[::-1].argmax())) for line in seen)
    return z, y, x


def _in_real(image: Image, value: float, source: str) -> tuple[float, bool]:
    """The real value that is `value` in the units of the source, and whether what lies below it counts instead."""
    if source == "real" and not image.inverted:
        return value, False
    low, high = display_limits(image)
    if source == "real":
        return low + high - value, True
    grey = GREY_LEVELS - value if image.inverted else value
    return low + grey * (high - low) / GREY_LEVELS, image.inverted


def _slabs_above(image: Image, real: float, below: bool) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Which voxels lie above a real value (below it, for `below`), in slabs with the index of their first slice."""
    depth, rows, columns = image.grid.shape
    uniform = image.lut is None and image.rescale.is_uniform
    step = max(1, _SLAB_VOXELS // (rows * columns)) if uniform else 1
    for start in range(0, depth, step):
        stored: Any = image.voxels[start : start + step]
        if image.lut is not None:
            values = image.real_of(stored, start)
            above = values < real if below else values > real
        else:
            slope, intercept = image.rescale.at(start)
            limit = (real - intercept) / slope if slope else math.copysign(math.inf, real - intercept)
            above = _beyond(stored, limit, below != (slope < 0))
        if image.padding is not None:
            above &= (stored < image.padding[0]) | (stored > image.padding[1])
        if np.issubdtype(stored.dtype, np.floating):
            above &= np.isfinite(stored)
        yield start, above


def _beyond(stored: NDArray[np.generic], limit: float, below: bool) -> NDArray[np.bool_]:
    """``stored < limit`` or ``stored > limit``; whole numbers are compared as what they are, which takes no copy."""
    compare: Any = np.less if below else np.greater
    if not np.issubdtype(stored.dtype, np.integer):
        return np.asarray(compare(stored, limit))
    information: Any = np.iinfo(stored.dtype.name)
    whole = math.ceil(limit) if below and math.isfinite(limit) else limit
    whole = math.floor(limit) if not below and math.isfinite(limit) else whole
    if whole < information.min:
        return np.full(stored.shape, not below)
    if whole > information.max:
        return np.full(stored.shape, below)
    return np.asarray(compare(stored, int(whole)))
