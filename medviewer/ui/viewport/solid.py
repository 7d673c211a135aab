"""What the 3D view draws, worked out from a scene: arrays only, so that it can be done off the Qt thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.scene import Scene

if TYPE_CHECKING:
    from vispy.geometry import MeshData

Factors = tuple[int, int, int]
"""How many voxels along each axis become one."""
Surface = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Vertices (n, 3), in voxels, and triangles (m, 3)."""

FULL = 65535
"""The largest value of a texture."""


@dataclass(frozen=True, eq=False)
class Texture:
    """A volume as the graphics card takes it.

    Parameters
    ----------
    values
        Thinned and turned, shape (z, y, x).
    low, span
        The stored value at 0, and how far it is from there to the largest value.
    factors
        How many voxels became one along each axis.
    """

    values: NDArray[np.uint16]
    low: float
    span: float
    factors: Factors

    def place_of(self, stored: float) -> float:
        """Where a stored value lies between 0 and the largest value, as a part of 1."""
        return (stored - self.low) / self.span


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Surfaces of structures, kept so that a stroke works out only those anew that it changed.

    Parameters
    ----------
    labels
        The thinned label map that they are of, or None.
    found
        The surface of each label that was looked at; None where it has no voxel.
    """

    labels: NDArray[Any] | None = None
    found: Mapping[int, Surface | None] = field(default_factory=dict)

    def updated(self, labels: NDArray[Any], wanted: Iterable[int], spacing: tuple[float, ...]) -> Surfaces:
        """Those of another label map, taken over where nothing has changed.

        Parameters
        ----------
        wanted
            The labels whose surfaces are needed.
        spacing
            Of the thinned labels, mm.
        """
        found = self._unchanged(labels)
        missing = [label for label in wanted if label not in found]
        if missing:
            from scipy.ndimage import find_objects

            # typed as if every label were there; one without a voxel has no box
            boxes: list[tuple[slice, ...] | None] = list(find_objects(labels, max_label=max(missing)))
            for label in missing:
                box = boxes[label - 1]
                found[label] = None if box is None else surface_of(labels[box] == label, box, spacing)
        return Surfaces(labels, found)

    def _unchanged(self, labels: NDArray[Any]) -> dict[int, Surface | None]:
        former = self.labels
        if former is None or former.shape != labels.shape:
            return {}
        other = former != labels
        changed = {*np.unique(former[other]).tolist(), *np.unique(labels[other]).tolist()}
        return {label: surface for label, surface in self.found.items() if label not in changed}


@dataclass(frozen=True, eq=False)
class Mesh:
    """Surfaces of all visible structures: vertices (n, 3) in mm, triangles (m, 3), RGBA (n, 4) in 0..1."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colours: NDArray[np.float32]

    @cached_property
    def drawable(self) -> MeshData:
        """As vispy takes it: every triangle with corners, colours and normals of its own; made when first asked for."""
        from vispy.geometry import MeshData

        # x before y before z, and so the corners the other way round: what is outside stays outside
        made = MeshData(np.ascontiguousarray(self.vertices[:, ::-1]), self.faces[:, ::-1], vertex_colors=self.colours)
        for part in (made.get_vertices, made.get_vertex_colors, made.get_vertex_normals):
            part(indexed="faces")  # vispy keeps them
        return made


@dataclass(frozen=True, eq=False)
class Solid:
    """The volume, or None when the one that is drawn still holds; the mesh, or None for no structure; its parts."""

    texture: Texture | None
    mesh: Mesh | None
    surfaces: Surfaces


def factors_for(shape: tuple[int, ...], edge: int) -> Factors:
    """How many voxels along each axis have to become one so that none is longer than `edge`."""
    z, y, x = (max(1, -(-n // edge)) for n in shape[:3])
    return z, y, x


def turned(scene: Scene, volume: NDArray[Any]) -> NDArray[Any]:
    """A view of a volume whose axes run to the feet, to posterior and to the left."""
    flips = tuple(slice(None, None, -1 if flip else 1) for flip in scene.flips)
    return volume.transpose(scene.order)[flips]


def thin_labels(scene: Scene, factors: Factors) -> NDArray[Any] | None:
    """A copy of the mask's labels, turned and thinned; None when there is no mask."""
    if scene.mask is None:
        return None
    at = tuple(slice((f - 1) // 2, None, f) for f in factors)
    return np.ascontiguousarray(turned(scene, scene.mask.labels)[at]).copy()


def texture_of(scene: Scene, factors: Factors) -> Texture:
    """The volume, turned, thinned by averaging (which has no rings), its values spread over 16 bits.

    Goes through it slab by slab: there is never a second copy at full resolution.
    """
    full = turned(scene, scene.voxels)
    low, high = _limits(full)
    span = max(high - low, 1e-6)
    shape = tuple(-(-n // f) for n, f in zip(full.shape, factors, strict=True))
    values = np.empty(shape, np.uint16)
    for k in range(shape[0]):
        slab = full[k * factors[0] : (k + 1) * factors[0]].astype(np.float32)
        if scene.padding is not None:
            first, last, instead = scene.padding
            slab[(slab >= first) & (slab <= last)] = instead
        mean = slab[0] if len(slab) == 1 else slab.mean(axis=0)
        for axis, factor in enumerate(factors[1:]):
            mean = _averaged(mean, axis, factor)
        np.nan_to_num(mean, copy=False, nan=low, posinf=high, neginf=low)
        values[k] = np.clip(np.rint((mean - low) * (FULL / span)), 0, FULL)
    return Texture(values, low, span, factors)


def mesh_of(
    surfaces: Surfaces,
    colours: tuple[tuple[int, tuple[int, int, int]], ...],
    spacing: tuple[float, ...],
    factors: Factors,
) -> Mesh | None:
    """The surfaces of the labels that have a colour, in mm; None when none of them has a voxel.

    Parameters
    ----------
    spacing
        Of the voxels before they were thinned, mm.
    """
    vertices, faces, painted, count = [], [], [], 0
    first = np.array([(f - 1) // 2 for f in factors], np.float32)
    for label, colour in colours:
        surface = surfaces.found.get(label)
        if surface is None:
            continue
        vertices.append((surface[0] * np.array(factors, np.float32) + first) * np.array(spacing, np.float32))
        faces.append(surface[1] + count)
        count += len(surface[0])
        painted.append(np.tile(np.array([*colour, 255], np.float32) / 255, (len(surface[0]), 1)))
    if not vertices:
        return None
    return Mesh(np.concatenate(vertices), np.concatenate(faces).astype(np.int32), np.concatenate(painted))


def surface_of(mask: NDArray[np.bool_], box: tuple[slice, ...], spacing: tuple[float, ...]) -> Surface:
    """The smoothed surface of a structure, given within the box that holds it.

    Marching cubes as in Lewiner et al. 2003, on the mask blurred by about one of its shortest edges.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    padded = np.pad(mask, 2).astype(np.float32)
    blurred = gaussian_filter(padded, [max(0.5, min(spacing) / mm) for mm in spacing])
    smooth = blurred if blurred.max() > 0.5 else padded  # a blur would wipe out a thin structure
    found = marching_cubes(smooth, 0.5)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    start = np.array([s.start for s in box]) - 2
    return (found[0] + start).astype(np.float32), found[1].astype(np.int32)


def _limits(volume: NDArray[Any]) -> tuple[float, float]:
    if volume.dtype.kind != "f":
        return float(volume.min()), float(volume.max())
    finite = volume[np.isfinite(volume)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _averaged(plane: NDArray[np.float32], axis: int, factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return plane
    starts = np.arange(0, plane.shape[axis], factor)
    counts = np.minimum(factor, plane.shape[axis] - starts).astype(np.float32)
    sums = np.add.reduceat(plane, starts, axis=axis)
    return np.asarray(sums / (counts[:, None] if axis == 0 else counts), np.float32)
