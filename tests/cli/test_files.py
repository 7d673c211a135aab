"""info and convert, on real DICOM files; the JSON of info is a contract."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its usual name

from medviewer import formats
from medviewer.domain.image import Image
from tests.cli.conftest import GRID, STUDY, UID, Run


def test_the_json_of_info(head: Path, run: Run) -> None:
    told = run("info", head, "--json")
    assert told.code == 0
    assert json.loads(told.out) == {
        "studies": [
            {
                "uid": STUDY.uid,
                "date": "2020-01-02",
                "description": "Head",
                "series": [
                    {
                        "uid": UID,
                        "modality": "MR",
                        "description": "A small head",
                        "shape": [6, 9, 11],
                        "spacing_mm": [3.0, 1.5, 1.25],
                        "origin_mm": [-20.5, 4.25, 61.0],
                        "direction": list(GRID.direction),
                        "phases": None,
                        "warnings": [],
                    }
                ],
                "attachments": [],
            }
        ],
        "warnings": [],
    }


def test_the_json_of_info_places_voxels_as_simpleitk_does(head: Path, run: Run) -> None:
    series = json.loads(run("info", head, "--json").out)["studies"][0]["series"][0]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(head)))
    other = reader.Execute()
    direction = np.reshape(series["direction"], (3, 3))
    for index in ([0, 0, 0], [5, 8, 10], [3, 1, 7]):
        world = np.array(series["origin_mm"]) + direction @ (np.array(series["spacing_mm"]) * index)
        np.testing.assert_allclose(world, other.TransformIndexToPhysicalPoint(index[::-1]), atol=1e-3)


def test_info_for_people_names_series_and_warnings_but_no_patient(head: Path, run: Run) -> None:
    (head / "0003.dcm").unlink()
    told = run("info", head)
    assert told.code == 0
    assert "A small head" in told.out
    assert UID in told.out
    assert "Warning: " in told.out
    assert "Doe" not in told.out + told.err


def test_info_opens_a_zip_and_names_the_file_that_is_no_image(head: Path, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "head.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(head.iterdir()):
            archive.write(file, file.name)
        archive.writestr("broken.dcm", "not an image")
    data = json.loads(run("info", path, "--json").out)
    assert data["studies"][0]["series"][0]["shape"] == [6, 9, 11]
    assert "broken.dcm" in data["warnings"][0]


def test_convert_keeps_every_voxel_and_the_grid(head: Path, tmp_path: Path, image: Image, run: Run) -> None:
    for name in ("a.nii.gz", "a.nii", "a.mha", "a.nrrd"):
        assert run("convert", head, "-o", tmp_path / name).code == 0
        other = sitk.ReadImage(tmp_path / name)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(other), image.voxels)
        np.testing.assert_allclose(
            other.TransformIndexToPhysicalPoint((10, 8, 5)), GRID.index_to_world((5, 8, 10)), atol=1e-3
        )


def test_convert_takes_the_series_that_is_named(head: Path, tmp_path: Path, image: Image, run: Run) -> None:
    formats.save_image(image, head / "copy.nii.gz")
    out = tmp_path / "out.nii.gz"
    told = run("convert", head, "-o", out)
    assert "choose another with --series" in told.err
    assert run("convert", head, "-o", out, "--series", UID).err == ""
    wrong = run("convert", head, "-o", out, "--series", "1.2.3")
    assert (wrong.code, UID in wrong.err) == (1, True)


def test_convert_refuses_a_folder_that_is_not_there(head: Path, tmp_path: Path, run: Run) -> None:
    told = run("convert", head, "-o", tmp_path / "no" / "a.nii.gz")
    assert (told.code, "does not exist" in told.err) == (1, True)


def test_a_failed_conversion_leaves_the_old_file(head: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "a.nii.gz"
    run("convert", head, "-o", out)
    before = out.read_bytes()
    shutil.rmtree(head)
    assert run("convert", head, "-o", out).code == 1
    assert out.read_bytes() == before
