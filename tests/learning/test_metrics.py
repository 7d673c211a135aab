from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from medviewer.domain.geometry import Grid
from medviewer.learning.gate import Score
from medviewer.learning.metrics import hd95_mm, score

GRID = Grid((20, 24, 30), (3.0, 0.5, 0.75))


def box(start: tuple[int, int, int], stop: tuple[int, int, int], shape: tuple[int, ...] = GRID.shape) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def by_hand(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> float:
    surfaces = [mask ^ ndimage.binary_erosion(mask) for mask in (a, b)]
    to = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return float(max(np.percentile(to[1][surfaces[0]], 95), np.percentile(to[0][surfaces[1]], 95)))


def test_a_shift_is_its_length_in_mm() -> None:
    here, there = box((5, 5, 5), (10, 15, 15)), box((7, 5, 5), (12, 15, 15))
    assert hd95_mm(here, there, GRID) == pytest.approx(6.0)
    assert hd95_mm(here, box((5, 9, 5), (10, 19, 15)), GRID) == pytest.approx(2.0)
    assert hd95_mm(here, here, GRID) == 0.0


def test_it_agrees_with_scipy_on_ragged_masks() -> None:
    chance = np.random.default_rng(4)
    noise = [ndimage.gaussian_filter(chance.normal(size=GRID.shape), 2) > 0.02 for _ in range(2)]
    assert hd95_mm(noise[0], noise[1], GRID) == pytest.approx(by_hand(noise[0], noise[1], GRID.spacing), rel=1e-5)


def test_empty_masks_have_a_finite_answer() -> None:
    nothing, something = np.zeros(GRID.shape, bool), box((5, 5, 5), (10, 15, 15))
    assert hd95_mm(nothing, nothing, GRID) == 0.0
    diagonal = math.hypot(*GRID.size_mm)
    assert hd95_mm(nothing, something, GRID) == hd95_mm(something, nothing, GRID) == pytest.approx(diagonal)


def test_a_picture_has_an_outline() -> None:
    flat = Grid((1, 40, 40), (1.0, 0.2, 0.2))
    small, large = box((0, 15, 15), (1, 25, 25), flat.shape), box((0, 5, 5), (1, 35, 35), flat.shape)
    assert hd95_mm(small, large, flat) > 2.0


def test_the_score_is_the_mean_over_the_labels() -> None:
    truth = box((2, 2, 2), (8, 8, 8)).astype(np.uint8) + 2 * box((10, 10, 10), (16, 16, 16)).astype(np.uint8)
    answer = np.where(truth == 2, 0, truth)
    assert score(truth, truth, GRID, (1, 2)) == Score(1.0, 0.0)
    assert score(answer, truth, GRID, (1, 2)) == Score(0.5, pytest.approx(math.hypot(*GRID.size_mm) / 2))
