"""Deflated files: what they cost before their pixels are asked for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from medviewer.errors import UnreadableError
from medviewer.formats import load, scan
from medviewer.formats.dicom import deflated
from medviewer.formats.dicom.deflated import open_plain
from medviewer.formats.dicom.headers import read_header
from tests.formats.conftest import grid_of
from tests.formats.test_dicom_geometry import image_of, written

PIXELS = 48 * 1024**2


def packed(folder: Path, **values) -> Path:
    """One slice, deflated."""
    [path] = written(folder, image_of(grid_of((1, 5, 7))))
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    return path


def large(folder: Path) -> Path:
    """16 bits, 48 MB of pixels in a file of some kB."""
    return packed(folder, Rows=4096, Columns=6144, PixelData=bytes(PIXELS))


def frames(folder: Path) -> Path:
    """The same as frames, of which every header is asked for."""
    return packed(folder, Rows=512, Columns=512, NumberOfFrames=96, PixelData=bytes(PIXELS))


@pytest.mark.parametrize("make", [large, frames])
def test_a_scan_unpacks_no_pixels(tmp_path, make):
    path = make(tmp_path)
    scan([path])  # what is imported, and made once
    tracemalloc.start()
    try:
        found = scan([path])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.series) == 1
    assert peak < PIXELS / 6


def test_a_header_is_the_same_deflated(tmp_path):
    path = packed(tmp_path)
    header = read_header(path)
    assert header.deflated
    assert header.pixel_offset == -1
    plain = pydicom.dcmread(path)
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plain.save_as(tmp_path / "plain.dcm")
    assert read_header(tmp_path / "plain.dcm").raw == header.raw
    [series] = scan([path]).series
    assert load(series).voxels.shape == (1, 5, 7)


def test_what_lies_before_the_pixels_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(deflated, "MAX_HEADER", 1024**2)
    path = packed(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00091001, "OB", bytes(4 * 1024**2))
    dataset.save_as(path)
    with pytest.raises(UnreadableError, match="has more than 1 MB before its pixels"):
        read_header(path)


def test_going_back_and_the_end(tmp_path):
    with open_plain(packed(tmp_path)) as file:
        whole = file.read()
        assert whole[128:132] == b"DICM"
        assert file.seek(130) == file.tell() == 130
        assert file.read(2) == b"CM"
        assert file.seek(-4, 1) == 128
        assert file.read(10**6) == whole[128:]
        assert file.read(5) == b""
        with pytest.raises(OSError, match="end of a deflated file is not known"):
            file.seek(0, 2)
