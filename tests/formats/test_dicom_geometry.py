"""DICOM series of any orientation against SimpleITK, and what a scan says about broken stacks."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given, settings

from medviewer.domain.geometry import IDENTITY
from medviewer.errors import UnreadableError
from medviewer.formats import load, scan, write_dicom_series
from medviewer.formats.dicom.geometry import follow
from tests.formats.conftest import STUDY, dicom_axes, grid_of, image_of, origins, seeds, series_of, shapes, spacings


def written(folder: Path, image, **more):
    return write_dicom_series(image, folder, study=STUDY, series=series_of(image.grid, image.modality, **more))


def edit(path: Path, **values) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def codes(result) -> list[str]:
    return [warning.code for series in result.series for warning in series.warnings]


@settings(max_examples=25, deadline=None)
@given(seeds, shapes, spacings, origins)
def test_world_positions_agree_with_simpleitk(seed, shape, spacing, origin):
    grid = grid_of((shape[0] + 1, *shape[1:]), spacing, origin, dicom_axes(seed))
    image = image_of(grid)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = written(folder, image)
        # Neither names nor instance numbers say where a slice lies.
        for k, file in enumerate(files):
            edit(file, InstanceNumber=(k * 7) % 13)
            file.rename(folder / f"{(k * 5) % 11:02d}.dcm")
        series = scan([folder]).series[0]
        ours = load(series)
        theirs = sitk.ReadImage([str(file) for file in series.files])
    assert ours.grid.matches(grid, 0.001)
    np.testing.assert_array_equal(ours.voxels, image.voxels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(theirs), image.voxels)
    for z, y, x in np.random.default_rng(seed).integers(0, grid.shape, (6, 3)).tolist():
        expected = theirs.TransformIndexToPhysicalPoint((x, y, z))
        np.testing.assert_allclose(series.grid.index_to_world((z, y, x)), expected, atol=0.001)


def test_a_shuffled_series_scans_the_same_as_an_ordered_one(tmp_path):
    grid = grid_of((6, 4, 5))
    files = written(tmp_path, image_of(grid))
    before = scan([tmp_path])
    again = scan(sorted(files, reverse=True))
    assert before == again
    assert before.series[0].files == files


def test_the_header_fills_study_patient_and_series(tmp_path):
    written(tmp_path, image_of(grid_of()), body_part="HEAD", laterality="L", number=4, frame_of_reference="1.2.3")
    study = scan([tmp_path]).studies[0]
    assert (study.uid, study.date, study.description) == (STUDY.uid, STUDY.date, STUDY.description)
    assert study.patient == STUDY.patient
    series = study.series[0]
    assert (series.modality, series.description, series.number) == ("MR", "A series", 4)
    assert (series.body_part, series.laterality, series.frame_of_reference) == ("HEAD", "L", "1.2.3")


def test_a_missing_slice_is_named_and_shown_blank(tmp_path):
    grid = grid_of((9, 4, 5))
    image = image_of(grid, padding=(3, 3))
    files = written(tmp_path, image)
    files[4].unlink()
    result = scan([tmp_path])
    assert codes(result) == ["missing-slice"]
    text = result.series[0].warnings[0].text
    assert "1 slice is missing between 0004.dcm and 0006.dcm (slice 5)" in text
    loaded = load(result.series[0])
    assert loaded.grid.matches(grid)
    assert np.all(loaded.voxels[4] == 3)
    np.testing.assert_array_equal(np.delete(loaded.voxels, 4, 0), np.delete(image.voxels, 4, 0))


def test_a_repeated_position_is_left_out_and_named(tmp_path):
    files = written(tmp_path, image_of(grid_of()))
    shutil.copy(files[1], tmp_path / "copy.dcm")
    result = scan([tmp_path])
    assert codes(result) == ["duplicate"]
    assert "copy.dcm" in result.series[0].warnings[0].text
    assert result.series[0].files == files


def test_irregular_spacing_is_told(tmp_path):
    files = written(tmp_path, image_of(grid_of((5, 4, 5), spacing=(2.0, 1, 1))))
    position = pydicom.dcmread(files[2]).ImagePositionPatient
    edit(files[2], ImagePositionPatient=[position[0], position[1], position[2] + 0.5])
    result = scan([tmp_path])
    assert codes(result) == ["irregular-spacing"]
    assert "1.50 to 2.50 mm" in result.series[0].warnings[0].text


def test_gantry_tilt_is_told(tmp_path):
    files = written(tmp_path, image_of(grid_of()))
    for k, file in enumerate(files):
        position = pydicom.dcmread(file).ImagePositionPatient
        edit(file, ImagePositionPatient=[position[0], position[1] + k, position[2]])
    assert codes(scan([tmp_path])) == ["gantry-tilt"]


def test_mixed_sizes_split_into_series_and_the_largest_keeps_the_uid(tmp_path):
    large, small = grid_of((4, 5, 7)), grid_of((2, 3, 3))
    main = series_of(large)
    for name, grid in (("large", large), ("small", small)):
        (tmp_path / name).mkdir()
        write_dicom_series(image_of(grid), tmp_path / name, study=STUDY, series=main)
    result = scan([tmp_path])
    assert [series.grid.shape for series in result.series] == [(4, 5, 7), (2, 3, 3)]
    assert [series.uid for series in result.series] == [main.uid, f"{main.uid}#2"]
    assert codes(result) == ["mixed-sizes", "mixed-sizes"]
    assert "5 x 7 and 3 x 3 pixels" in result.series[0].warnings[0].text
    assert load(result.series[1]).voxels.shape == (2, 3, 3)


def test_a_scout_of_another_orientation_is_a_series_of_its_own(tmp_path):
    axial, scout = grid_of((4, 5, 7)), grid_of((1, 5, 7), axes=dicom_axes(1))
    main = series_of(axial)
    for name, grid in (("axial", axial), ("scout", scout)):
        (tmp_path / name).mkdir()
        write_dicom_series(image_of(grid), tmp_path / name, study=STUDY, series=main)
    result = scan([tmp_path])
    assert [series.grid.shape[0] for series in result.series] == [4, 1]
    assert codes(result) == ["mixed-orientations"] * 2


def test_radiographs_of_one_series_are_series_of_their_own(tmp_path):
    for name, k in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        grid = grid_of((1, 6, 8), spacing=(1, 0.2, 0.2), origin=(0, 0, 0))
        [file] = written(tmp_path / name, image_of(grid, np.uint16, "DX"), view="PA")
        edit(file, InstanceNumber=k, SOPInstanceUID=f"1.2.{k}")
    first, second = scan([tmp_path]).series
    assert second.uid == f"{first.uid}#2"
    assert first.grid.spacing == (1.0, 0.2, 0.2)
    assert first.calibrated
    assert (first.view, first.frame_of_reference) == ("PA", "")
    assert first.grid.direction == IDENTITY
    assert [warning.code for warning in first.warnings] == ["no-orientation"]


def test_patient_orientation_gives_a_radiograph_its_letters(demo):
    [series] = scan([demo / "chest"]).series
    assert series.grid.letters(2) == ("R", "L")
    assert series.grid.letters(1) == ("S", "I")
    assert series.grid.plane_name(0) == "Coronal"
    assert series.grid.spacing == (1.0, 1.0, 1.0)
    assert not series.calibrated
    assert series.warnings == ()


def test_a_single_slice_takes_its_thickness(tmp_path):
    written(tmp_path, image_of(grid_of((1, 4, 5), spacing=(3.5, 1, 1))))
    assert scan([tmp_path]).series[0].grid.spacing == (3.5, 1, 1)


@pytest.mark.parametrize(
    ("distances", "spacing", "index", "irregular"),
    [
        ([0, 1, 2, 3], 1, (0, 1, 2, 3), False),
        ([0, 1, 3], 1, (0, 1, 3), False),
        ([5, 7.01, 9, 13], 2, (0, 1, 2, 4), False),
        ([0, 1, 1.6, 3], 1, (0, 1, 2, 3), True),
        ([0, 1, 900], 450, (0, 1, 2), True),
    ],
)
def test_lattice_of_slices(distances, spacing, index, irregular):
    steps = follow(distances)
    assert steps.index == index
    assert steps.spacing == pytest.approx(spacing, abs=0.01)
    assert (steps.irregular > 0) == irregular


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(UnreadableError, match="does not exist; open a file, folder or ZIP archive that does"):
        scan([tmp_path / "nowhere"])
