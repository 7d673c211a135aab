"""Edits of a label map as sparse differences: what a stroke changed, and how to take it back."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.indices import ascending, first_of_each

Labels = NDArray[np.uint8] | NDArray[np.uint16]
Box = tuple[slice, slice, slice]

_HEADER = struct.Struct("<4sBBQ")
_MAGIC = b"MVS1"
_VOXELS, _RUNS = 1, 2
"""Versions of a record: with each voxel, or with runs of them."""


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

    def _runs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first and the last index of each run of neighbours: strokes and structures are rows of voxels."""
        if self.where.size == 0:
            return self.where, self.where
        ends = np.flatnonzero(self.where[1:] != self.where[:-1] + 1)
        return self.where[np.append(0, ends + 1)], self.where[np.append(ends, -1)]

    def to_bytes(self) -> bytes:
        """One record of the crash journal.

        A header, and packed by zlib at level 1: the gaps between runs of neighbours whose labels before and after are
        the same, the lengths of these runs, and their labels; or, where that would be more, the gaps between voxels and
        the labels of each.
        """
        size = self.after.dtype.itemsize
        ends = np.flatnonzero(
            (self.where[1:] != self.where[:-1] + 1)
            | (self.before[1:] != self.before[:-1])
            | (self.after[1:] != self.after[:-1])
        )
        if self.where.size == 0 or 2 * (ends.size + 1) > self.where.size:
            gaps = np.diff(self.where, prepend=np.int64(0)).astype("<i8")
            body = gaps.tobytes() + self.before.tobytes() + self.after.tobytes()
            return _HEADER.pack(_MAGIC, _VOXELS, size, self.where.size) + zlib.compress(body, 1)
        first = np.append(0, ends + 1)
        starts, lengths = self.where[first], np.diff(first, append=self.where.size)
        gaps = np.diff(starts, prepend=np.int64(0)).astype("<i8")
        body = (
            gaps.tobytes()
            + lengths.astype("<i8").tobytes()
            + self.before[first].tobytes()
            + self.after[first].tobytes()
        )
        return _HEADER.pack(_MAGIC, _RUNS, size, first.size) + zlib.compress(body, 1)

    @property
    def reversed(self) -> Delta:
        """The difference that takes this one back."""
        return Delta(self.where, self.after, self.before)

    def apply(self, labels: Labels, box: Box | None = None) -> Box:
        """Write `after` into a label map, in place; returns the box of voxels that may have changed.

        Parameters
        ----------
        box
            Where that is known already.
        """
        np.put(labels, self.where, self.after)  # unlike a write through reshape, never into a copy
        return self.box(labels.shape) if box is None else box

    def box(self, shape: tuple[int, ...]) -> Box:
        """The smallest box (z, y, x) that holds every changed voxel of a map of that shape."""
        if self.where.size == 0:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        height, width = shape[1:]
        first, last = self._runs()
        top, bottom = first // width, last // width  # rows, counted through all slices
        z = slice(int(top[0]) // height, int(bottom[-1]) // height + 1)
        y = _extent(top, bottom, height)
        return z, y, _extent(first, last, width)

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
            if magic != _MAGIC or version not in (_VOXELS, _RUNS) or size not in (1, 2):
                raise ValueError("not a stroke record of a kind that this version reads")
            body = zlib.decompress(data[_HEADER.size :])
        except (struct.error, zlib.error) as error:
            raise ValueError("a damaged stroke record") from error
        numbers = 1 if version == _VOXELS else 2
        if len(body) != count * (8 * numbers + 2 * size):
            raise ValueError("a stroke record of the wrong length")
        where = np.cumsum(np.frombuffer(body, "<i8", count), dtype=np.int64)
        labels: Labels
        if size == 1:
            labels = np.frombuffer(body, np.uint8, 2 * count, 8 * numbers * count)
        else:
            labels = np.frombuffer(body, np.uint16, 2 * count, 8 * numbers * count)
        before, after = labels[:count], labels[count:]
        if version == _VOXELS:
            return cls(where, before, after)
        lengths = np.frombuffer(body, "<i8", count, 8 * count).astype(np.int64)
        if bool((lengths < 1).any()):
            raise ValueError("a stroke record with a run of no length")
        return cls(_each_of(where, lengths), _repeated(before, lengths), _repeated(after, lengths))


def _extent(first: NDArray[np.int64], last: NDArray[np.int64], size: int) -> slice:
    """Where, along an axis of that size, runs lie that begin and end at these indices, counted on over its ends."""
    if bool((first // size != last // size).any()):  # over the end of one and the beginning of the next
        return slice(0, size)
    return slice(int((first % size).min()), int((last % size).max()) + 1)


def _each_of(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every index of runs that begin there and are so long."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if ends.size else 0)


def _repeated(labels: Labels, lengths: NDArray[np.int64]) -> Labels:
    return cast(Labels, np.repeat(labels, lengths))  # numpy's annotation forgets the type


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
    if not changed.all():
        where, before = where[changed], before[changed]
    return Delta(where, before, np.full_like(before, label))
