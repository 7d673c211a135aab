"""Synthetic images for the checks: a bright ball in noise, in every shape that a plugin has to bear."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid, Matrix, Shape
from medviewer.domain.image import Image, Rescale
from medviewer.plugin_api.manifest import Manifest

_OBLIQUE = (0.0, 0.6, 0.8, 0.0, -0.8, 0.6, 1.0, 0.0, 0.0)
"""Axes that are neither axial nor in the usual order: a sagittal stack turned by 37 degrees."""
_AXES = ("SI", "AP", "LR")
"""Along which of the patient's axes z, y and x of the plain image run."""
_HUGE = 8
"""How many times the network's size a huge image is along an axis."""
_LEAST_VOLUME, _LEAST_PICTURE = 160, 2048
"""Along an axis, whatever the size of the network."""
_MOST_VOXELS = 1 << 26
"""Of a huge image: a whole-body scan's order of magnitude, which a laptop still resamples in seconds."""


@dataclass(frozen=True)
class OddImage:
    """An image that a plugin has to bear, a word for it, and the beginning of a sentence about it."""

    name: str
    what: str
    image: Image


def plain_image(manifest: Manifest, dtype: type[np.generic] = np.int16, modality: str = "") -> Image:
    """A bright ball in noise, of another shape than the network's; whole numbers 0 to 219 in every type."""
    return _image(manifest, (41 if manifest.inputs.ndim == 3 else 1, 53, 47), dtype, modality)


def odd_images(manifest: Manifest) -> Iterator[OddImage]:
    """One image for each way in which the world differs from a training set."""
    plain = plain_image(manifest, np.float32)
    flipped = np.ascontiguousarray(plain.voxels[:, ::-1, ::-1])
    step = plain.grid.spacing[0]
    thick = Grid(plain.grid.shape, (5 * step, 0.7 * step, 0.9 * step))
    oblique = Grid(plain.grid.shape, plain.grid.spacing, (-40.0, 12.5, 88.0), _OBLIQUE)
    yield OddImage("flipped", "An image that lies the other way round", replace(plain, voxels=flipped))
    yield OddImage("anisotropic", "An image of thick slices", replace(plain, grid=thick))
    yield OddImage("oblique", "An oblique image", replace(plain, grid=oblique))
    tiny = _image(manifest, (3 if manifest.inputs.ndim == 3 else 1, 5, 4), np.uint8)
    yield OddImage("tiny", "An image of a few voxels", tiny)
    yield OddImage("constant", "An image of one value", replace(plain, voxels=np.full(plain.grid.shape, 7, np.int32)))
    yield OddImage("zero", "An image of zeros", replace(plain, voxels=np.zeros(plain.grid.shape, np.int16)))
    broken = plain.voxels.copy()
    broken[:, ::2], broken[:, 1::8] = np.nan, np.inf
    yield OddImage("nan", "An image with voxels that are infinite or not a number", replace(plain, voxels=broken))


def huge_image(manifest: Manifest) -> Image:
    """Eight times the network's size along each axis, or along z for a sliding window, but 67 million voxels at most.

    All its slices are one: it takes no memory of its own.
    """
    inputs = manifest.inputs
    base = _network_shape(manifest)
    if inputs.windows is not None:
        shape = [_HUGE * base[0], base[1], base[2]] if inputs.ndim == 3 else [1, 2 * base[1], _HUGE * base[2]]
    else:
        least = _LEAST_VOLUME if inputs.ndim == 3 else _LEAST_PICTURE
        shape = [max(_HUGE * n, least) if inputs.ndim == 3 or k else 1 for k, n in enumerate(base)]
    excess = math.prod(shape) / _MOST_VOXELS
    if excess > 1:
        axes = sum(n > 1 for n in shape)
        shape = [max(1, int(n / excess ** (1 / axes))) for n in shape]
    small = _image(manifest, (1, shape[1], shape[2]), np.int16)
    voxels = np.broadcast_to(small.voxels, tuple(shape))
    return replace(small, voxels=voxels, grid=replace(small.grid, shape=(shape[0], shape[1], shape[2])))


def turned(image: Image) -> Image:
    """The same voxels at the same places of the world, stored along other axes: x backwards, then x and y swapped."""
    grid = image.grid
    _, _, columns = grid.shape
    z, y, x = (grid.axes[:, k] for k in range(3))
    last = grid.affine @ np.array([0, 0, columns - 1, 1])
    origin = (float(last[0]), float(last[1]), float(last[2]))
    axes = tuple(float(number) for number in np.stack([z, -x, y], axis=1).ravel())
    spacing = (grid.spacing[0], grid.spacing[2], grid.spacing[1])
    voxels = turned_array(image.voxels)
    shape: Shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    return replace(image, voxels=voxels, grid=Grid(shape, spacing, origin, cast(Matrix, axes)))


def turned_array(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """What `turned` does to an array (z, y, x)."""
    return np.ascontiguousarray(values[:, :, ::-1].transpose(0, 2, 1))


def turned_boxes(rows: NDArray[np.generic], shape: Shape) -> NDArray[np.generic]:
    """What `turned` does to the rows of a detector in an image of that shape."""
    columns, result = shape[2], rows.astype(float)
    result[:, 1], result[:, 4] = columns - rows[:, 5].astype(float), columns - rows[:, 2].astype(float)
    result[:, 2], result[:, 5] = rows[:, 1], rows[:, 4]
    return result


def _network_shape(manifest: Manifest) -> Shape:
    """The size that the network sees at once, along z, y, x of the plain image."""
    inputs = manifest.inputs
    sizes = tuple(inputs.windows.roi if inputs.windows is not None else inputs.size)
    if inputs.ndim == 2:
        return 1, sizes[0], sizes[1]
    if not inputs.orientation:
        return sizes[0], sizes[1], sizes[2]
    order = [next(k for k, letter in enumerate(inputs.orientation) if letter in axis) for axis in _AXES]
    return sizes[order[0]], sizes[order[1]], sizes[order[2]]


def _image(manifest: Manifest, shape: Shape, dtype: type[np.generic], modality: str = "") -> Image:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij")
    noise = np.random.default_rng(0).integers(0, 20, shape)
    voxels = (200 * (z**2 + y**2 + x**2 < 0.5) + noise).astype(dtype)
    modality = modality or (manifest.inputs.modality[0] if manifest.inputs.modality else "OT")
    # Air around a ball of water, so that a window on HU does not make one value of it.
    rescale = Rescale(5.0, -1000.0, "HU") if modality == "CT" else Rescale()
    steps = [step for step in manifest.inputs.spacing if step > 0]
    step = float(np.median(steps)) if steps else 1.0
    return Image(voxels, Grid(shape, (step, step, step)), modality, rescale)
