"""What the 3D view draws, worked out from a scene: arrays only, so that it can be done off the Qt thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports import Scene
from medviewer.domain.mask import Colour

AVERAGED = 30_000_000
"""Voxels up to which a volume is averaged to be thinned; a larger one is sampled."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Surfaces of all visible structures: vertices (n, 3) in thinned voxels, triangles (m, 3), RGBA (n, 4) in 0..1."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colours: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Solid:
    """The thinned volume, or None when the one that is drawn still holds, and the mesh, or None for no structure."""

    volume: NDArray[Any] | None
    mesh: Mesh | None


def step_for(shape: tuple[int, ...], edge: int) -> int:
    """Every how many voxels are drawn so that no axis has more than `edge`."""
    return max(1, -(-max(shape[:3]) // edge))


def thin_labels(scene: Scene, step: int) -> NDArray[Any] | None:
    """A copy of the mask's labels, turned and thinned; None when there is no mask. Quick: for the Qt thread."""
    return None if scene.mask is None else _turn(scene, scene.mask.labels[::step, ::step, ::step])


def thin_volume(scene: Scene, step: int) -> NDArray[Any]:
    """The volume, turned and thinned: averaged, which has no rings, unless it is very large."""
    if step == 1 or scene.voxels.size > AVERAGED:
        return _turn(scene, scene.voxels[::step, ::step, ::step])
    from skimage.measure import block_reduce

    # whole blocks only: block_reduce fills a last, partial one with 0, which is a bright wall around a CT in HU
    whole = np.pad(scene.voxels, [(0, -n % step) for n in scene.voxels.shape[:3]], "edge")
    mean = block_reduce(whole, step, np.mean)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    return _turn(scene, mean.astype(np.float32))


def mesh_of(labels: NDArray[Any], colours: tuple[tuple[int, Colour], ...]) -> Mesh | None:
    """The surfaces of the labels that have a colour; None when none of them has a voxel."""
    vertices, faces, painted, count = [], [], [], 0
    for label, colour in colours:
        surface = surface_of(labels == label)
        if surface is None:
            continue
        vertices.append(surface[0])
        faces.append(surface[1] + count)
        count += len(surface[0])
        painted.append(np.tile(np.array([*colour, 255], np.float32) / 255, (len(surface[0]), 1)))
    if not vertices:
        return None
    return Mesh(np.concatenate(vertices), np.concatenate(faces), np.concatenate(painted))


def surface_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    """Vertices (n, 3), in voxels, and triangles (m, 3) of a mask's smoothed surface; None when it is empty.

    Marching cubes as in Lewiner et al. 2003, on the mask blurred by one voxel, within the box that holds it.
    """
    from scipy.ndimage import find_objects, gaussian_filter
    from skimage.measure import marching_cubes

    boxes = find_objects(mask.astype(np.uint8))
    if not boxes:
        return None
    box = boxes[0]
    padded = np.pad(mask[box], 2).astype(np.float32)
    blurred = gaussian_filter(padded, 1.0)
    smooth = blurred if blurred.max() > 0.5 else padded  # a blur would wipe out a thin structure
    found = marching_cubes(smooth, 0.5)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    vertices, faces = found[0], found[1]
    start = np.array([s.start for s in box]) - 2
    return (vertices + start).astype(np.float32), faces.astype(np.int32)


def _turn(scene: Scene, volume: NDArray[Any]) -> NDArray[Any]:
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in scene.flips)
    return np.ascontiguousarray(volume.transpose(scene.order)[flips]).copy()
