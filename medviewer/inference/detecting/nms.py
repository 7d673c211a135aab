"""Non-maximum suppression: of boxes that mean the same thing, the surest stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

OVERLAP = 0.3
"""Intersection over union from which two boxes of a label mean one thing."""
INSIDE = 0.7
"""Part of the smaller box that lies in the larger one from which they do, too: a window's rim cuts what it shows."""


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, check: Callable[[], object] = lambda: None) -> Tensor:
    """Keep the surest box of each thing: greedy non-maximum suppression (Neubeck and Van Gool 2006), label by label.

    Parameters
    ----------
    boxes
        Shape (n, 2 d): the lower corner and then the upper one, in any number d of dimensions.
    scores, labels
        Shape (n,).
    check
        Called for each box that stays: of thousands that a network finds everywhere it takes seconds, and whoever
        cancels raises here.

    Returns
    -------
    Indices of the boxes that stay, the surest first; of equal scores the earlier.
    """
    import torch

    order = torch.argsort(scores, descending=True, stable=True)
    waiting = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    kept = []
    for index in order.tolist():
        if not waiting[index]:
            continue
        check()
        kept.append(index)
        waiting &= ~(_same(boxes[index], boxes) & (labels == labels[index]))
        waiting[index] = False
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def _same(box: Tensor, others: Tensor) -> Tensor:
    """Whether each of the others (n, 2 d) means the same thing as the box (2 d,)."""
    half = len(box) // 2
    size = (box[half:] - box[:half]).prod()
    sizes = (others[:, half:] - others[:, :half]).prod(dim=1)
    edges = (box[half:].minimum(others[:, half:]) - box[:half].maximum(others[:, :half])).clamp(min=0)
    shared = edges.prod(dim=1)
    least = sizes.clamp(max=size)
    # Written without divisions: a box may have no size at all.
    return (shared > OVERLAP * (size + sizes - shared)) | (shared > INSIDE * least)
