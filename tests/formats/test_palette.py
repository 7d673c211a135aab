"""Colours by a table, against tables made by hand, twins in the other byte order, and SimpleITK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from medviewer.domain.geometry import Grid
from medviewer.domain.study import Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats import load

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
Make = Callable[..., Path]


def colours_of(path: Path) -> np.ndarray:
    """All frames of a file, shape (frames, rows, columns, 3)."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    frames = int(dataset.get("NumberOfFrames") or 1)
    grid = Grid((frames, dataset.Rows, dataset.Columns))
    told: list[Warning] = []
    series = Series(generate_uid(), "OT", "", grid, (path,), "dicom", frames=(frames,))
    image = load(series, warn=told.append)
    assert [one.text for one in told] == []
    return image.voxels


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a file of one row with palettes; `data` is (red, green, blue) in bytes, by rows in `order`."""

    def build(
        indices: np.ndarray,
        descriptor: list[int],
        data: list[bytes],
        syntax: str = ExplicitVRLittleEndian,
        segmented: bool = False,
        stored: int | None = None,
    ) -> Path:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "PALETTE COLOR"
        dataset.Rows, dataset.Columns, dataset.PixelRepresentation = 1, indices.size, int(indices.dtype.kind == "i")
        bits = 8 * indices.dtype.itemsize
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, stored or bits, (stored or bits) - 1
        signed = indices.dtype.kind == "i"
        for k in range(3):
            dataset.add(DataElement(0x00281101 + k, "SS" if signed else "US", descriptor))
            dataset.add(DataElement((0x00281221 if segmented else 0x00281201) + k, "OW", data[k]))
        pixels = indices.astype(indices.dtype.newbyteorder(order)).tobytes()
        dataset.add(DataElement(0x7FE00010, "OB" if bits == 8 else "OW", pixels))
        path = tmp_path / "a.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return build


def words(values: object, syntax: str) -> bytes:
    return np.array(values, ">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()


def packed(values: object, syntax: str) -> bytes:
    """8-bit values, two in a word, the first in its low byte (PS3.3 C.7.6.3.1.6)."""
    data = np.array(values, np.uint8)
    return data.view("<u2").astype(">u2").tobytes() if syntax == ExplicitVRBigEndian else data.tobytes()


@pytest.mark.parametrize("twin", ["OBXXXX1A_expb_2frame", "OBXXXX1A_rle_2frame", "OBXXXX1A_expb", "OBXXXX1A_rle"])
def test_real_files_are_as_their_little_endian_twins(samples: dict[str, Path], twin: str) -> None:
    plain = samples["OBXXXX1A_2frame.dcm" if twin.endswith("2frame") else "OBXXXX1A.dcm"]
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(plain))).reshape(-1, *colours_of(plain).shape[1:])
    expected = (expected >> 8 * (expected.dtype.itemsize - 1)).astype(np.uint8)
    assert expected.max() > 100
    np.testing.assert_array_equal(colours_of(plain), expected)
    np.testing.assert_array_equal(colours_of(samples[f"{twin}.dcm"]), expected)


def test_segmented_palettes_of_real_twins(samples: dict[str, Path]) -> None:
    """The table of the little-endian file is expanded by hand here, a segment at a time."""
    path = samples["gdcm-US-ALOKA-16.dcm"]
    dataset = pydicom.dcmread(path)
    tables = []
    for name in ("Red", "Green", "Blue"):
        data = np.frombuffer(dataset[f"Segmented{name}PaletteColorLookupTableData"].value, "<u2").astype(int)
        at, table = 0, []
        while at < len(data):
            kind, count = data[at : at + 2]
            assert kind in (0, 1)
            if kind == 0:
                table += data[at + 2 : at + 2 + count].tolist()
                at += 2 + count
            else:
                start = table[-1]
                table += [start + (data[at + 2] - start) * (k + 1) / count for k in range(count)]
                at += 3
        assert len(table) == 65536
        tables.append(np.array(table))
    expected = np.stack([table[pixel_array(dataset)] for table in tables], axis=-1) / 256
    found = colours_of(path)
    assert np.abs(found[0] - np.floor(expected)).max() <= 1
    assert found.max() > 100
    np.testing.assert_array_equal(colours_of(samples["gdcm-US-ALOKA-16_big.dcm"]), found)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_16_bit_entries(make: Make, syntax: str) -> None:
    tables = [[0, 0x1234, 0x80FF, 0xFF00], [0xFFFF, 1, 2, 3], [0x0100, 0x0200, 0x0300, 0x0400]]
    path = make(np.arange(6, dtype=np.uint8), [4, 1, 16], [words(table, syntax) for table in tables], syntax)
    expected = [[0, 255, 1], [0, 255, 1], [0x12, 0, 2], [0x80, 0, 3], [0xFF, 0, 4], [0xFF, 0, 4]]
    assert colours_of(path)[0, 0].tolist() == expected


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("write", [words, packed])
@pytest.mark.parametrize("bits", [8, 16])  # some files state 16 and hold 8
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_8_bit_entries(make: Make, syntax: str, write: Callable[[object, str], bytes], bits: int, dtype: type) -> None:
    tables = [[0, 10, 200, 255], [255, 20, 30, 40], [1, 2, 3, 4]]
    path = make(np.array([0, 1, 2, 3, 4, 255], dtype), [4, 0, bits], [write(table, syntax) for table in tables], syntax)
    last = [255, 40, 4]
    assert colours_of(path)[0, 0].tolist() == [[0, 255, 1], [10, 20, 2], [200, 30, 3], last, last, last]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [8, 16])
def test_16_bit_indices_into_many_entries(make: Make, syntax: str, bits: int) -> None:
    """Beyond 255 an index does not begin anew."""
    table = np.arange(1000) % 251
    data = packed(table, syntax) if bits == 8 else words(table * 256, syntax)
    indices = np.array([0, 255, 256, 300, 999, 5000, 65535, 7], np.uint16)
    found = colours_of(make(indices, [1000, 0, bits], [data] * 3, syntax))[0, 0]
    assert found[:, 0].tolist() == [0, 4, 5, 49, 999 % 251, 999 % 251, 999 % 251, 7]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_signed_indices(make: Make, syntax: str) -> None:
    data = words([0x1000, 0x2000, 0x3000, 0x4000], syntax)
    path = make(np.array([-2048, -3, -2, -1, 0, 1, 2, 2047], np.int16), [4, -2, 16], [data] * 3, syntax, stored=12)
    assert colours_of(path)[0, 0, :, 0].tolist() == [16, 16, 16, 32, 48, 64, 64, 64]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [8, 16])
def test_segments_of_every_kind(make: Make, syntax: str, bits: int) -> None:
    """One entry 0, a line to the top, two entries, and the line once more."""
    write, top = (packed, 250) if bits == 8 else (words, 250 * 256)
    step = top // 250
    offset = 3 * bits // 8  # three parts stand before the line
    pointer = [offset, 0] if bits == 16 else [offset, 0, 0, 0]
    parts = [0, 1, 0, 1, 50, top, 0, 2, 9 * step, 0, 2, 1, *pointer]
    data = write(parts + [0] * (len(parts) % 2), syntax)
    found = colours_of(make(np.arange(103, dtype=np.uint16), [103, 0, bits], [data] * 3, syntax, segmented=True))
    expected = [0, *range(5, 251, 5), 9, 0, *range(5, 251, 5)]
    assert found[0, 0, :, 1].tolist() == expected


@pytest.mark.parametrize(
    "parts", [[1, 5, 9], [0, 1, 7, 2, 1, 6, 0], [0, 0], [7, 1, 1], [0, 2, 5, 6], [0, 1, 5, 2, 9, 2, 9]]
)
def test_broken_segments_are_refused(make: Make, parts: list[int]) -> None:
    """A line from nowhere, a segment that repeats itself, an empty one, one of no kind, too few, one of no place."""
    data = words(parts, ExplicitVRLittleEndian)
    with pytest.raises(UnreadableError, match="colours by a table"):
        colours_of(make(np.arange(4, dtype=np.uint8), [200, 0, 16], [data] * 3, segmented=True))
