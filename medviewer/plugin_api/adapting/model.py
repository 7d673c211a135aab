"""A plugin object for any network that can be built by name, with every optional power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medviewer.errors import ManifestError
from medviewer.plugin_api.adapting.catalogue import architecture, build, feature_layer
from medviewer.plugin_api.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor, nn


class NetworkModel:
    """A network of the catalogue as a plugin: Explainable, Trainable and an Embedder.

    The host turns its output into probabilities, so that `outputs.activation` has to be softmax or sigmoid.

    Parameters
    ----------
    manifest
        What the model's plugin.yaml says.
    network, arguments
        Name in the catalogue and MONAI's arguments.
    layer
        Dotted name of the module that is explained and whose features are compared, empty for the catalogue's.
    frozen
        Dotted names of modules that fine-tuning leaves alone.

    Raises
    ------
    ManifestError
        If `outputs.activation` is ``own``.
    PluginError
        If the catalogue has no such network.
    """

    def __init__(
        self,
        manifest: Manifest,
        network: str,
        arguments: Mapping[str, Any],
        layer: str = "",
        frozen: Iterable[str] = (),
    ) -> None:
        if manifest.outputs.activation == "own":
            raise ManifestError(
                f"{manifest.name}: outputs.activation should be softmax or sigmoid, for an adapter has no way of its "
                "own to read an output; mend the file."
            )
        self._architecture = architecture(network)
        self._manifest, self._name, self._arguments = manifest, network, dict(arguments)
        self._layer, self._frozen = layer, tuple(frozen)

    def build_network(self) -> nn.Module:
        """The untrained network."""
        return build(self._name, self._arguments)

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The deepest features that still have a place in the image: Seg-Grad-CAM's choice (Vinogradova 2020)."""
        return network.get_submodule(self._layer) if self._layer else feature_layer(network, self._architecture)

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The label's channel before softmax or sigmoid; of a softmax segmenter channel 0 is the background."""
        return output[:, label + self._background]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Soft Dice loss plus cross-entropy, as the activation has it; each in about 0..1."""
        import torch
        from monai.losses.dice import DiceLoss
        from torch.nn import functional as F

        if self._manifest.outputs.activation == "sigmoid":
            # not MONAI's DiceCELoss: with several channels its cross-entropy is softmax's, whatever the activation
            dice: Tensor = DiceLoss(sigmoid=True)(output, target)
            return dice + F.binary_cross_entropy_with_logits(output, target)
        rest = (1 - target.sum(dim=1, keepdim=True)).clamp(0, 1)
        truth = torch.cat([rest, target], dim=1) if self._background else target
        overlap: Tensor = DiceLoss(softmax=True, include_background=False)(output, truth)
        return overlap + F.cross_entropy(output, truth)

    def trainable_parameters(self, network: nn.Module) -> Iterable[nn.Parameter]:
        """All but those of the modules that `settings.frozen` names."""
        still = {id(one) for name in self._frozen for one in network.get_submodule(name).parameters()}
        return [one for one in network.parameters() if id(one) not in still]

    def embed(self, network: nn.Module, values: Tensor) -> Tensor:
        """The explained layer's output, averaged over the image; shape (n, features)."""
        caught: list[Tensor] = []

        def catch(module: nn.Module, inputs: Any, output: Any) -> None:
            caught.append(output[0] if isinstance(output, list | tuple) else output)

        handle = self.explain_layer(network).register_forward_hook(catch)
        try:
            network(values)
        finally:
            handle.remove()
        return caught[-1].flatten(2).mean(dim=2)

    @property
    def _background(self) -> int:
        """How many channels lie before the first label."""
        return int(self._manifest.outputs.activation == "softmax" and "segment" in self._manifest.kinds)
