"""Where voxels lie in the patient: the one geometry type of the program.

Arrays are indexed (z, y, x). The world is DICOM's patient coordinate system, LPS, in mm (PS3.3 C.7.6.2.1.1): x grows
to the patient's left, y to posterior, z to the head. Files with other conventions are converted once, in `formats`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.cached import cached

Vector = tuple[float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]
Shape = tuple[int, int, int]

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
"""For each world axis x, y, z: the letter of its low end and of its high end.

PS3.3 C.7.6.1.1.1 writes F and H for feet and head; readers of cross-sections expect inferior and superior.
"""

_OBLIQUE_LETTER = 0.25
"""A second letter shows once that world axis takes this part of the direction, about 14.5 degrees off axis."""

IDENTITY: Matrix = (0, 0, 1, 0, 1, 0, 1, 0, 0)
"""Axial, head first supine, rows to posterior: index axes z, y, x run along world z, y, x."""


@dataclass(frozen=True)
class Grid:
    """The lattice that a volume is sampled on.

    ``world = origin + direction @ (spacing * index)`` with index and spacing in (z, y, x) and world in (x, y, z).

    Parameters
    ----------
    shape
        Number of voxels along z, y, x. A radiograph has shape (1, rows, columns).
    spacing
        Distance between voxel centres along z, y, x, in mm.
    origin
        World position (x, y, z) in mm of the centre of voxel (0, 0, 0).
    direction
        Row-major 3x3 matrix whose columns are the unit steps in world space along z, y and x. The columns are
        orthonormal to within 1e-3, the rounding of headers; a lattice that is not (gantry tilt) is resampled before it
        becomes a Grid.

    Raises
    ------
    ValueError
        If a size is below 1, a spacing is not positive, or the columns of `direction` are not orthonormal.
    """

    shape: Shape
    spacing: Vector = (1.0, 1.0, 1.0)
    origin: Vector = (0.0, 0.0, 0.0)
    direction: Matrix = IDENTITY

    def __post_init__(self) -> None:
        sizes = tuple(int(n) for n in np.ravel(self.shape))
        if len(sizes) != 3 or min(sizes) < 1:
            raise ValueError(f"a grid needs three sizes of at least 1, not {sizes}")
        object.__setattr__(self, "shape", sizes)
        for name, size in (("spacing", 3), ("origin", 3), ("direction", 9)):
            values = tuple(float(v) for v in np.ravel(getattr(self, name)))
            if len(values) != size or not np.all(np.isfinite(values)):
                raise ValueError(f"a grid needs {size} finite numbers as {name}, not {values}")
            object.__setattr__(self, name, values)
        if min(self.spacing) <= 0:
            raise ValueError(f"a grid needs positive spacings in mm, not {self.spacing}")
        if not np.allclose(self.axes.T @ self.axes, np.eye(3), atol=1e-3):
            raise ValueError(f"a grid needs orthonormal directions, not {self.direction}")

    @cached
    def axes(self) -> NDArray[np.float64]:
        """Direction as a 3x3 array: column k is the unit step in world space along array axis k."""
        return np.array(self.direction, float).reshape(3, 3)

    @cached
    def affine(self) -> NDArray[np.float64]:
        """The 4x4 matrix from (z, y, x, 1) index to (x, y, z, 1) world, in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * np.array(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def size_mm(self) -> Vector:
        """Length of the volume along z, y, x in mm, voxel edges included."""
        z, y, x = (n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return z, y, x

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000

    def index_to_world(self, index: ArrayLike) -> NDArray[np.float64]:
        """World positions (..., 3) in mm, as (x, y, z), of indices (..., 3), as (z, y, x)."""
        points: NDArray[np.float64] = np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points

    def world_to_index(self, world: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (..., 3), as (z, y, x), of world positions (..., 3) in mm, as (x, y, z)."""
        offset = np.asarray(world, float) - self.affine[:3, 3]
        index: NDArray[np.float64] = offset @ self._inverse.T / np.array(self.spacing)
        return index

    @cached
    def _inverse(self) -> NDArray[np.float64]:
        # Not the transpose: headers round their directions, and then it is off by part of a millimetre far out.
        return np.asarray(np.linalg.inv(self.axes), np.float64)

    def clamp(self, index: ArrayLike) -> tuple[int, int, int]:
        """The voxel inside the grid that is nearest to a continuous index."""
        z, y, x = np.clip(np.rint(np.asarray(index, float)), 0, np.array(self.shape) - 1).astype(int).tolist()
        return z, y, x

    def contains(self, index: ArrayLike) -> bool:
        """Whether a continuous index lies within the voxels' edges."""
        values = np.asarray(index, float)
        return bool(np.all(values >= -0.5) and np.all(values < np.array(self.shape) - 0.5))

    def letters(self, axis: int) -> tuple[str, str]:
        """Orientation letters at the low and at the high end of an array axis, for example ``("R", "L")``.

        Oblique axes get a second letter for the second-largest part, as DICOM's Patient Orientation does.
        """
        return letters_of(self.axes[:, axis])

    def array_axis(self, world_axis: int) -> int:
        """The array axis that runs closest to a world axis (0 = left, 1 = posterior, 2 = head), each used once."""
        return self._assignment[world_axis]

    @cached
    def _assignment(self) -> tuple[int, int, int]:
        x, y, z = max(permutations(range(3)), key=lambda p: sum(abs(self.axes[w, a]) for w, a in enumerate(p)))
        return x, y, z

    def plane_name(self, axis: int) -> str:
        """What a slice across array axis `axis` is called: ``"Axial"``, ``"Coronal"`` or ``"Sagittal"``."""
        return ("Sagittal", "Coronal", "Axial")[self._assignment.index(axis)]

    def matches(self, other: Grid, tolerance_mm: float = 0.01) -> bool:
        """Whether both grids have the same voxels: equal shape, and every corner within `tolerance_mm`."""
        return self.shape == other.shape and bool(np.allclose(self._corners, other._corners, rtol=0, atol=tolerance_mm))

    @cached
    def _corners(self) -> NDArray[np.float64]:
        ends = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1).T
        return self.index_to_world(ends)

    def resized(self, shape: Shape) -> Grid:
        """A grid of another shape that covers the same box, edge to edge."""
        scale = np.array(self.shape) / np.array(shape)
        origin = self.index_to_world((scale - 1) / 2)
        spacing = np.array(self.spacing) * scale
        return replace(self, shape=shape, spacing=_vector(spacing), origin=_vector(origin))

    def crop(self, start: Shape, shape: Shape) -> Grid:
        """The part of this grid that begins at voxel `start` (z, y, x) and has `shape` voxels."""
        return replace(self, shape=shape, origin=_vector(self.index_to_world(start)))

    @property
    def shape_text(self) -> str:
        """Shape for a text, for example ``181 x 217 x 181``."""
        return " x ".join(str(n) for n in self.shape)

    def describe(self) -> str:
        """Shape and spacing for an error text, for example ``181 x 217 x 181 at 1.00 x 1.00 x 1.00 mm``."""
        return f"{self.shape_text} at {' x '.join(f'{s:.2f}' for s in self.spacing)} mm"


def letters_of(step: ArrayLike) -> tuple[str, str]:
    """Orientation letters where a unit step (x, y, z) in the world comes from and where it goes to.

    Oblique steps get a second letter for the second-largest part, as DICOM's Patient Orientation does.
    """
    parts = np.asarray(step, float)
    order = np.argsort(-np.abs(parts), kind="stable")
    shown = [k for k in order[:2] if k == order[0] or abs(parts[k]) > _OBLIQUE_LETTER]
    high = "".join(_LETTERS[k][int(parts[k] > 0)] for k in shown)
    low = "".join(_LETTERS[k][int(parts[k] <= 0)] for k in shown)
    return low, high


def _vector(values: ArrayLike) -> Vector:
    a, b, c = (float(v) for v in np.ravel(values))
    return a, b, c
