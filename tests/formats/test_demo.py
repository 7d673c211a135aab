"""The demo studies: whole, small, in place, valid, and without anybody's name."""

from __future__ import annotations

import subprocess

import numpy as np
import pydicom
from pydicom.uid import JPEGLSLossless

from medviewer.formats import load, load_segmentation, scan


def test_both_studies_open_and_only_the_uncalibrated_radiograph_has_a_warning(demo):
    result = scan([demo])
    assert result.warnings == ()
    found = {series.modality: [warning.code for warning in series.warnings] for series in result.series}
    assert found == {"MR": [], "CR": ["uncalibrated"]}
    assert {series.modality: series.grid.shape for series in result.series} == {
        "MR": (181, 217, 181),
        "CR": (1, 1955, 1841),
    }


def test_the_demo_stays_small_and_lossless(demo):
    files = list(demo.rglob("*.dcm"))
    assert len(files) == 182
    assert sum(file.stat().st_size for file in demo.rglob("*") if file.is_file()) <= 12_000_000
    for file in files:
        assert pydicom.dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID == JPEGLSLossless


def test_the_head_lies_where_its_brain_mask_does(demo, brain_file):
    [series] = scan([demo / "colin27"]).series
    image = load(series)
    assert (series.body_part, series.modality) == ("HEAD", "MR")
    assert series.grid.letters(2) == ("R", "L")
    assert series.grid.letters(1) == ("A", "P")
    assert series.grid.letters(0) == ("I", "S")
    np.testing.assert_allclose(series.grid.origin, (-90, -91, -71))
    # The mask's file runs to the right and to the front; it only fits if the voxels were turned, not just the header.
    brain = load_segmentation(brain_file, series.grid).labels
    assert image.voxels[brain == 1].min() > 0
    assert image.voxels[brain == 1].mean() > 2 * image.voxels[brain == 0].mean()


def test_the_chest_is_a_pa_radiograph_without_a_scale(demo):
    [series] = scan([demo / "chest"]).series
    image = load(series)
    assert (series.modality, series.body_part, series.view) == ("CR", "CHEST", "PA")
    assert not image.calibrated
    assert image.inverted
    assert image.windows[0].limits == (0, 29999)  # LINEAR (PS3.3 C.11.2.1.2)


def test_the_chest_keeps_the_pixels_and_nothing_of_the_person(demo, samples):
    ours = pydicom.dcmread(demo / "chest" / "chest_pa.dcm")
    original = pydicom.dcmread(samples["RG1_UNCR.dcm"])
    np.testing.assert_array_equal(ours.pixel_array, original.pixel_array)
    data = (demo / "chest" / "chest_pa.dcm").read_bytes()
    personal = (
        "PatientName PatientID PatientBirthDate OtherPatientIDs StudyInstanceUID SeriesInstanceUID SOPInstanceUID"
    )
    places = "InstitutionName StationName DeviceSerialNumber StudyDate SeriesDate ContentDate AccessionNumber"
    for keyword in (personal + " " + places).split():
        assert str(original[keyword].value).encode() not in data, keyword
    assert not any(element.tag.is_private for element in ours)


def test_dciodvfy_has_nothing_against_them_but_the_missing_scale(demo):
    for file in (demo / "colin27" / "0090.dcm", demo / "chest" / "chest_pa.dcm"):
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert all("Pixel Spacing" in line for line in errors)


def test_the_licences_are_told(demo):
    text = (demo / "LICENSES.md").read_text()
    for words in ("BSD-3-Clause", "Chris Rorden", "MIT License", "pydicom-data", "Holmes"):
        assert words in text
