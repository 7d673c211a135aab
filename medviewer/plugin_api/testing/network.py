"""Checks that ask the plugin's methods and its network directly, beside what a run shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from medviewer.errors import ContractError
from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import Manifest
from medviewer.plugin_api.protocols import Configurable, Embedder, Explainable, Normaliser, Plugin, Trainable, Uncertain
from medviewer.plugin_api.testing.rows import Check

if TYPE_CHECKING:
    from torch import Tensor, nn


class Powers:
    """What a plugin can do beside answering: explain, learn, embed, doubt.

    Parameters
    ----------
    network
        The plugin's network with its weights, on the context's device.
    """

    def __init__(self, manifest: Manifest, plugin: Plugin, network: nn.Module, context: RunContext) -> None:
        self.manifest, self.plugin, self.network, self.context = manifest, plugin, network, context

    def checks(self) -> Iterator[Check]:
        """The checks that its declared kinds and its methods call for."""
        if "explain" in self.manifest.kinds and isinstance(self.plugin, Explainable):
            yield "explain", partial(self._told, partial(self.explains, self.plugin))
        if "train" in self.manifest.kinds and isinstance(self.plugin, Trainable):
            yield "train", partial(self._told, partial(self.learns, self.plugin))
        if isinstance(self.plugin, Embedder):
            yield "embed", partial(self._told, partial(self.embeds, self.plugin))
        if isinstance(self.plugin, Uncertain):
            yield "uncertain", partial(self._told, partial(self.doubts, self.plugin))

    def _told(self, check: Callable[[], str]) -> str:
        """A check of a plugin that knows this run: what it was told last may be a run that was cancelled."""
        if isinstance(self.plugin, Configurable):
            self.plugin.configure(self.context)
        return check()

    @property
    def size(self) -> tuple[int, ...]:
        """What the network sees at once."""
        windows = self.manifest.inputs.windows
        return tuple(windows.roi if windows is not None else self.manifest.inputs.size)

    @cached_property
    def values(self) -> Tensor:
        """Network input (1, channels, ...): noise as a plugin's own `normalise` makes it, or around zero."""
        import torch

        inputs = self.manifest.inputs
        many = inputs.channel_count
        shape = (many, *self.size) if many > 1 else self.size
        noise = np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
        if isinstance(self.plugin, Normaliser):
            values = self.plugin.normalise(noise)
        else:
            channels = noise if many > 1 else noise[None]
            values = np.repeat((channels - 50) / 30, inputs.intensity.repeat, axis=0)
        return torch.from_numpy(np.ascontiguousarray(values))[None].to(self.context.device)

    def explains(self, plugin: Explainable) -> str:
        """The layer is in the network, and each label has scores of the right shape."""
        import torch

        layer = plugin.explain_layer(self.network)
        if not any(layer is module for module in self.network.modules()):
            raise ContractError("Expected explain_layer to return a layer of the network, but it is not in there.")
        with torch.no_grad():
            output = self.network(self.values)
        expected = (1, *self.size) if "segment" in self.manifest.kinds else (1,)
        for label in {0, len(self.manifest.outputs.labels) - 1}:
            scores = plugin.explain_logits(output, label)
            if tuple(scores.shape) != expected:
                raise ContractError(
                    f"Expected explain_logits to return scores of shape {expected}, not {tuple(scores.shape)}."
                )
        return "The explained layer is in the network, and each label has its scores."

    def learns(self, plugin: Trainable) -> str:
        """The loss is a number whose gradients reach what may learn."""
        import torch

        parameters = list(plugin.trainable_parameters(self.network))
        if not parameters:
            raise ContractError("Expected trainable_parameters to name at least one parameter, but there is none.")
        loss = plugin.loss(self.network(self.values), self._target())
        if loss.ndim or not bool(torch.isfinite(loss)):
            raise ContractError(f"Expected the loss to be one finite number, not {loss.detach().cpu().numpy()}.")
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        if not any(map(_moves, gradients)):
            raise ContractError("Expected the loss to move a trainable parameter, but every gradient is zero.")
        return "A loss comes with gradients for what may learn."

    def _target(self) -> Tensor:
        import torch

        labels = len(self.manifest.outputs.labels)
        if "segment" not in self.manifest.kinds:
            return torch.eye(labels, device=self.context.device)[:1]
        target = torch.zeros((1, labels, *self.size), device=self.context.device)
        target[..., : self.size[-1] // 2] = 1
        return target

    def embeds(self, plugin: Embedder) -> str:
        """Features are one finite row an image."""
        import torch

        with torch.no_grad():
            features = plugin.embed(self.network, self.values)
        if features.ndim != 2 or features.shape[0] != 1 or not bool(torch.isfinite(features).all()):
            raise ContractError(f"Expected embed to return finite features of shape (1, n), not {_shape(features)}.")
        return f"An image has {features.shape[1]} finite features."

    def doubts(self, plugin: Uncertain) -> str:
        """The network's own doubt is a number in 0..1 for each voxel."""
        import torch

        with torch.no_grad():
            doubt = plugin.uncertainty(self.network(self.values))
        if tuple(doubt.shape) != self.size or not bool(((doubt >= 0) & (doubt <= 1)).all()):
            raise ContractError(f"Expected uncertainty in 0 to 1 of shape {self.size}, not {_shape(doubt)}.")
        return "The network says how sure it is of each voxel."


def _shape(values: Tensor) -> tuple[int, ...]:
    return tuple(values.shape)


def _moves(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.abs().sum() > 0)
