"""The slices that windows still write on: a ring as deep as one window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medviewer.inference.windows.doubt import doubts
from medviewer.inference.windows.grid import WindowGrid
from medviewer.inference.windows.plan import Slab

if TYPE_CHECKING:
    from torch import Tensor

HALF_ABOVE = 4 * 2**30
"""Bytes of float32 sums above which they are kept in float16.

100 classes of 384 x 384 in windows of 96 are 5.3 GiB. nnU-Net sums in float16 always. What that changes is measured in
``tests/benchmarks/engine.py``.
"""
_SLAB_BYTES = 256 * 2**20
"""Of a slab that is handed out: what is done with it takes memory, too."""


@dataclass
class Ring:
    """Weighted sums of a sweep along z; slice s of the volume lies at s modulo the window's depth.

    Parameters
    ----------
    grid
        Where the windows lie.
    weights
        Of a window's voxels, (z, y, x), on the device of the windows.
    device
        Where the sums are kept.
    exclusive
        As `Plan.exclusive`.
    """

    grid: WindowGrid
    weights: Tensor
    device: str
    exclusive: bool = True
    halved: bool = False
    _sums: Tensor | None = field(default=None, repr=False)
    _expected: Tensor | None = field(default=None, repr=False)
    _counts: Tensor | None = field(default=None, repr=False)
    _near: Tensor | None = field(default=None, repr=False)

    def prepare(self, scores: Tensor, expected: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Make room, and make ready what `add` takes, so that `add` itself needs no memory and cannot fail half-way."""
        import torch

        shape = (self.grid.roi[0], *self.grid.shape[1:])
        if self._sums is None:
            classes = scores.shape[1]
            self.halved = 4 * classes * shape[0] * shape[1] * shape[2] > HALF_ABOVE
            dtype = torch.float16 if self.halved else torch.float32
            with torch.inference_mode(False):  # slabs are views of these, and leave inference mode
                sums = torch.zeros((classes, *shape), dtype=dtype, device=self.device)
                if expected is not None:
                    self._expected = torch.zeros((expected.shape[1], *shape), device=self.device)
                self._counts = torch.zeros(shape, device=self.device)
            self._sums = sums
        if self.halved:
            weighted = torch.empty_like(scores, dtype=self._sums.dtype)
            for one, into in zip(scores, weighted, strict=True):  # in single precision, one window at a time
                torch.mul(one, self.weights, out=into)
        else:
            weighted = scores.float()
        return weighted.to(self.device), None if expected is None else expected.float().to(self.device)

    def add(self, z: int, places: list[tuple[int, int]], scores: Tensor, expected: Tensor | None) -> None:
        """Add windows that begin at slice `z` and at (y, x) of `places`; `scores` and `expected` from `prepare`."""
        if self._sums is None or self._counts is None:
            raise ValueError("a ring is added to after prepare")
        weights = self._weights()
        for number, (y, x) in enumerate(places):
            plane = slice(y, y + self.grid.roi[1]), slice(x, x + self.grid.roi[2])
            for of_window, of_ring in self._pieces(z):
                box, weight = (of_ring, *plane), weights[of_window]
                part, sums = scores[number, :, of_window], self._sums[(slice(None), *box)]
                if self.halved:
                    sums.add_(part)
                else:
                    sums.addcmul_(part, weight)
                if expected is not None and self._expected is not None:
                    self._expected[(slice(None), *box)].addcmul_(expected[number, :, of_window], weight)
                self._counts[box].add_(weight)

    def finished(self, start: int, stop: int, first: int) -> Iterator[Slab]:
        """Slices `start` to `stop` of the padded volume, which no window will write on, as slabs; then they are free.

        Parameters
        ----------
        first
            Slices before this one were handed out by an earlier sweep.
        """
        begin, end = self.grid.before[0], self.grid.shape[0] - self.grid.after[0]
        position = start
        while position < stop:
            after = min(stop, position + self._depth(), (position // self.grid.roi[0] + 1) * self.grid.roi[0])
            low, high = max(position, begin, first), min(after, end)
            if low < high:
                yield self._slab(low, high)
            self._clear(position, after)
            position = after

    def move(self, device: str) -> None:
        """Keep the sums on another device from here on."""
        self.device, self._near = device, None
        self._sums, self._expected, self._counts = (
            None if tensor is None else tensor.to(device) for tensor in (self._sums, self._expected, self._counts)
        )

    def _weights(self) -> Tensor:
        """The weights where the sums are."""
        if self._near is None:
            self._near = self.weights.to(self.device)
        return self._near

    def _pieces(self, z: int) -> Iterator[tuple[slice, slice]]:
        depth = self.grid.roi[0]
        offset = z % depth
        yield slice(0, depth - offset), slice(offset, depth)
        if offset:
            yield slice(depth - offset, depth), slice(0, offset)

    def _depth(self) -> int:
        classes = 1 if self._sums is None else self._sums.shape[0]
        return max(1, _SLAB_BYTES // (4 * classes * self.grid.shape[1] * self.grid.shape[2]))

    def _slab(self, low: int, high: int) -> Slab:
        import torch

        if self._sums is None or self._counts is None:
            raise ValueError("a ring is emptied after windows were added")
        depth, (rows, columns) = self.grid.roi[0], self.grid.planar
        box = (slice(low % depth, (high - 1) % depth + 1), rows, columns)
        with torch.no_grad():
            count = self._counts[box]
            sums = self._sums[(slice(None), *box)]
            scores = sums.float().div_(count) if self.halved else sums.div_(count)
            start, stop = low - self.grid.before[0], high - self.grid.before[0]
            if self._expected is None:
                return Slab(start, stop, scores)
            expected = self._expected[(slice(None), *box)].div_(count)
            return Slab(start, stop, scores, *doubts(scores, expected, self.exclusive))

    def _clear(self, start: int, stop: int) -> None:
        import torch

        depth = self.grid.roi[0]
        box = slice(start % depth, (stop - 1) % depth + 1)
        with torch.no_grad():
            for tensor in (self._sums, self._expected):
                if tensor is not None:
                    tensor[:, box].zero_()
            if self._counts is not None:
                self._counts[box].zero_()
