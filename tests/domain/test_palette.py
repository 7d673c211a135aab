"""Segments are told from each other by people who lack one kind of cone."""

from __future__ import annotations

import numpy as np
import pytest

from medviewer.domain.mask import PALETTE

from .colour_vision import SIGHT, least_distance, seen_lab


def test_the_measure_is_that_of_the_standard() -> None:
    np.testing.assert_allclose(seen_lab((255, 255, 255), "usual"), [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(seen_lab((255, 0, 0), "usual"), [53.24, 80.09, 67.20], atol=0.05)
    assert least_distance([(200, 60, 60), (110, 110, 40)], "deuteranopia") < 25, "red and olive come close"


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_segments_stay_apart(sight: str) -> None:
    """Some 2.3 is just seen beside each other (Mahy 1994); colours of a list take much more to be told by memory."""
    assert least_distance(list(PALETTE), sight) > 16
