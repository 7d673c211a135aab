"""Pneumonia on chest radiographs: a published Xception behind medviewer's plugin API. A demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chest_xray.convert import convert_package, package_films
from chest_xray.network import ChestXception
from medviewer.plugin_api import RunContext

_SIZE = 150
"""Of the network's input, as the manifest says."""


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

    def package_features(self, network: nn.Module, package: Path, context: RunContext) -> NDArray[np.float32]:
        """What the network sees in the package's 16 films, shape (16, 2048): the means of its last feature map.

        Raises
        ------
        PluginError
            If the package does not hold them.
        """
        seen: list[Tensor] = []

        def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen.append(output.mean(dim=(2, 3)))

        handle = self.explain_layer(network).register_forward_hook(keep)
        try:
            with torch.inference_mode():
                for film in package_films(package):
                    context.check()
                    network(torch.from_numpy(self.normalise(_as_the_host_does(film)))[None])
        finally:
            handle.remove()
        return torch.cat(seen).numpy()


def _as_the_host_does(film: NDArray[np.float32]) -> NDArray[np.float32]:
    """A film (y, x) on the network's grid by nearest neighbours, edge to edge, as `inputs` in the manifest asks."""
    y, x = (np.floor((np.arange(_SIZE) + 0.5) * (size / _SIZE)).astype(int) for size in film.shape)
    reduced: NDArray[np.float32] = film[np.ix_(y, x)]
    return reduced
