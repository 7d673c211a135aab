"""Brain extraction: deepbrain's 3D U-Net behind medviewer's plugin API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from brain_extraction.network import BrainUNet

_SMOOTH = 1.0
"""Keeps the Dice term defined when truth and answer are both empty (Milletari 2016, as commonly smoothed)."""


class BrainExtraction:
    """A Segmenter that can be explained and fine-tuned."""

    def build_network(self) -> nn.Module:
        """The untrained U-Net."""
        return BrainUNet()

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Divide a head (z, y, x) by its maximum, as the network was trained; shape (1, z, y, x).

        A head whose values are nowhere above zero carries no signal and becomes zeros.
        """
        highest = float(values.max())
        scaled = values / np.float32(highest) if highest > 0 else np.zeros_like(values)
        return scaled[None]

    def probabilities(self, output: Tensor) -> Tensor:
        """The probability of brain, shape (1, z, y, x)."""
        return output[0].sigmoid()

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The encoder's deepest features, as Seg-Grad-CAM takes them (Vinogradova 2020).

        The decoder's carry the checkerboard of the transposed convolutions, which would show in the map.
        """
        return cast(BrainUNet, network).deep

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The output before the sigmoid, shape (1, z, y, x)."""
        return output[:, label]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Soft Dice loss plus binary cross-entropy on the logits, each in about 0..1.

        Dice answers for the overlap that the gate measures, cross-entropy keeps the gradients of single voxels alive.
        """
        answer = output.sigmoid()
        overlap = 2 * (answer * target).sum() + _SMOOTH
        dice = overlap / (answer.sum() + target.sum() + _SMOOTH)
        return 1 - dice + F.binary_cross_entropy_with_logits(output, target)

    def trainable_parameters(self, network: nn.Module) -> Iterable[nn.Parameter]:
        """The decoder: half of the weights, no gradients through the finest encoder, and features that stay put.

        Corrections are few; an encoder left alone is what keeps a handful of cases from spoiling the rest.
        """
        decoder = ("up", "up_1", "up_2", "conv_6", "conv_7", "conv_8", "conv_9")
        return [parameter for name in decoder for parameter in network.get_submodule(name).parameters()]
