"""What a plugin's answer has to be, and whether it is plausible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medviewer.errors import ContractError
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-4
"""How far outside 0..1 a probability may lie: half precision's rounding, no more."""


def check_probabilities(values: object, manifest: Manifest, shape: tuple[int, ...]) -> Tensor:
    """The plugin's probabilities as float32 in 0..1, once they are what the manifest declares.

    Parameters
    ----------
    values
        What the plugin returned.
    shape
        What its shape has to be: (labels, z, y, x), (labels, y, x) or (labels,).

    Raises
    ------
    ContractError
        If it is no tensor of that shape, or holds something other than finite numbers in 0..1.
    """
    checked = check_finite(values, manifest, shape)
    low, high = (float(limit) for limit in checked.aminmax())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ContractError(
            f"{manifest.name} should return probabilities in 0 to 1, not {low:.3g} to {high:.3g}{_CURE}"
        )
    return checked.float().clamp(0, 1)


def check_finite(values: object, manifest: Manifest, shape: tuple[int, ...]) -> Tensor:
    """Scores or probabilities, once they are finite numbers of that shape; ContractError otherwise."""
    import torch

    name = manifest.name
    if not isinstance(values, torch.Tensor):
        raise ContractError(f"{name} should return probabilities as a tensor, not a {type(values).__name__}{_CURE}")
    if tuple(values.shape) != shape:
        raise ContractError(
            f"{name} should return probabilities of shape {shape}, one for each declared label, "
            f"not {tuple(values.shape)}{_CURE}"
        )
    if not values.is_floating_point():
        raise ContractError(f"{name} should return probabilities as floating-point numbers, not {values.dtype}{_CURE}")
    # Infinities and what is not a number come out at one of the ends.
    if not np.isfinite([float(limit) for limit in values.aminmax()]).all():
        raise ContractError(f"{name} should return finite probabilities, but some are not a number{_CURE}")
    return values


_CURE = "; do not use this result, and tell the plugin's author."
