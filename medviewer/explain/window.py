"""Which window of a network that sees a volume piece by piece is explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from medviewer.domain.geometry import Shape
from medviewer.inference.answering.activation import activated, background_counts, labels_voxels
from medviewer.inference.passes import plan_of
from medviewer.inference.pipeline import NetworkInput, OpenedRun, run_network, windows_seen
from medviewer.inference.preparing.frame import as_volume
from medviewer.inference.preparing.pieces import Piece
from medviewer.inference.sweep import scores_of, sweep
from medviewer.inference.windows.grid import positions

if TYPE_CHECKING:
    from torch import Tensor

_OVERLAP = 0.75
"""Windows are tried a quarter of their size apart."""


def likely_window(opened: OpenedRun, found: NetworkInput, label: int | None) -> Piece | None:
    """The window that holds the most of a label's probability; None for a network that sees everything at once.

    The whole volume goes through the network for it, unless it fits into one window anyway.

    Parameters
    ----------
    label
        Index in the manifest's labels; None takes the class of a classifier that is the most probable anywhere.
    """
    windows = opened.loaded.manifest.inputs.windows
    if windows is None:
        return None
    if not labels_voxels(opened.loaded.manifest):
        return _telling(opened, found, label)
    roi, sizes = as_volume(windows.roi), found.frame.shape
    tried = [
        positions(size, window, _OVERLAP) if size > window else (-((window - size) // 2),)
        for size, window in zip(sizes, roi, strict=True)
    ]
    chosen = (0, 0, 0)
    if max(map(len, tried)) > 1:
        chosen = _best(label_probability(opened, found, label or 0), roi, tried)
    z, y, x = (starts[k] for starts, k in zip(tried, chosen, strict=True))
    return Piece((z, y, x), roi, roi)


def _telling(opened: OpenedRun, found: NetworkInput, label: int | None) -> Piece | None:
    """The window in which a classifier is surest of a class."""
    best, chosen = -1.0, None
    for piece, window in windows_seen(opened, found.values):
        probabilities = activated(opened, run_network(opened, window))
        sure = float(probabilities.max() if label is None else probabilities[label])
        if sure > best:
            best, chosen = sure, piece
    return chosen


def _best(likely: Tensor, roi: Shape, tried: Sequence[Sequence[int]]) -> Shape:
    """Which of the windows that begin at the tried places holds the highest sum."""
    import torch

    for axis, (window, starts) in enumerate(zip(roi, tried, strict=True)):
        size = min(window, likely.shape[axis])
        sums = [likely.narrow(axis, max(start, 0), size).sum(dim=axis, keepdim=True) for start in starts]
        likely = torch.cat(sums, dim=axis)
    z, y, x = np.unravel_index(int(likely.argmax()), likely.shape)
    return int(z), int(y), int(x)


def label_probability(opened: OpenedRun, found: NetworkInput, label: int) -> Tensor:
    """How probable a label is in each voxel of the network's grid, (z, y, x), on the CPU."""
    import torch

    manifest = opened.loaded.manifest
    result = torch.empty(found.frame.shape)
    plan = plan_of(opened)
    with sweep(opened, found.values, plan) as slabs:
        for slab in slabs:
            scores = scores_of(opened, slab, plan, found.frame.shape)
            if background_counts(manifest):
                scores = activated(opened, scores[None], as_volume(scores.shape[1:]))
            result[slab.start : slab.stop] = scores[label].cpu()
    return result
