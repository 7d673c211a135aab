"""NRRD and MetaImage against SimpleITK: geometry, further axes, colour, and headers that lead elsewhere."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name

from medviewer.errors import UnreadableError
from medviewer.formats import load, scan
from medviewer.formats.bounds import MAX_PACKED
from tests.formats.conftest import rotation

SUFFIXES = (".nrrd", ".mha", ".mhd", ".nhdr")


def written(path: Path, array: np.ndarray, *, vector: bool = False, packed: bool = False) -> sitk.Image:
    """A file with an oblique, anisotropic lattice."""
    image = sitk.GetImageFromArray(array, isVector=vector)
    count = image.GetDimension()
    if count == 3:
        image.SetDirection(rotation(5).ravel().tolist())
    image.SetSpacing([0.5, 0.75, 2.5, 3.0][:count])
    image.SetOrigin([-31.5, 12.25, 80.125, 0.0][:count])
    sitk.WriteImage(image, str(path), useCompression=packed)
    return image


def only(path: Path):
    result = scan([path])
    assert [warning.text for warning in result.warnings] == []
    [series] = result.series
    return series


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_volume_lies_where_simpleitk_says(tmp_path, suffix, packed):
    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5) - 30
    theirs = written(tmp_path / f"volume{suffix}", values, packed=packed)
    series = only(tmp_path / f"volume{suffix}")
    image = load(series)
    assert (series.reader, series.description, series.warnings) == ("itk", "volume", ())
    assert image.grid == series.grid
    np.testing.assert_array_equal(image.voxels, values)
    for z, y, x in ((0, 0, 0), (2, 3, 4), (1, 0, 2)):
        np.testing.assert_allclose(
            image.grid.index_to_world((z, y, x)), theirs.TransformIndexToPhysicalPoint((x, y, z)), atol=1e-4
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.float32, np.float64])
def test_every_type_is_kept(tmp_path, dtype):
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    written(tmp_path / "volume.nrrd", values)
    voxels = load(only(tmp_path / "volume.nrrd")).voxels
    assert voxels.dtype == dtype
    np.testing.assert_array_equal(voxels, values)


@pytest.mark.parametrize(
    ("space", "x", "y"),
    [
        ("left-posterior-superior-time", 1, 1),
        ("right-anterior-superior-time", -1, -1),
        ("Left-Anterior-Superior-Time", 1, -1),
    ],
)
def test_the_space_of_a_nrrd_with_time_is_turned_to_lps(tmp_path, space, x, y):
    text = (
        f"NRRD0004\ntype: uint8\ndimension: 4\nspace: {space}\nsizes: 2 3 4 2\n"
        "space directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,1)\nspace origin: (10,20,30,0)\nencoding: raw\n\n"
    )
    (tmp_path / "a").write_bytes(text.encode() + bytes(range(48)))
    series = only(tmp_path / "a")
    assert series.warnings == ()
    np.testing.assert_allclose(series.grid.index_to_world((0, 0, 0)), (10 * x, 20 * y, 30))
    np.testing.assert_allclose(series.grid.index_to_world((1, 1, 1)), (12 * x, 23 * y, 34))
    assert load(series).grid == series.grid


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed"])
def test_a_space_that_says_nothing_of_the_patient_has_no_letters(tmp_path, space):
    text = (
        f"NRRD0004\ntype: uint8\ndimension: 3\nspace: {space}\nsizes: 2 3 4\n"
        "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\nencoding: raw\n\n"
    )
    (tmp_path / "a").write_bytes(text.encode() + bytes(range(24)))
    assert [warning.code for warning in only(tmp_path / "a").warnings] == ["no-orientation"]


def test_the_space_of_a_nrrd_is_turned_to_lps(tmp_path):
    text = (
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 3 4\n"
        "space directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\nencoding: raw\n\n"
    )
    (tmp_path / "a").write_bytes(text.encode() + bytes(range(24)))
    grid = only(tmp_path / "a").grid
    assert grid.shape == (4, 3, 2)
    np.testing.assert_allclose(grid.index_to_world((0, 0, 0)), (-10, -20, 30))
    np.testing.assert_allclose(grid.index_to_world((1, 1, 1)), (-12, -23, 34))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_fourth_axis_becomes_phases(tmp_path, suffix):
    values = np.arange(5 * 24, dtype=np.uint16).reshape(5, 2, 3, 4)
    written(tmp_path / f"four{suffix}", values)
    series = only(tmp_path / f"four{suffix}")
    assert (series.grid.shape, series.phases.name, series.phases.values) == ((2, 3, 4), "volume", (1, 2, 3, 4, 5))
    assert series.grid.spacing == pytest.approx((2.5, 0.75, 0.5))
    image = load(series)
    np.testing.assert_array_equal(image.dynamic.voxels, values)
    np.testing.assert_array_equal(image.at_phase(3).voxels, values[3])


def test_several_values_a_voxel_become_phases_and_three_bytes_a_colour(tmp_path):
    values = np.arange(24 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
    written(tmp_path / "dwi.nrrd", values, vector=True)
    image = load(only(tmp_path / "dwi.nrrd"))
    assert len(image.dynamic.axis) == 6
    np.testing.assert_array_equal(image.at_phase(4).voxels, values[..., 4])
    assert image.at_phase(4).voxels.flags.c_contiguous
    colours = np.arange(24 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    written(tmp_path / "colour.mha", colours, vector=True)
    image = load(only(tmp_path / "colour.mha"))
    assert image.is_colour
    assert image.dynamic is None
    np.testing.assert_array_equal(image.voxels, colours)
    clear = np.concatenate([colours, np.full((2, 3, 4, 1), 0, np.uint8)], axis=-1)
    written(tmp_path / "clear.nrrd", clear, vector=True)
    assert not load(only(tmp_path / "clear.nrrd")).voxels.any()


def test_a_flat_image_and_a_header_that_says_little(tmp_path):
    written(tmp_path / "flat.mha", np.arange(12, dtype=np.uint8).reshape(3, 4))
    series = only(tmp_path / "flat.mha")
    assert series.grid.shape == (1, 3, 4)
    assert [warning.code for warning in series.warnings] == ["no-orientation"]
    assert load(series).voxels.shape == (1, 3, 4)
    (tmp_path / "bare").write_bytes(b"NRRD0001\ntype: uchar\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n\n" + bytes(24))
    series = only(tmp_path / "bare")
    assert [warning.code for warning in series.warnings] == ["no-orientation", "uncalibrated"]
    assert not series.calibrated
    assert not load(series).calibrated


def test_the_modality_of_a_metaimage_is_taken(tmp_path):
    written(tmp_path / "a.mha", np.zeros((2, 3, 4), np.int16))
    data = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(data.replace(b"NDims = 3\n", b"NDims = 3\nModality = MET_MOD_CT\n"))
    assert only(tmp_path / "a.mha").modality == "CT"


def test_the_identity_stays(tmp_path):
    written(tmp_path / "a.mha", np.zeros((2, 3, 4), np.int16))
    written(tmp_path / "b.nrrd", np.zeros((2, 3, 4), np.int16))
    first, second = scan([tmp_path]), scan([tmp_path])
    assert [s.uid for s in first.series] == [s.uid for s in second.series]
    assert len({s.uid for s in first.series}) == 2
    assert [(s.number, s.description) for s in first.series] == [(1, "a"), (2, "b")]


# -- files that lead elsewhere, or promise what they do not hold


META = "ObjectType = Image\nNDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"
NRRD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n"


@pytest.fixture
def secret(tmp_path):
    """A file outside the folder that is opened, and the folder."""
    (tmp_path / "secret.raw").write_bytes(bytes(range(24)))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    (folder / "part.raw").write_bytes(bytes(24))
    return folder


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.mhd", META + "ElementDataFile = ../secret.raw\n", "outside its folder"),
        ("a.mhd", META + "ElementDataFile = {root}/secret.raw\n", "outside its folder"),
        ("a.mhd", META + "ElementDataFile: ..\\secret.raw\n", "outside its folder"),
        ("a.mhd", META + "ElementDataFile = LIST\npart.raw\n../secret.raw\n", "outside its folder"),
        ("a.mhd", META + "ElementDataFile = link.raw\n", "outside its folder"),
        ("a.mhd", META + "ElementDataFile = ../secret%03d.raw 1 4 1\n", "by a pattern"),
        ("a.mhd", META + "ElementDataFile = gone.raw\n", "not beside it"),
        ("a.mhd", META + "ElementDataFile = a\0b\n", "what is no name"),
        ("a.mhd", META + f"ElementDataFile = {'a' * 5000}\n", "what is no name"),
        ("a.mhd", META, "where its voxels are"),
        ("a.nhdr", NRRD + "data file: ../secret.raw\n", "outside its folder"),
        ("a.nhdr", NRRD + "datafile: {root}/secret.raw\n", "outside its folder"),
        ("a.nhdr", NRRD + "data file: LIST\npart.raw\n../secret.raw\n", "outside its folder"),
        ("a.nhdr", NRRD + "data file: part.raw\ndatafile: ../secret.raw\n", "twice"),
        ("a.nhdr", NRRD + "data file: part%d.raw 1 4 1\n", "by a pattern"),
        ("a.nhdr", NRRD + "data file: gone.raw\n", "not beside it"),
        ("a.nhdr", NRRD + "data file: LIST\n", "lists no files"),
    ],
)
def test_voxels_elsewhere_are_not_opened(secret, name, text, told):
    (secret / name).write_text(text.format(root=secret.parent))
    result = scan([secret])
    assert result.series == ()
    assert told in result.warnings[0].text
    assert result.warnings[0].text.startswith(name)


def test_a_list_beside_the_header_is_opened(tmp_path):
    for k in range(4):
        (tmp_path / f"{k}.raw").write_bytes(bytes(range(6 * k, 6 * k + 6)))
    names = "\n".join(f"{k}.raw" for k in range(4))
    (tmp_path / "a.mhd").write_text(META + f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = LIST\n{names}\n")
    np.testing.assert_array_equal(load(only(tmp_path / "a.mhd")).voxels.ravel(), np.arange(24))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_short_is_an_error(tmp_path, suffix, packed):
    noise = np.random.default_rng(1).integers(0, 200, (6, 20, 20)).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    written(path, noise, packed=packed)
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    series = scan([path]).series
    assert len(series) == 1
    with pytest.raises(UnreadableError, match="a\\."):
        load(series[0])


def test_bombs_are_not_unpacked(tmp_path):
    size = 1 + MAX_PACKED // 1024**2
    head = f"NRRD0004\ntype: uint8\ndimension: 3\nspace: LPS\nsizes: 1024 1024 {size}\n"
    head += "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\nencoding: gzip\n\n"
    (tmp_path / "big.nrrd").write_bytes(head.encode() + gzip.compress(bytes(100_000)))
    with pytest.raises(UnreadableError, match=r"would unpack to 2\.0 GB"):
        load(only(tmp_path / "big.nrrd"))
    (tmp_path / "liar.nrrd").write_bytes(head.replace(str(size), "1000").encode() + gzip.compress(bytes(100_000)))
    with pytest.raises(UnreadableError, match="cannot unpack to"):
        load(only(tmp_path / "liar.nrrd"))
    (tmp_path / "raw.nrrd").write_bytes(head.replace("gzip", "raw").encode() + bytes(1000))
    with pytest.raises(UnreadableError, match="ends before its voxels do"):
        load(only(tmp_path / "raw.nrrd"))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_headers_are_told_or_opened(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / ("a.nrrd" if seed % 2 else "a.mha")
    written(path, np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    data = bytearray(path.read_bytes())
    for at in rng.integers(0, len(data), 4):
        data[at] = rng.integers(0, 256)
    path.write_bytes(data)
    for series in scan([path]).series:
        try:
            load(series)
        except UnreadableError as error:
            assert str(error).endswith(".")  # noqa: PT017 - either is right, and nothing else
