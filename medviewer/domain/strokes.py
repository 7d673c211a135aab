"""Edits of a label map as sparse differences: what a stroke changed, and how to take it back."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.indices import ascending, first_of_each

Labels = NDArray[np.uint8] | NDArray[np.uint16]
Box = tuple[slice, slice, slice]

_HEADER = struct.Struct("<4sBBQ")
_MAGIC = b"MVS1"


@dataclass(frozen=True, eq=False)
class Delta:
    """What one stroke changed.

    Parameters
    ----------
    where
        Flat indices into the label map, int64, ascending and unique.
    before, after
        The labels there before and after, of the label map's type.
    """

    where: NDArray[np.int64]
    before: Labels
    after: Labels

    @property
    def reversed(self) -> Delta:
        """The difference that takes this one back."""
        return Delta(self.where, self.after, self.before)

    def apply(self, labels: Labels) -> Box:
        """Write `after` into a label map, in place; returns the box of voxels that may have changed."""
        np.put(labels, self.where, self.after)  # unlike a write through reshape, never into a copy
        return self.box(labels.shape)

    def box(self, shape: tuple[int, ...]) -> Box:
        """The smallest box (z, y, x) that holds every changed voxel of a map of that shape."""
        if self.where.size == 0:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        z, y, x = (slice(int(a.min()), int(a.max()) + 1) for a in np.unravel_index(self.where, shape))
        return z, y, x

    def to_bytes(self) -> bytes:
        """One record of the crash journal: header, gaps between indices, labels; zlib level 1."""
        size = self.after.dtype.itemsize
        gaps = np.diff(self.where, prepend=np.int64(0)).astype("<i8")
        body = gaps.tobytes() + self.before.tobytes() + self.after.tobytes()
        return _HEADER.pack(_MAGIC, 1, size, self.where.size) + zlib.compress(body, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Delta:
        """Read a record that `to_bytes` wrote.

        Raises
        ------
        ValueError
            If the record is of another kind or damaged.
        """
        try:
            magic, version, size, count = _HEADER.unpack_from(data)
            if (magic, version) != (_MAGIC, 1) or size not in (1, 2):
                raise ValueError("not a stroke record of a kind that this version reads")
            body = zlib.decompress(data[_HEADER.size :])
        except (struct.error, zlib.error) as error:
            raise ValueError("a damaged stroke record") from error
        if len(body) != count * (8 + 2 * size):
            raise ValueError("a stroke record of the wrong length")
        where = np.cumsum(np.frombuffer(body, "<i8", count), dtype=np.int64)
        labels: Labels
        if size == 1:
            labels = np.frombuffer(body, np.uint8, 2 * count, 8 * count)
        else:
            labels = np.frombuffer(body, np.uint16, 2 * count, 8 * count)
        return cls(where, labels[:count], labels[count:])


def merge(deltas: list[Delta]) -> Delta:
    """One difference that does what several, in order, do."""
    if len(deltas) == 1:
        return deltas[0]
    where = np.concatenate([d.where for d in deltas])
    order = np.argsort(where, kind="stable")  # of the same voxels the earlier stays before the later
    first = first_of_each(where[order])
    last = np.append(first[1:], where.size)[: first.size] - 1
    unique = where[order[first]]
    before = np.concatenate([d.before for d in deltas])[order[first]]
    after = np.concatenate([d.after for d in deltas])[order[last]]
    changed = before != after
    return Delta(unique[changed], before[changed], after[changed])


def change(labels: Labels, where: NDArray[np.int64], label: int) -> Delta:
    """The difference that sets voxels (flat indices) to `label`; voxels that have it already are left out."""
    where = ascending(where)
    before = labels.reshape(-1)[where]
    changed = before != label
    where, before = where[changed], before[changed]
    return Delta(where, before, np.full_like(before, label))
