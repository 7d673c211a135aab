"""Images of further channels, which lie on grids of their own, brought onto the network's grid of the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import InputError, UnsuitableImageError
from medviewer.inference.preparing.frame import Box, NetworkFrame
from medviewer.inference.preparing.resample import filling, to_frame
from medviewer.inference.suitability import check_suitable
from medviewer.plugin_api import Manifest, RunContext

_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
_SLAB_VOXELS = 1 << 22

Floats = NDArray[np.float32]
Channel = tuple[Image, Series]
"""One of the images that a network looks at together."""


def further_channels(manifest: Manifest, series: Series, others: Mapping[str, Channel]) -> tuple[Channel, ...]:
    """The images of the channels after the first, in the manifest's order.

    Parameters
    ----------
    series
        That of the first channel.
    others
        Image and series of each further channel, by its name in the manifest.

    Raises
    ------
    InputError
        If one is missing, is none of the plugin's, or lies in another frame of reference than the first.
    UnsuitableImageError
        If the plugin must refuse one of them.
    """
    names = manifest.inputs.channels[1:]
    missing = [name for name in names if name not in others]
    unknown = sorted(set(others) - set(names))
    if missing:
        raise InputError(
            f"{manifest.name} looks at {manifest.inputs.channel_count} images together, but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing; choose a series of this study for each."
        )
    if unknown:
        known = ", ".join(names) or "none"
        raise InputError(f"{manifest.name} has no channel {', '.join(unknown)}; its further channels are: {known}.")
    for name in names:
        image, other = others[name]
        check_suitable(manifest, image, other)
        if len({one.frame_of_reference for one in (series, other)} - {""}) > 1:
            raise InputError(
                f"The series for {name} should lie in the same frame of reference as the open one, but it lies in "
                "another; choose one of the same examination."
            )
    return tuple(others[name] for name in names)


def to_other_frame(
    image: Image, frame: NetworkFrame, out: Floats, interpolation: str, context: RunContext
) -> tuple[str, ...]:
    """Resample an image in world coordinates onto the network's grid of another.

    What of it lies near that grid is first reduced along its own axes to about the network's spacing, antialiased, and
    then sampled: beside the result about as many values are held as the result has (with ``nearest``, which takes no
    means, as the image has there). Where the image does not reach, it is as dark as its darkest voxel.

    Parameters
    ----------
    image
        A grey volume that shares its frame of reference with the frame's source.
    out
        Where the values go: shape `frame.shape`.

    Returns
    -------
    What has to be read beside the result.

    Raises
    ------
    UnsuitableImageError
        If the images do not overlap, or this one holds no finite value at all.
    """
    fill, notes = filling(image)
    box = _box_of(image.grid, frame.grid)
    if box is None:
        raise UnsuitableImageError(
            "The images of the channels need to show the same part of the patient, but two of them do not overlap; "
            "choose another series."
        )
    near = NetworkFrame(image.grid, image.grid.shape, box=box)
    near = replace(near, shape=near.turned.shape)
    if interpolation != "nearest":
        near = _reduced(near, frame.grid)
    values = np.empty(near.shape, np.float32)
    to_frame(image, near, values, "linear", "cpu", context)
    outside = fill if fill is not None else _darkest(image, values)
    _sample(values, near.grid, frame.grid, out, _ORDERS[interpolation], outside, context)
    if _covers(near.grid, frame.grid):
        return notes
    return (*notes, "One of the channels does not cover the whole image; where it ends it was read as dark.")


def _sample(
    values: Floats, own: Grid, wanted: Grid, out: Floats, order: int, outside: float, context: RunContext
) -> None:
    from scipy.ndimage import affine_transform, spline_filter

    transform: Any = affine_transform  # scipy's stubs know no result that is handed in
    if order > 1:
        values = spline_filter(values, 3, output=np.dtype(np.float32))
    # Edge voxels reach half a voxel further than their centres, which a constant outside would cut off.
    padded = np.pad(values, 1, mode="edge")
    origin = own.world_to_index(wanted.index_to_world((0, 0, 0))) + 1
    steps = np.stack([own.world_to_index(wanted.index_to_world(unit)) + 1 - origin for unit in np.eye(3)], axis=1)
    step = max(1, _SLAB_VOXELS // (out.shape[1] * out.shape[2]))
    for start in range(0, len(out), step):
        context.check()
        part = out[start : start + step]
        offset = origin + steps @ (start, 0, 0)
        transform(padded, steps, offset, part.shape, part, order, mode="constant", cval=outside, prefilter=False)


def _reduced(near: NetworkFrame, wanted: Grid) -> NetworkFrame:
    """The same box with voxels that are about as large as the network's, where its own are smaller."""
    # How far one step along each axis of the network goes along each axis of this image.
    share = np.abs(np.asarray(near.source.axes).T @ wanted.axes)
    reach = (share * np.array(wanted.spacing)).max(axis=1)
    shape = [
        max(1, min(size, round(size * own / new)))
        for size, own, new in zip(near.turned.shape, near.turned.spacing, reach, strict=True)
    ]
    return replace(near, shape=(shape[0], shape[1], shape[2]))


def _box_of(own: Grid, wanted: Grid) -> Box | None:
    """The voxels of a grid that lie within or beside another; None if none does."""
    low, high = _bounds(own, wanted)
    sides = [
        (max(0, int(np.floor(a)) - 2), min(size, int(np.ceil(b)) + 3))
        for a, b, size in zip(low, high, own.shape, strict=True)
    ]
    if any(stop <= start for start, stop in sides) or np.any(high < -0.5) or np.any(low > np.array(own.shape) - 0.5):
        return None
    return sides[0], sides[1], sides[2]


def _covers(own: Grid, wanted: Grid) -> bool:
    """Whether every corner of the wanted grid lies inside, to half a voxel."""
    low, high = _bounds(own, wanted)
    return bool(np.all(low >= -1.0) and np.all(high <= np.array(own.shape)))


def _bounds(own: Grid, wanted: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest index, in one grid, of the voxel centres of another."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in wanted.shape], indexing="ij")).reshape(3, -1).T
    corners = own.world_to_index(wanted.index_to_world(ends))
    return corners.min(axis=0), corners.max(axis=0)


def _darkest(image: Image, values: Floats) -> float:
    return float(values.max() if image.inverted else values.min())
