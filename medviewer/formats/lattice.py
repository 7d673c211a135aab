"""The same voxels in another order: how a mask that another program wrote comes onto an image's grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Grid, Matrix, Shape, Vector
from medviewer.errors import GridMismatchError

TOLERANCE_MM = 0.01
"""A voxel centre may lie this far from its place on the other grid."""


def onto(values: NDArray[Any], source: Grid, target: Grid, what: str, fill: int = 0) -> NDArray[Any]:
    """Put voxels of `source` onto `target` without resampling; voxels that `source` does not have become `fill`.

    The axes may be flipped or swapped, and `source` may cover only a part of `target`, as a DICOM SEG without its empty
    frames does.

    Parameters
    ----------
    values
        Shape of `source`.
    what
        What the user opened, for the error's text.

    Raises
    ------
    GridMismatchError
        If the voxels of `source` are not voxels of `target`.
    """
    if source.matches(target):
        return values
    corners = np.array([(0, 0, 0), *((np.array(source.shape) - 1) * np.eye(3, dtype=int))])
    places = target.world_to_index(source.index_to_world(corners))
    whole = np.rint(places)
    off_mm = np.abs(places - whole) * target.spacing
    inside = np.all(whole >= 0) and np.all(whole < target.shape)
    steps = _steps(source, target)
    if steps is None or not inside or off_mm.max() > TOLERANCE_MM:
        raise GridMismatchError(
            f"{what} has {source.describe()}, which are not the voxels of the image ({target.describe()}); open the "
            "image that it was drawn on, or resample it onto this one."
        )
    order, flipped = steps
    turned = np.flip(values.transpose(order), tuple(axis for axis in range(3) if flipped[axis]))
    start = np.minimum(whole[0], np.array([whole[1 + order[axis]][axis] for axis in range(3)])).astype(int)
    result = np.full(target.shape, fill, values.dtype)
    result[tuple(slice(a, a + n) for a, n in zip(start, turned.shape, strict=True))] = turned
    return result


def onto_or_nearest(
    values: NDArray[Any], source: Grid, target: Grid, what: str, *, may_resample: bool
) -> tuple[NDArray[Any], str]:
    """Put a label map of `source` onto `target`, to the nearest voxel where the two are no common lattice.

    Parameters
    ----------
    may_resample
        Whether both lie in one frame of reference, so that places mean the same.

    Returns
    -------
    The labels, and a note for their provenance; empty where nothing was resampled.

    Raises
    ------
    GridMismatchError
        If they would have to be resampled, and may not or do not overlap.
    """
    try:
        return onto(values, source, target, what), ""
    except GridMismatchError:
        if not may_resample or not _overlap(source, target):
            raise
    note = f"drawn on another grid ({source.describe()}); every voxel has the label of the nearest one there"
    return nearest(values, source, target), note


def nearest(values: NDArray[Any], source: Grid, target: Grid) -> NDArray[Any]:
    """The nearest voxels of `source` at the voxels of `target`, its shape; 0 outside."""
    from scipy.ndimage import affine_transform

    way = np.linalg.inv(source.affine) @ target.affine
    found: NDArray[Any] = affine_transform(
        # A border of nothing, since the nearest voxel counts up to its edge, and only its centre would.
        np.pad(values, 1),
        way[:3, :3],
        offset=way[:3, 3] + 1,
        output_shape=target.shape,
        order=0,
        mode="constant",
        cval=0,
    )
    return found


def _overlap(source: Grid, target: Grid) -> bool:
    """Whether voxels of one lie within the other, tried on 9 places along each axis."""
    for a, b in ((source, target), (target, source)):
        places = np.stack(np.meshgrid(*[np.linspace(0, n - 1, 9) for n in a.shape], indexing="ij"), axis=-1)
        index = b.world_to_index(a.index_to_world(places))
        if np.any(np.all((index > -0.5) & (index < np.array(b.shape) - 0.5), axis=-1)):
            return True
    return False


def _steps(source: Grid, target: Grid) -> tuple[Shape, tuple[bool, bool, bool]] | None:
    """For each target axis the source axis that runs along it, and whether backwards; None if they do not align."""
    # Column k: how many voxels of the target one voxel along source axis k is.
    steps = (target.axes.T @ source.axes) * np.array(source.spacing) / np.array(target.spacing)[:, None]
    whole = np.rint(steps)
    if not np.array_equal(np.abs(whole).sum(axis=0), [1, 1, 1]) or not np.array_equal(
        np.abs(whole).sum(axis=1), [1, 1, 1]
    ):
        return None
    z, y, x = (int(k) for k in np.argmax(np.abs(whole), axis=1))
    backwards = [bool(row.sum() < 0) for row in whole]
    return (z, y, x), (backwards[0], backwards[1], backwards[2])


def vector(values: ArrayLike) -> Vector:
    """Make a Grid's spacing or origin of three numbers."""
    a, b, c = (float(v) for v in np.ravel(values))
    return a, b, c


def matrix(values: ArrayLike) -> Matrix:
    """Make a Grid's direction of a 3x3 array."""
    a, b, c, d, e, f, g, h, i = (float(v) for v in np.ravel(values))
    return a, b, c, d, e, f, g, h, i
