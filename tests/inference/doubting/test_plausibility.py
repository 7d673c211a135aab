"""Masks that cannot be true are flagged, whatever way their arrays run."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.inference.doubting.plausibility import flags, pieces
from tests.inference.opened import manifest_of

SHAPE = (20, 24, 30)


def said(labels: np.ndarray, specs: list[dict[str, Any]], image: Image) -> tuple[str, ...]:
    return flags(manifest_of({"size": [8, 8, 8]}, {"labels": specs}), labels, image)


def body(grid: Grid | None = None) -> Image:
    """A body of 100 in air of 0, centred in the volume."""
    voxels = np.zeros(SHAPE, np.int16)
    voxels[2:-2, 3:-3, 4:-4] = 100
    return Image(voxels, grid or Grid(SHAPE), "CT")


def blob(*starts: tuple[int, int, int], size: int = 3) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for number, (z, y, x) in enumerate(starts, start=1):
        labels[z : z + size, y : y + size, x : x + size] = number
    return labels


def test_volumes() -> None:
    labels = blob((5, 5, 5), (5, 5, 20))  # 27 voxels of 1 mm: 0.027 ml each
    specs = [{"name": "A", "expected_ml": [0.02, 0.03]}, {"name": "B", "expected_ml": [0.05, 2]}]
    flag = "Volume of B, 0.027 ml, lies outside the expected 0.05 to 2 ml: check this result."
    assert said(labels, specs, body()) == (flag,)
    uncalibrated = Image(body().voxels, Grid(SHAPE), "CT", calibrated=False)
    assert said(labels, specs, uncalibrated) == ()


def test_counts_leave_specks_out() -> None:
    labels = (blob((5, 5, 5)) + blob((5, 5, 20)) > 0).astype(np.uint8)
    labels[15, 15, 15] = 1  # a speck
    one, two = ([{"name": "Kidney", "expected_count": [k, k]}] for k in (1, 2))
    assert said(labels, two, body()) == ()
    assert said(labels, one, body()) == ("Kidney lies in 2 pieces, where 1 should be: check this result.",)
    nothing = np.zeros(SHAPE, np.uint8)
    wanted = [{"name": "Kidney", "expected_count": [1, 2]}]
    assert said(nothing, wanted, body()) == ("Kidney lies in 0 pieces, where 1 to 2 should be: check this result.",)


def test_pieces_touch_at_corners() -> None:
    mask = np.zeros((6, 6, 6), bool)
    mask[:3, :3, :3] = mask[3:, 3:, 3:] = True
    assert pieces(mask) == 1


ORDERS = st.permutations(range(3))
FLIPS = st.tuples(st.booleans(), st.booleans(), st.booleans())


@given(ORDERS, FLIPS, st.booleans(), st.booleans())
def test_sides_are_the_patients_and_not_the_arrays(
    order: list[int], flipped: tuple[bool, bool, bool], swapped: bool, pair: bool
) -> None:
    """Left is where world x grows, however the arrays are turned; against the sibling, or the body's middle."""
    left, right = (10, 10, 22), (10, 10, 5)
    labels = blob(*((right, left) if swapped else (left, right)))
    if not pair:
        labels[labels == 2] = 0
    image = turned(body(), order, flipped)
    labels = turned(Image(labels, Grid(SHAPE), "CT"), order, flipped).voxels
    specs = [{"name": "Left kidney", "side": "left"}, {"name": "Right kidney", "side": "right"}]
    found = said(labels, specs, image)
    if not swapped:
        assert found == ()
    elif pair:
        both = "Left kidney and Right kidney lie on each other's side of the patient: check this result."
        assert found == (both,)
    else:
        assert found == ("Left kidney lies on the patient's right side: check this result.",)


def turned(image: Image, order: list[int], flipped: tuple[bool, bool, bool]) -> Image:
    """The same voxels at the same places of the world, in arrays that run another way."""
    grid = image.grid
    voxels = image.voxels.transpose(order)
    axes, origin = grid.axes[:, order].copy(), np.array(grid.origin)
    for axis, flip in enumerate(flipped):
        if flip:
            voxels = np.flip(voxels, axis)
            origin = origin + axes[:, axis] * grid.spacing[order[axis]] * (voxels.shape[axis] - 1)
            axes[:, axis] *= -1
    spacing = tuple(grid.spacing[k] for k in order)
    return Image(np.ascontiguousarray(voxels), Grid(voxels.shape, spacing, tuple(origin), tuple(axes.ravel())), "CT")


def test_a_structure_in_the_middle_has_no_wrong_side() -> None:
    labels = blob((10, 10, 13))
    assert said(labels, [{"name": "Left adrenal", "side": "left"}], body()) == ()


@pytest.mark.parametrize("shift", [-200.0, 0.0, 300.0])
def test_the_middle_is_the_bodys_and_not_the_worlds(shift: float) -> None:
    image = body(Grid(SHAPE, origin=(shift, 0, 0)))
    assert said(blob((10, 10, 22)), [{"name": "Spleen", "side": "left"}], image) == ()
    assert len(said(blob((10, 10, 4)), [{"name": "Spleen", "side": "left"}], image)) == 1


def test_no_copy_of_the_labels_is_counted() -> None:
    """Volumes and sides are measured slice by slice and box by box: a body of 500 slices must not cost gigabytes."""
    grid = Grid((64, 128, 128))
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:14, 20:30, 90:99], labels[10:14, 20:30, 20:29] = 1, 2
    specs = [
        {"name": "Left kidney", "side": "left", "expected_ml": [0.1, 1]},
        {"name": "Right kidney", "side": "right", "expected_ml": [0.1, 1]},
    ]
    image = Image(np.zeros(grid.shape, np.uint8), grid, "CT")
    said(labels, specs, image)  # what is imported at first counts for nobody
    tracemalloc.start()
    try:
        assert said(labels, specs, image) == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < labels.nbytes
