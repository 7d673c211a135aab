"""Where windows lie, and what they show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from medviewer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from medviewer.inference.windows.plan import Values
    from medviewer.plugin_api.spec import Windows

Triple = tuple[int, int, int]


def positions(size: int, roi: int, overlap: float) -> tuple[int, ...]:
    """Where windows begin along one axis of `size` voxels, which is at least `roi`; the last ends at the edge.

    As MONAI's ``sliding_window_inference`` counts them, so that both blend the same windows.
    """
    step = roi if roi == size else max(1, int(roi * (1 - overlap)))
    count = ceil((size - roi) / step) + 1
    return tuple(min(k * step, size - roi) for k in range(count))


@dataclass(frozen=True)
class WindowGrid:
    """The windows of one volume.

    Parameters
    ----------
    roi
        Size of a window (z, y, x); a 2-D network's is one slice deep.
    before, after
        Voxels of padding on each axis, where the volume is smaller than a window.
    shape
        Size of the padded volume.
    starts
        Where windows begin on each axis of the padded volume.
    """

    roi: Triple
    before: Triple
    after: Triple
    shape: Triple
    starts: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Where the windows of one layer begin, (y, x)."""
        return tuple(itertools.product(self.starts[1], self.starts[2]))

    @property
    def count(self) -> int:
        """How many windows there are."""
        return len(self.starts[0]) * len(self.places)

    @property
    def planar(self) -> tuple[slice, slice]:
        """The part of a padded slice that is the image."""
        _, y, x = (
            slice(first, extent - last) for first, extent, last in zip(self.before, self.shape, self.after, strict=True)
        )
        return y, x

    def layer(self, values: Values, z: int) -> Tensor:
        """What the windows beginning at slice `z` see together, (channels, roi z, y, x), padded with zeros.

        A view of `values` where nothing is padded: a padded copy of the volume is never made.
        """
        import torch

        depth = values.shape[1]
        first, last = z - self.before[0], z - self.before[0] + self.roi[0]
        part = values[:, max(0, first) : min(depth, last)]
        outside = (max(0, -first), max(0, last - depth))
        padding = (self.before[2], self.after[2], self.before[1], self.after[1], *outside)
        return torch.nn.functional.pad(part, padding) if any(padding) else part


def window_grid(size: Sequence[int], windows: Windows) -> WindowGrid:
    """Lay windows over a volume of `size` (z, y, x); a roi of two numbers is seen slice by slice.

    Raises
    ------
    InputError
        If the volume is empty.
    """
    roi = (1, *windows.roi) if len(windows.roi) == 2 else tuple(windows.roi)
    if len(size) != 3 or min(size) < 1:
        raise InputError(f"Expected a volume of three axes with voxels in it, not {list(size)}; choose another image.")
    missing = [max(0, window - extent) for window, extent in zip(roi, size, strict=True)]
    before = [extent // 2 for extent in missing]
    after = [extent - half for extent, half in zip(missing, before, strict=True)]
    shape = [max(pair) for pair in zip(roi, size, strict=True)]
    starts = [positions(extent, window, windows.overlap) for extent, window in zip(shape, roi, strict=True)]
    return WindowGrid(_triple(roi), _triple(before), _triple(after), _triple(shape), (starts[0], starts[1], starts[2]))


def _triple(numbers: Sequence[int]) -> Triple:
    z, y, x = numbers
    return z, y, x
