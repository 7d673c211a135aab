"""The contract tests that every plugin runs, first-party ones too.

They work on a plugin object that its host has loaded, in the process that runs plugins, and speak to it as the host
does. Images are synthetic: what is tested is the contract, not whether the answers are good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid, Shape
from medviewer.domain.image import Image
from medviewer.errors import JobCancelled, MedviewerError
from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import Manifest
from medviewer.plugin_api.protocols import Explainable, Normaliser, Plugin, Trainable

if TYPE_CHECKING:
    from torch import Tensor, nn

Predict = Callable[[Image, RunContext], NDArray[np.generic]]
"""The host's way through the plugin: a label map on the image's grid, or a vector of probabilities."""

Check = tuple[str, str, Callable[[], str]]
"""Name, what is said when it holds, and what tells what is wrong."""

_OBLIQUE = (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0)
"""Axes that are neither axial nor in the usual order: a sagittal stack turned by 37 degrees."""


@dataclass(frozen=True)
class CheckRow:
    """The outcome of one check.

    Parameters
    ----------
    name
        A word for the table.
    ok
        Whether it passed.
    text
        One sentence: what held, or what did not.
    """

    name: str
    ok: bool
    text: str


def check_plugin(
    manifest: Manifest, plugin: Plugin, network: nn.Module, predict: Predict, context: RunContext
) -> list[CheckRow]:
    """Run every check that the plugin's kinds call for.

    Parameters
    ----------
    network
        The plugin's network with its weights, on the context's device.
    predict
        Takes an image through the plugin as the host does.

    Returns
    -------
    One row a check; the first failure never hides the next.
    """
    plain, quiet = _image(manifest, np.int16), replace(context, report=_ignore)
    checks: list[Check] = [
        ("repeatable", "Two runs give the same answer.", partial(_repeatable, manifest, predict, plain, quiet)),
        *[
            (name, f"{what} gets a valid answer.", partial(_valid, manifest, predict, image, quiet))
            for name, what, image in _odd_images(manifest)
        ],
        ("cancel", "A cancelled run stops.", partial(_cancels, predict, plain, quiet)),
    ]
    if "explain" in manifest.kinds:
        layer = partial(_layer, cast(Explainable, plugin), network)
        checks.append(("explain", "The explained layer is in the network.", layer))
    if "train" in manifest.kinds:
        learns = partial(_learns, manifest, plugin, cast(Trainable, plugin), network, quiet)
        checks.append(("train", "A loss comes with gradients for what may learn.", learns))
    rows = []
    for done, (name, held, check) in enumerate(checks):
        context.progress(done / len(checks), f"Checking: {name}")
        rows.append(_row(name, held, check))
    return rows


def _ignore(fraction: float, message: str) -> None:
    """Take the progress of one prediction, which says nothing about the whole check."""


def _row(name: str, held: str, check: Callable[[], str]) -> CheckRow:
    """Run one check, which returns what is wrong, empty when nothing is, or raises.

    Raises
    ------
    JobCancelled
        If the user cancelled.
    """
    try:
        wrong = check()
    except JobCancelled:
        raise
    except MedviewerError as error:
        wrong = str(error)
    except Exception as error:  # a plugin's code may raise anything, and the other checks still have to run
        wrong = f"The plugin raised {type(error).__name__}: {error}"
    return CheckRow(name, not wrong, wrong or held)


def _odd_images(manifest: Manifest) -> Iterable[tuple[str, str, Image]]:
    plain = _image(manifest, np.float32)
    flipped = np.ascontiguousarray(plain.voxels[:, ::-1, ::-1])
    broken = plain.voxels.copy()
    broken[:, ::2] = np.nan
    spacing = (3.1, 0.7, 0.9)
    oblique = Grid(plain.grid.shape, spacing, (-40.0, 12.5, 88.0), _OBLIQUE)
    yield "flipped", "A flipped, anisotropic, oblique image", replace(plain, voxels=flipped, grid=oblique)
    yield "tiny", "An image of a few voxels", _image(manifest, np.uint8, tiny=True)
    yield "constant", "An image of one value", replace(plain, voxels=np.full_like(plain.voxels, 7))
    yield "zero", "An image of zeros", replace(plain, voxels=np.zeros_like(plain.voxels))
    yield "nan", "An image with voxels that are not a number", replace(plain, voxels=broken)


def _image(manifest: Manifest, dtype: type[np.generic], tiny: bool = False) -> Image:
    """A bright ball in noise, of another shape than the network's."""
    planes = (3 if tiny else 41) if manifest.inputs.ndim == 3 else 1
    shape: Shape = (planes, 5, 4) if tiny else (planes, 53, 47)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij")
    noise = np.random.default_rng(0).uniform(0, 20, shape)
    voxels = (200 * (z**2 + y**2 + x**2 < 0.5) + noise).astype(dtype)
    modality = manifest.inputs.modality[0] if manifest.inputs.modality else "OT"
    return Image(voxels, Grid(shape), modality)


def _valid(manifest: Manifest, predict: Predict, image: Image, context: RunContext) -> str:
    return _wrong(manifest, image, predict(image, context))


def _wrong(manifest: Manifest, image: Image, answer: NDArray[np.generic]) -> str:
    labels = len(manifest.outputs.labels)
    if "segment" not in manifest.kinds:
        fine = answer.shape == (labels,) and bool(np.isfinite(answer).all())
        return "" if fine else f"Expected {labels} finite probabilities, not an answer of shape {answer.shape}."
    if answer.shape != image.grid.shape:
        return f"Expected a label map of shape {image.grid.shape}, not {answer.shape}."
    highest = int(answer.max())
    return "" if highest <= labels else f"Expected the {labels} declared labels only, but label {highest} is there."


def _repeatable(manifest: Manifest, predict: Predict, image: Image, context: RunContext) -> str:
    first, second = predict(image, context), predict(image, context)
    same = np.array_equal(first, second)
    differs = "" if same else "Expected the same answer from the same image and seed, but two runs differ."
    return _wrong(manifest, image, first) or differs


def _cancels(predict: Predict, image: Image, context: RunContext) -> str:
    """Cancel at the first sign of progress, as a user does, and see that the run stops there."""
    cancelled = threading.Event()

    def cancel(fraction: float, message: str) -> None:
        cancelled.set()

    try:
        predict(image, replace(context, report=cancel, cancelled=cancelled))
    except JobCancelled:
        return ""
    return "Expected a cancelled run to stop, but it ran to its end."


def _layer(plugin: Explainable, network: nn.Module) -> str:
    inside = any(plugin.explain_layer(network) is module for module in network.modules())
    return "" if inside else "Expected explain_layer to return a layer of the network, but it is not in there."


def _learns(manifest: Manifest, plugin: Plugin, trainable: Trainable, network: nn.Module, context: RunContext) -> str:
    import torch

    size = tuple(manifest.inputs.size)
    values = np.random.default_rng(0).uniform(0, 100, size).astype(np.float32)
    target = torch.zeros((1, len(manifest.outputs.labels), *size), device=context.device)
    target[..., : size[-1] // 2] = 1
    parameters = list(trainable.trainable_parameters(network))
    if not parameters:
        return "Expected trainable_parameters to name at least one parameter, but there is none."
    output = network(torch.from_numpy(cast(Normaliser, plugin).normalise(values))[None].to(context.device))
    loss = trainable.loss(output, target)
    if loss.ndim or not bool(torch.isfinite(loss)):
        return f"Expected the loss to be one finite number, not {loss.detach().cpu().numpy()}."
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return (
        ""
        if any(map(_moves, gradients))
        else "Expected the loss to move a trainable parameter, but every gradient is zero."
    )


def _moves(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.abs().sum() > 0)
