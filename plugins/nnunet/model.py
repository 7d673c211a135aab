"""The plugin objects of nnU-Net models."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medviewer.plugin_api.manifest import Manifest
from nnunet.network import Encoder, Folds, Recipe, UNet
from nnunet.normalise import normalised


def folds_of(settings: dict[str, Any]) -> Folds:
    """The untrained networks that a manifest's settings describe."""
    residual = settings["network"] == "residual"
    recipe = Recipe(settings["arguments"], int(settings["inputs"]), int(settings["outputs"]))
    networks = (UNet(recipe, residual) for _ in range(int(settings["folds"])))
    return Folds(networks, settings["axes"], bool(settings["flat"]))


class SegmentationModel:
    """A Segmenter that can be explained, and an Embedder."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.settings = manifest.settings

    def build_network(self) -> nn.Module:
        """The untrained networks of all folds."""
        return folds_of(self.settings)

    def probabilities(self, output: Tensor) -> Tensor:
        """Of overlapping regions: each label's, after those that come later in nnU-Net's order took what is theirs.

        Of all values at most one lies over 0.5, and it is the label that nnU-Net would write.
        """
        inside = output[0].float().sigmoid()
        result = torch.empty_like(inside)
        later = torch.zeros_like(inside[0])
        order = self.settings["regions"]
        places = {value: place for place, value in enumerate(sorted(order))}
        for channel in reversed(range(len(order))):
            result[places[order[channel]]] = torch.minimum(inside[channel], 1 - later)
            later = torch.maximum(later, inside[channel])
        return result

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The encoder's deepest features, as Seg-Grad-CAM takes them (Vinogradova 2020)."""
        return _encoder(network).stages[-1]

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The label's channel before softmax, where channel 0 is the background, or before sigmoid."""
        if "regions" in self.settings:
            order = self.settings["regions"]
            return output[:, order.index(sorted(order)[label])]
        return output[:, label + 1]

    def embed(self, network: nn.Module, values: Tensor) -> Tensor:
        """The deepest features of the first fold, averaged over the image; shape (n, features)."""
        caught: list[Tensor] = []
        handle = self.explain_layer(network).register_forward_hook(
            lambda _module, _inputs, output: caught.append(output)
        )
        try:
            network(values)
        finally:
            handle.remove()
        deepest = caught[0].flatten(2).mean(dim=2)
        # the slices of a volume count as one image
        return deepest.reshape(values.shape[0], -1, deepest.shape[1]).mean(dim=1)


class NormalisingModel(SegmentationModel):
    """One whose values are normalised in a way that the manifest cannot say."""

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """nnU-Net's normalisation, channel by channel."""
        channels = self.settings["channels"]
        volumes = values if values.ndim > self.manifest.inputs.ndim else values[None]
        return normalised(volumes, channels)


def _encoder(network: nn.Module) -> Encoder:
    if not isinstance(network, Folds):
        raise TypeError(f"expected the networks of an nnU-Net, not a {type(network).__name__}")
    first = network.folds[0]
    assert isinstance(first, UNet)
    return first.encoder
