"""A plugin object for any network of torch, with every optional power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medviewer.errors import ManifestError, PluginError
from medviewer.plugin_api.adapting.catalogue import architecture, build, feature_layer
from medviewer.plugin_api.manifest import Manifest

if TYPE_CHECKING:
    from torch import Tensor, nn


class ModuleModel:
    """What a network of torch can do whatever its name: Explainable, Trainable and an Embedder.

    The host turns its output into probabilities, so that `outputs.activation` has to be softmax or sigmoid. A child
    adds `build_network`.

    Parameters
    ----------
    manifest
        What the model's plugin.yaml says.
    layer
        Dotted name of the module that is explained and whose features are compared.
    frozen
        Dotted names of modules that fine-tuning leaves alone.

    Raises
    ------
    ManifestError
        If `outputs.activation` is ``own``.
    """

    def __init__(self, manifest: Manifest, layer: str = "", frozen: Iterable[str] = ()) -> None:
        if manifest.outputs.activation == "own":
            raise ManifestError(
                f"{manifest.name}: outputs.activation should be softmax or sigmoid, for an adapter has no way of its "
                "own to read an output; mend the file."
            )
        self.manifest = manifest
        self._layer, self._frozen = layer, tuple(frozen)

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The module that the manifest's settings name."""
        return network.get_submodule(self._layer)

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The label's channel before softmax or sigmoid; of a softmax segmenter channel 0 is the background."""
        return output[:, label + background_channels(self.manifest)]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Soft Dice loss (Milletari 2016) plus cross-entropy, as the activation has it; each in about 0..1."""
        import torch
        from monai.losses.dice import DiceLoss
        from torch.nn import functional as F

        if self.manifest.outputs.activation == "sigmoid":
            # not MONAI's DiceCELoss: with several channels its cross-entropy is softmax's, whatever the activation
            dice: Tensor = DiceLoss(sigmoid=True)(output, target)
            return dice + F.binary_cross_entropy_with_logits(output, target)
        if not background_channels(self.manifest):
            return F.cross_entropy(output, target)
        rest = (1 - target.sum(dim=1, keepdim=True)).clamp(0, 1)
        truth = torch.cat([rest, target], dim=1)
        overlap: Tensor = DiceLoss(softmax=True, include_background=False)(output, truth)
        return overlap + F.cross_entropy(output, truth)

    def trainable_parameters(self, network: nn.Module) -> Iterable[nn.Parameter]:
        """All but those of the modules that are frozen."""
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


class NetworkModel(ModuleModel):
    """A network of the catalogue as a plugin.

    Parameters
    ----------
    network, arguments
        Name in the catalogue and MONAI's arguments.
    layer
        As above; empty for the catalogue's.

    Raises
    ------
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
        super().__init__(manifest, layer, frozen)
        self._architecture = architecture(network)
        self._name, self._arguments = network, dict(arguments)

    def build_network(self) -> nn.Module:
        """The untrained network."""
        return build(self._name, self._arguments)

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The deepest features that still have a place in the image: Seg-Grad-CAM's choice (Vinogradova 2020)."""
        return super().explain_layer(network) if self._layer else feature_layer(network, self._architecture)


def background_channels(manifest: Manifest) -> int:
    """How many channels lie before the first label: the background of a softmax segmenter."""
    return int(manifest.outputs.activation == "softmax" and "segment" in manifest.kinds)


def check_channels(manifest: Manifest, arguments: Mapping[str, Any]) -> None:
    """Compare the channels that a network's arguments name with those that its manifest promises.

    Raises
    ------
    PluginError
        If they differ.
    """
    background = background_channels(manifest)
    answers = len(manifest.outputs.labels) + background
    sees = manifest.inputs.channel_count * manifest.inputs.intensity.repeat
    for keys, count, what in (
        (("out_channels", "num_classes"), answers, "outputs.labels" + " and the background" * background),
        (("in_channels", "n_input_channels"), sees, "inputs"),
    ):
        for key in keys:
            if arguments.get(key, count) != count:
                raise PluginError(
                    f"The network has {key} {arguments[key]}, but {what} make {count}; mend the description."
                )
