"""nnU-Net's ways to turn values into network input, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LEAST_STD = 1e-8


def normalised(values: NDArray[np.float32], channels: Sequence[dict[str, Any]]) -> NDArray[np.float32]:
    """Network input of values (channels, ...), a new array.

    nnU-Net cuts an image to the box of what is not 0 in any channel before it looks at its values; the numbers here are
    those of that box.

    Parameters
    ----------
    channels
        For each channel its ``scheme``, whether it is ``masked``, and ``statistics`` where it is CT.
    """
    some = (values != 0).any(axis=0)
    box = ndimage.find_objects(some.astype(np.uint8))[0] if some.any() else tuple(slice(None) for _ in some.shape)
    inside = ndimage.binary_fill_holes(some[box]) if any(channel["masked"] for channel in channels) else None
    result = values.astype(np.float32)
    for image, channel in zip(result, channels, strict=True):
        _apply(image, image[box], inside if channel["masked"] else None, channel)
    return result


def _apply(
    image: NDArray[np.float32], part: NDArray[np.float32], inside: NDArray[np.bool_] | None, channel: dict[str, Any]
) -> None:
    """Normalise one image in place; `part` is its box."""
    scheme = channel["scheme"]
    if scheme == "CTNormalization":
        low, high, mean, std = channel["statistics"]
        np.clip(image, low, high, out=image)
        image -= np.float32(mean)
        image /= np.float32(max(std, _LEAST_STD))
    elif scheme == "ZScoreNormalization" and inside is not None:
        chosen = part[inside]
        part[inside] = (chosen - chosen.mean()) / max(float(chosen.std()), _LEAST_STD)
    elif scheme == "ZScoreNormalization":
        mean, std = float(part.mean(dtype=np.float64)), float(part.std(dtype=np.float64))
        image -= np.float32(mean)
        image /= np.float32(max(std, _LEAST_STD))
    elif scheme == "RescaleTo01Normalization":
        low, high = float(part.min()), float(part.max())
        image -= np.float32(low)
        image /= np.float32(max(high - low, _LEAST_STD))
    elif scheme == "RGBTo01Normalization":
        image /= np.float32(255)
