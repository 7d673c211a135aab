"""What a network's output means: probabilities, made by the host where the manifest says how, else by the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from medviewer.domain.geometry import Shape
from medviewer.errors import ContractError
from medviewer.inference.answering.outputs import check_probabilities
from medviewer.inference.loader import plugin_step
from medviewer.plugin_api import Classifier, Manifest, Segmenter

if TYPE_CHECKING:
    from torch import Tensor

    from medviewer.inference.pipeline import OpenedRun


def activated(opened: OpenedRun, output: Tensor, shape: Shape | None = None) -> Tensor:
    """Checked probabilities of each declared label.

    Parameters
    ----------
    output
        The network's raw output: (1, c, z, y, x) or (1, c, y, x) of a plugin that labels voxels, (1, c)
        of a classifier.
    shape
        The voxels that the answer has to have; None takes those of `inputs.size`, or of the output.

    Returns
    -------
    (labels, z, y, x), where a picture has one slice and the background is left out; of a classifier (labels,).
    float32, in 0..1.

    Raises
    ------
    ContractError
        If they are not what the manifest declares.
    """
    manifest = opened.loaded.manifest
    answer = class_distribution(opened, output)[0]
    count = len(manifest.outputs.labels)
    if not labels_voxels(manifest):
        return check_probabilities(answer, manifest, (count,))
    if manifest.outputs.activation == "softmax":
        answer = answer[1:]
    voxels = tuple(shape or manifest.inputs.size or output.shape[2:])
    if answer.ndim == 3 and len(voxels) == 3:
        voxels = voxels[1:]
    checked = check_probabilities(answer, manifest, (count, *voxels))
    return checked if checked.ndim == 4 else checked[:, None]


def class_distribution(opened: OpenedRun, output: Tensor) -> Tensor:
    """The network's output (n, c, ...) as probabilities (n, k, ...), not checked.

    k counts the background first and then the labels for voxels with ``softmax``, and the labels alone otherwise.

    Raises
    ------
    ContractError
        If the network has another number of channels than its labels need.
    PluginError
        If the plugin's own `probabilities` or `class_probabilities` raises.
    """
    import torch

    kind = opened.loaded.manifest.outputs.activation
    # no_grad and not inference_mode: an explanation masks its score with them.
    with torch.no_grad():
        if kind == "own":
            return _own(opened, output)
        check_channels(opened, output)
        return output.float().softmax(dim=1) if kind == "softmax" else output.float().sigmoid()


def check_channels(opened: OpenedRun, output: Tensor) -> None:
    """Raise ContractError if an output (n, c, ...) has other channels than the host needs to read it."""
    manifest = opened.loaded.manifest
    wanted = channels_of(manifest)
    if manifest.outputs.activation != "own" and (output.ndim < 2 or output.shape[1] != wanted):
        raise ContractError(
            f"{manifest.name} declares {manifest.outputs.activation} and {len(manifest.outputs.labels)} labels, so its "
            f"network should answer {wanted} channels, not an output of shape {tuple(output.shape)}; tell its author."
        )


def channels_of(manifest: Manifest) -> int:
    """How many probabilities a voxel, or an image, has: the labels, and the background where softmax counts it."""
    return len(manifest.outputs.labels) + background_counts(manifest)


def background_counts(manifest: Manifest) -> bool:
    """Whether channel 0 of the network's output is the background."""
    return manifest.outputs.activation == "softmax" and labels_voxels(manifest)


def labels_voxels(manifest: Manifest) -> bool:
    """Whether the network answers for each voxel, and not for the image."""
    return not {"segment", "interactive"}.isdisjoint(manifest.kinds)


def _own(opened: OpenedRun, output: Tensor) -> Tensor:
    import torch

    plugin, manifest = opened.loaded.plugin, opened.loaded.manifest
    read = (
        cast(Segmenter, plugin).probabilities
        if labels_voxels(manifest)
        else cast(Classifier, plugin).class_probabilities
    )
    with plugin_step(opened.name, "reading its network's output"):
        found = [read(one[None]) for one in output]
    for one in found:
        if not isinstance(one, torch.Tensor):
            check_probabilities(one, manifest, ())  # raises, and says what came
    return torch.stack(found)
