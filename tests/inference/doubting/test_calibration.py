"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medviewer.errors import InputError
from medviewer.inference.doubting.calibration import (
    cooled,
    cooled_each,
    cooled_threshold,
    expected_calibration_error,
    fit_temperature,
)


def too_sure(temperature: float, cases: int = 20_000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times what they should be, and answers drawn by what they should be."""
    chance = np.random.default_rng(0)
    right = chance.normal(size=(cases, classes)) * 1.5
    shares = torch.tensor(right).softmax(dim=1).numpy()
    truth = (chance.random((cases, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return right * temperature, truth


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_found_and_mends_the_calibration(temperature: float) -> None:
    logits, truth = too_sure(temperature)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.05)
    before, after = (
        expected_calibration_error(torch.tensor(one).softmax(dim=1).numpy(), truth) for one in (logits, logits / found)
    )
    assert after < 0.01
    assert before > (0.1 if temperature != 1 else 0)


def test_the_calibration_error_by_hand() -> None:
    """Ten answers at 0.95, of which six are right, and ten at 0.55, of which five are: (0.35 + 0.05) / 2."""
    rows = np.array([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    truth = np.array([0] * 6 + [1] * 4 + [0] * 5 + [1] * 5)
    assert expected_calibration_error(rows, truth) == pytest.approx(0.2)


def test_probabilities_are_cooled_as_their_logits_would_be() -> None:
    logits = torch.tensor([2.0, -1.0, 0.5])
    torch.testing.assert_close(cooled(logits.softmax(dim=0), 2.5), (logits / 2.5).softmax(dim=0))
    torch.testing.assert_close(cooled_each(logits.sigmoid(), 2.5), (logits / 2.5).sigmoid())


def test_a_mask_is_the_same_at_the_cooled_threshold() -> None:
    shares = torch.linspace(0.01, 0.99, 99)
    for threshold in (0.3, 0.5, 0.8):
        cool = cooled_each(shares, 3.0) >= cooled_threshold(threshold, 3.0) + 1e-6
        torch.testing.assert_close(cool, shares >= threshold + 1e-6)


def test_certainty_stays_finite() -> None:
    sure = torch.tensor([1.0, 0.0])
    assert cooled(sure, 4.0).isfinite().all()
    assert cooled_each(sure, 4.0).isfinite().all()


def test_no_cases_cannot_be_calibrated_on() -> None:
    with pytest.raises(InputError, match="give it held-out cases"):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(InputError, match="a right class for each case"):
        expected_calibration_error(np.zeros((3, 2)), np.zeros(2, int))
