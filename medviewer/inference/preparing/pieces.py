"""Pieces of a prepared volume: cut out around a position, seen from near or far, and put back onto the image's grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.inference.preparing.frame import NetworkFrame

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """A box of the network's grid, which may reach beyond it, as the network sees it.

    Parameters
    ----------
    start
        Its first voxel (z, y, x) on the network's grid; may be negative.
    extent
        How many voxels of that grid it is wide.
    shape
        How many it has for the network: the same, or fewer where it is seen from further away.
    """

    start: Shape
    extent: Shape
    shape: Shape

    @property
    def zoom(self) -> float:
        """How many voxels of the network's grid one of its voxels is wide, on the axis where that is most."""
        return max(wide / size for wide, size in zip(self.extent, self.shape, strict=True))

    @classmethod
    def around(cls, centre: Iterable[float], shape: Shape, zoom: float, *, flat: bool) -> Piece:
        """The piece of that shape around a position; of a picture (`flat`) the first axis stays as it is."""
        factors = (1.0 if flat else zoom, zoom, zoom)
        extent = _shape(max(1, round(size * factor)) for size, factor in zip(shape, factors, strict=True))
        start = _shape(round(c) - wide // 2 for c, wide in zip(centre, extent, strict=True))
        return cls(start, extent, shape)

    def inner(self, bounds: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Where it overlaps a grid of that shape: as slices of the grid, and of the piece before any zoom."""
        low = [max(0, -a) for a in self.start]
        high = [min(n, b - a) for a, n, b in zip(self.start, self.extent, bounds, strict=True)]
        grid = tuple(slice(a + s, a + max(s, e)) for a, s, e in zip(self.start, low, high, strict=True))
        own = tuple(slice(s, max(s, e)) for s, e in zip(low, high, strict=True))
        return grid, own

    def index(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Indices (n, 3) in the piece of indices (n, 3) of the network's grid."""
        scale = np.array(self.shape) / np.array(self.extent)
        result: NDArray[np.float64] = (positions - np.array(self.start) + 0.5) * scale - 0.5
        return result

    def cut(self, values: Tensor) -> Tensor:
        """The piece (channels, z, y, x) of a volume (channels, z, y, x), with zeros beyond its edges."""
        import torch
        from torch.nn import functional as F

        _, z, y, x = values.shape
        grid, own = self.inner((z, y, x))
        found = values[(slice(None), *grid)]
        if found.shape[1:] != self.extent:
            padded = torch.zeros((values.shape[0], *self.extent), dtype=values.dtype)
            padded[(slice(None), *own)] = found
            found = padded
        if self.extent == self.shape:
            return found
        return F.interpolate(found[None].float(), size=self.shape, mode="trilinear", align_corners=False)[0]

    def cut_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The piece of a mask on the network's grid: the nearest voxel of each, False beyond the edges."""
        places = [
            np.floor((np.arange(size) + 0.5) * (wide / size)).astype(int) + start
            for size, wide, start in zip(self.shape, self.extent, self.start, strict=True)
        ]
        inside = [(place >= 0) & (place < size) for place, size in zip(places, mask.shape, strict=True)]
        result = np.zeros(self.shape, bool)
        picked = mask[np.ix_(*(place[ok] for place, ok in zip(places, inside, strict=True)))]
        result[np.ix_(*inside)] = picked
        return result

    def full(self, probabilities: Floats) -> Floats:
        """Probabilities of the piece, one for each voxel of the network's grid that it is wide."""
        return linear(probabilities, [_centres(wide, size) for wide, size in zip(self.extent, self.shape, strict=True)])


def mask_to_frame(start: Shape, inside: NDArray[np.bool_], frame: NetworkFrame) -> NDArray[np.bool_]:
    """A box of a mask on the source grid, on the network's: the source voxel nearest to each of its own."""
    result = np.zeros(frame.shape, bool)
    lines = []
    for axis, size in enumerate(frame.shape):
        index = np.zeros((size, 3))
        index[:, axis] = np.arange(size)
        source = frame.axes[axis]
        lines.append(np.rint(frame.source_index(index)[:, source]).astype(int) - start[source])
    limits = [inside.shape[axis] for axis in frame.axes]
    within = [(line >= 0) & (line < limit) for line, limit in zip(lines, limits, strict=True)]
    turned = inside.transpose(frame.axes)
    result[np.ix_(*within)] = turned[np.ix_(*(line[ok] for line, ok in zip(lines, within, strict=True)))]
    return result


def to_source(start: Shape, probabilities: Floats, frame: NetworkFrame) -> tuple[Shape, Floats]:
    """Probabilities of a box of the network's grid, on the source voxels whose centres lie in it.

    Returns
    -------
    The first source voxel (z, y, x), and the probabilities (z, y, x) from there on.
    """
    coordinates, low = [], []
    for first, count, old, new in zip(start, probabilities.shape, frame.turned.shape, frame.shape, strict=True):
        scale = old / new
        begin, end = ceil(first * scale - 0.5), ceil((first + count) * scale - 0.5)
        low.append(max(0, begin))
        coordinates.append((np.arange(low[-1], min(old, end)) + 0.5) / scale - 0.5 - first)
    same = frame.turned.shape == frame.shape
    found = probabilities if same else linear(probabilities, coordinates)
    place = [0, 0, 0]
    for k, (axis, flip) in enumerate(zip(frame.axes, frame.flips, strict=True)):
        begin, stop = frame.box[axis]
        place[axis] = stop - low[k] - found.shape[k] if flip else begin + low[k]
    return (place[0], place[1], place[2]), np.asarray(frame.from_source(found), np.float32)


def linear(values: Floats, coordinates: Sequence[NDArray[np.float64]]) -> Floats:
    """Interpolate an array linearly at the continuous indices of each axis; the edges go on beyond themselves."""
    result = values
    for axis, wanted in enumerate(coordinates):
        size = result.shape[axis]
        at = np.clip(wanted, 0, size - 1)
        low = np.floor(at).astype(int)
        weight = (at - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        near, far = result.take(low, axis), result.take(np.minimum(low + 1, size - 1), axis)
        result = near + (far - near) * weight
    return result


def _centres(wide: int, size: int) -> NDArray[np.float64]:
    return np.asarray((np.arange(wide) + 0.5) * (size / wide) - 0.5, np.float64)


def _shape(numbers: Iterable[int]) -> Shape:
    z, y, x = (int(number) for number in numbers)
    return z, y, x
