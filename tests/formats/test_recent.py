"""Headers that a scan leaves to a load."""

from __future__ import annotations

import os

import numpy as np
import pytest

from medviewer.formats import load, scan, write_dicom_series
from medviewer.formats.dicom import recent, slices
from medviewer.formats.dicom.headers import read_header
from tests.formats.conftest import STUDY, grid_of, image_of, series_of


@pytest.fixture
def files(tmp_path):
    """Three slices that were written long ago."""
    image = image_of(grid_of((3, 4, 5)))
    made = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    for file in made:
        os.utime(file, (1_600_000_000, 1_600_000_000))
    return made


def test_a_load_reads_no_header_again_that_the_scan_has_read(files, monkeypatch):
    series = scan([files[0].parent]).series[0]
    again = []
    read = slices.read_open
    monkeypatch.setattr(slices, "read_open", lambda *a: again.append(a[1]) or read(*a))
    expected = image_of(grid_of((3, 4, 5))).voxels
    np.testing.assert_array_equal(load(series).voxels, expected)
    assert again == []
    os.utime(files[1], (1_600_000_001, 1_600_000_001))
    np.testing.assert_array_equal(load(series).voxels, expected)
    assert again == [files[1]]


def test_what_was_written_just_now_is_not_relied_on(files):
    os.utime(files[0])
    header, status = read_header(files[0]), files[0].stat()
    recent.remember(header, status)
    assert recent.recall(files[0], status) is None


def test_only_so_many_headers_are_kept(files, monkeypatch):
    monkeypatch.setattr(recent, "MOST", 2)
    for file in files:
        recent.remember(read_header(file), file.stat())
    assert [recent.recall(file, file.stat()) is not None for file in files] == [False, True, True]
