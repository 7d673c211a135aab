"""Networks and sweeps that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from medviewer.inference.windows import Plan, Slab, Slabs, predict_slabs
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Windows


def network(channels: int = 1, classes: int = 2, flat: bool = False, seed: int = 0) -> nn.Module:
    """A small random network whose answer at a voxel depends on what lies around it."""
    torch.manual_seed(seed)
    layer = nn.Conv2d if flat else nn.Conv3d
    return nn.Sequential(layer(channels, 4, 3, padding=1), nn.ReLU(), layer(4, classes, 3, padding=1)).eval()


def volume(*shape: int, seed: int = 0) -> Tensor:
    """Noise (channels, z, y, x)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def start(
    net: Callable[[Tensor], Tensor], values: Tensor, windows: Windows, context: RunContext | None = None, **plan: Any
) -> Slabs:
    """Begin a sweep."""
    return predict_slabs(net, values, windows, Plan(**plan), context or RunContext())


def joined(slabs: Slabs, field: str = "scores") -> Tensor:
    """One map of the whole volume; the slabs have to follow each other without a gap."""
    parts: list[Tensor] = []
    stop = 0
    for slab in slabs:
        assert slab.start == stop < slab.stop
        stop = slab.stop
        part: Tensor = getattr(slab, field)
        assert part.shape[-3] == slab.stop - slab.start
        assert part.dtype == torch.float32
        parts.append(part.clone())
    return torch.cat(parts, dim=-3)


def maps(slabs: Slabs) -> tuple[Tensor, Tensor, Tensor]:
    """Mean probabilities, entropy and mutual information of the whole volume."""
    kept: list[Slab] = []
    for slab in slabs:
        assert slab.entropy is not None
        assert slab.mutual is not None
        kept.append(Slab(slab.start, slab.stop, slab.scores.clone(), slab.entropy.clone(), slab.mutual.clone()))
    entropy = torch.cat([slab.entropy for slab in kept if slab.entropy is not None])
    mutual = torch.cat([slab.mutual for slab in kept if slab.mutual is not None])
    return torch.cat([slab.scores for slab in kept], dim=1), entropy, mutual
