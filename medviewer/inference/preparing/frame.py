"""The network's grid inside the image's: its axes turned, a box of it cut out, its voxels made another size.

Everything that goes to a network or comes back passes through one `NetworkFrame`, a pure description. Turning and
cutting are views and cost nothing; only another number of voxels takes resampling, edge to edge as `Grid.resized`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Grid, Matrix, Shape, Vector
from medviewer.plugin_api.spec import Inputs

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and one past the last voxel on each of the source's axes z, y, x."""

_LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
"""World axis of LPS, and whether it grows towards the letter."""


@dataclass(frozen=True)
class NetworkFrame:
    """How the network's grid lies in the source grid.

    Parameters
    ----------
    source
        The image's own grid.
    shape
        Shape of the network's grid, in its own order of axes; a picture has a first axis of 1.
    axes
        For each axis of the network, the source array axis that it runs along.
    flips
        For each axis of the network, whether it runs against that source axis.
    box
        The part of the source grid that the network's grid covers, edge to edge.
    """

    source: Grid
    shape: Shape
    axes: Shape = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)
    box: Box = ((0, 0), (0, 0), (0, 0))

    def __post_init__(self) -> None:
        if self.box == ((0, 0), (0, 0), (0, 0)):
            z, y, x = self.source.shape
            object.__setattr__(self, "box", ((0, z), (0, y), (0, x)))

    @cached_property
    def turned(self) -> Grid:
        """The source's own voxels of the box, in the network's order of axes: what `view` shows."""
        sizes = [stop - start for start, stop in self.box]
        axes = list(self.axes)
        corner = [0.0, 0.0, 0.0]
        for axis, flip in zip(self.axes, self.flips, strict=True):
            corner[axis] = self.box[axis][1] - 1 if flip else self.box[axis][0]
        signs = np.where(self.flips, -1.0, 1.0)
        return Grid(
            _shape(sizes[axis] for axis in axes),
            _vector(self.source.spacing[axis] for axis in axes),
            _vector(self.source.index_to_world(corner)),
            cast(Matrix, tuple((self.source.axes[:, axes] * signs).ravel())),
        )

    @cached_property
    def grid(self) -> Grid:
        """The network's grid in the world."""
        return self.turned.resized(self.shape)

    @property
    def resamples(self) -> bool:
        """Whether voxels have to be interpolated; turning and cutting alone are exact."""
        return self.turned.shape != self.shape

    @property
    def whole(self) -> bool:
        """Whether the network's grid covers all of the source."""
        return all(bounds == (0, size) for bounds, size in zip(self.box, self.source.shape, strict=True))

    def view(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The box of an array (z, y, x, ...) on the source grid, in the network's order of axes: a view, no copy."""
        cut = array[tuple(slice(*bounds) for bounds in self.box)]
        turned = cut.transpose(*self.axes, *range(3, cut.ndim))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def from_source(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Undo the turning of `view`: an array in the network's order of axes, in the source's; a view."""
        back = array[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]
        return back.transpose(*np.argsort(self.axes), *range(3, back.ndim))

    def source_index(self, index: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (..., 3) of the source of continuous indices (..., 3) of the network's grid."""
        scale = np.array(self.turned.shape) / np.array(self.shape)
        turned = (np.asarray(index, float) + 0.5) * scale - 0.5
        result: NDArray[np.float64] = np.empty_like(turned)
        for k, (axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            start, stop = self.box[axis]
            result[..., axis] = stop - 1 - turned[..., k] if flip else start + turned[..., k]
        return result

    def network_index(self, index: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (..., 3) of the network's grid of continuous indices (..., 3) of the source."""
        source = np.asarray(index, float)
        turned = np.empty_like(source)
        for k, (axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            start, stop = self.box[axis]
            turned[..., k] = stop - 1 - source[..., axis] if flip else source[..., axis] - start
        result: NDArray[np.float64] = (turned + 0.5) * (np.array(self.shape) / np.array(self.turned.shape)) - 0.5
        return result

    def network_axis(self, world_axis: int) -> int:
        """The axis of the network that runs closest to a world axis (0 = left, 1 = posterior, 2 = head)."""
        return self.axes.index(self.source.array_axis(world_axis))


def frame_of(inputs: Inputs, source: Grid, box: Box | None = None) -> NetworkFrame:
    """The network's grid for an image, as the manifest's `inputs` want it.

    Parameters
    ----------
    source
        The image's grid.
    box
        The part of it that is looked at; None looks at everything.

    Returns
    -------
    A frame whose spacing is the wanted one as nearly as a whole number of voxels between the same edges allows.
    """
    axes, flips = nearest_axes(source, inputs.orientation)
    bounds = box or ((0, source.shape[0]), (0, source.shape[1]), (0, source.shape[2]))
    frame = NetworkFrame(source, (1, 1, 1), axes, flips, bounds)
    return replace(frame, shape=_network_shape(inputs, frame.turned))


def nearest_axes(grid: Grid, orientation: str) -> tuple[Shape, tuple[bool, bool, bool]]:
    """The array axis, and whether it is to be turned round, that lies nearest to each letter of an orientation."""
    if not orientation:
        return (0, 1, 2), (False, False, False)
    axes, flips = [], []
    for letter in orientation:
        world, sign = _LETTERS[letter]
        axis = grid.array_axis(world)
        axes.append(axis)
        flips.append(bool(grid.axes[world, axis] * sign < 0))
    return _shape(axes), (flips[0], flips[1], flips[2])


def window_size(inputs: Inputs) -> Shape:
    """The size (z, y, x) of what the network sees at once; a picture has a first axis of 1."""
    return as_volume(inputs.windows.roi if inputs.windows is not None else inputs.size)


def as_volume(size: Sequence[int]) -> Shape:
    """A size as the manifest gives it, (z, y, x) or (y, x), as that of a volume."""
    z, y, x = size if len(size) == 3 else (1, *size)
    return z, y, x


def _network_shape(inputs: Inputs, turned: Grid) -> Shape:
    if inputs.size:
        return as_volume(inputs.size)
    wanted = (0.0,) * (3 - len(inputs.spacing)) + tuple(inputs.spacing)
    return _shape(
        max(1, round(size * own / new)) if new else size
        for size, own, new in zip(turned.shape, turned.spacing, wanted, strict=True)
    )


def _vector(numbers: Iterable[float]) -> Vector:
    a, b, c = (float(number) for number in numbers)
    return a, b, c


def _shape(numbers: Iterable[int]) -> Shape:
    a, b, c = numbers
    return a, b, c
