"""DICOM series of any orientation against SimpleITK, and what a scan says about broken stacks."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given, settings

from medviewer.domain.geometry import IDENTITY
from medviewer.domain.study import is_usual
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


@pytest.mark.parametrize(("thick", "code"), [((5.0, 10.0), "irregular-spacing"), ((10.0, 10.0), "missing-slice")])
def test_slices_that_are_thicker_where_they_lie_further_apart_are_not_missing(tmp_path, thick, code):
    # A head in 5 mm below and 10 mm above, against overlapping slices of 10 mm of which every other one got lost.
    places = [0, 5, 10, 15, 20, 30, 40, 50]
    grid = grid_of((len(places), 6, 7), (5.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    image = image_of(grid)
    files = write_dicom_series(image, tmp_path, study=STUDY, series=series_of(grid))
    for k, (file, place) in enumerate(zip(files, places, strict=True)):
        dataset = pydicom.dcmread(file)
        dataset.ImagePositionPatient = (place * grid.axes[:, 0]).tolist()
        dataset.SliceThickness = thick[k >= 4]
        dataset.save_as(file)
    [series] = scan([tmp_path]).series
    assert {warning.code for warning in series.warnings} == {code}
    assert (series.grid.shape[0], series.grid.spacing[0]) == (11, 5.0)
    shown = load(series).voxels
    np.testing.assert_array_equal(shown[6], image.voxels[5])
    low, high = image.voxels[5].astype(float), image.voxels[6].astype(float)
    mixed = (low != image.voxels.min()) & (high != image.voxels.min())  # blank is never mixed with what is not
    if code == "irregular-spacing":
        assert mixed.sum() > mixed.size / 2
        np.testing.assert_allclose(shown[7][mixed], (low + high)[mixed] / 2, atol=0.5)
    else:
        assert np.ptp(shown[7]) == 0


def test_irregular_spacing_is_told(tmp_path):
    files = written(tmp_path, image_of(grid_of((5, 4, 5), spacing=(2.0, 1, 1))))
    position = pydicom.dcmread(files[2]).ImagePositionPatient
    edit(files[2], ImagePositionPatient=[position[0], position[1], position[2] + 0.5])
    result = scan([tmp_path])
    assert codes(result) == ["irregular-spacing"]
    assert "1.50 to 2.50 mm" in result.series[0].warnings[0].text


@pytest.mark.parametrize("places", [(0, 5, 10, 15, 18, 21, 24, 27), (0, 1, 2, 3, 4, 5, 6, 13.5)])
def test_unevenly_spaced_slices_are_all_loaded_in_order(tmp_path, places):
    image = image_of(grid_of((8, 4, 5)), padding=(3, 3))
    for file, z in zip(written(tmp_path, image), places, strict=True):
        edit(file, ImagePositionPatient=[0, 0, z])
    [series] = scan([tmp_path]).series
    assert [warning.code for warning in series.warnings] == ["irregular-spacing"]
    assert f"resampled to {np.diff(places).min():.2f} mm" in series.warnings[0].text
    assert series.index == tuple(range(8))
    assert series.source is not None
    np.testing.assert_allclose([place[2] for place in series.source.positions], places)
    told = []
    loaded = load(series, warn=told.append)
    assert told == []
    between = series.grid.spacing[0]
    for k, place in enumerate(places):
        if place % between == 0:
            np.testing.assert_array_equal(loaded.voxels[round(place / between)], image.voxels[k])


def test_two_files_for_one_slice_are_told(tmp_path):
    image = image_of(grid_of((4, 4, 5)))
    written(tmp_path, image)
    [series] = scan([tmp_path]).series
    told = []
    loaded = load(replace(series, index=(0, 1, 1, 9)), warn=told.append)
    assert [warning.code for warning in told] == ["duplicate", "duplicate"]
    assert "0003.dcm belongs to slice 2, which is not free" in told[0].text
    np.testing.assert_array_equal(loaded.voxels[:2], image.voxels[:2])


def test_a_file_that_moved_since_the_scan_is_told(tmp_path):
    image = image_of(grid_of((4, 4, 5)))
    files = written(tmp_path, image)
    [series] = scan([tmp_path]).series
    first, second = (pydicom.dcmread(file).ImagePositionPatient for file in files[1:3])
    edit(files[1], ImagePositionPatient=second)
    edit(files[2], ImagePositionPatient=first)
    told = []
    load(series, warn=told.append)
    assert [warning.code for warning in told] == ["changed"]
    assert "0003.dcm no longer lies where it was scanned" in told[0].text


def test_copies_of_a_radiograph_are_one_series(tmp_path):
    [file] = written(tmp_path, image_of(grid_of((1, 6, 8)), np.uint16, "DX"))
    shutil.copy(file, tmp_path / "copy.dcm")
    [series] = scan([tmp_path]).series
    assert "duplicate" in [warning.code for warning in series.warnings]


def test_gantry_tilt_is_told(tmp_path):
    files = written(tmp_path, image_of(grid_of()))
    for k, file in enumerate(files):
        position = pydicom.dcmread(file).ImagePositionPatient
        edit(file, ImagePositionPatient=[position[0], position[1] + k, position[2]])
    [series] = scan([tmp_path]).series
    assert [warning.code for warning in series.warnings] == ["gantry-tilt"]
    assert "by up to 3.0 mm (gantry tilt of 21.8 degrees)" in series.warnings[0].text  # atan(1 mm / 2.5 mm)
    assert series.grid.shape == (4, 10, 7)  # 3 mm are 4.3 rows of 0.7 mm


def test_a_tilted_stack_loads_straight(tmp_path):
    # Every slice lies 2 rows of 0.7 mm lower than the one before: whole pixels, so nothing is interpolated.
    grid = grid_of((4, 5, 7))
    image = image_of(grid, padding=(-5, -5))
    for k, file in enumerate(written(tmp_path, image)):
        position = pydicom.dcmread(file).ImagePositionPatient
        edit(file, ImagePositionPatient=[position[0], f"{float(position[1]) - 1.4 * k:.3f}", position[2]])
    [series] = scan([tmp_path]).series
    loaded = load(series)
    assert loaded.grid.shape == (4, 11, 7)
    for k in range(4):
        top = 2 * (3 - k)
        np.testing.assert_array_equal(loaded.voxels[k, top : top + 5], image.voxels[k])
        assert set(np.delete(loaded.voxels[k], slice(top, top + 5), 0).ravel().tolist()) == {-5}
        expected = np.array([*pydicom.dcmread(series.files[k]).ImagePositionPatient], float)
        np.testing.assert_allclose(series.grid.index_to_world((k, top, 0)), expected, atol=1e-3)


def test_mixed_sizes_split_into_series_and_the_largest_keeps_the_uid(tmp_path):
    large, small = grid_of((4, 5, 7)), grid_of((2, 3, 3))
    main = series_of(large)
    for name, grid in (("large", large), ("small", small)):
        (tmp_path / name).mkdir()
        write_dicom_series(image_of(grid), tmp_path / name, study=STUDY, series=main)
    result = scan([tmp_path])
    assert [series.grid.shape for series in result.series] == [(4, 5, 7), (2, 3, 3)]
    whole, part = (series.uid for series in result.series)
    assert whole == main.uid
    assert part.startswith(f"{main.uid}#")
    assert scan([tmp_path / "large", tmp_path / "small" / "0001.dcm"]).series[1].uid == part
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
    assert (first.files, second.files) == ((tmp_path / "a" / "0001.dcm",), (tmp_path / "b" / "0001.dcm",))
    assert first.instance_uid == second.instance_uid == pydicom.dcmread(first.files[0]).SeriesInstanceUID
    assert first.uid != second.uid
    # What else is opened, and from where, changes nothing.
    assert scan([tmp_path / "b"]).series[0].uid == second.uid
    (tmp_path / "b").rename(tmp_path / "0")
    assert [series.uid for series in scan([tmp_path]).series] == [first.uid, second.uid]
    assert first.grid.spacing == (1.0, 0.2, 0.2)
    assert first.calibrated
    assert (first.view, first.frame_of_reference) == ("PA", "")
    assert first.grid.direction == IDENTITY
    assert [warning.code for warning in first.warnings] == ["no-orientation", "detector-spacing"]


@pytest.mark.parametrize(
    ("modality", "sop_class", "usual"),
    [
        ("DX", "", False),
        ("US", "", True),
        ("DX", "1.2.840.10008.5.1.4.1.1.7", True),
        ("DX", "1.2.840.10008.5.1.4.1.1.7.4", True),
    ],
)
def test_where_orientation_is_never_told_nobody_is_alarmed(tmp_path, modality, sop_class, usual):
    grid = grid_of((1, 6, 8), spacing=(1, 0.2, 0.2), origin=(0, 0, 0))
    [file] = written(tmp_path, image_of(grid, np.uint16, "DX"))
    edit(file, Modality=modality, **({"SOPClassUID": sop_class} if sop_class else {}))
    [series] = scan([tmp_path]).series
    [warning] = [warning for warning in series.warnings if warning.code == "no-orientation"]
    assert is_usual(warning.text) is usual


def test_patient_orientation_gives_a_radiograph_its_letters(demo):
    [series] = scan([demo / "chest"]).series
    assert series.grid.letters(2) == ("R", "L")
    assert series.grid.letters(1) == ("S", "I")
    assert series.grid.plane_name(0) == "Coronal"
    assert series.grid.spacing == (1.0, 1.0, 1.0)
    assert not series.calibrated
    [warning] = series.warnings
    assert warning.code == "uncalibrated"
    assert "lengths in mm are not known" in warning.text


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
