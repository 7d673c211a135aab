"""The attribution methods, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medviewer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    Score = Callable[[Tensor], Tensor]
    """Network input (1, channels, ...) to the one number, shape (1,), that is explained."""


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Parameters
    ----------
    name
        What the user reads.
    attribute
        Takes the score, the plugin's layer and the network input; returns a map (z, y, x) or (y, x), not negative, on
        whatever grid the method works on, which covers the network's field of view.
    """

    name: str
    attribute: Callable[[Score, nn.Module, Tensor], Tensor]


def grad_cam(score: Score, layer: nn.Module, inputs: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju 2017): the layer's channels, weighted by their mean gradients, summed, negatives cut.

    For a segmentation the score sums over voxels, which is Seg-Grad-CAM (Vinogradova 2020).
    """
    from captum.attr import LayerGradCam

    inputs = inputs.detach().requires_grad_()
    result: Tensor = LayerGradCam(score, layer).attribute(inputs, relu_attributions=True)
    return result.detach()[0, 0]


def saliency(score: Score, layer: nn.Module, inputs: Tensor) -> Tensor:
    """Saliency (Simonyan 2014): how much the score moves with each input voxel, the largest of its channels."""
    from captum.attr import Saliency

    inputs = inputs.detach().requires_grad_()
    result: Tensor = Saliency(score).attribute(inputs)
    return result.detach()[0].amax(dim=0)


TABLE: dict[str, Method] = {
    "gradcam": Method("Grad-CAM", grad_cam),
    "saliency": Method("Saliency", saliency),
}

METHODS: dict[str, str] = {key: method.name for key, method in TABLE.items()}
"""What a command line or a menu offers: key -> display name."""


def find_method(key: str) -> Method:
    """Return the method of that key.

    Raises
    ------
    InputError
        If there is none; the text lists those that are.
    """
    if key not in TABLE:
        raise InputError(f"There is no method {key!r}; choose one of {', '.join(TABLE)}.")
    return TABLE[key]
