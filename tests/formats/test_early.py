"""A series that is shown while it is read: middle slice first, then outwards."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Rescale
from medviewer.domain.study import PhaseAxis, Series
from medviewer.errors import JobCancelled, UnreadableError
from medviewer.formats import load, scan, write_dicom_series
from medviewer.formats.dicom import slices
from medviewer.formats.dicom.plan import plan_of
from tests.formats.conftest import STUDY, grid_of, image_of, series_of


class Seen:
    """What was shown early, and what of it was there then."""

    def __init__(self, after=None) -> None:
        self.image = None
        self.there: np.ndarray | None = None
        self.thread = 0
        self.after = after

    def __call__(self, image) -> None:
        assert self.image is None
        self.image, self.there = image, image.voxels.copy()
        self.thread = threading.get_ident()
        if self.after is not None:
            self.after(image)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_the_middle_slice_comes_first_and_the_same_image_fills_up(tmp_path, syntax, dtype):
    image = image_of(grid_of((9, 16, 17)), dtype)
    image.voxels[...] += 100
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid), transfer_syntax=syntax)
    seen = Seen(lambda shown: shown.auto_window())
    loaded = load(scan([tmp_path]).series[0], early=seen)
    assert loaded is seen.image
    assert seen.thread == threading.get_ident()
    np.testing.assert_array_equal(seen.there[4], image.voxels[4])
    blank = 0 if dtype == np.uint16 else image.voxels[4].min()
    assert np.all(np.delete(seen.there, 4, 0) == blank)
    np.testing.assert_array_equal(loaded.voxels, image.voxels)
    low, high = loaded.auto_window().limits
    assert (low, high) == image.auto_window().limits  # and not that of the blank slices


def test_slices_of_another_rescale_are_not_shown_before_the_end(tmp_path):
    image = image_of(grid_of((5, 4, 5)), rescale=Rescale((1.0, 2.0, 1.0, 1.0, 3.0), 0.0))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    seen = Seen()
    loaded = load(scan([tmp_path]).series[0], early=seen)
    assert seen.image.rescale.is_uniform
    assert loaded is not seen.image
    assert np.shares_memory(loaded.voxels, seen.image.voxels)
    assert loaded.rescale.slope == (1.0, 2.0, 1.0, 1.0, 3.0)
    np.testing.assert_array_equal(loaded.real(), image.real())


def test_pet_is_not_shown_early(tmp_path):
    image = image_of(grid_of((5, 4, 5)))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    seen = Seen()
    load(replace(scan([tmp_path]).series[0], modality="PT"), early=seen)
    assert seen.image is None


def test_a_middle_slice_that_cannot_be_read_leaves_its_turn_to_the_next(tmp_path):
    image = image_of(grid_of((5, 4, 5)), np.uint16)
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    series = scan([tmp_path]).series[0]
    files[2].unlink()
    seen, told = Seen(), []
    loaded = load(series, warn=told.append, early=seen)
    assert np.count_nonzero(seen.there.any(axis=(1, 2))) == 1
    assert len(told) == 1
    np.testing.assert_array_equal(np.delete(loaded.voxels, 2, 0), np.delete(image.voxels, 2, 0))


def test_a_cancel_after_the_first_slice_ends_the_load(tmp_path):
    image = image_of(grid_of((40, 4, 5)))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    stop = threading.Event()
    with pytest.raises(JobCancelled):
        load(scan([tmp_path]).series[0], cancelled=stop, early=lambda shown: stop.set())


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 3), st.data())
def test_a_plan_reads_every_frame_once_and_goes_outwards(frames, phases, data):
    total = sum(frames)
    slices = -(-total // phases)
    slots = data.draw(st.permutations(range(slices * phases)))[:total]
    axis = PhaseAxis("time", tuple(range(phases))) if phases > 1 else None
    paths = tuple(map("{}.dcm".format, range(len(frames))))
    series = Series(
        "1", "MR", "", Grid((slices, 2, 2)), paths, "dicom", index=tuple(slots), frames=tuple(frames), phases=axis
    )
    plan = plan_of(series)
    starts = np.concatenate(([0], np.cumsum(frames)))
    read = {}
    for run in plan.runs:
        for k in range(run.count):
            read[int(starts[run.number]) + run.first + k] = run.slot + k
    assert read == dict(enumerate(slots))
    assert plan.warnings == ()
    phase_order = [run.slot // slices for run in plan.runs]
    assert phase_order == sorted(phase_order)
    if slices // 2 in slots:
        assert (plan.runs[0].slot, plan.runs[0].count) == (slices // 2, 1)


def test_frames_that_have_no_place_are_named(tmp_path):
    image = image_of(grid_of((3, 4, 5)))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    series = replace(scan([tmp_path]).series[0], index=(0, 0, 7))
    told = []
    load(series, warn=told.append)
    assert [warning.code for warning in told] == ["duplicate", "duplicate"]
    assert "0002.dcm belongs to slice 1, which is not free" in told[0].text
    assert "0003.dcm belongs to slice" in told[1].text


def test_a_file_that_shrinks_while_it_is_read_costs_its_slice(tmp_path, monkeypatch):
    image = image_of(grid_of((3, 4, 5)))
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    series = scan([tmp_path]).series[0]
    read = slices.read_open

    def shrink(file, path, block):
        header = read(file, path, block)
        if path == files[2]:
            path.write_bytes(path.read_bytes()[:-8])
        return header

    monkeypatch.setattr(slices, "read_open", shrink)
    told = []
    loaded = load(series, warn=told.append)
    assert "0003.dcm ended while its pixels were read" in told[0].text
    np.testing.assert_array_equal(loaded.voxels[:2], image.voxels[:2])


def test_a_series_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    image = image_of(grid_of((3, 4, 5)), np.uint16)
    for syntax in (ExplicitVRLittleEndian, JPEGLSLossless):
        folder = tmp_path / syntax
        folder.mkdir()
        write_dicom_series(image, folder, study=STUDY, series=series_of(image.grid), transfer_syntax=syntax)
        vast = replace(scan([folder]).series[0], grid=grid_of((3, 2_000_000, 1_000_000)))
        with pytest.raises(UnreadableError, match=r"needs 12000\.0 GB of memory"):
            load(vast)
