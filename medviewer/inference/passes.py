"""How thorough a run is: mirrored passes, passes with dropout on, ensembles of versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.inference.answering.activation import activated, background_counts, class_distribution
from medviewer.inference.device import describe_device
from medviewer.inference.doubting.calibration import cooled, cooled_each
from medviewer.inference.doubting.doubts import reference_for
from medviewer.inference.doubting.reference import Reference
from medviewer.inference.loader import load_plugin
from medviewer.inference.pipeline import OpenedRun, called, layers_checked, windows_seen
from medviewer.inference.windows import Plan
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from medviewer.inference.request import PluginRun, Tta

Flips = tuple[tuple[int, ...], ...]

PLAIN: Flips = ((),)
"""One pass over the image as it is."""
_ADDS_UP = 1e-3
_START, _STOP = 0.1, 0.95
"""How far a run is before its first pass and after its last one."""
_NOT_TRAINED = "Mirrored passes were left out: this model was not trained on images mirrored that way."


def plan_of(opened: OpenedRun, temperature: float = 1.0) -> Plan:
    """What the run's options ask of the sliding window.

    Loads the further versions of an ensemble. Dropout is not switched on here: see `dropout_on`, which belongs around
    the sweep, and `steps_of` for what was asked for and left out.

    Parameters
    ----------
    temperature
        What scores are divided by before they become probabilities (see `inference.doubting.reference`).
    """
    run, loaded, manifest = opened.run.options, opened.loaded, opened.loaded.manifest
    flips, _ = flips_of(run.tta, manifest, left_right_axis(opened))
    return Plan(
        device=loaded.device,
        amp=manifest.resources.amp,
        channels_last=manifest.resources.channels_last,
        flips=flips,
        samples=run.samples if dropouts(loaded.network) else 0,
        probabilities=voxel_probabilities(opened, temperature),
        uncertainty=run.uncertainty,
        exclusive=background_counts(manifest),
        networks=ensemble_of(opened),
        memory_gb=manifest.resources.memory_gb,
    )


def steps_of(opened: OpenedRun) -> tuple[str, ...]:
    """What the run's options asked for and this plugin or image cannot give, one sentence each."""
    run, manifest = opened.run.options, opened.loaded.manifest
    _, left_out = flips_of(run.tta, manifest, left_right_axis(opened))
    said = [left_out] if left_out else []
    if run.samples and not dropouts(opened.loaded.network):
        said.append("Passes with dropout were left out: this network has no dropout.")
    return tuple(said)


def flips_of(tta: Tta, manifest: Manifest, left_right: int | None) -> tuple[Flips, str]:
    """The mirrored passes of a run, axes counted 0 = z, 1 = y, 2 = x, and what was left out and why.

    A network whose labels say left or right is not shown a patient whose sides are swapped.

    Parameters
    ----------
    left_right
        The axis that runs from one side of the patient to the other; None if the image shows none.
    """
    if tta == "off":
        return PLAIN, ""
    safe = mirrors_safely(manifest)
    declared = manifest.inputs.flips
    trained = range(3) if declared is None else declared
    if tta == "fast":
        if left_right is None:
            return PLAIN, "The mirrored pass was left out: this image shows no left and right."
        if not safe:
            return PLAIN, "The mirrored pass was left out: this model tells left from right."
        return (((), (left_right,)), "") if left_right in trained else (PLAIN, _NOT_TRAINED)
    axes = [axis for axis in range(3 - manifest.inputs.ndim, 3) if axis in trained and (safe or axis != left_right)]
    every = chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1))
    if not safe and left_right is not None:
        return tuple(every), "Passes that swap left and right were left out: this model tells them apart."
    return tuple(every), "" if len(axes) == manifest.inputs.ndim else _NOT_TRAINED


def mirrors_safely(manifest: Manifest) -> bool:
    """Whether a mirrored patient is a valid case: not where a label says left or right."""
    labels = manifest.outputs.labels
    names = " ".join(f"{label.name} {label.code.meaning if label.code else ''}" for label in labels)
    words = re.split(r"[\W_]+", names.lower())
    return not any(label.side for label in labels) and not {"left", "right"} & set(words)


def left_right_axis(opened: OpenedRun) -> int | None:
    """The axis of the network's grid (0 = z, 1 = y, 2 = x) that runs between the patient's sides, None if none does."""
    inputs = opened.loaded.manifest.inputs
    if inputs.orientation:
        return next(k for k, letter in enumerate(inputs.orientation) if letter in "RL")
    axis = opened.image.grid.array_axis(0)
    return axis if axis >= 3 - inputs.ndim else None


def ensemble_of(opened: OpenedRun) -> tuple[nn.Module, ...]:
    """The networks of the further versions. Raises as `load_plugin` does."""
    return tuple(load_plugin(run, opened.loaded.device).network for run in _further(opened))


def _further(opened: OpenedRun) -> list[PluginRun]:
    """A run of each further version."""
    return [replace(opened.run, weights=path, sha256=sha256) for path, sha256 in opened.run.options.versions]


def _temperature(reference: Reference | None) -> float:
    return reference.temperature if reference is not None else 1.0


def voxel_probabilities(opened: OpenedRun, temperature: float = 1.0) -> Callable[[Tensor], Tensor]:
    """How scores (n, K, ...) become calibrated probabilities (n, P, ...), voxel by voxel, for any number of windows."""
    own = opened.loaded.manifest.outputs.activation == "own"

    def read(scores: Tensor) -> Tensor:
        if own:
            return cooled_each(class_distribution(opened, scores).float(), temperature)
        return class_distribution(opened, scores if temperature == 1 else scores / temperature)

    return read


def dropouts(network: nn.Module) -> list[nn.Module]:
    """The dropout layers of a network that drop anything."""
    from torch.nn.modules.dropout import _DropoutNd

    return [layer for layer in network.modules() if isinstance(layer, _DropoutNd) and layer.p > 0]


@contextmanager
def dropout_on(networks: Sequence[nn.Module], samples: int, seed: int = 0) -> Iterator[None]:
    """Let dropout drop, and nothing else train, while passes are sampled (Gal and Ghahramani 2016).

    Normalisation keeps the statistics of training. Networks are shared between runs, so that they are put back.

    Parameters
    ----------
    samples
        Passes that are wanted; with 0 everything stays as it is.
    seed
        Makes the passes the same again.
    """
    import torch

    layers = [layer for network in networks for layer in dropouts(network)] if samples else []
    torch.manual_seed(seed)
    try:
        for layer in layers:
            layer.train()
        yield
    finally:
        for layer in layers:
            layer.eval()


def class_passes(opened: OpenedRun, values: Tensor, reference: Reference | None = None) -> NDArray[np.float64]:
    """The probabilities of a classifier in every pass that the run's options ask for, shape (passes, labels).

    Of a classifier that sees an image window by window a pass is the mean over its windows.

    Parameters
    ----------
    values
        Network input (channels, z, y, x) as `pipeline.prepared` makes it.
    reference
        Says how the run's own version is calibrated, where anybody knows; further versions have references of theirs.
    """
    import torch

    run, loaded = opened.run.options, opened.loaded
    flips, _ = flips_of(run.tta, loaded.manifest, left_right_axis(opened))
    networks = (loaded.network, *ensemble_of(opened))
    further = [_temperature(reference_for(one, loaded.manifest)) for one in _further(opened)]
    answers: list[NDArray[np.float64]] = []
    opened.context.progress(_START, f"Running on {describe_device(loaded.device)}")
    with dropout_on(networks, run.samples, opened.context.seed), torch.inference_mode():
        for network, temperature in zip(networks, (_temperature(reference), *further), strict=True):
            times = max(1, run.samples) if dropouts(network) else 1
            for axes in flips:
                seen = values.flip([axis - 3 for axis in axes]) if axes else values
                for _ in range(times):
                    found = []
                    for _, window in windows_seen(opened, seen):
                        with layers_checked(opened, _START, _STOP, network, tell=not answers):
                            output = called(opened, network, window)
                        found.append(_calibrated(loaded.manifest, activated(opened, output), temperature))
                    answers.append(np.mean(found, axis=0))
    return np.stack(answers)


def excludes_each_other(manifest: Manifest, probabilities: NDArray[np.generic]) -> bool:
    """Whether the labels of a classification (labels,) exclude each other: they do where their probabilities add up."""
    if manifest.outputs.activation == "own":
        return probabilities.size > 1 and abs(float(probabilities.sum()) - 1) < _ADDS_UP
    return manifest.outputs.activation == "softmax"


def _calibrated(manifest: Manifest, probabilities: Tensor, temperature: float) -> NDArray[np.float64]:
    exclusive = excludes_each_other(manifest, probabilities.cpu().numpy())
    made = cooled(probabilities, temperature) if exclusive else cooled_each(probabilities, temperature)
    return made.cpu().numpy().astype(np.float64)
