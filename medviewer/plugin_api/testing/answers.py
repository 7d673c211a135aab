"""What an answer of each kind has to look like, and when two are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image
from medviewer.errors import ContractError
from medviewer.plugin_api.manifest import Manifest

Answer = NDArray[np.generic]
"""A label map on the image's grid, or a vector of probabilities."""

_CUDA_DIFFERS = 1e-4
"""The part of the voxels that may differ on a GPU, whose sums are taken in another order each time."""
_CUDA_PROBABILITY = 1e-3


def answer_kind(manifest: Manifest) -> str:
    """The kind that a plugin's answers are checked as; ContractError if it answers nothing."""
    for kind in ("segment", "classify", "interactive"):
        if kind in manifest.kinds:
            return kind
    raise ContractError(f"{manifest.name} should segment, classify or answer clicks, but does none of it.")


def check_answer(manifest: Manifest, image: Image, answer: Answer) -> None:
    """Raise ContractError if an answer is not what the manifest declares."""
    labels = len(manifest.outputs.labels)
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
        return bool(np.abs(first.astype(float) - second.astype(float)).max() <= probability)
    return float((first != second).mean()) <= differs
