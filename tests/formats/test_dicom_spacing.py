"""What the pixel spacing of a radiograph means (PS3.3 10.7.1.3), and what a viewer says about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from medviewer.formats import scan, write_dicom_series
from tests.formats.conftest import STUDY, grid_of, image_of, series_of

IMAGER, CLOSER = [0.2, 0.1], [0.16, 0.08]


def radiograph(folder: Path, **values) -> Path:
    """A radiograph with these elements about its spacing and no others."""
    grid = grid_of((1, 6, 8), spacing=(1, 0.2, 0.1), origin=(0, 0, 0))
    [file] = write_dicom_series(image_of(grid, np.uint16, "DX"), folder, study=STUDY, series=series_of(grid, "DX"))
    dataset = pydicom.dcmread(file)
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType"):
        if keyword in dataset:
            del dataset[keyword]
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(file)
    return file


@pytest.mark.parametrize(
    ("values", "spacing", "said"),
    [
        ({"PixelSpacing": CLOSER}, CLOSER, ""),
        ({"PixelSpacing": CLOSER, "ImagerPixelSpacing": IMAGER}, CLOSER, ""),
        ({"PixelSpacing": IMAGER, "ImagerPixelSpacing": IMAGER}, IMAGER, "those at the detector"),
        (
            {"PixelSpacing": IMAGER, "ImagerPixelSpacing": IMAGER, "PixelSpacingCalibrationType": "FIDUCIAL"},
            IMAGER,
            "",
        ),
        (
            {"PixelSpacing": CLOSER, "ImagerPixelSpacing": IMAGER, "PixelSpacingCalibrationType": "GEOMETRY"},
            CLOSER,
            "",
        ),
        ({"ImagerPixelSpacing": IMAGER}, IMAGER, "those at the detector"),
        (
            {"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": "1.25"},
            CLOSER,
            "divided by 1.25",
        ),
        (
            {"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": "0"},
            IMAGER,
            "those at the detector",
        ),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": IMAGER}, IMAGER, "those at the detector"),
        ({"NominalScannedPixelSpacing": IMAGER}, IMAGER, "on the scanned film"),
    ],
)
def test_the_spacing_of_a_radiograph(tmp_path, values, spacing, said):
    [series] = scan([radiograph(tmp_path, **values)]).series
    assert series.grid.spacing[1:] == pytest.approx(spacing)
    assert series.calibrated
    told = [warning.text for warning in series.warnings if warning.code == "detector-spacing"]
    assert len(told) == bool(said)
    assert said in "".join(told)


@pytest.mark.parametrize("values", [{}, {"PixelSpacing": [0, 0]}, {"ImagerPixelSpacing": [0.2, 0]}])
def test_a_radiograph_without_a_spacing_is_uncalibrated(tmp_path, values):
    [series] = scan([radiograph(tmp_path, **values)]).series
    assert not series.calibrated
    assert "uncalibrated" in [warning.code for warning in series.warnings]
    assert "uncalibrated" in series.size_text


def test_the_real_chest_film_says_zero(samples):
    [series] = scan([samples["RG1_UNCR.dcm"]]).series
    assert str(pydicom.dcmread(samples["RG1_UNCR.dcm"], stop_before_pixels=True).PixelSpacing) == "[0.000, 0.000]"
    assert not series.calibrated
    assert [warning.code for warning in series.warnings] == ["uncalibrated"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("gdcm-US-ALOKA-16.dcm", "70961d20be"),
        ("examples_palette.dcm", "074c805233"),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", "630f90bcaa"),
        ("OBXXXX1A.dcm", "b72e313136"),
    ],
)
def test_ultrasound_keeps_the_name_that_it_had_before_its_regions_were_read(samples, name, kept):
    # Masks lie in the archive under these names, which were made when the spacing was not known yet.
    [series] = scan([samples[name]]).series
    assert series.calibrated
    assert series.uid.partition("#")[2] == kept


def test_a_magnification_changes_lengths_and_no_name(tmp_path):
    [before] = scan([radiograph(tmp_path, ImagerPixelSpacing=IMAGER)]).series
    dataset = pydicom.dcmread(before.files[0])
    dataset.EstimatedRadiographicMagnificationFactor = "1.25"
    dataset.save_as(before.files[0])
    [after] = scan([tmp_path]).series
    assert after.grid.spacing != before.grid.spacing
    assert after.uid == before.uid
