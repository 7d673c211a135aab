"""From stored values to real ones, and the window that they are first seen through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window

finite = st.floats(-1e4, 1e4, allow_nan=False)


def volume(voxels: np.ndarray, **more: object) -> Image:
    return Image(voxels, Grid(voxels.shape[:3]), **more)


def test_window_by_hand() -> None:
    assert Window(40, 400).limits == (-160, 240)
    assert Window.from_limits(-160, 240, "Soft tissue") == Window(40, 400, "Soft tissue")
    assert Window.from_limits(7, 7).width > 0


@given(finite, st.floats(1e-3, 1e4))
def test_limits_and_back(center: float, width: float) -> None:
    window = Window.from_limits(*Window(center, width).limits)
    assert window.center == pytest.approx(center, abs=1e-6)
    assert window.width == pytest.approx(width, rel=1e-6, abs=1e-6)


def test_rescale_by_hand() -> None:
    rescale = Rescale(2.0, -1024.0, "HU")
    np.testing.assert_array_equal(rescale.apply(np.array([0, 512, 1000], np.int16)), [-1024, 0, 976])
    assert rescale.apply(3).dtype == np.float32
    assert rescale.invert(976) == 1000
    assert rescale.is_uniform


def test_rescale_of_each_slice() -> None:
    rescale = Rescale((1.0, 0.5, 4.0), (0.0, 10.0, -2.0), "BQML")
    assert not rescale.is_uniform
    assert rescale.at(1) == (0.5, 10.0)
    assert [float(rescale.apply(6, z)) for z in range(3)] == [6, 13, 22]
    assert rescale.invert(22, 2) == 6
    assert not Rescale(1.0, (0.0, 1.0)).is_uniform


def test_real_values_of_every_slice() -> None:
    stored = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    image = volume(stored, rescale=Rescale((1.0, 10.0), 5.0))
    expected = np.stack([stored[0] + 5.0, stored[1] * 10.0 + 5.0])
    np.testing.assert_array_equal(image.real(), expected)
    assert image.value_at((1, 2, 3)) == 235
    voxels, slope, intercept = image.uniform
    np.testing.assert_array_equal(voxels * slope + intercept, expected)
    assert image.uniform[0] is voxels, "made once"


def test_one_rescale_shows_the_stored_voxels_themselves() -> None:
    image = volume(np.ones((2, 3, 4), np.int16), rescale=Rescale(2.0, -3.0))
    assert image.uniform[0] is image.voxels
    assert image.uniform[1:] == (2.0, -3.0)
    assert (image.real() == -1).all()


def test_voxels_must_fit_the_grid() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) do not fit a grid of \(2, 3, 5\)"):
        Image(np.zeros((2, 3, 4)), Grid((2, 3, 5)))


def test_kinds() -> None:
    assert volume(np.zeros((2, 3, 4))).is_volume
    radiograph = volume(np.zeros((1, 3, 4, 3), np.uint8))
    assert not radiograph.is_volume
    assert radiograph.is_colour


def test_auto_window_spans_the_percentiles() -> None:
    voxels = np.arange(1001, dtype=np.int16).reshape(7, 11, 13)
    low, high = volume(voxels, rescale=Rescale(2.0, -100.0)).auto_window().limits
    assert (low, high) == (pytest.approx(-90), pytest.approx(1896))


def test_auto_window_leaves_padding_and_nan_out() -> None:
    inside = np.linspace(100, 200, 1000).reshape(10, 10, 10)
    padded = np.concatenate([inside, np.full((10, 10, 10), -2000.0), np.full((10, 10, 10), np.nan)])
    plain = volume(inside).auto_window()
    assert volume(padded, padding=(-2000, -1999)).auto_window() == plain
    assert volume(padded).auto_window().limits[0] == -2000, "it is the padding that makes the difference"


def test_auto_window_knows_the_rescale_of_each_slice() -> None:
    real = np.repeat(np.linspace(0, 100, 4)[:, None, None], 9, axis=1).repeat(9, axis=2)
    slopes = (1.0, 2.0, 4.0, 8.0)
    image = volume(real / np.array(slopes)[:, None, None], rescale=Rescale(slopes, 0.0))
    assert image.auto_window().limits == (pytest.approx(0), pytest.approx(100))


@pytest.mark.parametrize("value", [0, -1000, 7])
def test_auto_window_of_a_constant_image(value: int) -> None:
    low, high = volume(np.full((3, 4, 5), value, np.int16)).auto_window().limits
    assert low == value
    assert high > low


def test_auto_window_of_nothing() -> None:
    assert volume(np.full((3, 4, 5), np.nan)).auto_window().width > 0
    assert volume(np.zeros((3, 4, 5)), padding=(0, 0)).auto_window().width > 0


@given(st.floats(1e-4, 1e4))
def test_auto_window_follows_the_scale_of_the_values(scale: float) -> None:
    """A diffusion map in mm2/s has values of 0.001: a window of width 1 would show it black."""
    voxels = np.linspace(0, 1, 1000).reshape(10, 10, 10)
    low, high = volume(voxels, rescale=Rescale(scale, 0.0)).auto_window().limits
    assert high - low == pytest.approx(0.993 * scale, rel=1e-3)


def test_auto_window_samples_large_images() -> None:
    voxels = np.tile(np.arange(200, dtype=np.uint16), (200, 200, 1))
    low, high = volume(voxels).auto_window().limits
    assert (low, high) == (pytest.approx(1, abs=2), pytest.approx(199, abs=2))
