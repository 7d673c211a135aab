"""Probabilities that mean what they say: temperature scaling (Guo 2017), and the error that it mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_BINS = 15
"""Bins of the calibration error, as Guo 2017 takes them."""
_RANGE = (0.05, 20.0)
"""Temperatures beyond these say that there is nothing to calibrate, not how."""
_LEAST_PROBABILITY = 1e-7
"""A half-precision network answers exactly 0 and 1; their logarithms have to stay finite."""


def fit_temperature(logits: NDArray[np.generic], truth: NDArray[np.integer]) -> float:
    """The temperature under which held-out logits are least surprising, by their mean negative log-likelihood.

    Parameters
    ----------
    logits
        Shape (cases, classes): outputs before the softmax, or log-probabilities.
    truth
        The right class of each case, shape (cases,).

    Returns
    -------
    What to divide logits by; above 1 for a network that is too sure of itself.

    Raises
    ------
    InputError
        If there is no case, or the shapes do not fit.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    scores = _checked(logits, truth)
    right = scores[np.arange(len(scores)), truth]

    def surprise(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(np.mean(logsumexp(scores * inverse, axis=1) - right * inverse))

    # One number, and convex in its inverse: a bounded search finds what LBFGS would.
    low, high = np.log(_RANGE)
    return float(np.exp(minimize_scalar(surprise, bounds=(low, high), method="bounded", options={"xatol": 1e-5}).x))


def expected_calibration_error(
    probabilities: NDArray[np.generic], truth: NDArray[np.integer], bins: int = _BINS
) -> float:
    """How far confidence and accuracy lie apart, 0..1 (Naeini 2015, as in Guo 2017).

    Parameters
    ----------
    probabilities
        Shape (cases, classes).
    truth
        The right class of each case.
    """
    rows = _checked(probabilities, truth)
    confidence, hit = rows.max(axis=1), rows.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(hit[which == k].mean() - confidence[which == k].mean()) * (which == k).sum() for k in np.unique(which)]
    return float(sum(gaps) / len(rows))


def cooled(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities (labels, ...) of labels that exclude each other, as if their logits were divided by `temperature`.

    What sums to 1 over its first axis stays so: log-probabilities differ from logits by a constant only.
    """
    if temperature == 1:
        return probabilities
    return (probabilities.clamp_min(_LEAST_PROBABILITY).log() / temperature).softmax(dim=0)


def cooled_each(probabilities: Tensor, temperature: float) -> Tensor:
    """The same for labels that do not exclude each other: each one's own logit is divided by `temperature`."""
    if temperature == 1:
        return probabilities
    return (probabilities.clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY).logit() / temperature).sigmoid()


def cooled_threshold(threshold: float, temperature: float) -> float:
    """The same threshold for probabilities that `cooled_each` has changed, so that a mask stays as it is."""
    logit = np.log(threshold / (1 - threshold)) / temperature
    return float(1 / (1 + np.exp(-logit)))


def _checked(rows: NDArray[np.generic], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    scores = np.asarray(rows, np.float64)
    if scores.ndim != 2 or not len(scores) or truth.shape != (len(scores),):
        raise InputError(
            f"Calibration needs a row of scores and a right class for each case, not arrays of shape {scores.shape} "
            f"and {truth.shape}; give it held-out cases."
        )
    return scores
