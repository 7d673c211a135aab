"""From the network's grid back to the source: scores become a label map, maps of doubt go beside it, slab by slab.

Scores are interpolated linearly to the full resolution and only then compared, so that edges do not follow the
network's coarser voxels; and only where a class can be, so that a hundred classes cost no hundred full-size maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.inference.preparing.frame import Box, NetworkFrame
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_WORK_VOXELS = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Voxels of the source that are worked on at once: as many as stay in the cache, or as few steps as a GPU likes."""

Labels = NDArray[np.uint8] | NDArray[np.uint16]
Span = tuple[int, int]


@dataclass(frozen=True)
class _Lerp:
    """Where one axis of the source takes its values from on the network's axis: two neighbours and a share."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    share: NDArray[np.float32]

    def near(self, start: int, stop: int) -> Span:
        """The positions that take something from network positions `start` to `stop`."""
        first = int(np.searchsorted(self.high, start))
        return first, int(np.searchsorted(self.low, stop))


def _lerp(size: int, new: int) -> _Lerp:
    """Edge to edge, as torch's linear interpolation without aligned corners."""
    position = ((np.arange(new) + 0.5) * (size / new) - 0.5).clip(0, size - 1)
    low, high = (edge(position).astype(np.int64) for edge in (np.floor, np.ceil))
    return _Lerp(low, high, (position - low).astype(np.float32))


class _Back:
    """The way from the network's grid to the source's voxels, for slabs that come one after the other.

    Attributes
    ----------
    depth
        Slices of the source, in the network's order of axes, that are made already.
    """

    def __init__(self, frame: NetworkFrame) -> None:
        self.z, self.y, self.x = (_lerp(*pair) for pair in zip(frame.shape, frame.turned.shape, strict=True))
        self.resamples = frame.resamples
        self.depth = 0
        self._total = frame.turned.shape[0]
        self._area = frame.turned.shape[1] * frame.turned.shape[2]

    def ready(self, stop: int, device: str) -> Iterator[Span]:
        """Spans of source slices that network slices up to `stop` are enough for; they count as made."""
        end = int(np.searchsorted(self.z.high, stop))
        step = max(1, _WORK_VOXELS.get(device, _WORK_VOXELS["cpu"]) // self._area)
        while self.depth < end:
            span = self.depth, min(self.depth + step, end)
            yield span
            self.depth = span[1]

    def upsampled(self, lower: Tensor, first: int, z: Span, y: Span, x: Span) -> Tensor:
        """One map at the source's resolution, for spans of its three axes.

        Parameters
        ----------
        lower
            The map on the network's grid (z, y, x), from its slice `first`, whole in y and x.
        """
        rows, columns = (self._needed(*pair) for pair in ((self.y, y), (self.x, x)))
        result = lower[:, slice(*rows), slice(*columns)]
        # Rows first: what costs most an element is done while there are fewest.
        for axis, lerp, span, begin in ((2, self.x, x, columns[0]), (1, self.y, y, rows[0]), (0, self.z, z, first)):
            result = _along(result, axis, lerp, span, begin)
        return result.float()

    @staticmethod
    def _needed(lerp: _Lerp, span: Span) -> Span:
        return int(lerp.low[span[0]]), int(lerp.high[span[1] - 1]) + 1


def _along(values: Tensor, axis: int, lerp: _Lerp, span: Span, begin: int) -> Tensor:
    """Values interpolated along one axis, whose first position on the network's grid is `begin`."""
    import torch

    low, high, share = (part[slice(*span)] for part in (lerp.low, lerp.high, lerp.share))
    if not share.any() and len(low) == low[-1] - low[0] + 1:
        return values.narrow(axis, int(low[0]) - begin, len(low))
    near, far = (_taken(values, axis, torch.from_numpy(index - begin).to(values.device)) for index in (low, high))
    weight = torch.from_numpy(share).to(values.device)
    return torch.lerp(near, far, weight.reshape([-1 if k == axis else 1 for k in range(3)]))


def _taken(values: Tensor, axis: int, index: Tensor) -> Tensor:
    """Values at some positions of an axis. Along the last axis torch's `gather` is ten times as fast on a CPU."""
    if axis == 2:
        return values.float().gather(2, index.expand(*values.shape[:2], len(index)))
    return values.index_select(axis, index).float()


class LabelSink:
    """Takes slabs of scores in order of z and writes the label map.

    Parameters
    ----------
    frame
        Where the network's grid lies.
    count
        How many labels there are.
    background
        Whether score 0 is the background: the highest score wins. Otherwise scores are probabilities of the labels,
        and the highest one that reaches the threshold does.
    threshold
        For scores without a background.
    context
        Looked at for a cancel.

    Attributes
    ----------
    labels
        Label map on the source grid, shape (z, y, x), uint8 or, from 256 labels, uint16. 0 outside the frame's box.
    """

    def __init__(
        self, frame: NetworkFrame, count: int, *, background: bool, threshold: float, context: RunContext
    ) -> None:
        self.labels: Labels = (
            np.zeros(frame.source.shape, np.uint8) if count < 256 else np.zeros(frame.source.shape, np.uint16)
        )
        self._view: Any = frame.view(self.labels)
        self._back = _Back(frame)
        self._background = background
        self._threshold = threshold
        self._context = context
        self._kept: Tensor | None = None
        """The last network slice that came, (K, y, x): the next slab's first source slices lie between."""
        self._won: NDArray[Any] = np.zeros((0, *frame.shape[1:]), np.uint8)
        """With a background, the labels of the slab's voxels on the network's grid, those of `_kept` first."""

    def add(self, start: int, scores: Tensor) -> None:
        """Take scores (K, slices, y, x) of network slices from `start` on."""
        self._context.check()
        stop = start + scores.shape[1]
        if self._kept is not None:
            self._kept = self._kept.to(scores.device)  # once the GPU's memory ran out, slabs come from the CPU
        if not self._back.resamples:
            for span in self._back.ready(stop, scores.device.type):
                self._context.check()
                self._write(span, self._winners(scores[:, span[0] - start : span[1] - start]))
            return
        if self._background:
            # Slice by slice on a CPU, whose cache holds no more.
            parts = [scores] if scores.device.type == "cuda" else [scores[:, k : k + 1] for k in range(stop - start)]
            slices = (self._winners(part).to(self._kind).cpu().numpy() for part in parts)
            self._won = np.concatenate([self._won[-1:], *slices])
        for span in self._back.ready(stop, scores.device.type):
            self._context.check()
            self._write(span, self._blended(start, scores, span))
        self._kept = scores[:, -1].clone()

    def _write(self, span: Span, labels: Tensor) -> None:
        self._view[slice(*span)] = labels.to(self._kind).cpu().numpy()

    @property
    def _kind(self) -> torch.dtype:
        import torch

        return torch.uint8 if self.labels.dtype == np.uint8 else torch.int32

    def _winners(self, scores: Tensor) -> Tensor:
        """The label of each voxel of scores (K, z, y, x)."""
        import torch

        if scores.device.type == "cuda":
            best, which = scores.max(dim=0)
            return which if self._background else which.add_(1).mul_(best >= self._threshold)
        # On a CPU a third of the time of torch's maximum along the first axis.
        best = torch.full(scores.shape[1:], -torch.inf if self._background else self._threshold)
        which = torch.zeros(scores.shape[1:], dtype=self._kind)
        for number, score in enumerate(scores):
            self._compete(best, which, score, number)
        return which

    def _compete(self, best: Tensor, which: Tensor, score: Tensor, number: int) -> None:
        """Let one class win where it is above the best one yet; the first of equals stays. In place."""
        import torch

        wins = score > best
        if not self._background:
            # The threshold itself is enough for the first class that reaches it.
            wins |= (which == 0) & (score >= best)
        torch.maximum(best, score, out=best)
        # Without branches: a mask that is ragged would cost a misprediction an edge.
        which.mul_(~wins).add_(wins, alpha=number + (not self._background))

    def _blended(self, start: int, scores: Tensor, span: Span) -> Tensor:
        """The labels of some source slices: each class competes where it can win."""
        import torch

        back = self._back
        first, last = int(back.z.low[span[0]]), int(back.z.high[span[1] - 1])
        shape = (span[1] - span[0], len(back.y.low), len(back.x.low))
        best = torch.full(shape, -torch.inf if self._background else self._threshold, device=scores.device)
        which = torch.zeros(shape, dtype=self._kind, device=scores.device)
        for number, box in self._boxes(start, scores, first, last):
            z, y, x = (lerp.near(*side) for lerp, side in zip((back.z, back.y, back.x), box, strict=True))
            z = max(z[0], span[0]), min(z[1], span[1])
            if z[0] >= z[1] or y[0] >= y[1] or x[0] >= x[1]:
                continue
            lower, begin = self._class(start, scores, number, int(back.z.low[z[0]]), int(back.z.high[z[1] - 1]))
            part = (slice(z[0] - span[0], z[1] - span[0]), slice(*y), slice(*x))
            self._compete(best[part], which[part], back.upsampled(lower, begin, z, y, x), number)
        return which

    def _class(self, start: int, scores: Tensor, number: int, first: int, last: int) -> tuple[Tensor, int]:
        """One class's scores of network slices `first` to `last`, and the number of the first one."""
        import torch

        if first >= start:
            return scores[number, first - start : last - start + 1], first
        assert self._kept is not None  # no source slice lies before the first slab
        return torch.cat([self._kept[number][None], scores[number, : last - start + 1]]), first

    def _boxes(self, start: int, scores: Tensor, first: int, last: int) -> Iterator[tuple[int, Box]]:
        """For each class that can win in network slices `first` to `last`: its box there, a voxel wider.

        The background has what is left, and competes only where another class does.
        """
        from scipy.ndimage import find_objects

        if not self._background:
            yield from self._reaching(start, scores, first, last)
            return
        begin = start + scores.shape[1] - len(self._won)
        found: list[Any] = find_objects(self._won[first - begin : last - begin + 1])
        boxes = {number: _wider(box, first) for number, box in enumerate(found, start=1) if box is not None}
        if boxes:
            z, y, x = ((min(ends)[0], max(end for _, end in ends)) for ends in zip(*boxes.values(), strict=True))
            yield 0, (z, y, x)
            yield from boxes.items()

    def _reaching(self, start: int, scores: Tensor, first: int, last: int) -> Iterator[tuple[int, Box]]:
        """The boxes of classes that reach the threshold: interpolated values never exceed those around them."""
        for number in range(scores.shape[0]):
            lower, begin = self._class(start, scores, number, first, last)
            reached = lower >= self._threshold
            if not bool(reached.any()):
                continue
            lines = (reached.any(dim=2).any(dim=1), reached.any(dim=2).any(dim=0), reached.any(dim=1).any(dim=0))
            ends = [line.nonzero().flatten() for line in lines]
            z, y, x = ((int(line[0]) - 1, int(line[-1]) + 2) for line in ends)
            yield number, ((z[0] + begin, z[1] + begin), y, x)


def _wider(box: tuple[slice, ...], first: int) -> Box:
    z, y, x = ((side.start - 1, side.stop + 1) for side in box)
    return (z[0] + first, z[1] + first), y, x


class MapSink:
    """Takes slabs of one map in order of z onto the source grid, as float16; 0 outside the frame's box.

    Attributes
    ----------
    values
        Shape (z, y, x) of the source.
    """

    def __init__(self, frame: NetworkFrame, context: RunContext) -> None:
        self.values: NDArray[np.float16] = np.zeros(frame.source.shape, np.float16)
        self._view: Any = frame.view(self.values)
        self._back = _Back(frame)
        self._context = context
        self._kept: Tensor | None = None

    def add(self, start: int, values: Tensor) -> None:
        """Take values (slices, y, x) of network slices from `start` on."""
        import torch

        self._context.check()
        begin, slab = start, values
        if self._kept is not None:
            # Once the GPU's memory ran out, slabs come from the CPU.
            begin, slab = start - 1, torch.cat([self._kept[None].to(values.device), values])
        height, width = len(self._back.y.low), len(self._back.x.low)
        for span in self._back.ready(start + len(values), values.device.type):
            self._view[slice(*span)] = (
                self._back.upsampled(slab, begin, span, (0, height), (0, width)).half().cpu().numpy()
            )
        self._kept = values[-1].clone()


def map_to_source(frame: NetworkFrame, values: Tensor, context: RunContext) -> NDArray[np.float16]:
    """Interpolate a whole map (z, y, x) on the network's grid linearly onto the source grid."""
    sink = MapSink(frame, context)
    sink.add(0, values)
    return sink.values
