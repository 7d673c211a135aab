"""PET as SUV, against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Warning
from medviewer.formats import load, scan
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.suv import ENHANCED_PET, read_suv
from medviewer.formats.dicom.suv_times import moment, moment_of, offset, start_moment
from medviewer.formats.dicom.write import write_dicom_series

from .conftest import STUDY, grid_of, image_of, series_of

HALF_LIFE = 6586.2  # s, of F-18
WEIGHT, DOSE = 70.0, 350e6  # kg, Bq
"""70 kg and 350 MBq make 70 000 g / 350e6 Bq = 0.0002 g/Bq: without decay, 5000 Bq/ml is SUV 1."""


Change = Callable[[Dataset, int], None]


def write_pet(folder: Path, change: Change | None = None, **elements: object) -> tuple[Path, ...]:
    """A PET of three slices, 5000, 10000 and 20000 Bq/ml, with other elements."""
    grid = grid_of((3, 4, 5))
    voxels = np.full(grid.shape, 1000, np.int16)
    image = replace(image_of(grid), voxels=voxels, rescale=Rescale((5.0, 10.0, 20.0), 0.0))
    paths = write_dicom_series(image, folder, study=STUDY, series=series_of(grid, "PT"))
    for k, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        _describe(dataset)
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        if change is not None:
            change(dataset, k)
        dataset.save_as(path)
    return paths


@pytest.fixture
def pet(tmp_path: Path) -> Callable[..., Image]:
    """Write a PET, and load it."""

    def build(change: Change | None = None, warnings: list[Warning] | None = None, **elements: object) -> Image:
        write_pet(tmp_path, change, **elements)
        return load(scan([tmp_path]).series[0], warn=warnings.append if warnings is not None else None)

    return build


def _describe(dataset: Dataset) -> None:
    """Injected at 11:00, scanned from 12:00 on; slices two minutes apart."""
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    dataset.Modality = "PT"
    dataset.Units = "BQML"
    del dataset.RescaleType
    dataset.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    dataset.DecayCorrection = "START"
    dataset.PatientWeight = WEIGHT
    dataset.SeriesDate = dataset.AcquisitionDate = "20200301"
    dataset.SeriesTime = "120000"
    dataset.AcquisitionTime = f"12{2 * int(dataset.InstanceNumber) - 2:02}00.000"
    dataset.WindowCenter, dataset.WindowWidth = 10_000, 20_001
    tracer = Dataset()
    tracer.RadiopharmaceuticalStartTime = "110000"
    tracer.RadionuclideTotalDose = DOSE
    tracer.RadionuclideHalfLife = HALF_LIFE
    dataset.RadiopharmaceuticalInformationSequence = [tracer]


def values(image: Image) -> list[float]:
    return [image.value_at((k, 1, 1)) for k in range(image.grid.shape[0])]


def decayed(seconds: float) -> float:
    return 2 ** (-seconds / HALF_LIFE)


def test_start_by_hand(pet: Callable[..., Image]) -> None:
    """350 MBq at 11:00 are 239.63 MBq at 12:00, so 5000 Bq/ml is SUV 5000 * 70000 / 239.63e6 = 1.4606."""
    warnings: list[Warning] = []
    image = pet(warnings=warnings)
    assert values(image) == pytest.approx([1.4606, 2.9212, 5.8424], rel=1e-4)
    assert values(image) == pytest.approx([1 / decayed(3600), 2 / decayed(3600), 4 / decayed(3600)], rel=1e-6)
    assert image.rescale.unit == "SUV"
    # the window is in Bq/ml in the file, LINEAR from -500 to 19500 or so
    low, high = image.windows[0].limits
    assert (low, high) == pytest.approx((-0.5 * 2e-4 / decayed(3600), 19_999.5 * 2e-4 / decayed(3600)), rel=1e-3)
    assert [warning.code for warning in warnings if warning.code.startswith("suv")] == []


def test_the_date_and_time_of_the_injection(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20200301103000.00"

    assert values(pet(change))[0] == pytest.approx(1 / decayed(5400))


def test_an_injection_before_midnight(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "233000"

    times = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
    assert values(pet(change, **times))[0] == pytest.approx(1 / decayed(3600))


def _given(clock: str, half_life: float = HALF_LIFE) -> Change:
    def change(dataset: Dataset, k: int) -> None:
        tracer = dataset.RadiopharmaceuticalInformationSequence[0]
        tracer.RadiopharmaceuticalStartTime, tracer.RadionuclideHalfLife = clock, half_life

    return change


@pytest.mark.parametrize(
    ("clock", "scan", "before"),
    [("120030", "120000", 30), ("120500", "120000", 300), ("000500", "235500", 600), ("123000", "120000", 1800)],
)
def test_a_dynamic_scan_begins_before_the_injection(
    pet: Callable[..., Image], clock: str, scan: str, before: float
) -> None:
    """Five minutes before it, 5000 Bq/ml corrected to the start are SUV 2**(-300 s/6586.2 s) = 0.969."""
    image = pet(_given(clock), SeriesTime=scan, AcquisitionTime=scan)
    assert values(image) == pytest.approx([value * decayed(before) for value in (1, 2, 4)])
    assert image.rescale.unit == "SUV"


def test_the_date_tells_of_an_injection_after_the_start(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        _given("120500", 10 * HALF_LIFE)(dataset, k)
        tracer = dataset.RadiopharmaceuticalInformationSequence[0]
        tracer.RadiopharmaceuticalStartDateTime = "20200301120500"

    assert values(pet(change))[0] == pytest.approx(2 ** (-30 / HALF_LIFE))


@pytest.mark.parametrize(
    ("clock", "half_life"),
    [
        ("124500", HALF_LIFE),
        ("150000", HALF_LIFE),
        ("120500", 282_276.0),  # Zr-89: the day before, or the same one
    ],
)
def test_an_injection_after_the_scan_is_named(pet: Callable[..., Image], clock: str, half_life: float) -> None:
    warnings: list[Warning] = []
    image = pet(_given(clock, half_life), warnings)
    (warning,) = [one for one in warnings if one.code == "suv-unknown"]
    assert f"injection at {clock[:2]}:{clock[2:4]}:00 to scan at 12:00:00" in warning.text
    assert image.rescale.unit == "Bq/ml"


def test_admin_needs_no_times(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        del dataset.SeriesTime, dataset.AcquisitionTime
        del dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime

    assert values(pet(change, DecayCorrection="ADMIN")) == pytest.approx([1, 2, 4])


def test_none_decays_to_every_slices_own_time(pet: Callable[..., Image]) -> None:
    image = pet(DecayCorrection="NONE", CorrectedImage=["ATTN"])
    expected = [value / decayed(3600 + 120 * k) for k, value in enumerate((1, 2, 4))]
    assert values(image) == pytest.approx(expected)


def test_none_takes_the_mean_over_a_frame(pet: Callable[..., Image]) -> None:
    """Over one half-life, the mean of 2**-t is 1 / (2 ln 2) = 0.7213."""
    image = pet(DecayCorrection="NONE", CorrectedImage=["ATTN"], ActualFrameDuration=int(HALF_LIFE * 1000))
    assert values(image)[0] == pytest.approx(1 / decayed(3600) / 0.72135, rel=1e-4)


def test_a_series_made_later_counts_from_the_acquisition(pet: Callable[..., Image]) -> None:
    assert values(pet(SeriesTime="150000"))[0] == pytest.approx(1 / decayed(3600))


def test_ges_own_start_of_the_scan(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", "20200301115000.00")

    assert values(pet(change, SeriesTime="150000"))[0] == pytest.approx(1 / decayed(3000))


def test_philips_counts_to_suv(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.0005")
        block.add_new(0x09, "DS", "7")

    image = pet(change, Units="CNTS")
    assert values(image) == pytest.approx([2.5, 5, 10])
    assert image.rescale.unit == "SUV"


def test_philips_counts_to_activity(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x09, "UN", b"3.0 ")

    assert values(pet(change, Units="CNTS"))[0] == pytest.approx(3 / decayed(3600))


@pytest.mark.parametrize(("kind", "unit"), [("", "SUV"), ("BW", "SUV"), ("LBMJANMA", "SUVlbm"), ("BSA", "SUVbsa")])
def test_suv_already(pet: Callable[..., Image], kind: str, unit: str) -> None:
    image = pet(Units="GML", SUVType=kind)
    assert values(image) == pytest.approx([5000, 10_000, 20_000])
    assert image.rescale.unit == unit
    assert image.windows == (Window(10_000, 20_001, "", "LINEAR"),)


def _without(*keywords: str) -> Change:
    def change(dataset: Dataset, k: int) -> None:
        tracer = dataset.RadiopharmaceuticalInformationSequence[0]
        for keyword in keywords:
            delattr(tracer if keyword in tracer else dataset, keyword)

    return change


@pytest.mark.parametrize(
    ("change", "elements", "named"),
    [
        (_without("PatientWeight"), {}, "Patient's Weight is missing"),
        (None, {"PatientWeight": 0}, "Patient's Weight is missing"),
        (None, {"PatientWeight": 70_000}, "Patient's Weight is impossible"),
        (_without("RadionuclideTotalDose"), {}, "Radionuclide Total Dose is missing"),
        (_without("RadionuclideHalfLife"), {}, "Radionuclide Half Life is missing"),
        (_without("RadiopharmaceuticalStartTime"), {}, "Radiopharmaceutical Start Time is missing"),
        (_without("RadiopharmaceuticalInformationSequence"), {}, "Radionuclide Total Dose is missing"),
        (_without("DecayCorrection"), {}, "Decay Correction is missing"),
        (_without("CorrectedImage"), {}, "Corrected Image is missing"),
        (None, {"CorrectedImage": ["DECY"]}, "not corrected for attenuation"),
        (None, {"CorrectedImage": ["ATTN"]}, "contradict"),
        (_without("SeriesTime", "AcquisitionTime"), {}, "Series Time and Acquisition Time are missing"),
        (None, {"Units": "CNTS"}, "no factor"),
    ],
)
def test_what_is_missing_is_named(
    pet: Callable[..., Image], change: Change | None, elements: dict[str, object], named: str
) -> None:
    warnings: list[Warning] = []
    image = pet(change, warnings, **elements)
    (warning,) = [one for one in warnings if one.code == "suv-unknown"]
    assert named in warning.text
    assert values(image) == pytest.approx([5000, 10_000, 20_000])
    assert image.rescale.unit == ("counts" if elements.get("Units") == "CNTS" else "Bq/ml")


def test_a_dose_in_mbq_is_refused(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        dataset.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 350

    warnings: list[Warning] = []
    pet(change, warnings)
    assert any("too small to be one in Bq" in warning.text for warning in warnings)


def test_an_injection_days_before_is_impossible(pet: Callable[..., Image]) -> None:
    def change(dataset: Dataset, k: int) -> None:
        dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20190301110000"

    warnings: list[Warning] = []
    pet(change, warnings)
    assert any("Radiopharmaceutical Start Time) is impossible" in warning.text for warning in warnings)


def test_enhanced_pet_says_the_time_itself(tmp_path: Path) -> None:
    def change(dataset: Dataset, k: int) -> None:
        dataset.SOPClassUID = ENHANCED_PET
        dataset.AttenuationCorrected = dataset.DecayCorrected = "YES"
        dataset.DecayCorrectionDateTime = "20200301113000"

    headers = {k: read_header(path) for k, path in enumerate(write_pet(tmp_path, change))}
    suv = read_suv(headers, "BQML")
    assert suv is not None
    assert suv.factors[0] == pytest.approx(2e-4 / decayed(1800))


# -- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020030111", datetime(2020, 3, 1, 11)),
        ("202003011130", datetime(2020, 3, 1, 11, 30)),
        ("20200301113059.25", datetime(2020, 3, 1, 11, 30, 59, 250_000)),
        ("20200301113060+0100", datetime(2020, 3, 1, 11, 30, 59)),
        ("20200301", None),
        ("20201301113000", None),
        ("", None),
    ],
)
def test_moments(text: str, expected: datetime | None) -> None:
    assert moment(text) == expected


def test_old_notation_and_no_date() -> None:
    assert moment_of("1999.12.31", "23:59:58") == datetime(1999, 12, 31, 23, 59, 58)
    assert moment_of("", "120000") == datetime(1900, 1, 1, 12)
    assert moment_of("20200301", "") is None


def test_zones() -> None:
    scan_at = datetime(2020, 3, 1, 12)
    assert start_moment("20200301110000+0000", "", scan_at, "+0100") == datetime(2020, 3, 1, 12)
    assert start_moment("20200301110000+0100", "", scan_at, "") == datetime(2020, 3, 1, 11)
    assert (offset("-0130"), offset("x")) == (-timedelta(hours=1, minutes=30), None)


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)))
def test_moments_come_back(value: datetime) -> None:
    assert moment(f"{value:%Y%m%d%H%M%S.%f}") == value


def test_times_without_dates_go_by_the_clock() -> None:
    """De-identified files often have lost their dates: neither element's date counts then."""
    scan_at = moment_of("", "120000")
    assert scan_at is not None
    assert start_moment("20200301110000", "", scan_at, "") == datetime(1900, 1, 1, 11)
