"""The grey-scale pipeline on files, against pydicom's own and values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    XRayAngiographicImageStorage,
)

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Lut, Rescale, Window
from medviewer.domain.study import PhaseAxis, Series
from medviewer.formats import load, scan
from medviewer.formats.dicom.grey import Grey, read_grey
from medviewer.formats.dicom.grey_luts import read_lut, windows_of
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.kinds import truncated
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.write import write_dicom_series

from .conftest import STUDY, grid_of, image_of, series_of

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def grey_of(*paths: Path, **more: object) -> Grey:
    """The pipeline of files that are the slices of one series."""
    header = read_header(paths[0])
    grid = Grid((len(paths), header.integer(0x00280010) or 1, header.integer(0x00280011) or 1))
    series = Series("1.2.3", "OT", "", grid, tuple(paths), "dicom", **more)
    return read_grey(series, {k: read_header(path) for k, path in enumerate(paths)})


def shown(grey: Grey, stored: np.ndarray, window: Window | None = None) -> np.ndarray:
    """Grey, 0 to 1, of a file's stored values."""
    pixels = stored.reshape(1, *stored.shape[-2:])
    image = Image(pixels, Grid(pixels.shape), rescale=grey.rescales[0], lut=grey.lut)
    return (window or grey.windows[0]).apply(image.real()[0])


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a small grey file with other elements; returns its path."""
    made = []

    def build(
        stored: np.ndarray | None = None, syntax: str = ExplicitVRLittleEndian, modality: str = "CR", **elements: object
    ) -> Path:
        stored = np.arange(20, dtype=np.uint16).reshape(4, 5) if stored is None else stored
        folder = tmp_path / str(len(made))
        folder.mkdir()
        grid = Grid((1, *stored.shape))
        (path,) = write_dicom_series(
            Image(stored[None], grid, modality), folder, study=STUDY, series=series_of(grid, modality)
        )
        read = pydicom.dcmread(path)
        dataset = Dataset()  # one that was read would not change its byte order
        for element in read:
            dataset.add(element)
        dataset.file_meta = read.file_meta
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        with quiet():
            dataset.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
        made.append(path)
        return path

    return build


def lut_item(
    table: np.ndarray, first: int, bits: int, *, vr: str = "US", data_vr: str = "OW", name: str = ""
) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(table) % 65536, first, bits])
    if name:
        item.LUTExplanation = name
    if data_vr == "OW":
        item.add_new("LUTData", "OW", np.asarray(table).astype("<u2").tobytes())
    else:
        item.add_new("LUTData", "US", [int(value) for value in table])
    return item


# -- real files -------------------------------------------------------------------------------------------------------


def test_the_modality_lut_of_a_real_file_is_pydicoms(samples: dict[str, Path]) -> None:
    grey = grey_of(samples["mlut_18.dcm"])
    dataset = pydicom.dcmread(samples["mlut_18.dcm"])
    expected = apply_modality_lut(dataset.pixel_array, dataset)
    assert grey.lut is not None
    np.testing.assert_array_equal(grey.lut.apply(dataset.pixel_array), expected)
    assert (grey.lut.first, len(grey.lut.table), grey.lut.bits) == (-2048, 4096, 16)
    assert (grey.rescales, grey.warnings) == ((Rescale(),), ())


def test_the_voi_lut_of_a_real_file_is_pydicoms(samples: dict[str, Path]) -> None:
    grey = grey_of(samples["vlut_04.dcm"])
    dataset = pydicom.dcmread(samples["vlut_04.dcm"])
    expected = apply_voi_lut(dataset.pixel_array, dataset) / 65535
    np.testing.assert_allclose(shown(grey, dataset.pixel_array), expected, atol=1e-6)
    assert len(grey.windows) == 1


def test_windows_of_every_real_file_are_pydicoms(samples: dict[str, Path]) -> None:
    """Rescale, then LINEAR, on every uncompressed grey single-frame file with a window of the two packages."""
    compared = 0
    for path in samples.values():
        with quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            plain = dataset.file_meta.get("TransferSyntaxUID") in SYNTAXES and dataset.get("SamplesPerPixel") == 1
            if not plain or "WindowWidth" not in dataset or int(dataset.get("NumberOfFrames", 1)) > 1:
                continue
            if truncated(read_header(path)) is not None:
                continue
            dataset = pydicom.dcmread(path)
            stored = dataset.pixel_array
            real = np.asarray(apply_modality_lut(stored, dataset))
            expected = apply_windowing(real.astype(np.float64), dataset)
        grey = grey_of(path)
        np.testing.assert_allclose(grey.rescales[0].apply(stored), real, rtol=1e-6)
        # pydicom's output spans what the modality LUT can give
        bits, signed = dataset.BitsStored, dataset.PixelRepresentation
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
        part = (expected - (low * slope + intercept)) / ((high - low) * slope)
        np.testing.assert_allclose(shown(grey, stored), part, atol=2e-4)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_UNCI.dcm", "MR2_J2KR.dcm", "emri_small.dcm"])
def test_real_values_are_simpleitks(samples: dict[str, Path], name: str) -> None:
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(samples[name])))
    real = load(scan([samples[name]]).series[0]).real()
    np.testing.assert_allclose(real, expected.reshape(real.shape), rtol=1e-6)


# -- modality LUT -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("data_vr", ["US", "OW"])
def test_a_modality_lut_in_every_encoding(make: Callable[..., Path], syntax: str, data_vr: str) -> None:
    table = np.array([0, 7, 500, 40_000, 65_535], np.uint16)
    item = lut_item(table, 3, 16, data_vr=data_vr)
    item.ModalityLUTType = "HU"
    if syntax == ExplicitVRBigEndian and data_vr == "OW":
        item.LUTData = table.astype(">u2").tobytes()
    grey = grey_of(make(syntax=syntax, ModalityLUTSequence=[item]))
    assert grey.lut is not None
    np.testing.assert_array_equal(grey.lut.table, table)
    np.testing.assert_array_equal(grey.lut.apply([0, 3, 4, 5, 6, 7, 99]), [0, 0, 7, 500, 40_000, 65_535, 65_535])
    assert grey.rescales[0].unit == "HU"


def test_a_modality_lut_of_65536_entries(make: Callable[..., Path]) -> None:
    table = np.arange(65536, dtype=np.uint16)[::-1]
    grey = grey_of(
        make(np.array([[-32768, 32767]], np.int16), ModalityLUTSequence=[lut_item(table, -32768, 16, vr="SS")])
    )
    assert grey.lut is not None
    np.testing.assert_array_equal(grey.lut.apply([-32768, 0, 32767]), [65535, 32767, 0])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_8_bit_entries_packed_in_words(make: Callable[..., Path], syntax: str) -> None:
    table = np.array([1, 2, 3, 250], np.uint8)
    item = lut_item(table, 0, 8)
    item.LUTData = table.tobytes() if syntax == ExplicitVRLittleEndian else table.view("<u2").astype(">u2").tobytes()
    grey = grey_of(make(syntax=syntax, ModalityLUTSequence=[item]))
    assert grey.lut is not None
    assert grey.lut.table.dtype == np.uint8
    np.testing.assert_array_equal(grey.lut.table, table)


def test_8_bit_entries_in_words_of_their_own() -> None:
    lut = read_lut(lut_item(np.array([1, 2, 250]), 0, 8), signed=False)
    assert lut is not None
    assert (lut.table.dtype, lut.table.tolist(), lut.bits) == (np.uint8, [1, 2, 250], 8)


def test_more_bits_than_the_descriptor_says() -> None:
    lut = read_lut(lut_item(np.array([0, 4095]), 0, 8), signed=False)
    assert lut is not None
    assert (lut.bits, lut.table.dtype) == (12, np.uint16)


@pytest.mark.parametrize("signed", [False, True])
def test_the_first_input_is_signed_where_the_input_is(signed: bool) -> None:
    """Explicit VR files often say US for it, whatever it is."""
    lut = read_lut(lut_item(np.array([0, 1]), 65536 - 1024, 8), signed)
    assert lut is not None
    assert lut.first == (-1024 if signed else 64512)


def test_broken_tables_are_left_out_and_named(make: Callable[..., Path]) -> None:
    short = lut_item(np.array([1, 2, 3]), 0, 16)
    short.LUTDescriptor = [300, 0, 16]
    grey = grey_of(make(ModalityLUTSequence=[short], VOILUTSequence=[short, Dataset()]))
    assert (grey.lut, grey.windows) == (None, ())
    assert [warning.code for warning in grey.warnings] == ["modality-lut", "voi-lut"]


def test_different_tables_in_one_series_are_named(make: Callable[..., Path]) -> None:
    one, other = (make(ModalityLUTSequence=[lut_item(np.array(table), 0, 16)]) for table in ([1, 2], [3, 4]))
    grey = grey_of(one, other)
    assert grey.lut is not None
    assert grey.lut.table.tolist() == [1, 2]
    assert [warning.code for warning in grey.warnings] == ["modality-lut"]
    assert grey_of(one, one).warnings == ()


@pytest.mark.parametrize(("relationship", "applied"), [("LOG", False), ("DISP", False), ("LIN", True)])
def test_the_way_back_to_xray_intensity_is_not_for_the_screen(
    make: Callable[..., Path], relationship: str, applied: bool
) -> None:
    path = make(
        SOPClassUID=XRayAngiographicImageStorage,
        PixelIntensityRelationship=relationship,
        ModalityLUTSequence=[lut_item(np.array([1, 2]), 0, 16)],
    )
    assert (grey_of(path).lut is not None) == applied


def test_rescales_of_every_phase(make: Callable[..., Path]) -> None:
    """Two slices in two phases, the last file missing: its neighbours' rescale stands in."""
    paths = [make(RescaleSlope=slope, RescaleIntercept=-1, RescaleType="OD") for slope in (1, 1, 3, 4)]
    grid = Grid((2, 4, 5))
    series = Series("1", "CR", "", grid, tuple(paths), "dicom", phases=PhaseAxis("echo", (1, 2)))
    grey = read_grey(series, {k: read_header(path) for k, path in enumerate(paths[:3])})
    assert grey.rescales == (Rescale(1.0, -1.0, "10⁻³ OD"), Rescale((3.0, 1.0), -1.0, "10⁻³ OD"))


# -- VOI LUT and windows ----------------------------------------------------------------------------------------------


def test_tables_and_windows_by_name(make: Callable[..., Path]) -> None:
    path = make(
        VOILUTSequence=[
            lut_item(np.arange(0, 200, 10), 0, 8, name="NORMAL"),
            lut_item(np.arange(20), 0, 8, name="HARD"),
        ],
        WindowCenter=[40, 50, 60],
        WindowWidth=[400, 0, 80],
        WindowCenterWidthExplanation=["Soft tissue", "Invalid", "Brain"],
    )
    windows = grey_of(path).windows
    assert [window.name for window in windows] == ["NORMAL", "HARD", "Soft tissue", "Brain"]
    assert windows[2].limits == (-160, 239)
    assert windows[0].limits == (0, 19)
    np.testing.assert_allclose(windows[0].apply([-5, 0, 7, 30]), np.array([0, 0, 70, 190]) / 255)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("signed", [False, True])
def test_every_function_is_pydicoms(make: Callable[..., Path], function: str, signed: bool) -> None:
    chance = np.random.default_rng(3)
    stored = chance.integers(-500 if signed else 0, 900, (16, 17)).astype(np.int16 if signed else np.uint16)
    path = make(stored, WindowCenter=200, WindowWidth=333, VOILUTFunction=function)
    dataset = pydicom.dcmread(path)
    dataset.RescaleSlope, dataset.RescaleIntercept = 1.5, -20
    dataset.save_as(path)
    real = np.asarray(apply_modality_lut(stored, dataset))
    expected = apply_windowing(real, dataset)
    lowest, highest = (-32768, 32767) if signed else (0, 65535)
    low, high = lowest * 1.5 - 20, highest * 1.5 - 20  # what pydicom maps black and white to
    grey = grey_of(path)
    assert grey.windows[0].function == function
    np.testing.assert_allclose(shown(grey, stored), (expected - low) / (high - low), atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(8, 16),
    out=st.sampled_from((8, *range(10, 17))),  # pydicom refuses 9
    signed=st.booleans(),
    count=st.integers(2, 5000),
    at=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_voi_luts_of_every_depth_and_sign_are_pydicoms(
    bits: int, out: int, signed: bool, count: int, at: float, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    bits = 8 if out == 8 else bits  # pydicom counts the inputs of an 8-bit table in 8 bits
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    first = low + round(at * (high - low))
    stored = chance.integers(low, high, (8, 9), endpoint=True).astype(np.int16 if signed else np.uint16)
    table = chance.integers(0, 1 << out, count).astype(np.uint16)
    table[0] = (1 << out) - 1  # else fewer bits would do
    item = lut_item(table, first, out, vr="SS" if signed else "US", data_vr="US")
    dataset = Dataset()
    dataset.VOILUTSequence = [item]
    expected = apply_voi_lut(stored.astype(np.int32), dataset) / ((1 << out) - 1)
    lut = read_lut(item, signed)
    assert lut is not None
    np.testing.assert_allclose(Window(0, 1, lut=lut).apply(stored), expected, atol=1e-6)


def test_a_signed_voi_lut_behind_a_negative_intercept(make: Callable[..., Path]) -> None:
    """Unsigned CT pixels, HU from -1024: the first input is -1000, which a US element holds as 64536."""
    item = lut_item(np.array([0, 255]), 65536 - 1000, 8)
    grey = grey_of(make(modality="CT", RescaleIntercept=-1024, VOILUTSequence=[item]))
    assert grey.windows[0].limits == (-1000, -999)


def test_widths_that_no_function_allows() -> None:
    assert windows_of((1, 2, 3), (0, -1, float("nan")), "", "") == ()
    small, named = windows_of((0.4, 5), (0.5, 2), "A\\B", "")
    assert (small.function, small.limits, small.name) == ("LINEAR_EXACT", pytest.approx((0.15, 0.65)), "A")
    assert (named.function, named.limits, named.name) == ("LINEAR", (4, 5), "B")
    assert windows_of((5,), (2,), "", "CUBIC")[0].function == "LINEAR"


def test_windows_of_the_middle_slice(make: Callable[..., Path]) -> None:
    paths = [make(WindowCenter=center, WindowWidth=100) for center in (1, 2, 3)]
    assert grey_of(*paths).windows[0].center == 2


# -- presentation LUT, padding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "warned"),
    [
        ("MONOCHROME2", None, False, False),
        ("MONOCHROME1", None, True, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME1", "INVERSE", True, False),
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME2", "INVERSE", True, True),
        ("MONOCHROME1", "LIN OD", True, False),
    ],
)
def test_polarity(make: Callable[..., Path], photometric: str, shape: str | None, inverted: bool, warned: bool) -> None:
    more = {} if shape is None else {"PresentationLUTShape": shape}
    grey = grey_of(make(PhotometricInterpretation=photometric, **more))
    assert grey.inverted == inverted
    assert [warning.code for warning in grey.warnings] == (["polarity"] if warned else [])


def test_padding_and_its_limit(make: Callable[..., Path]) -> None:
    dataset = pydicom.dcmread(make(np.arange(-4, 4, dtype=np.int16).reshape(2, 4)))
    dataset.add_new("PixelPaddingValue", "SS", -2)
    dataset.add_new("PixelPaddingRangeLimit", "SS", -2000)
    dataset.save_as(dataset.filename)
    assert grey_of(Path(dataset.filename)).padding == (-2000, -2)


@pytest.mark.parametrize("double", [False, True])
def test_padding_of_float_pixels(make: Callable[..., Path], double: bool) -> None:
    dataset = pydicom.dcmread(make())
    del dataset.PixelData, dataset.HighBit, dataset.PixelRepresentation
    prefix = "Double" if double else ""
    for keyword in ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"):
        setattr(dataset, prefix + keyword, -0.5 if keyword.endswith("Limit") else 0.25)
    dataset.BitsAllocated = 64 if double else 32
    setattr(dataset, f"{prefix}FloatPixelData", np.zeros(20, np.float64 if double else np.float32).tobytes())
    dataset.save_as(dataset.filename)
    assert grey_of(Path(dataset.filename)).padding == (-0.5, 0.25)


def test_numbers_that_say_nothing_are_left_out(make: Callable[..., Path]) -> None:
    path = make(BitsStored=65535, RescaleSlope="1e300", RescaleIntercept="-1e99", WindowCenter=1, WindowWidth="1e99")
    grey = grey_of(path)
    assert (grey.rescales, grey.windows) == ((Rescale(),), ())


def test_colour_has_no_pipeline(samples: dict[str, Path]) -> None:
    grey = grey_of(samples["SC_rgb.dcm"])
    assert (grey.windows, grey.lut, grey.padding, grey.inverted, grey.rescales) == ((), None, None, False, (Rescale(),))


# -- enhanced objects -------------------------------------------------------------------------------------------------


def test_functional_groups_of_a_real_enhanced_ct(samples: dict[str, Path]) -> None:
    header = read_header(samples["eCT_Supplemental.dcm"])
    grid = Grid((2, header.integer(0x00280010), header.integer(0x00280011)))
    series = Series("1", "CT", "", grid, (header.path,), "dicom", frames=(2,))
    grey = read_grey(series, {0: header})
    dataset = pydicom.dcmread(header.path, stop_before_pixels=True)
    group = dataset.SharedFunctionalGroupsSequence[0]
    frame = dataset.PerFrameFunctionalGroupsSequence[1]
    transform = (frame if "PixelValueTransformationSequence" in frame else group).PixelValueTransformationSequence[0]
    voi = (frame if "FrameVOILUTSequence" in frame else group).FrameVOILUTSequence[0]
    assert grey.rescales == (Rescale(float(transform.RescaleSlope), float(transform.RescaleIntercept), "HU"),)
    center = voi.WindowCenter if not isinstance(voi.WindowCenter, pydicom.multival.MultiValue) else voi.WindowCenter[0]
    assert grey.windows[0].center == float(center)


# -- what we write ----------------------------------------------------------------------------------------------------


def test_what_we_write_comes_back(tmp_path: Path) -> None:
    table = np.linspace(0, 4095, 60).astype(np.uint16)
    windows = (
        Window(-4.5, 9, "Table", lut=Lut(-9, np.arange(10, dtype=np.uint8) * 20, 8)),
        Window(40, 400, "Soft", "SIGMOID"),
    )
    image = image_of(grid_of(), lut=Lut(-5, table, 12), windows=windows, padding=(3, 7))
    paths = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(image.grid))
    grey = grey_of(*paths)
    assert grey.padding == (3, 7)
    assert grey.lut is not None
    assert grey.lut.first == -5
    np.testing.assert_array_equal(grey.lut.table, table)
    assert grey.windows[1] == windows[1]
    # behind a modality LUT all input is unsigned, so this first input cannot be negative
    assert (grey.windows[0].name, grey.windows[0].lut.table.tolist()) == ("Table", (np.arange(10) * 20).tolist())
    assert grey.warnings == ()


def test_a_loaded_series_has_its_pipeline(samples: dict[str, Path]) -> None:
    loaded = load(scan([samples["mlut_18.dcm"]]).series[0])
    dataset = pydicom.dcmread(samples["mlut_18.dcm"])
    np.testing.assert_array_equal(loaded.uniform[0][0], apply_modality_lut(dataset.pixel_array, dataset))
    assert load(scan([samples["vlut_04.dcm"]]).series[0]).windows[0].lut is not None
