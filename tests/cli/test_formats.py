"""What info and convert make of the formats beside DICOM."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from PIL import Image as Pillow

from tests.cli.conftest import Run

VALUES = np.arange(5 * 24, dtype=np.int16).reshape(5, 2, 3, 4)


@pytest.mark.parametrize("name", ["film.nrrd", "film.mha", "film.nii.gz"])
def test_a_series_with_a_4th_axis_is_told_and_converted_whole(tmp_path: Path, run: Run, name: str) -> None:
    image = sitk.GetImageFromArray(VALUES, isVector=False)
    sitk.WriteImage(image, str(tmp_path / name))
    [study] = json.loads(run("info", tmp_path / name, "--json").out)["studies"]
    [series] = study["series"]
    assert series["shape"] == [2, 3, 4]
    assert series["phases"]["count"] == 5
    assert "5 volume phases" in run("info", tmp_path / name).out or series["phases"]["name"] == "time"
    for output in ("out.nii.gz", "out.mha", "out.nrrd"):
        assert run("convert", tmp_path / name, "-o", tmp_path / output).code == 0
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / output))), VALUES)


def test_a_picture_is_told_and_converted(tmp_path: Path, run: Run) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 4000
    Pillow.fromarray(pixels).save(tmp_path / "picture.png")
    told = run("info", tmp_path / "picture.png")
    assert "uncalibrated" in told.out
    assert run("convert", tmp_path / "picture.png", "-o", tmp_path / "out.mha").code == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.mha")))[0], pixels)
