"""Label maps, their segments, and how well two of them agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medviewer.domain.geometry import Grid
from medviewer.domain.mask import PALETTE, Segment, Segmentation, dice, empty, voxel_counts

GRID = Grid((2, 3, 4), (5.0, 2.0, 0.5))
masks = hnp.arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 3))


def test_volume_is_voxels_times_spacing() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 0] = 2
    labels[1, 2, 3] = 1
    mask = Segmentation(labels, GRID, (Segment(1, "A"), Segment(2, "B")))
    assert mask.volume_ml(1) == pytest.approx(0.005)
    assert mask.volume_ml(2) == pytest.approx(0.020)
    assert mask.volume_ml(3) == 0


def test_undeclared_labels_have_a_name_and_a_colour() -> None:
    mask = empty(GRID, (Segment(4, "Liver", (1, 2, 3)),))
    assert mask.segment(4) == Segment(4, "Liver", (1, 2, 3))
    assert mask.segment(9) == Segment(9, "Label 9", PALETTE[0])
    assert mask.segment(8).colour == PALETTE[7]


def test_an_empty_mask_has_one_segment_to_paint_with() -> None:
    mask = empty(GRID, series_uid="1.2.3")
    assert not mask.labels.any()
    assert (mask.labels.shape, mask.segments[0].label, mask.series_uid) == (GRID.shape, 1, "1.2.3")


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.zeros((2, 3, 5), np.uint8), r"\(2, 3, 5\) does not fit a grid of \(2, 3, 4\)"),
        (np.zeros(GRID.shape, np.int16), "uint8 or uint16, not int16"),
        (np.zeros(GRID.shape, bool), "uint8 or uint16, not bool"),
    ],
)
def test_impossible_label_maps_are_refused(labels: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Segmentation(labels, GRID, ())


def test_with_labels_keeps_the_rest() -> None:
    mask = empty(GRID, (Segment(2, "B"),), "1.2.3")
    other = mask.with_labels(np.full(GRID.shape, 2, np.uint16))
    assert (other.segments, other.series_uid, other.labels.dtype) == (mask.segments, "1.2.3", np.uint16)
    assert not mask.labels.any()


@given(hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.integers(0, 300)))
def test_voxels_of_each_label_are_counted(labels: np.ndarray) -> None:
    counts = voxel_counts(labels)
    values, times = np.unique(labels, return_counts=True)
    assert counts.sum() == labels.size
    assert counts.size == values[-1] + 1
    np.testing.assert_array_equal(counts[values], times)


def test_dice_by_hand() -> None:
    a, b = np.zeros((2, 10), np.uint8)
    a[0:6], b[4:10] = 1, 3
    assert dice(a, b) == pytest.approx(2 * 2 / 12)
    assert dice(a, np.zeros(10)) == 0
    assert dice(np.zeros(10), np.zeros(10)) == 1
    assert dice(a, a) == 1


@given(masks, masks)
def test_dice_is_symmetric_and_between_0_and_1(a: np.ndarray, b: np.ndarray) -> None:
    value = dice(a, b)
    assert 0 <= value <= 1
    assert value == dice(b, a)
    assert (value == 1) == np.array_equal(a != 0, b != 0)
    pairs = [(bool(p), bool(q)) for p, q in zip(a.ravel(), b.ravel(), strict=True)]
    size = sum(p + q for p, q in pairs)
    if size:
        assert value == pytest.approx(2 * sum(p and q for p, q in pairs) / size)
