"""A batch of windows through every pass: networks of an ensemble, mirrors, repetitions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medviewer.errors import ContractError
from medviewer.inference.windows.doubt import entropies
from medviewer.inference.windows.plan import Network, Plan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from medviewer.plugin_api import RunContext


@dataclass
class Passes:
    """The networks, and how windows go through them.

    Parameters
    ----------
    networks
        The first and those of the ensemble; ready for the device.
    plan, context
        As `predict_slabs` takes them.
    flat
        Whether the networks are 2-D and windows one slice deep.
    """

    networks: tuple[Network, ...]
    plan: Plan
    context: RunContext
    flat: bool

    @property
    def repeatable(self) -> bool:
        """Whether the same window always gets the same answer."""
        return self.plan.samples == 0

    def __call__(self, windows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean scores (n, K, z, y, x) of the passes, and with `Plan.uncertainty` the mean of their entropies.

        Raises
        ------
        ContractError
            If a network answers with something other than scores of the windows' size.
        JobCancelled
            If the run was cancelled.
        """
        each = self._each()
        scores, doubt = self._answer(*next(each), windows)
        for network, flip in each:
            answer, entropy = self._answer(network, flip, windows)
            scores = scores + answer  # not in place: the first may be the network's own tensor
            doubt = None if doubt is None or entropy is None else doubt.add_(entropy)
        if self.count == 1:
            return scores, doubt
        return scores.div_(self.count), None if doubt is None else doubt.div_(self.count)

    @property
    def count(self) -> int:
        """How many passes each window takes."""
        return len(self.networks) * len(self.plan.flips) * max(1, self.plan.samples)

    def _each(self) -> Iterator[tuple[Network, tuple[int, ...]]]:
        for network in self.networks:
            for flip in self.plan.flips:
                # array axes counted from the end: the same for 2-D and 3-D windows
                axes = tuple(axis - 3 for axis in flip if axis or not self.flat)
                for _ in range(max(1, self.plan.samples)):
                    yield network, axes

    def _answer(self, network: Network, flip: tuple[int, ...], windows: Tensor) -> tuple[Tensor, Tensor | None]:
        """What one pass says, and how undecided it is."""
        self.context.check()
        seen = windows[:, :, 0] if self.flat else windows
        output = network(self._laid_out(seen.flip(flip) if flip else seen))
        _check_output(output, seen)
        answer = output.float()
        if self.plan.uncertainty and self.plan.probabilities is not None:
            answer = self.plan.probabilities(answer)
        answer = answer.flip(flip) if flip else answer
        answer = answer[:, :, None] if self.flat else answer
        return answer, entropies(answer, self.plan.exclusive) if self.plan.uncertainty else None

    def _laid_out(self, windows: Tensor) -> Tensor:
        import torch

        if not self.plan.channels_last:
            return windows
        return windows.contiguous(memory_format=torch.channels_last if self.flat else torch.channels_last_3d)


def _check_output(output: object, seen: Tensor) -> None:
    import torch

    count, size = seen.shape[0], tuple(seen.shape[2:])
    wanted = f"scores of shape ({count}, classes, {', '.join(map(str, size))})"
    if not isinstance(output, torch.Tensor):
        came = f"a {type(output).__name__}"
    elif output.ndim != seen.ndim or output.shape[0] != count or tuple(output.shape[2:]) != size:
        came = f"shape {tuple(output.shape)}"
    elif not output.is_floating_point():
        came = f"{output.dtype}"
    else:
        return
    raise ContractError(f"The network should return {wanted} for {count} windows, not {came}; tell its author.")


@contextlib.contextmanager
def ready(plan: Plan, device: str, many: bool) -> Iterator[None]:
    """Torch as the networks run fastest on `device`: no gradients, half precision if the plan says so.

    Parameters
    ----------
    many
        Whether many inputs of one size follow, so that cuDNN's search for the fastest algorithm pays.
    """
    import torch

    kind = torch.device(device).type
    tuned = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = tuned or (many and kind == "cuda")
    try:
        with torch.inference_mode(), torch.autocast(kind, half(device), enabled=plan.amp and has_half(device)):
            yield
    finally:
        torch.backends.cudnn.benchmark = tuned


def half(device: str) -> torch.dtype:
    """The half precision of a device."""
    import torch

    return torch.float16 if torch.device(device).type == "cuda" else torch.bfloat16


def has_half(device: str) -> bool:
    """Whether half precision is faster there: any GPU, and a CPU with instructions for bfloat16."""
    import torch

    if torch.device(device).type != "cpu":
        return True
    # torch names no public test; both are in 2.6 to 2.13, and a torch without them runs in full precision
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(bool(test()) for test in tests if test is not None)
