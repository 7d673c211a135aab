"""The training loop, in the child process."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from medviewer.errors import ContractError, PluginError
from medviewer.inference.loader import LoadedPlugin, plugin_step
from medviewer.inference.passes import mirrors_safely
from medviewer.learning.options import FinetuneOptions
from medviewer.plugin_api import RunContext, Trainable

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

_CLIP_NORM = 1.0
"""Longest gradient: one odd case must not throw the weights far off."""

_BRIGHTNESS = 0.1
"""Network input is scaled by 1 plus or minus at most this: scanners differ in gain."""


@dataclass(frozen=True)
class TrainingCase:
    """One case on disk, on the network's grid.

    Parameters
    ----------
    values, truth
        Files of float32 arrays (n, c, z, y, x) and (n, labels, z, y, x), one axis less for pictures; each step takes
        one of the n windows.
    left_right
        The axis, counted from the last one, that runs from the patient's right to the left; None if a picture shows no
        such axis.
    """

    values: Path
    truth: Path
    left_right: int | None


@dataclass(frozen=True)
class Step:
    """One step that was taken: its number and epoch, both from 1, the number of steps in all, and its loss."""

    number: int
    epoch: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Parameters
    ----------
    loaded
        The plugin with new weights.
    losses
        Mean loss of each epoch.
    seen
        Indices of the cases that were trained on; all of them unless the steps were too few.
    """

    loaded: LoadedPlugin
    losses: tuple[float, ...]
    seen: tuple[int, ...]


def train(
    loaded: LoadedPlugin,
    cases: Sequence[TrainingCase],
    options: FinetuneOptions,
    context: RunContext,
    on_step: Callable[[Step], None],
) -> Trained:
    """Train a copy of a plugin's network; the one handed in stays as it is.

    AdamW (Loshchilov 2019) on what the plugin lets change, one case a step, cases in a new order each epoch. The
    weights after the epoch with the lowest mean loss are kept; held-out cases have no say in that, or they would not
    be held out.

    Parameters
    ----------
    loaded
        The plugin with the weights to start from.
    on_step
        Called after each step.

    Raises
    ------
    JobCancelled
        If the user stops it.
    PluginError
        If the loss stops being a number, or the plugin's code raises.
    ContractError
        If the plugin offers nothing to train.
    """
    import torch

    torch.manual_seed(options.seed)
    network, parameters = _trainable(loaded)
    optimiser = torch.optim.AdamW(parameters, lr=options.learning_rate)
    chance = np.random.default_rng(options.seed)
    steps = options.steps(len(cases))
    losses: list[float] = []
    best: dict[str, Tensor] = {}
    seen: set[int] = set()
    taken = 0
    for epoch in range(1, math.ceil(steps / len(cases)) + 1):
        epoch_losses = []
        for index in chance.permutation(len(cases))[: steps - taken]:
            context.check()
            values, truth = _augmented(cases[index], loaded, chance)
            loss = _step(loaded, network, parameters, optimiser, values, truth, context)
            taken += 1
            seen.add(int(index))
            epoch_losses.append(loss)
            on_step(Step(taken, epoch, steps, loss))
        losses.append(float(np.mean(epoch_losses)))
        if losses[-1] <= min(losses):
            best = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    return Trained(replace(loaded, network=network.eval()), tuple(losses), tuple(sorted(seen)))


def _trainable(loaded: LoadedPlugin) -> tuple[nn.Module, list[nn.Parameter]]:
    """A copy of the network, ready to train, and the parameters that may change."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    network = copy.deepcopy(loaded.network).train()
    if loaded.device == "cpu":
        # Measured on brain extraction at 128 x 128 x 128: a step takes two thirds of the processor's time.
        flat = loaded.manifest.inputs.ndim == 2
        layout = torch.channels_last if flat else torch.channels_last_3d
        network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs leave this argument out
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()  # one case a step is too few for statistics; those of the first training stay
    network.requires_grad_(False)
    with plugin_step(loaded.manifest.name, "choosing what may be trained"):
        parameters = list(cast(Trainable, loaded.plugin).trainable_parameters(network))
    if not parameters or not all(isinstance(one, torch.nn.Parameter) for one in parameters):
        raise ContractError(
            f"{loaded.manifest.name} should offer parameters to train, but offers none; tell its author."
        )
    for parameter in parameters:
        parameter.requires_grad_(True)
    return network, parameters


def _step(
    loaded: LoadedPlugin,
    network: nn.Module,
    parameters: list[nn.Parameter],
    optimiser: Optimizer,
    values: Tensor,
    truth: Tensor,
    context: RunContext,
) -> float:
    import torch

    optimiser.zero_grad(set_to_none=True)
    with plugin_step(loaded.manifest.name, "being trained"):
        loss = cast(Trainable, loaded.plugin).loss(network(values), truth)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise PluginError(
                f"Training {loaded.manifest.name} needs a finite loss, but it became {value}; "
                "lower the learning rate and run it again."
            )
        context.check()
        torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
    optimiser.step()
    return value


def _augmented(case: TrainingCase, loaded: LoadedPlugin, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    import torch

    windows = [np.load(path, mmap_mode="r") for path in (case.values, case.truth)]
    # Without windows nothing is drawn: the same seed gives what it always gave.
    k = int(chance.integers(len(windows[0]))) if len(windows[0]) > 1 else 0
    values, truth = (torch.from_numpy(np.array(array[k : k + 1])).to(loaded.device) for array in windows)
    mirror = chance.random() < 0.5
    scale = 1 + _BRIGHTNESS * chance.uniform(-1, 1)
    if mirror and case.left_right is not None and mirrors_safely(loaded.manifest):
        values, truth = values.flip(case.left_right), truth.flip(case.left_right)
    if loaded.device == "cpu":
        values = values.contiguous(memory_format=torch.channels_last if values.ndim == 4 else torch.channels_last_3d)
    return values * scale, truth
