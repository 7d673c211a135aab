"""NIfTI of any orientation against SimpleITK and nibabel, saving, and broken files."""

from __future__ import annotations

import gzip
import io
import logging
import tempfile
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given, settings
from nibabel import imageglobals

from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.study import PhaseAxis
from medviewer.errors import InputError, JobCancelled, UnreadableError
from medviewer.formats import itk, load, load_segmentation, save_image, scan
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


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("same", [True, False])
def test_all_phases_are_saved(tmp_path, suffix, same):
    grid = grid_of((3, 4, 5), axes=rotation(3))
    voxels = np.arange(4 * 60, dtype=np.int16).reshape(4, 3, 4, 5)
    axis = PhaseAxis("time", (10.0, 12.5, 15.0, 17.5), "s")
    rescales = tuple(Rescale(2.0, -3.0 if same else float(k)) for k in range(4))
    image = Image(voxels[0], grid, rescale=rescales[0], dynamic=Dynamic(axis, voxels, rescales))
    save_image(image, tmp_path / f"four{suffix}")
    loaded = opened(tmp_path / f"four{suffix}")
    assert loaded.grid.matches(grid, 0.001)
    for k in range(4):
        np.testing.assert_allclose(loaded.at_phase(k).real(), image.at_phase(k).real())
    if suffix == ".nii.gz":
        assert loaded.dynamic.axis == axis
        assert (loaded.voxels.dtype == np.int16) == same


def test_colour_phases_are_saved_by_itk(tmp_path):
    voxels = np.arange(2 * 60 * 3, dtype=np.uint8).reshape(2, 3, 4, 5, 3)
    axis = PhaseAxis("frame", (1.0, 2.0))
    save_image(
        Image(voxels[0], grid_of((3, 4, 5)), dynamic=Dynamic(axis, voxels, (Rescale(),) * 2)), tmp_path / "film.mha"
    )
    np.testing.assert_array_equal(opened(tmp_path / "film.mha").dynamic.voxels, voxels)


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
        (344, b"junk", "no image of a format that is read"),
        (70, b"\xff\x7f", "broken NIfTI header"),
        (40, b"\x03\x00\x00\x00", "broken NIfTI header"),
        (108, b"\x00\x00\xc0\x7f", "broken NIfTI header"),
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


@pytest.mark.parametrize(("at", "value"), [(254, b"\x63\x00"), (80, b"\x00\x00\x80\xbf")])
def test_odd_headers_say_nothing_on_the_console(tmp_path, capfd, caplog, at, value):
    """A form of no kind and a negative spacing: nibabel mends them, and would log it."""
    path = tmp_path / "volume.nii"
    save_image(image_of(grid_of()), path)
    broken(path, at, value)
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    imageglobals.logger.addHandler(handler)
    try:
        scan([path])
    finally:
        imageglobals.logger.removeHandler(handler)
    assert (heard.getvalue(), caplog.text, *capfd.readouterr()) == ("", "", "", "")


def four(path: Path, dtype=np.int16, unit="sec", step=0.25, shape=(3, 4, 5, 6)) -> np.ndarray:
    """A file with a 4th axis; the values are returned."""
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    volume = nib.Nifti1Image(values, np.diag([0.5, 1.5, 3, 1]))
    volume.header.set_xyzt_units("mm", unit)
    volume.header["pixdim"][4] = step
    nib.save(volume, path)
    return values


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, ">f4"])
def test_a_fourth_axis_becomes_phases(tmp_path, suffix, dtype):
    values = four(tmp_path / f"four{suffix}", dtype)
    series = scan([tmp_path]).series[0]
    assert series.grid.shape == (5, 4, 3)
    assert (series.phases.name, series.phases.unit, series.phases.interval_ms) == ("time", "s", 250)
    assert series.phases.values == (0, 0.25, 0.5, 0.75, 1, 1.25)
    image = load(series)
    np.testing.assert_array_equal(image.voxels, values[..., 0].T)
    assert image.dynamic.voxels.shape == (6, 5, 4, 3)
    assert image.dynamic.voxels.dtype.isnative
    for phase in range(6):
        np.testing.assert_array_equal(image.at_phase(phase).voxels, values[..., phase].T)
    assert image.dynamic.axis == series.phases


@pytest.mark.parametrize(
    ("unit", "step", "name", "ours", "values"),
    [
        ("msec", 40, "time", "ms", (0, 40)),
        ("usec", 500, "time", "ms", (0, 0.5)),
        ("sec", 2, "time", "s", (0, 2)),
        ("sec", 0, "volume", "", (1, 2)),
        ("unknown", 2, "volume", "", (1, 2)),
        ("hz", 2, "volume", "", (1, 2)),
    ],
)
def test_the_step_of_time_is_taken_where_it_has_a_unit(tmp_path, unit, step, name, ours, values):
    four(tmp_path / "four.nii", unit=unit, step=step, shape=(3, 4, 5, 2))
    axis = scan([tmp_path]).series[0].phases
    assert (axis.name, axis.unit, axis.values) == (name, ours, values)
    assert axis.interval_ms == {"msec": 40, "usec": 0.5}.get(unit)


def test_a_fifth_axis_counts_as_the_fourth_where_that_is_one(tmp_path):
    values = four(tmp_path / "five.nii", shape=(3, 4, 5, 1, 2))
    image = opened(tmp_path / "five.nii")
    assert image.dynamic.axis.name == "volume"
    np.testing.assert_array_equal(image.at_phase(1).voxels, values[..., 0, 1].T)
    four(tmp_path / "both.nii", shape=(3, 4, 5, 2, 3))
    assert "3 x 4 x 5 x 2 x 3 values, but volumes along one axis more" in scan([tmp_path / "both.nii"]).warnings[0].text


@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
@pytest.mark.parametrize("count", [1, 2])
def test_colours_are_shown_as_such(tmp_path, channels, count):
    dtype = np.dtype([(channel, "u1") for channel in channels])
    plain = np.random.default_rng(4).integers(0, 256, (3, 4, 5, count, len(channels)), dtype=np.uint8)
    if channels == "RGBA":
        plain[..., 3] = 255
    nib.save(nib.Nifti1Image(plain.view(dtype)[..., 0], np.eye(4)), tmp_path / "colour.nii.gz")
    image = opened(tmp_path / "colour.nii.gz")
    assert image.is_colour
    assert image.grid.shape == (5, 4, 3)
    for k in range(count):
        np.testing.assert_array_equal(image.at_phase(k).voxels, plain[..., k, :3].transpose(2, 1, 0, 3))


def test_more_than_one_volume_is_no_mask(tmp_path):
    four(tmp_path / "four.nii", shape=(3, 4, 5, 2))
    with pytest.raises(UnreadableError, match="holds 3 x 4 x 5 x 2 values, but one volume of numbers is needed"):
        load_segmentation(tmp_path / "four.nii", grid_of((5, 4, 3)))


def test_what_the_header_promises_is_held_against_the_file(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 2000))
    header.set_data_dtype(np.float32)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    data = header.binaryblock + bytes(4 + 1000)
    (tmp_path / "raw.nii").write_bytes(data)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(data))
    with pytest.raises(UnreadableError, match="ends before its voxels do"):
        opened(tmp_path / "raw.nii")
    with pytest.raises(UnreadableError, match=r"would unpack to 29\.8 GB, but 2\.0 GB are allowed"):
        opened(tmp_path / "packed.nii")
    header.set_data_shape((3, 4, 5, 30000))
    header["dim"][5:7], header["dim"][0] = (1, 30000), 6
    (tmp_path / "many.nii").write_bytes(header.binaryblock + bytes(1000))
    assert "many.nii holds" in scan([tmp_path / "many.nii"]).warnings[0].text


def test_the_reading_of_a_large_file_can_be_stopped(tmp_path):
    four(tmp_path / "four.nii", shape=(64, 64, 64, 40))
    stop = threading.Event()
    with pytest.raises(JobCancelled):
        load(scan([tmp_path]).series[0], lambda part, text: stop.set() if part else None, stop)


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
