"""What a sweep of windows is asked to do, and the slabs that come out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Network = Callable[["Tensor"], "Tensor"]
"""Takes windows (n, channels, z, y, x), or (n, channels, y, x) of a 2-D network, to scores (n, K, ...) of that size."""


class Values(Protocol):
    """Network input (channels, z, y, x), float32, on the CPU: a tensor, or what is one by the time it is looked at."""

    @property
    def shape(self) -> torch.Size:
        """Channels, z, y, x."""
        ...

    def __getitem__(self, place: tuple[slice, slice], /) -> Tensor:
        """Channels and slices of z."""
        ...


@dataclass(frozen=True)
class Plan:
    """How windows go through the network.

    Parameters
    ----------
    device
        Torch device string, already resolved; the networks lie there.
    amp
        Half precision: float16 on CUDA, bfloat16 on a CPU that computes with it, otherwise nothing.
    channels_last
        Whether windows and weights are laid out with the channels innermost.
    flips
        The axes that each pass mirrors, counted 0 = z, 1 = y, 2 = x; ``()`` is the plain pass. A 2-D network has no
        axis 0.
    samples
        How often each pass is repeated, for a network whose dropout is on; 0 is once.
    probabilities
        Takes a network's output (n, K, ...) to probabilities (n, P, ...), voxel by voxel. Needed with `uncertainty`.
    uncertainty
        Whether slabs bring maps of the doubt; their scores are mean probabilities then.
    exclusive
        Whether the probabilities of a voxel add up to 1 (softmax). Otherwise each is an answer of its own (sigmoid),
        and the doubt of a voxel is that of its most doubtful answer.
    networks
        Further networks of an ensemble, whose answers are averaged with the first's.
    modules
        The torch modules behind the networks, where a network is a function around one: they are laid out as
        `channels_last` says, and taken to the CPU when the GPU's memory runs out. Networks that are modules themselves
        need no mention.
    memory_gb
        Device memory in GB that a run with the declared batch takes; with less free it starts with a smaller batch.
        0 if nobody knows.
    """

    device: str = "cpu"
    amp: bool = False
    channels_last: bool = False
    flips: tuple[tuple[int, ...], ...] = ((),)
    samples: int = 0
    probabilities: Callable[[Tensor], Tensor] | None = None
    uncertainty: bool = False
    exclusive: bool = True
    networks: tuple[Network, ...] = ()
    modules: tuple[nn.Module, ...] = ()
    memory_gb: float = 0.0


@dataclass(frozen=True)
class Slab:
    """Finished slices of a sweep; its tensors may be overwritten once the next slab is asked for.

    Parameters
    ----------
    start, stop
        The slices, along z.
    scores
        Shape (K, stop - start, y, x), float32: blended raw outputs, or mean probabilities with `Plan.uncertainty`. On
        the device where the sweep ran, which is the CPU after the GPU's memory ran out.
    entropy
        Doubt of each voxel, shape (stop - start, y, x), 0 to 1: entropy of the mean probabilities over the entropy of
        knowing nothing. None without `Plan.uncertainty`.
    mutual
        The part of that doubt that comes from passes and windows disagreeing: the mutual information between the answer
        and the pass (Gal et al. 2017), same shape and unit.
    """

    start: int
    stop: int
    scores: Tensor
    entropy: Tensor | None = None
    mutual: Tensor | None = None
