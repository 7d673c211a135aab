"""How much each voxel of a window counts where windows overlap."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

_SIGMA = 0.125
"""Of the gaussian, as a part of the window's size (MONAI's default, nnU-Net's 1/8)."""
_LEAST = 1e-3
"""No voxel of a window counts less than this: a corner that only one window sees must not be divided by nothing."""


@lru_cache(maxsize=4)
def window_weights(roi: tuple[int, ...], blend: Literal["gaussian", "constant"], device: str) -> Tensor:
    """Weights of a window's voxels, shape `roi`, float32; the same numbers as MONAI's ``compute_importance_map``."""
    import torch

    weights = torch.ones(roi)
    if blend == "constant":
        return weights.to(device)
    for axis, size in enumerate(roi):
        offset = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
        line = torch.exp(offset**2 / (-2 * (size * _SIGMA) ** 2))
        weights *= line.reshape([-1 if k == axis else 1 for k in range(len(roi))])
    return weights.clamp_(min=max(float(weights.min()), _LEAST)).to(device)
