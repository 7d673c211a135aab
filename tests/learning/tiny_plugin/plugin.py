"""Segments what is bright; as it comes, it takes noise for bright too."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


class Tiny:
    """One 3x3x3 layer and one 1x1x1 layer on 16 x 16 x 16 voxels."""

    def build_network(self) -> nn.Module:
        return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 1, 1))

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return (values / np.float32(100))[None]

    def probabilities(self, output: Tensor) -> Tensor:
        return output[0].sigmoid()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target)

    def trainable_parameters(self, network: nn.Module) -> Iterable[nn.Parameter]:
        return network.parameters()
