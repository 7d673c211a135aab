"""From the source grid to the network's size and back, edge to edge as `Grid.resized` does.

Torch's two-dimensional antialiased kernel (a triangle as wide as the reduction, as Pillow's) runs within the slices and
then across them, which together is the three-dimensional one. Slices are read in slabs, so that no float copy of the
whole volume is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.domain.image import Image
from medviewer.errors import UnsuitableImageError
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from torch import Tensor

_SLAB_VOXELS = 1 << 22
"""Voxels in one slab: 16 MB of float32, which stays near the cache and keeps cancelling quick."""

Slabs = Iterator[tuple[int, NDArray[np.float32]]]


def to_network(
    image: Image, size: Sequence[int], interpolation: str, device: str, context: RunContext
) -> tuple[Tensor, tuple[str, ...]]:
    """Resample an image's real values to the network's size.

    Parameters
    ----------
    image
        A grey volume, or a single picture where `size` has two numbers.
    size
        Size of the network's input, (z, y, x) or (y, x).
    interpolation
        ``linear`` (antialiased) or ``nearest``.

    Returns
    -------
    Real values, float32 tensor of shape `size`, all finite; and what has to be read beside the result.

    Raises
    ------
    UnsuitableImageError
        If the image holds no finite value at all.
    """
    shape: Shape = (1, size[0], size[1]) if len(size) == 2 else (size[0], size[1], size[2])
    fill, notes = _filling(image)
    resize = _nearest if interpolation == "nearest" else _linear
    return resize(image, shape, fill, device, context).reshape(tuple(size)), notes


def label_map(
    probabilities: Tensor, shape: Shape, threshold: float, context: RunContext
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Turn probabilities on the network's grid into a label map on the source grid.

    Each label's probability is interpolated linearly to the full resolution and only then compared, so that edges do
    not follow the network's coarser voxels. Where several labels reach the threshold, the most probable wins.

    Parameters
    ----------
    probabilities
        Shape (labels, z, y, x), in 0..1.
    shape
        Shape (z, y, x) of the source grid.
    """
    count = probabilities.shape[0]
    labels: NDArray[np.uint8] | NDArray[np.uint16]
    labels = np.zeros(shape, np.uint8) if count < 256 else np.zeros(shape, np.uint16)
    for start, slab in _upsampled(probabilities, shape, context, threshold):
        best, which = slab.max(dim=0)
        found = (which + 1).mul_(best >= threshold) if count > 1 else best >= threshold
        labels[start : start + slab.shape[1]] = found.cpu().numpy()
    return labels


def to_source(values: Tensor, shape: Shape, context: RunContext) -> NDArray[np.float16]:
    """Interpolate one map (z, y, x) linearly onto the source grid, as float16."""
    result = np.zeros(shape, np.float16)
    for start, slab in _upsampled(values[None], shape, context):
        result[start : start + slab.shape[1]] = slab[0].half().cpu().numpy()
    return result


def _upsampled(
    maps: Tensor, shape: Shape, context: RunContext, threshold: float = -np.inf
) -> Iterator[tuple[int, Tensor]]:
    """Slabs (maps, slices, y, x) of the maps at `shape`, with the index of their first slice.

    Interpolated values never exceed those around them, so slabs that cannot reach the threshold are left out.
    """
    import torch
    from torch.nn import functional as F

    position = ((torch.arange(shape[0]) + 0.5) * (maps.shape[1] / shape[0]) - 0.5).clamp(0, maps.shape[1] - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=maps.shape[1] - 1)
    weight = (position - low).to(maps)[:, None, None]
    step = max(1, _SLAB_VOXELS // (maps.shape[0] * shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        context.check()
        part = slice(start, start + step)
        near, far = maps[:, low[part]], maps[:, high[part]]
        if max(near.max(), far.max()) >= threshold:
            across = torch.lerp(near, far, weight[part])
            yield start, F.interpolate(across, size=shape[1:], mode="bilinear", align_corners=False)


def _linear(image: Image, shape: Shape, fill: float | None, device: str, context: RunContext) -> Tensor:
    import torch
    from torch.nn import functional as F

    depth = image.grid.shape[0]
    planes = torch.empty((depth, *shape[1:]), device=device)
    for start, real in _slabs(image, fill):
        context.check()
        slab = torch.from_numpy(real).to(device)[None]
        planes[start : start + real.shape[0]] = F.interpolate(slab, size=shape[1:], mode="bilinear", antialias=True)[0]
    if depth == shape[0]:
        return planes
    within = shape[1] * shape[2]
    flat = planes.reshape(1, 1, depth, within)
    return F.interpolate(flat, size=(shape[0], within), mode="bilinear", antialias=True).reshape(shape)


def _nearest(image: Image, shape: Shape, fill: float | None, device: str, context: RunContext) -> Tensor:
    import torch

    context.check()
    z, y, x = (
        np.floor((np.arange(new) + 0.5) * (old / new)).astype(int)
        for new, old in zip(shape, image.grid.shape, strict=True)
    )
    planes = [_real(image, int(k), image.voxels[k][np.ix_(y, x)], fill) for k in z]
    return torch.from_numpy(np.stack(planes)).to(device)


def _slabs(image: Image, fill: float | None) -> Slabs:
    """Real values, slab by slab, each with the index of its first slice."""
    depth, rows, columns = image.grid.shape
    step = max(1, _SLAB_VOXELS // (rows * columns)) if image.rescale.is_uniform else 1
    for start in range(0, depth, step):
        yield start, _real(image, start, image.voxels[start : start + step], fill)


def _real(image: Image, z: int, stored: NDArray[np.generic], fill: float | None) -> NDArray[np.float32]:
    """Real values of stored ones that share slice z's rescale; missing ones get `fill`, when there are any."""
    real = stored.astype(np.float32) if image.lut is None else image.real_of(stored)
    slope, intercept = image.rescale.at(z) if image.lut is None else (1.0, 0.0)
    if (slope, intercept) != (1.0, 0.0):
        real *= np.float32(slope)
        real += np.float32(intercept)
    if fill is not None:
        real[_missing(image, stored)] = fill
    return real


def _missing(image: Image, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = ~np.isfinite(stored)
    if image.padding is not None:
        low, high = image.padding
        missing |= np.greater_equal(stored, low) & np.less_equal(stored, high)
    return missing


def _filling(image: Image) -> tuple[float | None, tuple[str, ...]]:
    """The real value that stands in for padding and for what is not a number, and a note about the latter.

    It is the darkest value that the image shows: its lowest, or its highest for MONOCHROME1.
    """
    if image.padding is None and not np.issubdtype(image.voxels.dtype, np.floating):
        return None, ()
    darkest, broken = [], 0
    for z, plane in enumerate(image.voxels):
        missing = _missing(image, plane)
        broken += plane.size - int(np.count_nonzero(np.isfinite(plane)))
        if not missing.all():
            real = image.real_of(plane[~missing], z)
            darkest.append(float(real.max() if image.inverted else real.min()))
    if not darkest:
        raise UnsuitableImageError("An image needs voxels with a value, but this has none; choose another series.")
    note = f"{broken} voxels without a value were read as the image's darkest."
    return max(darkest) if image.inverted else min(darkest), (note,) if broken else ()
