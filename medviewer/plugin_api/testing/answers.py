"""What an answer of each kind has to look like, and when two are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.errors import ContractError
from medviewer.plugin_api.manifest import Manifest

Answer = NDArray[np.generic]
"""A label map on the image's grid, a vector of probabilities, or the rows of a detector (n, 8).

Such a row is a box z0, y0, x0, z1, y1, x1 on the image's grid, edge to edge, its score, and its label counted from 0.
"""

_CUDA_DIFFERS = 1e-4
"""The part of the voxels that may differ on a GPU, whose sums are taken in another order each time."""
_CUDA_PROBABILITY = 1e-3


def answer_kind(manifest: Manifest) -> str:
    """The kind that a plugin's answers are checked as; ContractError if it answers nothing."""
    for kind in ("segment", "classify", "detect", "interactive"):
        if kind in manifest.kinds:
            return kind
    raise ContractError(f"{manifest.name} should segment, classify, detect or answer clicks, but does none of it.")


def check_answer(manifest: Manifest, image: Image, answer: Answer) -> None:
    """Raise ContractError if an answer is not what the manifest declares."""
    labels = len(manifest.outputs.labels)
    if answer_kind(manifest) == "detect":
        _check_finds(labels, image, answer.astype(float))
        return
    if answer_kind(manifest) == "classify":
        if answer.shape != (labels,) or not np.isfinite(answer).all():
            raise ContractError(f"Expected {labels} finite probabilities, not an answer of shape {answer.shape}.")
        if answer.min() < 0 or answer.max() > 1:
            raise ContractError(f"Expected probabilities in 0 to 1, not {answer.min():.3g} to {answer.max():.3g}.")
        return
    if answer.shape != image.grid.shape:
        raise ContractError(f"Expected a label map of shape {image.grid.shape}, not {answer.shape}.")
    if not np.issubdtype(answer.dtype, np.unsignedinteger):
        raise ContractError(f"Expected a label map of unsigned whole numbers, not {answer.dtype}.")
    highest = int(answer.max())
    if highest > labels:
        raise ContractError(f"Expected the {labels} declared labels only, but label {highest} is there.")


def _check_finds(labels: int, image: Image, rows: NDArray[np.float64]) -> None:
    if rows.ndim != 2 or rows.shape[1] != 8 or not np.isfinite(rows).all():
        raise ContractError(f"Expected finite rows of box, score and label, not an answer of shape {rows.shape}.")
    low, high, scores, named = rows[:, :3], rows[:, 3:6], rows[:, 6], rows[:, 7]
    if (low >= high).any() or (low < -1e-6).any() or (high > np.array(image.grid.shape) + 1e-6).any():
        raise ContractError("Expected boxes inside the image, but one is empty or reaches beyond it.")
    if ((scores < 0) | (scores > 1)).any():
        raise ContractError("Expected scores in 0 to 1, but one is outside.")
    if not np.isin(named, np.arange(labels)).all():
        raise ContractError(f"Expected the {labels} declared labels only, counted from 0, but found {named.max():g}.")


def same_answer(first: Answer, second: Answer, device: str) -> bool:
    """Whether two answers are the same: bit by bit on a CPU, but for rounding on a GPU."""
    if device == "cpu":
        return np.array_equal(first, second)
    return alike(first, second, _CUDA_DIFFERS, _CUDA_PROBABILITY)


def alike(first: Answer, second: Answer, differs: float, probability: float) -> bool:
    """Whether two answers differ at most in that part of their voxels, or by that much in a probability."""
    if first.shape != second.shape:
        return False
    if np.issubdtype(first.dtype, np.floating):
        if not first.size:
            return True
        return bool(np.abs(first.astype(float) - second.astype(float)).max() <= probability)
    return float((first != second).mean()) <= differs
