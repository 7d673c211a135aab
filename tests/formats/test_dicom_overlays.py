"""What files draw over their pixels: overlay planes of their own, and in unused bits of the pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.overlays import get_overlay_array

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import PhaseAxis, Series, SliceStack
from medviewer.formats import load, scan
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.overlays import PackedPlanes, _Packed, read_overlays
from medviewer.formats.dicom.write import write_dicom_series

from .conftest import STUDY, series_of


def read(*paths: Path, **more: object):
    headers = {k: read_header(path) for k, path in enumerate(paths)}
    rows, columns = headers[0].integer(0x00280010), headers[0].integer(0x00280011)
    more.setdefault("grid", Grid((len(paths), rows, columns)))
    return read_overlays(Series("1", "OT", "", files=paths, reader="dicom", **more), headers)


def add_overlay(dataset: Dataset, drawn: np.ndarray, group: int = 0x6000, **more: object) -> None:
    """An overlay plane of its own; several frames where `drawn` has three axes."""
    dataset.add_new((group, 0x0010), "US", drawn.shape[-2])
    dataset.add_new((group, 0x0011), "US", drawn.shape[-1])
    if drawn.ndim == 3:
        dataset.add_new((group, 0x0015), "IS", len(drawn))
    dataset.add_new((group, 0x0040), "CS", more.get("kind", "G"))
    dataset.add_new((group, 0x0050), "SS", more.get("origin", [1, 1]))
    if "frame" in more:
        dataset.add_new((group, 0x0051), "US", more["frame"])
    dataset.add_new((group, 0x0100), "US", 1)
    dataset.add_new((group, 0x0102), "US", 0)
    if "label" in more:
        dataset.add_new((group, 0x1500), "LO", more["label"])
    data = np.packbits(drawn.ravel(), bitorder="little").tobytes()
    dataset.add_new((group, 0x3000), "OW", data + b"\0" * (len(data) % 2))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a grey file and change it; returns its path."""

    def build(change: Callable[[Dataset], None], name: str = "a", shape: tuple[int, int] = (5, 7)) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        stored = np.zeros((1, *shape), np.uint16)
        (path,) = write_dicom_series(
            Image(stored, Grid(stored.shape), "OT"), folder, study=STUDY, series=series_of(Grid(stored.shape), "OT")
        )
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
        return path

    return build


@pytest.mark.parametrize("name", ["MR-SIEMENS-DICOM-WithOverlays.dcm", "examples_overlay.dcm"])
def test_the_overlay_of_a_real_file_is_pydicoms(samples: dict[str, Path], name: str) -> None:
    (overlay,), warnings = read(samples[name])
    expected = get_overlay_array(pydicom.dcmread(samples[name]), 0x6000)
    np.testing.assert_array_equal(overlay.planes[0], expected)
    assert (list(overlay.planes), warnings) == ([0], [])
    assert expected.any()
    loaded = load(scan([samples[name]]).series[0])
    np.testing.assert_array_equal(loaded.overlays[0].planes[0], expected)


def test_groups_names_and_types(make: Callable[..., Path]) -> None:
    drawn = np.random.default_rng(0).random((5, 7)) < 0.5

    def change(dataset: Dataset) -> None:
        add_overlay(dataset, drawn, label="Text")
        add_overlay(dataset, ~drawn, 0x6002, kind="R")
        add_overlay(dataset, np.zeros((5, 7), bool), 0x601E)  # draws nothing

    overlays, _ = read(make(change))
    assert [overlay.name for overlay in overlays] == ["Text", "Overlay 6002"]
    np.testing.assert_array_equal(overlays[0].planes[0], drawn)
    np.testing.assert_array_equal(overlays[1].planes[0], ~drawn)


@given(
    st.integers(-12, 12),
    st.integers(-12, 12),
    st.integers(1, 9),
    st.integers(1, 11),
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
)
def test_planes_anywhere_and_of_any_size(top: int, left: int, rows: int, columns: int, start: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).random((rows, columns)) < 0.5
    bits = np.concatenate([np.ones(start, bool), drawn.ravel(), np.ones(9, bool)])
    packed = _Packed(np.packbits(bits, bitorder="little").tobytes(), start, drawn.shape, (top, left))
    expected = np.zeros((5, 7), bool)
    for row in range(rows):
        for column in range(columns):
            if 0 <= row + top < 5 and 0 <= column + left < 7:
                expected[row + top, column + left] = drawn[row, column]
    planes = PackedPlanes({3: packed}, (5, 7))
    np.testing.assert_array_equal(planes[3], expected)
    assert packed.empty == (not drawn.any())
    assert 3 in planes
    assert 2 not in planes


def test_an_origin_is_counted_from_one(make: Callable[..., Path]) -> None:
    (overlay,), _ = read(make(lambda dataset: add_overlay(dataset, np.ones((2, 2), bool), origin=[5, 3])))
    assert np.argwhere(overlay.planes[0]).tolist() == [[4, 2], [4, 3]]


@pytest.mark.parametrize("allocated", [16, 0])
def test_an_overlay_in_the_unused_bits_of_the_pixels(make: Callable[..., Path], allocated: int) -> None:
    """As scanners wrote it before 2004: 12 bits of CT, the overlay in bit 15."""
    chance = np.random.default_rng(1)
    stored = chance.integers(0, 4096, (5, 7)).astype(np.uint16)
    drawn = chance.random((5, 7)) < 0.3

    def change(dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.PixelData = (stored | (drawn.astype(np.uint16) << 15)).tobytes()
        add_overlay(dataset, drawn)
        del dataset[0x6000, 0x3000]
        dataset[0x6000, 0x0100].value = allocated
        dataset[0x6000, 0x0102].value = 15

    path = make(change)
    loaded = load(scan([path]).series[0])
    np.testing.assert_array_equal(loaded.voxels[0], stored)
    np.testing.assert_array_equal(loaded.overlays[0].planes[0], drawn)


def frames(dataset: Dataset, count: int) -> None:
    dataset.NumberOfFrames = count
    dataset.PixelData = bytes(count * 70)


def test_every_frame_has_its_own_plane_from_the_origin_on(make: Callable[..., Path]) -> None:
    drawn = np.random.default_rng(2).random((3, 5, 7)) < 0.5

    def change(dataset: Dataset) -> None:
        frames(dataset, 5)
        add_overlay(dataset, drawn, frame=2)

    (overlay,), _ = read(make(change), frames=(5,), grid=Grid((5, 5, 7)))
    assert sorted(overlay.planes) == [1, 2, 3]
    for k in range(3):
        np.testing.assert_array_equal(overlay.planes[k + 1], drawn[k])


def test_one_plane_without_frames_lies_on_all(make: Callable[..., Path]) -> None:
    drawn = np.eye(5, 7, dtype=bool)

    def change(dataset: Dataset) -> None:
        frames(dataset, 3)
        add_overlay(dataset, drawn)

    phases = PhaseAxis("frame", (1, 2, 3))
    (overlay,), _ = read(make(change), frames=(3,), grid=Grid((1, 5, 7)), phases=phases)
    assert sorted(overlay.planes) == [0, 1, 2], "slots of all phases"


def test_slices_have_their_own(make: Callable[..., Path]) -> None:
    one = make(lambda dataset: add_overlay(dataset, np.eye(5, 7, dtype=bool)), "one")
    two = make(lambda dataset: None, "two")
    three = make(lambda dataset: add_overlay(dataset, ~np.eye(5, 7, dtype=bool)), "three")
    (overlay,), _ = read(one, two, three, index=(0, 1, 3), grid=Grid((4, 5, 7)))
    assert sorted(overlay.planes) == [0, 3]


def test_incomplete_overlays_are_named(make: Callable[..., Path]) -> None:
    def change(dataset: Dataset) -> None:
        add_overlay(dataset, np.ones((5, 7), bool))
        dataset[0x6000, 0x0010].value = 500

    overlays, (warning,) = read(make(change))
    assert overlays == ()
    assert warning.code == "overlay"
    assert "incomplete" in warning.text


def test_overlays_of_resampled_slices_are_named(make: Callable[..., Path]) -> None:
    path = make(lambda dataset: add_overlay(dataset, np.ones((5, 7), bool)))
    source = SliceStack((5, 7), (1, 1), (0, 1, 0), (1, 0, 0), ((0, 0, 0),))
    overlays, (warning,) = read(path, source=source)
    assert (overlays, warning.code) == ((), "overlay")
