"""How an image's values become network input, as the manifest's `inputs.intensity` asks, step by step and in place."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Image, Rescale
from medviewer.errors import ContractError
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.spec import Intensity, Range

if TYPE_CHECKING:
    from torch import Tensor

GREY_LEVELS = 255.0
"""White of the ``display`` intensity: the scale of 8-bit pictures, which such networks were trained on."""
_PART_VOXELS = 1 << 18
"""Voxels that are worked on at once where a step needs memory of its own."""
_SORTED = 1 << 22
"""Up to so many values percentiles are sorted out; of more they are counted, which needs no copy."""


def take_source(values: Tensor, image: Image, source: str) -> None:
    """Turn real values into what `Intensity.source` asks for, MONOCHROME1 into bright-is-dense; in place."""
    if source == "real" and not image.inverted:
        return
    low, high = display_limits(image)
    if source == "real":
        values.neg_().add_(low + high)
        return
    values.sub_(low).mul_(GREY_LEVELS / (high - low)).clamp_(0, GREY_LEVELS)
    if image.inverted:
        values.neg_().add_(GREY_LEVELS)


def display_limits(image: Image) -> Range:
    """The real values that are black and white for a network: 8-bit pictures as they are, others by their values."""
    if image.voxels.dtype == np.uint8 and image.rescale == Rescale():
        return 0.0, GREY_LEVELS
    return image.auto_window().limits


def adjust(values: Tensor, wanted: Intensity, context: RunContext) -> None:
    """Clip, scale and normalise one image's values (z, y, x) in place, in that order."""
    context.check()
    limits = wanted.clip
    if wanted.clip_percentiles is not None:
        limits = percentiles(values, wanted.clip_percentiles)
    if limits is not None:
        values.clamp_(*limits)
    if wanted.scale is not None:
        _scale(values, limits or _extremes(values), wanted.scale)
    if wanted.normalise != "none":
        _zscore(values, nonzero=wanted.normalise == "zscore-nonzero")


def widened(values: Tensor, wanted: Intensity, name: str) -> Tensor:
    """Take off mean and std, and repeat the channels (channels, z, y, x), as often as the manifest says.

    Raises
    ------
    ContractError
        If mean and std are as many as neither one nor the channels, before or after they are repeated.
    """
    channels, repeat = len(values), wanted.repeat
    count = len(wanted.mean)
    if count == channels * repeat and repeat > 1:
        values, repeat = values.repeat_interleave(repeat, dim=0), 1
    elif count not in (0, 1, channels):
        raise ContractError(
            f"{name} should give one mean and std, or one for each of its {channels * repeat} channels, not {count}; "
            "tell its author."
        )
    for number, channel in enumerate(values if count else ()):
        k = number if count > 1 else 0
        channel.sub_(wanted.mean[k]).div_(wanted.std[k])
    return values.repeat_interleave(repeat, dim=0) if repeat > 1 else values


def percentiles(values: Tensor, ranks: Range) -> Range:
    """The values at two percentiles, 0 to 100, interpolated linearly as NumPy's."""
    if values.numel() <= _SORTED:
        low, high = np.percentile(values.numpy(), ranks)
        return float(low), float(high)
    places = [rank / 100 * (values.numel() - 1) for rank in ranks]
    near = _at_ranks(values, [floor(place) for place in places] + [ceil(place) for place in places])
    low, high = (near[k] + (near[k + 2] - near[k]) * (places[k] % 1) for k in range(2))
    return low, high


def _at_ranks(values: Tensor, ranks: list[int]) -> list[float]:
    """The values that would stand at these places if all were sorted: a radix selection, which takes no copy."""
    upper = np.cumsum(sum(np.bincount(_sortable(part) >> 16, minlength=1 << 16) for part in _parts(values)))
    tops = [int(np.searchsorted(upper, rank, side="right")) for rank in ranks]
    lower = {top: np.zeros(1 << 16, np.int64) for top in tops}
    for part in _parts(values):
        keys = _sortable(part)
        for top, counts in lower.items():
            counts += np.bincount(keys[keys >> 16 == top] & 0xFFFF, minlength=1 << 16)
    found = []
    for rank, top in zip(ranks, tops, strict=True):
        before = int(upper[top - 1]) if top else 0
        bottom = int(np.searchsorted(np.cumsum(lower[top]), rank - before, side="right"))
        key = np.array(top << 16 | bottom, np.uint32)
        found.append(float(np.where(key >> 31, key ^ np.uint32(1 << 31), ~key).astype(np.uint32).view(np.float32)))
    return found


def _sortable(part: Tensor) -> NDArray[np.uint32]:
    """The bits of floats, turned so that they sort as the floats do."""
    bits = part.numpy().ravel().view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _scale(values: Tensor, limits: Range, target: Range) -> None:
    """Map the limits onto the target; an image of one value takes the lower end."""
    (low, high), (start, stop) = limits, target
    values.sub_(low).mul_((stop - start) / (high - low) if high > low else 0.0).add_(start)


def _zscore(values: Tensor, *, nonzero: bool) -> None:
    """Subtract the mean and divide by the standard deviation of all values, or of those other than 0."""
    count = total = 0.0
    for part in _parts(values):
        count += float(part.count_nonzero()) if nonzero else part.numel()
        total += float(part.double().sum())
    mean = total / count if count else 0.0
    squares = 0.0
    for part in _parts(values):
        distance = part.double().sub_(mean)
        squares += float((distance[part != 0] if nonzero else distance).square_().sum())
    deviation = (squares / count) ** 0.5 if count else 0.0
    for part in _parts(values):
        kept = part == 0 if nonzero else None
        part.sub_(mean).div_(deviation or 1.0)
        if kept is not None:
            part[kept] = 0


def _extremes(values: Tensor) -> Range:
    low, high = values.aminmax()
    return float(low), float(high)


def _parts(values: Tensor) -> Iterator[Tensor]:
    """Slabs that stay near the cache: nothing is made that is as large as the volume."""
    step = max(1, _PART_VOXELS // values[0].numel())
    for start in range(0, len(values), step):
        yield values[start : start + step]
