"""The 3D U-Net of deepbrain 0.1 (MIT), written for torch; its layers keep the names of the published graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _conv(inputs: int, outputs: int) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, kernel_size=3, padding=1)


def _up(inputs: int, outputs: int) -> nn.ConvTranspose3d:
    return nn.ConvTranspose3d(inputs, outputs, kernel_size=3, stride=2, bias=False)


class BrainUNet(nn.Module):
    """Three levels of 8, 16 and 32 channels, 171,465 parameters.

    Takes (n, 1, z, y, x) with sizes that eight divides and returns logits of the same shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.conv_1 = _conv(1, 8), _conv(8, 8)
        self.conv_2, self.conv_3 = _conv(8, 16), _conv(16, 16)
        self.conv_4, self.conv_5 = _conv(16, 32), _conv(32, 32)
        self.up, self.conv_6 = _up(32, 32), _conv(64, 32)
        self.up_1, self.conv_7 = _up(32, 16), _conv(32, 16)
        self.up_2, self.conv_8 = _up(16, 8), _conv(16, 8)
        self.conv_9 = nn.Conv3d(8, 1, kernel_size=1)
        # A module of its own, so that a heat map can ask for the activations after the ReLU.
        self.deep = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1, z, y, x) of normalised heads (n, 1, z, y, x)."""
        fine = F.relu(self.conv_1(F.relu(self.conv(x))))
        middle = F.relu(self.conv_3(F.relu(self.conv_2(F.max_pool3d(fine, 2)))))
        coarse = self.deep(self.conv_5(F.relu(self.conv_4(F.max_pool3d(middle, 2)))))
        x = F.relu(self.conv_6(_join(self.up, F.max_pool3d(coarse, 2), coarse)))
        x = F.relu(self.conv_7(_join(self.up_1, x, middle)))
        x = F.relu(self.conv_8(_join(self.up_2, x, fine)))
        logits: Tensor = self.conv_9(x)
        return logits


def _join(up: nn.Module, coarse: Tensor, skip: Tensor) -> Tensor:
    """Put a map, made twice as fine, before the skip's; its last planes go, as in TensorFlow's SAME."""
    z, y, x = skip.shape[2:]
    return torch.cat([up(coarse)[:, :, :z, :y, :x], skip], dim=1)
