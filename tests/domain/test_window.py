"""From real values to grey: the functions of PS3.3 C.11.2.1, tables, and the curve that a screen draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.window import Lut, Window

finite = st.floats(-1e4, 1e4, allow_nan=False)
widths = st.floats(1, 1e4)


def linear_as_the_standard_writes_it(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.2.1, ymin = 0, ymax = 1."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def exact_as_the_standard_writes_it(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 1.0
    return (x - c) / w + 0.5


def test_the_examples_of_the_standard() -> None:
    """Center 2048, width 4096 maps 0 to black and 4095 to white; 2048 and 1 is a threshold (C.11.2.1.2.1, note)."""
    assert Window(2048, 4096, function="LINEAR").limits == (0, 4095)
    threshold = Window(2048, 1, function="LINEAR")
    np.testing.assert_array_equal(threshold.apply([2047, 2048]), [0, 1])
    assert Window(127.5, 255).limits == (0, 255)
    np.testing.assert_array_equal(Window(50, 10).apply([44, 45, 50, 55, 56, np.nan]), [0, 0, 0.5, 1, 1, 0])


@given(finite, finite, widths)
def test_linear_functions(x: float, center: float, width: float) -> None:
    for function, formula in (
        ("LINEAR", linear_as_the_standard_writes_it),
        ("LINEAR_EXACT", exact_as_the_standard_writes_it),
    ):
        window = Window(center, width, function=function)
        if function == "LINEAR_EXACT" or width - 1 > 1e-3:  # else float decides on which side of a step x lies
            assert float(window.apply(x)) == pytest.approx(formula(x, center, width), abs=1e-4)
        assert window.is_linear
        assert window.curve is None


def test_sigmoid_by_hand() -> None:
    window = Window(100, 50, function="SIGMOID")
    assert window.limits == (0, 200)
    assert float(window.apply(100)) == 0.5
    assert float(window.apply(150)) == pytest.approx(1 / (1 + np.exp(-4)))
    np.testing.assert_allclose(window.apply([0, 200]), [0.000335, 0.999665], atol=1e-6)
    np.testing.assert_array_equal(window.apply([-1e9, 1e9]), [0, 1])
    curve = window.curve
    assert curve is not None
    np.testing.assert_allclose(curve, window.apply(np.linspace(0, 200, len(curve))))
    assert window.plain == (Window(100, 50), False)


def test_a_table_by_hand() -> None:
    lut = Lut(-2, np.array([0, 10, 20, 255], np.uint8), 8)
    np.testing.assert_array_equal(lut.apply(np.array([-9, -2, -1, 0, 1, 99], np.int16)), [0, 0, 10, 20, 255, 255])
    np.testing.assert_array_equal(lut.apply([-1.4, -0.6, np.nan, np.inf, -np.inf]), [10, 10, 0, 255, 0])
    window = Window(-0.5, 3, "Table", lut=lut)
    np.testing.assert_allclose(window.apply([-2, -1, 0, 1, 7]), np.array([0, 10, 20, 255, 255]) / 255)
    assert window.limits == (-2, 1)
    np.testing.assert_allclose(window.curve, np.array([0, 10, 20, 255]) / 255)
    assert not window.is_linear


@given(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32]),
    st.integers(-40_000, 40_000),
    st.integers(1, 5000),
    st.integers(0, 2**32 - 1),
)
def test_a_table_looks_up_every_type_alike(dtype: type, first: int, count: int, seed: int) -> None:
    """Images with many voxels go by bit pattern; it has to be the same."""
    chance = np.random.default_rng(seed)
    lut = Lut(first, chance.integers(0, 1 << 12, count).astype(np.uint16), 12)
    info = np.iinfo(dtype)
    few = chance.integers(info.min, info.max, 100, dtype=dtype, endpoint=True)
    expected = [int(lut.table[min(max(int(value) - first, 0), count - 1)]) for value in few]
    np.testing.assert_array_equal(lut.apply(few), expected)
    many = np.tile(few, 1400)
    np.testing.assert_array_equal(lut.apply(many)[:100], expected)
    np.testing.assert_array_equal(lut.apply(many.astype(many.dtype.newbyteorder()))[:100], expected)


@given(st.integers(2, 4000), st.integers(-3000, 3000), st.booleans())
def test_the_plain_window_of_a_straight_table_shows_the_same(count: int, first: int, falling: bool) -> None:
    table = np.round(np.linspace(0, 65535, count)).astype(np.uint16)
    lut = Lut(first, table[::-1] if falling else table, 16)
    window = Window(first + (count - 1) / 2, count - 1, lut=lut)
    plain, turned = window.plain
    assert turned == falling
    assert plain.limits == pytest.approx(window.limits, abs=0.02 * count)
    values = np.linspace(first, first + count - 1, 7)
    grey = plain.apply(np.rint(values))
    np.testing.assert_allclose(1 - grey if turned else grey, window.apply(values), atol=0.02)


def test_the_plain_window_of_what_has_no_slope() -> None:
    assert Window(5, 10, lut=Lut(0, np.full(11, 7, np.uint8), 8)).plain == (Window(5, 10), False)
    assert Window(40, 400, function="LINEAR").plain == (Window(39.5, 399), False)
    assert Window(40, 400, "Name").plain == (Window(40, 400), False)


def test_a_modality_table_counts_instead_of_the_rescale() -> None:
    voxels = np.arange(-4, 4, dtype=np.int16).reshape(2, 2, 2)
    lut = Lut(-3, np.array([5, 100, 200, 300, 4000], np.uint16), 12)
    image = Image(voxels, Grid((2, 2, 2)), rescale=Rescale(3.0, 7.0), lut=lut)
    expected = [5, 5, 100, 200, 300, 4000, 4000, 4000]
    np.testing.assert_array_equal(image.real().ravel(), expected)
    assert [image.value_at(index) for index in np.ndindex(2, 2, 2)] == expected
    looked_up, slope, intercept = image.uniform
    assert (looked_up.dtype, slope, intercept) == (np.uint16, 1, 0)
    np.testing.assert_array_equal(looked_up.ravel(), expected)
    assert image.uniform[0] is looked_up, "made once"
    low, high = image.auto_window().limits
    assert 5 <= low < high <= 4000


@pytest.mark.parametrize(
    ("padding", "plain", "inverted"),
    [((-2000, -2000), None, 100), ((500, 600), 1, None), ((20, 30), 1, 100), (None, None, None)],
)
def test_padding_is_as_dark_as_anything(
    padding: tuple[float, float] | None, plain: float | None, inverted: float | None
) -> None:
    """Padding at the dark end stays as it is: a CT's -2000 is black anyway."""
    voxels = np.arange(1, 101, dtype=np.int16).reshape(1, 10, 10)
    if padding is not None:
        voxels = np.concatenate([voxels, np.full((1, 10, 10), padding[0], np.int16)])
    image = Image(voxels, Grid(voxels.shape), padding=padding)
    assert image.background(False) == plain
    assert image.background(True) == inverted


def test_padding_of_slices_with_their_own_rescale_is_always_replaced() -> None:
    voxels = np.array([[[0, 1]], [[0, 2]]], np.int16)
    image = Image(voxels, Grid(voxels.shape), rescale=Rescale((1.0, 10.0), (0.0, 100.0)), padding=(0, 0))
    assert (image.background(False), image.background(True)) == (1, 120)
    assert Image(np.zeros((1, 2, 2), np.int16), Grid((1, 2, 2)), padding=(0, 0)).background(True) is None
