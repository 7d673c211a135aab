"""NIfTI of any orientation against SimpleITK and nibabel, saving, and broken files."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given, settings

from medviewer.domain.image import Image, Rescale
from medviewer.errors import InputError, UnreadableError
from medviewer.formats import itk, load, save_image, scan
from tests.formats.conftest import grid_of, image_of, origins, rotation, seeds, shapes, spacings


def opened(path: Path) -> Image:
    return load(scan([path]).series[0])


@settings(max_examples=25, deadline=None)
@given(seeds, shapes, spacings, origins)
def test_world_positions_agree_with_simpleitk(seed, shape, spacing, origin):
    grid = grid_of(shape, spacing, origin, rotation(seed))
    image = image_of(grid)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "volume.nii.gz")
        save_image(image, path)
        ours, theirs = opened(path), sitk.ReadImage(str(path))
    np.testing.assert_array_equal(ours.voxels, image.voxels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(theirs), image.voxels)
    for z, y, x in np.random.default_rng(seed).integers(0, grid.shape, (6, 3)).tolist():
        world = ours.grid.index_to_world((z, y, x))
        np.testing.assert_allclose(world, theirs.TransformIndexToPhysicalPoint((x, y, z)), atol=0.001)
        np.testing.assert_allclose(world, grid.index_to_world((z, y, x)), atol=0.001)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1), (1, 1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_flips_and_both_forms(tmp_path, flips, form):
    affine = np.diag([0.5 * flips[0], 1.5 * flips[1], 3 * flips[2], 1])
    affine[:3, 3] = 10, -20, 30
    volume = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), None)
    volume.header.set_xyzt_units("mm")
    (volume.set_sform if form == "sform" else volume.set_qform)(affine, 1)
    if form == "sform":
        volume.set_qform(None, 0)
    nib.save(volume, tmp_path / "volume.nii")
    image = opened(tmp_path / "volume.nii")
    assert image.grid.shape == (5, 4, 3)
    for i, j, k in ((0, 0, 0), (2, 1, 4), (1, 3, 2)):
        ras = affine @ (i, j, k, 1)
        np.testing.assert_allclose(image.grid.index_to_world((k, j, i)), ras[:3] * (-1, -1, 1), atol=1e-4)
        assert image.voxels[k, j, i] == np.asarray(volume.dataobj)[i, j, k]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_stored_type_slope_and_intercept_are_kept(tmp_path, dtype, suffix):
    image = image_of(grid_of(), dtype, rescale=Rescale(0.5, -3.0))
    save_image(image, tmp_path / f"volume{suffix}")
    loaded = opened(tmp_path / f"volume{suffix}")
    assert loaded.voxels.dtype == np.dtype(dtype).newbyteorder("=")
    assert loaded.voxels.flags.c_contiguous
    np.testing.assert_array_equal(loaded.voxels, image.voxels)
    assert loaded.rescale == image.rescale
    theirs = np.asanyarray(nib.load(tmp_path / f"volume{suffix}").dataobj).T
    np.testing.assert_allclose(theirs, image.real())


def test_nifti_2_big_endian_and_one_frame_of_four(tmp_path):
    values = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    nib.save(nib.Nifti2Image(values, np.eye(4)), tmp_path / "two.nii")
    nib.save(nib.Nifti1Image(values[..., None], np.eye(4), nib.Nifti1Header(endianness=">")), tmp_path / "four.nii")
    nib.save(nib.Nifti1Image(values[..., 0], np.eye(4)), tmp_path / "flat.nii")
    for name in ("two.nii", "four.nii"):
        np.testing.assert_array_equal(opened(tmp_path / name).voxels, values.T)
    np.testing.assert_array_equal(opened(tmp_path / "flat.nii").voxels, values[None, ..., 0].transpose(0, 2, 1))


def test_a_folder_of_volumes_is_one_study(tmp_path, brain_file):
    for name in ("b.nii", "a.nii.gz"):
        save_image(image_of(grid_of()), tmp_path / name)
    [study] = scan([tmp_path]).studies
    assert study.description == tmp_path.name
    assert [(series.description, series.number) for series in study.series] == [("a", 1), ("b", 2)]
    assert len({series.uid for series in study.series}) == 2


def test_real_values_where_slopes_differ(tmp_path):
    image = image_of(grid_of((3, 4, 5)), rescale=Rescale((1.0, 2.0, 3.0), 1.0))
    save_image(image, tmp_path / "volume.nii")
    loaded = opened(tmp_path / "volume.nii")
    assert loaded.voxels.dtype == np.float32
    np.testing.assert_array_equal(loaded.voxels, image.real())


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize(
    ("rescale", "dtype"), [(Rescale(), np.uint16), (Rescale(1.0, -1024.0), np.int16), (Rescale(0.5), np.float32)]
)
def test_itk_formats_hold_real_values_in_place(tmp_path, suffix, rescale, dtype):
    grid = grid_of(axes=rotation(3))
    image = image_of(grid, np.uint16, rescale=rescale)
    save_image(image, tmp_path / f"volume{suffix}")
    theirs = sitk.ReadImage(str(tmp_path / f"volume{suffix}"))
    array = sitk.GetArrayFromImage(theirs)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, image.real())
    assert itk.grid_of(theirs).matches(grid, 0.001)


def test_colour_is_saved_by_itk_only(tmp_path):
    image = Image(np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3), grid_of((3, 4, 5)))
    save_image(image, tmp_path / "colour.mha")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "colour.mha"))), image.voxels)
    with pytest.raises(InputError, match="grey images only"):
        save_image(image, tmp_path / "colour.nii")


def test_unknown_endings_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"saved as \.nii, \.nii\.gz, \.mha, \.nrrd, not as volume\.xyz"):
        save_image(image_of(grid_of()), tmp_path / "volume.xyz")
    with pytest.raises(InputError, match="could not be written"):
        save_image(image_of(grid_of()), tmp_path / "nowhere" / "volume.nii")


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "volume.nii"
    save_image(image_of(grid_of()), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="NIfTI cannot hold"):
        save_image(image_of(grid_of(), np.bool_), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["volume.nii"]


def broken(path: Path, at: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("at", "value", "text"),
    [
        (344, b"junk", "neither DICOM nor NIfTI"),
        (70, b"\xff\x7f", "broken NIfTI header"),
        (40, b"\x03\x00\x00\x00", "broken NIfTI header"),
        (280, b"\x00\x00\xc0\x7f", "broken header: its affine gives no spacing"),
        (284, b"\x00\x00\x80\x3f", "sheared affine"),
        (70, b"\x20\x00", "complex64 voxels"),
    ],
)
def test_broken_headers_become_one_clear_sentence(tmp_path, at, value, text):
    path = tmp_path / "volume.nii"
    save_image(image_of(grid_of()), path)
    broken(path, at, value)
    result = scan([path])
    assert result.studies == ()
    assert text in result.warnings[0].text
    assert result.warnings[0].text.startswith("volume.nii")


def test_more_than_one_volume_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 2), np.int16), np.eye(4)), tmp_path / "four.nii")
    assert "holds 3 x 4 x 5 x 2 values, but one volume is needed" in scan([tmp_path]).warnings[0].text


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_ends_early_is_an_error(tmp_path, packed):
    path = tmp_path / "volume.nii"
    save_image(image_of(grid_of()), path)
    data = path.read_bytes()[:-20]
    path.write_bytes(gzip.compress(data)[:-6] if packed else data)
    series = scan([path]).series[0]
    with pytest.raises(UnreadableError, match="ends before its voxels do"):
        load(series)


def test_a_header_without_orientation_is_told(tmp_path):
    volume = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    nib.save(volume, tmp_path / "volume.nii")
    assert [warning.code for warning in scan([tmp_path]).series[0].warnings] == ["no-orientation"]


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000.0), ("mm", 1.0), ("micron", 0.001), ("unknown", 1.0)])
def test_units_of_length_become_mm_as_in_simpleitk(tmp_path, unit, mm):
    path = tmp_path / "volume.nii"
    affine = np.diag([0.5, 0.25, 2.0, 1.0])
    affine[:3, 3] = 3.0, 4.0, 5.0
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), affine)
    image.header.set_xyzt_units(unit, "sec")
    image.to_filename(path)
    grid = scan([path]).series[0].grid
    np.testing.assert_allclose(grid.spacing, np.array([2.0, 0.25, 0.5]) * mm)
    np.testing.assert_allclose(grid.origin, np.array([-3.0, -4.0, 5.0]) * mm)
    theirs = sitk.ReadImage(str(path))
    np.testing.assert_allclose(grid.spacing[::-1], theirs.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(grid.origin, theirs.GetOrigin(), rtol=1e-6)
