"""Masks and heat maps: every voxel comes back, from DICOM SEG and from NIfTI, or an error says why not."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.mask import Code, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import GridMismatchError, InputError, UnreadableError
from medviewer.formats import (
    load_heatmap,
    load_segmentation,
    nifti,
    save_heatmap,
    save_segmentation,
    scan,
    write_dicom_series,
)
from medviewer.formats.dicom.resample import from_slices, onto_slices
from medviewer.formats.lattice import onto
from tests.formats.conftest import (
    STUDY,
    dicom_axes,
    grid_of,
    image_of,
    origins,
    rotation,
    seeds,
    series_of,
    shapes,
    spacings,
)

BRAIN = Segment(
    1, "Brain", (86, 180, 233), Code("12738006", "SCT", "Brain"), Code("123037004", "SCT", "Anatomical Structure")
)
LESION = Segment(7, "Läsion", (230, 159, 0))
BY_MODEL = Provenance("brain-extraction", "0.1.0", "1.2.0", {"threshold": 0.5}, "ab" * 32, "algorithm", notes=("one",))


def dciodvfy(path: Path) -> list[str]:
    """Errors that the validator of dicom3tools finds; a system package that the tests need."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert any("Segmentation" in line for line in lines)
    return [line for line in lines if line.startswith("Error")]


def labels_of(grid: Grid, seed: int, labels=(0, 1, 7)) -> np.ndarray:
    """Random labels with at least one slice left empty where there are two."""
    values = np.random.default_rng(seed).choice(labels, grid.shape, p=[0.6, 0.3, 0.1]).astype(np.uint8)
    if grid.shape[0] > 1:
        values[seed % grid.shape[0]] = 0
    return values


def series_in(folder: Path, grid: Grid, modality="MR"):
    write_dicom_series(image_of(grid, modality=modality), folder, study=STUDY, series=series_of(grid, modality))
    return scan([folder]).series[0]


@settings(max_examples=12, deadline=None)
@given(seeds, shapes.filter(lambda shape: shape[1] * shape[2] >= 8), spacings, origins, st.booleans())
def test_seg_keeps_every_voxel(seed, shape, spacing, origin, by_model):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = series_in(folder, grid_of(shape, spacing, origin, dicom_axes(seed)))
        provenance = BY_MODEL if by_model else Provenance(author="Reader")
        mask = Segmentation(labels_of(series.grid, seed), series.grid, (BRAIN, LESION), provenance, series.uid)
        path = folder / "mask.seg.dcm"
        save_segmentation(mask, path, series)
        errors = dciodvfy(path)
        back = load_segmentation(path, series.grid)
        alone = load_segmentation(path)
    assert errors == []
    np.testing.assert_array_equal(back.labels, mask.labels)
    assert back.grid == series.grid
    assert back.series_uid == series.uid
    np.testing.assert_array_equal(onto(alone.labels, alone.grid, series.grid, "mask"), mask.labels)


@settings(max_examples=25, deadline=None)
@given(seeds, shapes, spacings, origins, st.sampled_from([np.uint8, np.uint16]))
def test_nifti_keeps_every_voxel(seed, shape, spacing, origin, dtype):
    grid = grid_of(shape, spacing, origin, rotation(seed))
    mask = Segmentation(labels_of(grid, seed).astype(dtype), grid, (BRAIN, LESION), BY_MODEL, "1.2.3")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "mask.nii.gz")
        save_segmentation(mask, path)
        back = load_segmentation(path, grid)
        assert nib.load(path).get_data_dtype() == dtype
    np.testing.assert_array_equal(back.labels, mask.labels)
    assert back.labels.dtype == dtype
    assert (back.segments, back.provenance, back.series_uid) == (mask.segments, mask.provenance, mask.series_uid)


@pytest.mark.parametrize(
    ("provenance", "kind"),
    [
        (BY_MODEL, "AUTOMATIC"),
        (Provenance("brain-extraction", "0.1.0", "1.2.0", author="reader"), "SEMIAUTOMATIC"),
        (Provenance(author="reader"), "MANUAL"),
    ],
)
def test_seg_says_who_made_it(tmp_path, provenance, kind):
    series = series_in(tmp_path, grid_of())
    mask = Segmentation(labels_of(series.grid, 1), series.grid, (BRAIN, LESION), provenance, series.uid)
    path = tmp_path / "mask.dcm"
    save_segmentation(mask, path, series)
    dataset = pydicom.dcmread(path)
    first = dataset.SegmentSequence[0]
    assert first.SegmentAlgorithmType == kind
    assert [item.SegmentLabel for item in dataset.SegmentSequence] == ["Brain", "Läsion"]
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "12738006"
    assert "Research use only" in dataset.ContentDescription
    assert dataset.ContentCreatorName != dataset.PatientName
    referenced = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {item.ReferencedSOPInstanceUID for item in referenced} == {
        pydicom.dcmread(file).SOPInstanceUID for file in series.files
    }
    if kind != "MANUAL":
        algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("brain-extraction", "1.2.0")
    back = load_segmentation(path, series.grid)
    assert back.segments == (BRAIN, LESION)
    assert back.provenance.plugin_id == provenance.plugin_id
    assert back.provenance.author == provenance.author
    if kind != "MANUAL":
        assert back.provenance == provenance


def test_an_empty_mask_can_be_saved_too(tmp_path):
    series = series_in(tmp_path, grid_of())
    mask = Segmentation(np.zeros(series.grid.shape, np.uint8), series.grid, (BRAIN,), series_uid=series.uid)
    save_segmentation(mask, tmp_path / "mask.dcm", series)
    assert dciodvfy(tmp_path / "mask.dcm") == []
    back = load_segmentation(tmp_path / "mask.dcm", series.grid)
    assert not back.labels.any()
    assert back.segments == (BRAIN,)


def test_seg_on_the_demo_studies_is_valid(tmp_path, demo):
    for name in ("colin27", "chest"):
        [series] = scan([demo / name]).series
        labels = np.zeros(series.grid.shape, np.uint8)
        labels[..., 40:80, 50:90] = 1
        mask = Segmentation(labels, series.grid, (BRAIN,), BY_MODEL, series.uid)
        path = tmp_path / f"{name}.dcm"
        save_segmentation(mask, path, series)
        assert dciodvfy(path) == []
        np.testing.assert_array_equal(load_segmentation(path, series.grid).labels, labels)


def test_seg_of_a_series_with_a_gap_or_uneven_slices_comes_back(tmp_path):
    for name in ("gap", "uneven"):
        folder = tmp_path / name
        folder.mkdir()
        files = list(series_in(folder, grid_of((9, 4, 5))).files)
        if name == "gap":
            files.pop(3).unlink()
        else:
            dataset = pydicom.dcmread(files[3])
            dataset.ImagePositionPatient[2] += 0.9
            dataset.save_as(files[3])
        [series] = scan([folder]).series
        assert len(series.warnings) == 1
        drawn = labels_of(series.grid, 5)
        if series.source is not None:  # what is painted between the slices of the file cannot be kept
            drawn = from_slices(onto_slices(drawn, series.grid, series.source), series.grid, series.source)
        mask = Segmentation(drawn, series.grid, (BRAIN, LESION), series_uid=series.uid)
        save_segmentation(mask, folder / "mask.dcm", series)
        assert dciodvfy(folder / "mask.dcm") == []
        np.testing.assert_array_equal(load_segmentation(folder / "mask.dcm", series.grid).labels, mask.labels)
        np.testing.assert_array_equal(load_segmentation(folder / "mask.dcm", series=series).labels, mask.labels)


def test_a_seg_of_another_program_opens(samples):
    mask = load_segmentation(samples["liver.dcm"])
    assert mask.grid.shape[1:] == (512, 512)
    assert mask.labels.any()
    assert mask.segments[0].name


@pytest.mark.parametrize(
    "notes",
    [
        {"segments": [{"label": 1, "name": "Brain"}]},
        {"segments": [{"label": 1, "name": "Brain", "colour": [1, 2], "code": {}, "category": {}}]},
        {"segments": [None]},
        {"segments": 3},
        {"provenance": {"no_such_field": 1}},
        {"provenance": None},
        {"provenance": {"notes": 3}},
    ],
)
def test_a_note_that_lacks_something_is_one_readable_error(tmp_path, notes):
    path = tmp_path / "mask.nii.gz"
    grid = grid_of()
    nifti.write(path, labels_of(grid, 1).astype(np.uint8), grid, notes=notes)
    with pytest.raises(UnreadableError, match=r"mask\.nii\.gz is damaged or of another version"):
        load_segmentation(path)
    if "provenance" in notes:
        with pytest.raises(UnreadableError, match=r"mask\.nii\.gz is damaged or of another version"):
            load_heatmap(path)


def test_seg_of_uneven_slices_keeps_every_slice(tmp_path):
    files = series_in(tmp_path, grid_of((8, 4, 5))).files
    for file, z in zip(files, (0, 5, 10, 15, 18, 21, 24, 27), strict=True):
        dataset = pydicom.dcmread(file)
        dataset.ImagePositionPatient = [0, 0, z]
        dataset.save_as(file)
    [series] = scan([tmp_path]).series
    assert series.source is not None
    slices = np.zeros((8, 4, 5), np.uint8)
    for z in range(8):
        slices[z, 0, : z % 5 + 1] = 1
    labels = from_slices(slices, series.grid, series.source)
    save_segmentation(Segmentation(labels, series.grid, (BRAIN,)), tmp_path / "mask.dcm", series)
    np.testing.assert_array_equal(load_segmentation(tmp_path / "mask.dcm", series.grid).labels, labels)
    stored = pydicom.dcmread(tmp_path / "mask.dcm")
    for group, plane in zip(stored.PerFrameFunctionalGroupsSequence, stored.pixel_array, strict=True):
        place = float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        np.testing.assert_array_equal(plane, slices[(0, 5, 10, 15, 18, 21, 24, 27).index(place)])
    instances = [
        item.ReferencedSOPInstanceUID
        for item in pydicom.dcmread(tmp_path / "mask.dcm").ReferencedSeriesSequence[0].ReferencedInstanceSequence
    ]
    assert instances == [pydicom.dcmread(file).SOPInstanceUID for file in files]


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_flipped_masks_land_on_their_voxels(tmp_path, axes):
    grid = grid_of((4, 5, 7), axes=rotation(9))
    labels = labels_of(grid, 2)
    columns = grid.axes.copy()
    columns[:, axes] *= -1
    corner = [(n - 1) if axis in axes else 0 for axis, n in enumerate(grid.shape)]
    flipped = Grid(grid.shape, grid.spacing, tuple(grid.index_to_world(corner)), tuple(columns.ravel()))
    save_segmentation(Segmentation(np.flip(labels, axes), flipped, (BRAIN,)), tmp_path / "mask.nii")
    np.testing.assert_array_equal(load_segmentation(tmp_path / "mask.nii", grid).labels, labels)


def test_swapped_axes_land_on_their_voxels(tmp_path):
    grid = grid_of((4, 5, 7))
    labels = labels_of(grid, 3)
    swapped = Grid((7, 4, 5), (0.4, 2.5, 0.7), grid.origin, tuple(grid.axes[:, [2, 0, 1]].ravel()))
    save_segmentation(Segmentation(labels.transpose(2, 0, 1), swapped, (BRAIN,)), tmp_path / "mask.nii")
    np.testing.assert_array_equal(load_segmentation(tmp_path / "mask.nii", grid).labels, labels)


@pytest.mark.parametrize("change", ["shape", "spacing", "origin", "direction"])
def test_a_mask_on_another_grid_is_refused_with_both_grids(tmp_path, change):
    series = series_in(tmp_path, grid_of())
    other = {
        "shape": grid_of((3, 5, 7)),
        "spacing": grid_of(spacing=(2.5, 0.7, 0.5)),
        "origin": grid_of(origin=(-31.3, 12.25, 80.125)),
        "direction": grid_of(axes=rotation(5)),
    }[change]
    for name in ("mask.dcm", "mask.nii.gz"):
        mask = Segmentation(np.ones(series.grid.shape, np.uint8), series.grid, (BRAIN,))
        save_segmentation(mask, tmp_path / name, series)
        with pytest.raises(GridMismatchError) as caught:
            load_segmentation(tmp_path / name, other)
        text = str(caught.value)
        assert series.grid.describe() in text
        assert other.describe() in text
        assert "open the image that it was drawn on" in text
    with pytest.raises(GridMismatchError, match="save the mask with the series"):
        save_segmentation(Segmentation(np.ones(other.shape, np.uint8), other, ()), tmp_path / "other.dcm", series)


def test_seg_needs_a_dicom_series(tmp_path, brain_file):
    [series] = scan([brain_file]).series
    mask = Segmentation(np.zeros(series.grid.shape, np.uint8), series.grid, ())
    for given_series in (None, series):
        with pytest.raises(InputError, match=r"save this mask as \.nii\.gz instead"):
            save_segmentation(mask, tmp_path / "mask.dcm", given_series)
    with pytest.raises(InputError, match=r"saved as \.dcm, \.nii or \.nii\.gz, not as mask\.png"):
        save_segmentation(mask, tmp_path / "mask.png", series)


def test_slices_too_small_for_a_seg_are_refused(tmp_path):
    series = series_in(tmp_path, grid_of((4, 3, 2)))
    mask = Segmentation(np.ones(series.grid.shape, np.uint8), series.grid, (BRAIN,))
    with pytest.raises(InputError, match=r"at least 8 pixels.*save as \.nii\.gz"):
        save_segmentation(mask, tmp_path / "mask.dcm", series)


def test_files_that_are_no_masks_are_refused(tmp_path, samples):
    (tmp_path / "text.nii").write_text("not a mask")
    with pytest.raises(UnreadableError, match="neither a DICOM SEG or RTSTRUCT nor NIfTI"):
        load_segmentation(tmp_path / "text.nii")
    with pytest.raises(UnreadableError, match="no segmentation"):
        load_segmentation(samples["MR_small.dcm"])
    nib.save(nib.Nifti1Image(np.full((2, 3, 4), -1.5), np.eye(4)), tmp_path / "image.nii")
    with pytest.raises(UnreadableError, match=r"values from -1\.5 to -1\.5, but labels"):
        load_segmentation(tmp_path / "image.nii")


def test_a_mask_of_another_program_gets_names(brain_file):
    mask = load_segmentation(brain_file)
    assert mask.labels.dtype == np.uint8
    assert int(mask.labels.sum()) == 1_737_193
    assert [segment.name for segment in mask.segments] == ["Label 1"]


def test_heat_maps_keep_values_and_meaning(tmp_path):
    grid = grid_of(axes=rotation(4))
    values = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    heatmap = Heatmap(values, grid, "Grad-CAM", "Brain", BY_MODEL, "1.2.3")
    save_heatmap(heatmap, tmp_path / "heat.nii.gz")
    back = load_heatmap(tmp_path / "heat.nii.gz", grid)
    np.testing.assert_array_equal(back.values, values)
    assert (back.method, back.target, back.provenance, back.series_uid) == ("Grad-CAM", "Brain", BY_MODEL, "1.2.3")
    with pytest.raises(GridMismatchError):
        load_heatmap(tmp_path / "heat.nii.gz", grid_of())
    with pytest.raises(InputError, match=r"not as heat\.png"):
        save_heatmap(heatmap, tmp_path / "heat.png")
    with pytest.raises(UnreadableError, match="no NIfTI file"):
        load_heatmap(Path(__file__))


def test_the_json_lies_in_a_nifti_comment(tmp_path):
    grid = grid_of()
    mask = Segmentation(np.zeros(grid.shape, np.uint8), grid, (BRAIN,), BY_MODEL)
    save_segmentation(mask, tmp_path / "mask.nii")
    [extension] = nib.load(tmp_path / "mask.nii").header.extensions
    assert extension.get_code() == 6
    notes = json.loads(extension.text.rstrip("\0 "))["medviewer"]
    assert notes["segments"][0]["name"] == "Brain"
    assert notes["provenance"]["model_version"] == "1.2.0"
