"""From the source grid to the network's, edge to edge as `Grid.resized` does.

Torch's two-dimensional antialiased kernels (a triangle, or Keys' cubic, as wide as the reduction: Pillow's) run within
the slices, and the same kernel then runs across them as slices come by. They are read in slabs, so that beside the
result only a few slices are ever held as float. Where no voxel changes its size, nothing is interpolated at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.errors import UnsuitableImageError
from medviewer.inference.preparing.frame import NetworkFrame
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import Tensor

_SLAB_VOXELS = 1 << 22
"""Voxels in one slab: 16 MB of float32, which stays near the cache and keeps cancelling quick."""

Floats = NDArray[np.float32]
Slabs = Iterator[tuple[int, Floats]]


def to_frame(
    image: Image, frame: NetworkFrame, out: Floats, interpolation: str, device: str, context: RunContext
) -> tuple[str, ...]:
    """Resample an image's real values onto the network's grid.

    Parameters
    ----------
    image
        A grey volume, or a single picture, on the frame's source grid.
    out
        Where they go: shape `frame.shape`. All of them are finite.
    interpolation
        ``linear`` or ``cubic`` (both antialiased), or ``nearest``.
    device
        Torch device string of where slices are resampled.

    Returns
    -------
    What has to be read beside the result.

    Raises
    ------
    UnsuitableImageError
        If the image holds no finite value at all.
    """
    fill, notes = filling(image)
    turned: Any = frame.from_source(out)  # the same memory, in the source's order of axes
    if not frame.resamples:
        for start, real in _slabs(image, frame, fill):
            context.check()
            turned[start : start + len(real)] = real
    elif interpolation == "nearest":
        _nearest(image, frame, fill, turned, context)
    else:
        _smooth(image, frame, fill, turned, {"linear": "bilinear", "cubic": "bicubic"}[interpolation], device, context)
    return notes


def real_values(image: Image, z: int, stored: NDArray[np.generic], fill: float | None) -> Floats:
    """Real values of stored ones that share slice z's rescale; missing ones get `fill`, when there are any."""
    real = stored.astype(np.float32) if image.lut is None else image.real_of(stored)
    slope, intercept = image.rescale.at(z) if image.lut is None else (1.0, 0.0)
    if (slope, intercept) != (1.0, 0.0):
        real *= np.float32(slope)
        real += np.float32(intercept)
    if fill is not None:
        real[_missing(image, stored)] = fill
    return real


def filling(image: Image) -> tuple[float | None, tuple[str, ...]]:
    """The real value that stands in for padding and for what is not a number, and a note about the latter.

    It is the darkest value that the image shows: its lowest, or its highest for MONOCHROME1.

    Raises
    ------
    UnsuitableImageError
        If the image holds no finite value at all.
    """
    if image.padding is None and not np.issubdtype(image.voxels.dtype, np.floating):
        return None, ()
    darkest, broken = [], 0
    for z, plane in enumerate(image.voxels):
        missing = _missing(image, plane)
        broken += plane.size - int(np.count_nonzero(np.isfinite(plane)))
        if not missing.all():
            kept = plane[~missing]
            # A rescale is a straight line, so that the ends say enough; a table is not.
            real = image.real_of(kept if image.lut else np.array([kept.min(), kept.max()]), z)
            darkest.append(float(real.max() if image.inverted else real.min()))
    if not darkest:
        raise UnsuitableImageError("An image needs voxels with a value, but this has none; choose another series.")
    note = f"{broken} voxels without a value were read as the image's darkest."
    return max(darkest) if image.inverted else min(darkest), (note,) if broken else ()


def kernel(size: int, new: int, mode: str) -> Tensor:
    """How much each of `size` slices counts for each of `new` ones, (new, size): torch's own antialiased weights."""
    import torch
    from torch.nn import functional as F

    if size == new:
        return torch.eye(size)
    return F.interpolate(torch.eye(size)[None, None], size=(new, size), mode=mode, antialias=True)[0, 0]


def _smooth(
    image: Image, frame: NetworkFrame, fill: float | None, out: Any, mode: str, device: str, context: RunContext
) -> None:
    """Within the slices, and then across those that one slice of the result takes its values from."""
    from torch.nn import functional as F

    depth, height, width = out.shape
    sides = [stop - start for start, stop in frame.box]
    weights = kernel(sides[0], depth, mode)
    used = weights != 0
    first = used.int().argmax(dim=1).tolist()
    last = [sides[0] - 1 - k for k in used.flip(1).int().argmax(dim=1).tolist()]
    held: deque[tuple[int, Tensor]] = deque()
    done = 0
    for start, slab in _planes(image, frame, fill, device):
        context.check()
        if sides[1:] != [height, width]:
            slab = F.interpolate(slab[None], size=(height, width), mode=mode, antialias=True)[0]
        held.extend(enumerate(slab, start))
        while done < depth and last[done] <= held[-1][0]:
            while held[0][0] < first[done]:
                held.popleft()
            out[done] = _across(held, weights[done, first[done] : last[done] + 1]).cpu().numpy()
            done += 1


def _across(held: deque[tuple[int, Tensor]], weights: Tensor) -> Tensor:
    """The weighted sum of the first slices that are held; one slice after the other, whatever slabs they came in."""
    result = held[0][1] * float(weights[0])
    for k in range(1, len(weights)):
        result.add_(held[k][1], alpha=float(weights[k]))
    return result


def _planes(image: Image, frame: NetworkFrame, fill: float | None, device: str) -> Iterator[tuple[int, Tensor]]:
    import torch

    for start, real in _slabs(image, frame, fill):
        yield start, torch.from_numpy(real).to(device)


def _nearest(image: Image, frame: NetworkFrame, fill: float | None, out: Any, context: RunContext) -> None:
    z, y, x = (
        start + np.floor((np.arange(new) + 0.5) * ((stop - start) / new)).astype(int)
        for new, (start, stop) in zip(out.shape, frame.box, strict=True)
    )
    # A frame that is turned round counts from the other end; halves, which are nobody's nearest, fall the other way.
    for k, plane in enumerate(z):
        context.check()
        out[k] = real_values(image, int(plane), image.voxels[plane][np.ix_(y, x)], fill)


def _slabs(image: Image, frame: NetworkFrame, fill: float | None) -> Slabs:
    """Real values of the frame's box in the source's order, slab by slab, each with its first slice counted in it."""
    (z, depth), *within = frame.box
    rows, columns = (slice(*side) for side in within)
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    step = max(1, _SLAB_VOXELS // area) if image.rescale.is_uniform else 1
    for start in range(z, depth, step):
        stored = image.voxels[start : min(start + step, depth), rows, columns]
        yield start - z, real_values(image, start, stored, fill)


def _missing(image: Image, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = ~np.isfinite(stored)
    if image.padding is not None:
        low, high = image.padding
        missing |= np.greater_equal(stored, low) & np.less_equal(stored, high)
    return missing
