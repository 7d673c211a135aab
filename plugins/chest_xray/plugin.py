"""Pneumonia on chest radiographs: a published Xception behind medviewer's plugin API. A demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from chest_xray.convert import convert_package
from chest_xray.network import ChestXception
from medviewer.plugin_api import RunContext


class ChestXray:
    """A Classifier that can be explained, with weights that are fetched on the user's word."""

    def build_network(self) -> nn.Module:
        """The untrained Xception."""
        return ChestXception()

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Grey values 0..255 (y, x) to three equal channels in -1..1, as Keras' Xception wants them."""
        scaled = values / np.float32(127.5) - np.float32(1)
        return np.repeat(scaled[None], 3, axis=0)

    def class_probabilities(self, output: Tensor) -> Tensor:
        """Softmax over NORMAL and PNEUMONIA, shape (2,)."""
        return output[0].softmax(dim=0)

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The last feature map, after its ReLU: the layer that Grad-CAM is defined on (Selvaraju 2017)."""
        return cast(ChestXception, network).block14_sepconv2_act

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The class' logit, shape (1,)."""
        return output[:, label]

    def convert_weights(self, package: Path, destination: Path, context: RunContext) -> None:
        """Convert the weights inside the published package.

        Raises
        ------
        PluginError
            If it does not hold them in the known form.
        """
        convert_package(package, destination)
