"""Slices that are sampled in blocks of pixels lie where all their pixels would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.fusing import slice_through
from medviewer.domain.geometry import Grid
from medviewer.domain.plane import Plane
from medviewer.domain.reslice import reslice, reslice_labels
from medviewer.domain.turned import Turned

GRID = Grid((30, 40, 50), (2.0, 1.0, 1.5), (-30.0, 12.0, 5.0))
Z, Y, X = np.indices(GRID.shape, np.float32)
ANGLES = st.floats(0.05, 0.7)


def turned(angle: float, other: float) -> tuple[Plane, int]:
    x, y, z = (float(v) for v in GRID.index_to_world((15, 20, 25)))
    return Turned.straight(GRID, (x, y, z)).turned("Axial", angle).turned("Coronal", other).plane("Sagittal")


@given(ANGLES, ANGLES, st.integers(2, 4))
def test_a_block_has_the_mean_of_its_pixels_where_values_change_evenly(angle: float, other: float, block: int) -> None:
    plane, k = turned(angle, other)
    voxels = 3 * Z - 2 * Y + 5 * X
    full, inside = reslice(voxels, GRID, plane.grid, k)
    coarse, within = reslice(voxels, GRID, plane.grid, k, block)
    assert coarse.shape == full.shape == within.shape
    rows, columns = (n // block * block for n in full.shape)
    shape = rows // block, block, columns // block, block
    mean = full[:rows, :columns].reshape(shape).mean(axis=(1, 3))
    # between the middle of the outermost voxels and their edge values do not change
    deep = reslice_labels(np.pad(np.ones(tuple(n - 4 for n in GRID.shape), np.uint8), 2), GRID, plane.grid, k)
    whole = deep[:rows, :columns].reshape(shape).all(axis=(1, 3))
    assert whole.sum() > 20
    np.testing.assert_allclose(coarse[:rows:block, :columns:block][whole], mean[whole], atol=2e-3)
    assert within[:rows:block, :columns:block][whole].all()
    assert abs(int(within.sum()) - int(inside.sum())) < 0.1 * inside.sum()


@given(ANGLES, ANGLES, st.integers(2, 4))
def test_labels_and_what_is_laid_over_have_the_same_blocks(angle: float, other: float, block: int) -> None:
    plane, k = turned(angle, other)
    labels = (X > 20).astype(np.uint8) + (Y > 11)
    coarse = reslice_labels(labels, GRID, plane.grid, k, block)
    assert (coarse.shape, coarse.dtype) == (plane.shape, np.uint8)
    values, _ = slice_through(X, GRID, plane, k, block)
    np.testing.assert_allclose(values, reslice(X, GRID, plane.grid, k, block)[0], atol=1e-3)
    for row, column in ((0, 0), (block, block), (2 * block, 3 * block)):
        part = coarse[row : row + block, column : column + block]
        assert (part == part[0, 0]).all()
