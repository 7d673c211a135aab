"""What a click changes in a mask, as the host keeps it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Shape
from medviewer.domain.provenance import Provenance


@dataclass(frozen=True, eq=False)
class Part:
    """A box of voxels on an image's own grid.

    Parameters
    ----------
    start
        Its first voxel (z, y, x).
    inside
        Which of its voxels belong to the structure, bool (z, y, x); outside of the box none is said to.
    """

    start: Shape
    inside: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where it lies."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start, self.inside.shape, strict=True))
        return z, y, x

    @classmethod
    def of_label(cls, labels: NDArray[np.integer], label: int) -> Part:
        """As `of` a label map's voxels of one label, slice by slice: a large map is compared once, within its box."""
        rows: NDArray[np.bool_] = np.zeros(labels.shape[1:], bool)
        here = np.empty_like(rows)
        slices = []
        for z, plane in enumerate(labels):
            np.equal(plane, label, out=here)
            if here.any():
                slices.append(z)
                np.logical_or(rows, here, out=rows)
        if not slices:
            return cls((0, 0, 0), np.zeros((1, 1, 1), bool))
        box = cls.of(rows[None])
        (z, z1), (_, y, x) = (slices[0], slices[-1] + 1), box.start
        _, height, width = box.inside.shape
        return cls((z, y, x), labels[z:z1, y : y + height, x : x + width] == label)

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Part:
        """The smallest box (of at least one voxel) that holds all of a mask."""
        bounds = []
        for axis in range(3):
            found = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
            bounds.append((int(found[0]), int(found[-1]) + 1) if found.size else (0, 1))
        (z, z1), (y, y1), (x, x1) = bounds
        return cls((z, y, x), mask[z:z1, y:y1, x:x1])


@dataclass(frozen=True, eq=False)
class Answer:
    """What a plugin made of the prompts.

    Parameters
    ----------
    part
        The box that it looked at, and the structure in it; what lies outside of the box stays as it was.
    provenance
        Which model said so.
    """

    part: Part
    provenance: Provenance
