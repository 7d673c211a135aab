"""Colour as the program has it: red, green and blue, 8 bits each, nothing transparent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def on_black(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values (..., channels, alpha) laid over black: what is transparent turns dark. Shape (..., channels)."""
    alpha = colours[..., -1:].astype(np.uint16)
    if alpha.size and alpha.min() == 255:
        return np.ascontiguousarray(colours[..., :-1])
    return ((colours[..., :-1] * alpha + 127) // 255).astype(np.uint8)


def grey_if_equal(voxels: NDArray[Any]) -> NDArray[Any]:
    """Grey values (...) of colours (..., 3) that are all grey, so that windows work on them; else what came."""
    red, green, blue = (voxels[..., channel] for channel in range(3))
    same = np.array_equal(red, green) and np.array_equal(red, blue)
    return np.ascontiguousarray(red) if same else voxels
