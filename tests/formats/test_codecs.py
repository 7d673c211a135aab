"""Every transfer syntax and way of storing pixels, frame by frame, against pydicom, GDCM or the array it came from."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import pixel_array
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from medviewer.domain.geometry import Grid
from medviewer.domain.study import PhaseAxis, Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats import load
from medviewer.formats.dicom import codecs, slices
from medviewer.formats.dicom.pixels import PixelFormat, clean_bits

FILES = [
    "color3d_jpeg_baseline",
    "examples_ybr_color",
    "emri_small",
    "emri_small_RLE",
    "emri_small_big_endian",
    "emri_small_jpeg_2k_lossless",
    "emri_small_jpeg_ls_lossless",
    "eCT_Supplemental",
    "liver",
    "liver_expb",
    "liver_1frame",
    "liver_expb_1frame",
    "SC_rgb_expb_16bit_2frame",
    "SC_rgb_expb_2frame",
    "SC_rgb_rle_16bit_2frame",
    "SC_rgb_rle_32bit_2frame",
    "SC_rgb_32bit_2frame",
    "SC_rgb_2frame",
    "SC_rgb_small_odd_big_endian",
    "SC_rgb_small_odd_jpeg",
    "SC_rgb_jpeg",
    "SC_rgb_jpeg_gdcm",
    "SC_rgb_jpeg_dcmtk",
    "SC_rgb_jpeg_lossy_gdcm",
    "SC_rgb_dcmtk_+eb+cr",
    "SC_rgb_dcmtk_+eb+cy+n1",
    "SC_rgb_dcmtk_+eb+cy+s4",
    "SC_rgb_gdcm_KY",
    "SC_rgb_jls_lossy_sample",
    "SC_jpeg_no_color_transform",
    "SC_jpeg_no_color_transform_2",
    "SC_ybr_full_422_uncompressed",
    "SC_ybr_full_uncompressed",
    "GDCMJ2K_TextGBR",
    "US1_J2KR",
    "US1_J2KI",
    "ExplVR_BigEnd",
    "JPEG-LL",
    "MR2_J2KI",
    "image_dfl",
    "rtdose",
    "rtdose_rle",
    "rtdose_expb",
]


def series_in(path: Path) -> Series:
    """All frames of a file as they follow each other, whatever they are of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files that are odd on purpose
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    frames = int(dataset.get("NumberOfFrames") or 1)
    grid = Grid((frames, dataset.Rows, dataset.Columns))
    return Series(generate_uid(), "OT", "", grid, (path,), "dicom", frames=(frames,))


@pytest.mark.parametrize("name", FILES)
def test_every_frame_is_as_pydicom_reads_it(samples, name):
    path = samples[f"{name}.dcm"]
    image = load(series_in(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files that are odd on purpose
        dataset = pydicom.dcmread(path)
        shown = range(0, len(image.voxels), 1 if len(image.voxels) < 20 else 23)
        expected = np.stack([pixel_array(dataset, index=k) for k in shown])
    if image.is_colour and dataset.SamplesPerPixel == 3 and dataset.BitsStored > 8:
        expected = expected >> dataset.BitsStored - 8
    clean = np.array(expected, image.voxels.dtype)
    voxels = image.voxels[shown]
    if not image.is_colour:
        clean_bits(clean, dataset.BitsStored, dataset.HighBit)
    np.testing.assert_array_equal(voxels, clean)


def write(path: Path, frames: list[bytes] | bytes, syntax: str, **values) -> Path:
    """A file of that transfer syntax; `frames` are compressed ones, or the pixel bytes themselves."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.PixelRepresentation = 8, 10, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = frames if isinstance(frames, bytes) else encapsulate(frames)
    dataset["PixelData"].VR = "OB" if isinstance(frames, list) else "OW"
    for key, value in values.items():
        setattr(dataset, key, value)
    if isinstance(frames, list):
        dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)
    return path


def bits(stored: int, allocated: int = 16) -> dict[str, int]:
    """The elements that state the bits of a sample."""
    return {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": stored - 1}


def noise(shape: tuple[int, ...], most: int, dtype: type = np.uint16) -> np.ndarray:
    """A smooth picture with noise on it."""
    ramp = np.indices(shape).sum(axis=0) * most / (2 * sum(shape))
    return (ramp + np.random.default_rng(0).integers(0, most // 2, shape)).astype(dtype)


HTJ2K = ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"]


@pytest.mark.parametrize("syntax", HTJ2K)
@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535)])
def test_htj2k(tmp_path, syntax, dtype, most):
    image = noise((40, 50), most, dtype)
    size = {"Rows": 40, "Columns": 50, **bits(int(most).bit_length(), image.dtype.itemsize * 8)}
    frame = imagecodecs.htj2k_encode(image)
    path = write(tmp_path / "a.dcm", [frame], syntax, **size)
    np.testing.assert_array_equal(load(series_in(path)).voxels[0], image)


def test_lossy_htj2k_is_near_and_as_another_decoder_reads_it(tmp_path):
    image = noise((64, 64), 4095)
    frame = imagecodecs.htj2k_encode(image, level=60)
    path = write(tmp_path / "a.dcm", [frame], HTJ2K[2], Rows=64, Columns=64, **bits(12))
    found = load(series_in(path)).voxels[0]
    assert len(frame) < image.nbytes
    theirs = pixel_array(path, decoding_plugin="pylibjpeg")
    assert np.abs(found.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize(("stored", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_lossless_jpeg_of_process_14(tmp_path, stored, dtype):
    image = noise((30, 20), 2**stored - 1, dtype)
    frame = imagecodecs.ljpeg_encode(image, bitspersample=stored)
    size = {"Rows": 30, "Columns": 20, **bits(stored, image.dtype.itemsize * 8)}
    path = write(tmp_path / "a.dcm", [frame], JPEGLossless, **size)
    np.testing.assert_array_equal(load(series_in(path)).voxels[0], image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0], image)


@pytest.mark.parametrize("stored", [8, 12])
def test_extended_jpeg(tmp_path, stored):
    image = noise((32, 48), 2**stored - 1, np.uint8 if stored == 8 else np.uint16)
    frame = imagecodecs.jpeg8_encode(image, level=95, bitspersample=stored)
    size = {"Rows": 32, "Columns": 48, **bits(stored, image.dtype.itemsize * 8)}
    path = write(tmp_path / "a.dcm", [frame], "1.2.840.10008.1.2.4.51", **size)
    found = load(series_in(path)).voxels[0]
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    assert found.max() > 2 ** (stored - 1)
    assert np.abs(found.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("stored", [10, 16])
def test_signed_and_unsigned_of_any_bits(tmp_path, syntax, signed, stored):
    image = noise((40, 48), 2 ** (stored - 1) - 1)
    if signed:
        image = (image.astype(np.int32) - 2 ** (stored - 2)).astype(np.int16)
    size = {"Rows": 40, "Columns": 48, **bits(stored), "PixelRepresentation": int(signed)}
    path = write(tmp_path / "a.dcm", image.tobytes(), ExplicitVRLittleEndian, **size)
    dataset = pydicom.dcmread(path)
    plugin = {RLELossless: "pydicom", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}[syntax]
    dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    dataset.save_as(path)
    found = load(series_in(path)).voxels[0]
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_frames_of_several_fragments(tmp_path, table):
    images = [noise((24, 30), most) for most in (4095, 2000, 500)]
    frames = [imagecodecs.jpegls_encode(image) for image in images]
    size = {"Rows": 24, "Columns": 30, "NumberOfFrames": 3, **bits(12)}
    path = write(tmp_path / "a.dcm", frames, JPEGLSLossless, **size)
    dataset = pydicom.dcmread(path)
    if table == "extended":
        data, offsets, lengths = encapsulate_extended(frames)
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = data, offsets, lengths
    else:
        dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=table == "basic")
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    np.testing.assert_array_equal(load(series_in(path)).voxels, images)


def _film(path: Path, table: str, fragments: int, syntax: str = JPEGLSLossless) -> tuple[np.ndarray, list[int]]:
    """Six frames of some fragments each; with the frames, where the items of the fragments begin in the file."""
    images = np.stack([noise((24, 30), 4000 - 500 * k) for k in range(6)])
    encode = imagecodecs.jpegls_encode if syntax == JPEGLSLossless else imagecodecs.jpeg2k_encode
    frames = [encode(image) for image in images]
    write(path, frames, syntax, Rows=24, Columns=30, NumberOfFrames=6, **bits(12))
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table == "basic")
    if table == "extended":
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(
            frames
        )
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    data, starts = path.read_bytes(), []
    at = data.index(b"\xe0\x7f\x10\0OB") + 12
    while data[at : at + 4] == b"\xfe\xff\0\xe0":
        starts.append(at)
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    assert len(starts) == 1 + 6 * (1 if table == "extended" else fragments)
    return images, starts[1:]


def _expect(path: Path, images: np.ndarray, there: list[int]) -> None:
    told: list[Warning] = []
    found = load(series_in(path), warn=told.append).voxels
    for k, image in enumerate(images):
        assert np.array_equal(found[k], image) == (k in there)
        assert k in there or len(np.unique(found[k])) == 1
    (warning,) = told
    assert f"{6 - len(there)} of its 6 frames are shown blank" in warning.text


@pytest.mark.parametrize("table", ["basic", "none"])
@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("fragments", [2, 3])
@pytest.mark.parametrize("left", [4, 6, 7, 9, 11])
@pytest.mark.parametrize("more", [0, 11])
def test_a_film_of_several_fragments_a_frame_that_is_cut_short(tmp_path, table, syntax, fragments, left, more):
    """Six fragments are left of six frames, or fewer, and yet they are not one a frame."""
    images, starts = _film(tmp_path / "a.dcm", table, fragments, syntax)
    path = tmp_path / "a.dcm"
    path.write_bytes(path.read_bytes()[: starts[left] + 8 * (more > 0) + more])
    _expect(path, images, list(range(left // fragments)))


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_a_film_of_one_fragment_a_frame_that_is_cut_short(tmp_path, table):
    images, starts = _film(tmp_path / "a.dcm", table, 1)
    path = tmp_path / "a.dcm"
    path.write_bytes(path.read_bytes()[: starts[3] + 30])
    _expect(path, images, [0, 1, 2])


def test_an_empty_fragment_is_a_lost_frame(tmp_path):
    """The frames after it do not move up."""
    path = tmp_path / "a.dcm"
    images, starts = _film(path, "none", 1)
    data = path.read_bytes()
    path.write_bytes(data[: starts[2] + 4] + bytes(4) + data[starts[3] :])
    _expect(path, images, [0, 1, 3, 4, 5])


def test_a_damaged_beginning_costs_one_frame(tmp_path):
    path = tmp_path / "a.dcm"
    images, starts = _film(path, "none", 1)
    data = bytearray(path.read_bytes())
    data[starts[2] + 8 : starts[2] + 16] = bytes(8)
    path.write_bytes(data)
    _expect(path, images, [0, 1, 3, 4, 5])


def test_a_film_whose_frames_cannot_be_told_apart_is_refused(tmp_path):
    """Cut short, without a table, and with a damaged beginning: what follows might be any frame."""
    path = tmp_path / "a.dcm"
    _, starts = _film(path, "none", 2)
    data = bytearray(path.read_bytes())[: starts[9]]
    data[starts[2] + 8 : starts[2] + 16] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match="no table that says which belong together"):
        load(series_in(path))


def test_a_table_of_other_items_is_not_followed(tmp_path):
    path = tmp_path / "a.dcm"
    images, starts = _film(path, "basic", 1)
    data = bytearray(path.read_bytes())
    at = starts[0] - 4 * 6
    data[at : at + 24] = np.array([0, 10, 20, 30, 40, 50], "<u4").tobytes()
    path.write_bytes(data)
    np.testing.assert_array_equal(load(series_in(path)).voxels, images)


def test_fewer_frames_than_stated_are_told_of(tmp_path):
    images = [noise((24, 30), most) for most in (4095, 2000, 500)]
    frames = [imagecodecs.jpegls_encode(image) for image in images]
    size = {"Rows": 24, "Columns": 30, "NumberOfFrames": 5, **bits(12)}
    path = write(tmp_path / "a.dcm", frames, JPEGLSLossless, **size)
    told = []
    image = load(series_in(path), warn=told.append)
    np.testing.assert_array_equal(image.voxels[:3], images)
    assert np.all(image.voxels[3:] == np.min(images))
    assert [warning.code for warning in told] == ["unreadable"]
    assert "2 of its 5 frames are shown blank" in told[0].text


def test_uncompressed_frames_that_are_cut_short_are_told_of(tmp_path):
    images = noise((40, 24, 30), 4095)
    path = write(
        tmp_path / "a.dcm", images.tobytes(), ExplicitVRLittleEndian, Rows=24, Columns=30, NumberOfFrames=40, **bits(12)
    )
    path.write_bytes(path.read_bytes()[: -24 * 30 * 2 * 3 - 10])
    told = []
    image = load(series_in(path), warn=told.append)
    np.testing.assert_array_equal(image.voxels[:36], images[:36])
    assert "4 of its 40 frames are shown blank" in told[0].text


@given(st.data())
def test_uncompressed_pixels_of_every_kind(tmp_path_factory, data):
    syntax = data.draw(
        st.sampled_from(
            [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
        )
    )
    allocated = data.draw(st.sampled_from([8, 16, 32]))
    stored = data.draw(st.integers(2, allocated))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    signed = data.draw(st.booleans())
    frames = data.draw(st.integers(1, 3))
    shape = (frames, data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7)))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    low = -(2 ** (stored - 1)) if signed else 0
    values = random.integers(low, low + 2**stored, shape)
    kind = np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    spare = random.integers(0, 2**31, shape) << (high + 1)  # old overlays lie in the bits above
    raw = ((values & (2**stored - 1)) << (high - stored + 1) | spare) & (2**allocated - 1)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    pixels = raw.astype(np.uint64).astype(f"{order}u{allocated // 8}").tobytes()
    if allocated == 8 and order == ">":
        pixels += bytes(len(pixels) % 2)
        pixels = np.frombuffer(pixels, np.uint16).byteswap().tobytes()  # OW: bytes of a word exchanged
    size = {"Rows": shape[1], "Columns": shape[2], "NumberOfFrames": frames, "PixelRepresentation": int(signed)}
    size |= {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": high}
    path = tmp_path_factory.mktemp("kinds") / "a.dcm"
    write(path, pixels + bytes(len(pixels) % 2), syntax, **size)
    found = load(series_in(path)).voxels
    assert found.dtype == kind
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_float_pixels(tmp_path, keyword, dtype):
    image = np.random.default_rng(0).normal(size=(2, 8, 10)).astype(dtype)
    allocated = image.dtype.itemsize * 8
    path = write(tmp_path / "a.dcm", b"\0\0", ExplicitVRLittleEndian, NumberOfFrames=2, BitsAllocated=allocated)
    dataset = pydicom.dcmread(path)
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, name)
    setattr(dataset, keyword, image.tobytes())
    dataset.save_as(path)
    found = load(series_in(path)).voxels
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("stored", [8, 12, 16])
def test_colour_by_pixel_and_by_plane(tmp_path, planar, stored):
    image = np.random.default_rng(0).integers(0, 2**stored, (2, 8, 10, 3)).astype(np.uint8 if stored == 8 else "<u2")
    pixels = np.moveaxis(image, -1, 1).tobytes() if planar else image.tobytes()
    path = write(
        tmp_path / "a.dcm",
        pixels,
        ExplicitVRLittleEndian,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=planar,
        NumberOfFrames=2,
        **bits(stored, image.dtype.itemsize * 8),
    )
    np.testing.assert_array_equal(load(series_in(path)).voxels, image >> stored - 8)


def test_phases_are_one_array(tmp_path):
    images = noise((6, 8, 10), 4095)
    path = write(tmp_path / "a.dcm", images.tobytes(), ExplicitVRLittleEndian, NumberOfFrames=6, **bits(12))
    series = replace(
        series_in(path), grid=Grid((2, 8, 10)), phases=PhaseAxis("time", (0, 1, 2)), index=(0, 2, 4, 1, 3, -1)
    )
    image = load(series)
    np.testing.assert_array_equal(image.dynamic.voxels[:, 0], images[:3])
    np.testing.assert_array_equal(image.dynamic.voxels[:2, 1], images[3:5])
    assert np.all(image.dynamic.voxels[2, 1] == images[:5].min())  # nobody has it
    assert image.voxels.base is image.dynamic.voxels.base
    np.testing.assert_array_equal(image.at_phase(1).voxels, image.dynamic.voxels[1])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
def test_more_pixels_than_a_file_may_claim_are_refused(tmp_path, monkeypatch, syntax):
    frame = imagecodecs.jpegls_encode(noise((8, 10), 4095))
    path = write(tmp_path / "a.dcm", [frame], syntax, Rows=60_000, Columns=60_000)
    with pytest.raises(UnreadableError, match=r"claims 7\.2 GB of pixels but holds 0\.0 MB"):
        load(series_in(path))
    images = noise((3, 8, 10), 4095)
    plain = write(tmp_path / "b.dcm", images.tobytes(), ExplicitVRLittleEndian, NumberOfFrames=3)
    monkeypatch.setattr(slices, "MAX_BYTES", 100)  # what is really there may be as large as it is
    np.testing.assert_array_equal(load(series_in(plain)).voxels, images)


def test_a_stream_of_another_size_than_the_header_is_refused(tmp_path):
    form = PixelFormat(8, 10)
    for syntax, encode in (
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (JPEGLossless, imagecodecs.ljpeg_encode),
        (JPEG2000Lossless, lambda image: imagecodecs.jpeg2k_encode(image, codecformat="j2k", level=0)),
        (HTJ2K[0], imagecodecs.htj2k_encode),
    ):
        with pytest.raises(UnreadableError, match="the frame states 16 x 20 pixels, the header 8 x 10"):
            codecs.decode(encode(noise((16, 20), 4095)), syntax, form)


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dcm", bytes(160), DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr(slices, "MAX_BYTES", 200)
    with pytest.raises(UnreadableError, match="would unpack to more than"):
        load(series_in(path))
