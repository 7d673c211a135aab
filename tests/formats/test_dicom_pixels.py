"""Pixels of real files against pydicom's and SimpleITK's readers, and the grey-scale attributes that go with them."""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from medviewer.domain.image import Rescale, Window
from medviewer.errors import JobCancelled, UnreadableError
from medviewer.formats import load, scan, write_dicom_series
from medviewer.formats.dicom.headers import _read_with_pydicom, read_header
from medviewer.formats.dicom.pixels import clean_bits
from tests.formats.conftest import STUDY, grid_of, image_of, series_of

GREY = [
    "693_J2KI",
    "693_J2KR",
    "693_UNCR",
    "CT_small",
    "J2K_pixelrep_mismatch",
    "JPEG-LL",
    "JPEG2000",
    "JPEGLSNearLossless_08",
    "JPEGLSNearLossless_16",
    "JPGLosslessP14SV1_1s_1f_8b",
    "MR-SIEMENS-DICOM-WithOverlays",
    "MR2_J2KR",
    "MR2_UNCI",
    "MR_small",
    "MR_small_RLE",
    "MR_small_bigendian",
    "MR_small_expb",
    "MR_small_implicit",
    "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless",
    "MR_small_padded",
    "RG1_J2KR",
    "RG1_UNCR",
    "RG3_UNCI",
    "bad_sequence",
    "explicit_VR-UN",
    "image_dfl",
    "mlut_18",
    "vlut_04",
    "rtdose_1frame",
    "rtdose_expb_1frame",
    "rtdose_rle_1frame",
    "examples_overlay",
]
COLOUR = [
    "ExplVR_BigEnd",
    "SC_rgb",
    "SC_rgb_16bit",
    "SC_rgb_rle",
    "SC_rgb_jpeg_gdcm",
    "SC_rgb_dcmtk_+eb+cy+np",
    "SC_ybr_full_422_uncompressed",
    "SC_ybr_full_uncompressed",
    "SC_rgb_jls_lossy_line",
    "US1_J2KI",
    "US1_UNCR",
    "color-pl",
    "color-px",
    "examples_palette",
    "OBXXXX1A",
    "OBXXXX1A_rle",
    "gdcm-US-ALOKA-16_big",
]


def quietly(read, *arguments, **more):
    """Call pydicom on a file that is odd on purpose, and that it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(*arguments, **more)


@pytest.mark.parametrize("name", GREY)
def test_grey_files_load_as_pydicom_reads_them(samples, name):
    path = samples[f"{name}.dcm"]
    image = load(scan([path]).series[0])
    dataset = quietly(pydicom.dcmread, path)
    expected = quietly(lambda: dataset.pixel_array)
    bits = dataset.BitsAllocated // 8
    assert image.voxels.dtype == np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{bits}")
    clean = expected.astype(image.voxels.dtype)
    clean_bits(clean, dataset.BitsStored, dataset.HighBit)
    np.testing.assert_array_equal(image.voxels[0], clean)


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_files_without_preamble_and_meta_information_are_read(tmp_path, implicit, little):
    image = image_of(grid_of((1, 4, 5)))
    [file] = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    dataset = Dataset()
    for element in pydicom.dcmread(file):
        dataset.add_new(element.tag, element.VR, element.value)
    if not little:
        dataset.PixelData = image.voxels.astype(">i2").tobytes()
    dataset.save_as(file, implicit_vr=implicit, little_endian=little)
    assert file.read_bytes()[:2] in (b"\x08\x00", b"\x00\x08")
    np.testing.assert_array_equal(load(scan([tmp_path]).series[0]).voxels, image.voxels)


@pytest.mark.parametrize("name", ["JPEG-lossy", "JPGExtended"])
def test_12_bit_jpeg_loads_as_gdcm_reads_it(samples, name):
    path = samples[f"{name}.dcm"]
    voxels = load(scan([path]).series[0]).voxels
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert voxels.dtype == np.uint16
    assert voxels.max() > 255
    assert np.abs(voxels.astype(int) - theirs).max() <= 1  # an inverse cosine transform may round either way


@pytest.mark.parametrize("name", COLOUR)
def test_colour_files_load_as_8_bit_rgb(samples, name):
    path = samples[f"{name}.dcm"]
    series = scan([path]).series[0]
    image = load(series)
    assert image.is_colour
    assert image.voxels.shape == (*series.grid.shape, 3)
    assert image.voxels.dtype == np.uint8
    assert image.windows == ()
    assert image.voxels.max() > 100


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "693_UNCR", "MR_small_bigendian", "JPEG-LL"])
def test_real_values_agree_with_simpleitk(samples, name):
    path = samples[f"{name}.dcm"]
    image = load(scan([path]).series[0])
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_allclose(image.real(), theirs.reshape(image.grid.shape), rtol=1e-6)


def test_the_fast_header_reader_says_what_pydicom_says(samples):
    checked = 0
    for path in samples.values():
        data = path.read_bytes()
        try:
            fast = read_header(path)
            slow = _read_with_pydicom(path, len(data), data[:16384])
        except UnreadableError:
            continue
        assert fast.transfer_syntax == slow.transfer_syntax, path.name
        assert (fast.pixel_offset, fast.pixel_length) == (slow.pixel_offset, slow.pixel_length), path.name
        assert {k: v.rstrip(b" \0") for k, v in fast.raw.items()} == {
            k: v.rstrip(b" \0") for k, v in slow.raw.items()
        }, path.name
        checked += 1
    assert checked > 120


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_series_keep_every_voxel(tmp_path, syntax):
    grid = grid_of((5, 64, 66))
    image = image_of(grid, np.uint16)
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(grid), transfer_syntax=syntax)
    np.testing.assert_array_equal(load(scan([tmp_path]).series[0]).voxels, image.voxels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_the_stored_type_is_kept(tmp_path, dtype):
    image = image_of(grid_of((3, 3, 5)), dtype)
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    loaded = load(scan([tmp_path]).series[0])
    assert loaded.voxels.dtype == dtype
    np.testing.assert_array_equal(loaded.voxels, image.voxels)


def test_rescale_per_slice_is_kept(tmp_path):
    slopes, intercepts = (1.0, 2.5, 0.125), (0.0, -10.0, 4.0)
    image = image_of(grid_of((3, 4, 5)), rescale=Rescale(slopes, intercepts))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    loaded = load(scan([tmp_path]).series[0])
    assert (loaded.rescale.slope, loaded.rescale.intercept) == (slopes, intercepts)
    np.testing.assert_array_equal(loaded.real(), image.real())


def test_ct_carries_hounsfield_units_windows_and_padding(tmp_path):
    windows = (Window(40, 400), Window(-600, 1500))
    image = image_of(
        grid_of(), modality="CT", rescale=Rescale(1.0, -1024.0, "HU"), windows=windows, padding=(-2000, -2000)
    )
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid, "CT"))
    loaded = load(scan([tmp_path]).series[0])
    assert loaded.rescale == image.rescale
    assert loaded.windows == windows
    assert loaded.padding == (-2000, -2000)
    assert loaded.modality == "CT"


def test_monochrome1_is_inverted(tmp_path, demo):
    assert load(scan([demo / "chest"]).series[0]).inverted
    image = image_of(grid_of((1, 4, 5)), np.uint16, "CR", inverted=True)
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid, "CR"))
    assert load(scan([tmp_path]).series[0]).inverted


def test_bits_beyond_bits_stored_are_removed():
    unsigned = np.array([[0xF123, 0x0FFF]], np.uint16)
    clean_bits(unsigned, 12, 11)
    assert unsigned.tolist() == [[0x123, 0xFFF]]
    signed = np.array([[0x0FFF, 0x07FF]], np.int16)
    clean_bits(signed, 12, 11)
    assert signed.tolist() == [[-1, 0x7FF]]
    shifted = np.array([[0x1230]], np.uint16)
    clean_bits(shifted, 12, 15)
    assert shifted.tolist() == [[0x123]]


def test_a_truncated_slice_is_blank_and_told_of(tmp_path):
    image = image_of(grid_of((5, 8, 9)))
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    files[2].write_bytes(files[2].read_bytes()[:-40])
    series = scan([tmp_path]).series[0]
    told = []
    loaded = load(series, warn=told.append)
    assert tuple(told) == series.warnings
    assert [warning.code for warning in told] == ["truncated"]
    assert "0003.dcm holds 104 of 144 bytes" in told[0].text
    assert np.all(loaded.voxels[2] == image.voxels.min())
    np.testing.assert_array_equal(np.delete(loaded.voxels, 2, 0), np.delete(image.voxels, 2, 0))


def test_an_undecodable_slice_is_blank_and_told_of(tmp_path):
    image = image_of(grid_of((3, 16, 17)), np.uint16)
    files = write_dicom_series(
        image, tmp_path, study=STUDY, series=series_of(image.grid), transfer_syntax=JPEGLSLossless
    )
    dataset = pydicom.dcmread(files[1])
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8 not a picture \xff\xd9"])
    dataset.save_as(files[1])
    told = []
    loaded = load(scan([tmp_path]).series[0], warn=told.append)
    assert [warning.code for warning in told] == ["unreadable"]
    assert "0002.dcm could not be decoded (JPEG-LS Lossless" in told[0].text
    assert told[0].text.endswith("Its slice is shown blank.")
    np.testing.assert_array_equal(loaded.voxels[::2], image.voxels[::2])


def test_a_file_that_vanished_is_told_of_and_nothing_left_is_an_error(tmp_path):
    image = image_of(grid_of((3, 4, 5)))
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    series = scan([tmp_path]).series[0]
    files[0].unlink()
    told = []
    load(series, warn=told.append)
    assert "0001.dcm could not be read" in told[0].text
    for file in files[1:]:
        file.write_bytes(b"")
    with pytest.raises(UnreadableError, match="None of the 3 files of the series could be read"):
        load(series)


def test_cancel_and_progress(tmp_path):
    image = image_of(grid_of((40, 4, 5)))
    write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    seen: list[float] = []
    series = scan([tmp_path], lambda part, text: seen.append(part)).series[0]
    assert seen == [0.0, 0.5]
    seen.clear()
    load(series, lambda part, text: seen.append(part))
    assert seen == [16 / 40, 32 / 40, 1.0]
    stop = threading.Event()
    stop.set()
    with pytest.raises(JobCancelled):
        scan([tmp_path], cancelled=stop)
    with pytest.raises(JobCancelled):
        load(series, cancelled=stop)


def test_names_in_other_character_sets(tmp_path):
    image = image_of(grid_of((1, 4, 5)))
    [file] = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    dataset = pydicom.dcmread(file)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Müller^Jürgen"
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    file.write_bytes(buffer.getvalue())
    assert scan([file]).studies[0].patient.name == "Müller^Jürgen"


def test_more_voxels_than_memory_holds_is_an_error(tmp_path):
    image = image_of(grid_of((3, 4, 5)))
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    series = scan([tmp_path]).series[0]
    vast = replace(series, grid=grid_of((10**6, 10**5, 10**5)), files=files)
    with pytest.raises(UnreadableError, match=r"needs 20000000\.0 GB of memory"):
        load(vast)
