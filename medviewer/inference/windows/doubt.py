"""How undecided probabilities are, voxel by voxel."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def entropies(probabilities: Tensor, exclusive: bool) -> Tensor:
    """Entropy of each voxel's answer, 0 to 1, as a part of that of knowing nothing.

    Parameters
    ----------
    probabilities
        Shape (n, K, ...).
    exclusive
        Whether they add up to 1: one answer out of K (log K is knowing nothing), otherwise K answers of yes or no.

    Returns
    -------
    Shape (n, 1, ...) of exclusive answers, (n, K, ...) otherwise; a single channel is always a yes or no.
    """
    classes = probabilities.shape[1]
    surprise = -probabilities.xlogy(probabilities)
    if exclusive and classes > 1:
        return surprise.sum(dim=1, keepdim=True).div_(log(classes))
    rest = 1 - probabilities
    return surprise.sub_(rest.xlogy(rest)).div_(log(2))


def doubts(mean: Tensor, expected: Tensor, exclusive: bool) -> tuple[Tensor, Tensor]:
    """Entropy of the mean probabilities, and mutual information between answer and pass.

    Gal, Islam and Ghahramani, "Deep Bayesian Active Learning with Image Data", 2017: what the passes agree to be
    undecided about is in `expected`, what they disagree about is the rest.

    Parameters
    ----------
    mean
        Mean probabilities, (K, z, y, x).
    expected
        Mean of the passes' entropies, (1 or K, z, y, x), as `entropies` gives them.

    Returns
    -------
    Two maps (z, y, x) in 0 to 1; of K separate answers, the most doubtful one.
    """
    # weights that were rounded may leave a probability a hair outside
    entropy = entropies(mean.clamp(0, 1)[None], exclusive)[0].clamp_(0, 1)
    mutual = (entropy - expected).clamp_(0, 1)
    return entropy.amax(dim=0), mutual.amax(dim=0)
