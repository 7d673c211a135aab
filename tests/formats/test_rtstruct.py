"""RT Structure Sets: contours filled in on axial, oblique, tilted and uneven slices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medviewer.domain.geometry import Grid
from medviewer.errors import GridMismatchError, UnreadableError
from medviewer.formats import load_segmentation
from medviewer.formats.dicom.placement import place
from medviewer.formats.dicom.rtstruct import read_rtstruct
from tests.formats.conftest import dicom_axes, grid_of, seeds, series_of

FRAME = "1.2.826.0.1.3680043.8.498.1"
Region = tuple[str, tuple[int, int, int], list[np.ndarray]]


def written(path: Path, regions: list[Region], kind: str = "CLOSED_PLANAR", frame: str = FRAME) -> Path:
    """A complete structure set; every contour is an array (n, 3) of world positions."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "RTSTRUCT"
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "ID1", "Doe^Jane", "", "F"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.StructureSetLabel, dataset.StructureSetDate, dataset.StructureSetTime = "Plan", "20200102", "101112"
    dataset.OperatorsName = "Planner"
    referenced, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = "1.2.3.4"
    study.RTReferencedSeriesSequence = [series]
    referenced.FrameOfReferenceUID, referenced.RTReferencedStudySequence = frame, [study]
    dataset.ReferencedFrameOfReferenceSequence = [referenced]
    rois, drawn = [], []
    for number, (name, colour, contours) in enumerate(regions, start=1):
        roi, item = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        item.ReferencedROINumber, item.ROIDisplayColor = number, list(colour)
        item.ContourSequence = []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
            contour.ContourData = [f"{value:.8g}" for value in np.ravel(points)]
            item.ContourSequence.append(contour)
        rois.append(roi)
        drawn.append(item)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = rois, drawn
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def loop(grid: Grid, z: float, corners: list[tuple[float, float]]) -> np.ndarray:
    """A contour through (y, x) places in pixels, on slice z."""
    return grid.index_to_world([(z, y, x) for y, x in corners])


def square(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (low, high), (high, high), (high, low)]


def at(path: Path, grid: Grid, **more) -> np.ndarray:
    return read_rtstruct(path, grid, replace(series_of(grid), frame_of_reference=FRAME, **more)).labels


def test_a_polygon_by_hand(tmp_path):
    grid = grid_of((3, 6, 7))
    triangle = [(0.5, 0.5), (0.5, 5.5), (4.5, 0.5)]  # y < 4.5 - 0.8 (x - 0.5)
    labels = at(written(tmp_path / "rs.dcm", [("A", (255, 0, 0), [loop(grid, 1, triangle)])]), grid)
    expected = np.zeros(grid.shape, np.uint8)
    expected[1, 1, 1:5] = 1  # x < 4.875
    expected[1, 2, 1:4] = 1  # x < 3.625
    expected[1, 3, 1:3] = 1  # x < 2.375
    expected[1, 4, 1:2] = 1  # x < 1.125
    np.testing.assert_array_equal(labels, expected)


def test_names_colours_and_origin(tmp_path):
    grid = grid_of((3, 6, 7))
    regions = [("Body", (10, 20, 300), [loop(grid, 0, square(-0.5, 4.5))]), ("Cord", (0, 255, 0), [])]
    path = written(tmp_path / "rs.dcm", regions)
    mask = load_segmentation(path, grid)
    assert [(s.label, s.name, s.colour) for s in mask.segments] == [
        (1, "Body", (10, 20, 255)),
        (2, "Cord", (0, 255, 0)),
    ]
    assert mask.series_uid == "1.2.3.4"
    assert (mask.provenance.author, mask.provenance.created) == ("Planner", "2020-01-02T10:11:12")
    assert mask.labels.dtype == np.uint8
    assert np.count_nonzero(mask.labels) == 25


def test_holes_by_two_contours_and_by_a_keyhole(tmp_path):
    grid = grid_of((2, 20, 20), spacing=(2, 1, 1))
    outer, inner = square(1.5, 16.5), square(5.5, 10.5)
    keyhole = [*outer, outer[0], *reversed(inner), inner[-1], outer[0]]
    keyhole = [*outer, outer[0], inner[0], inner[3], inner[2], inner[1], inner[0], outer[0]]
    two = at(written(tmp_path / "two.dcm", [("A", (1, 2, 3), [loop(grid, 0, outer), loop(grid, 0, inner)])]), grid)
    one = at(written(tmp_path / "one.dcm", [("A", (1, 2, 3), [loop(grid, 0, keyhole)])]), grid)
    expected = np.zeros(grid.shape, np.uint8)
    expected[0, 2:17, 2:17] = 1
    expected[0, 6:11, 6:11] = 0
    np.testing.assert_array_equal(two, expected)
    np.testing.assert_array_equal(one, expected)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(12, 20), st.floats(0.3, 1), st.floats(0.3, 1))
def test_a_disc_has_its_area_on_any_grid(tmp_path_factory, seed, radius, between_rows, between_columns):
    shape = (3, int(50 / between_rows), int(50 / between_columns))
    grid = grid_of(shape, spacing=(3.0, between_rows, between_columns), axes=dicom_axes(seed))
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    middle = np.array([(n - 1) / 2 * s for n, s in zip(shape[1:], grid.spacing[1:], strict=True)])
    places = (middle + radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)) / grid.spacing[1:]
    path = written(tmp_path_factory.mktemp("rs") / "rs.dcm", [("A", (1, 2, 3), [loop(grid, 1, places.tolist())])])
    labels = at(path, grid)
    area = np.count_nonzero(labels[1]) * between_rows * between_columns
    assert not labels[[0, 2]].any()
    assert area == pytest.approx(np.pi * radius**2, rel=0.04)


def crossings(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels from which a ray along x crosses the polygon an odd number of times."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    inside = np.zeros(shape, bool)
    for (y1, x1), (y2, x2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(3, 40))
def test_any_polygon_follows_the_even_odd_rule(tmp_path_factory, seed, count):
    # Most cross themselves and reach out of the image.
    corners = np.random.default_rng(seed).uniform(-5, 45, (count, 2))
    grid = grid_of((2, 40, 38), (1, 1, 1), (0, 0, 0))
    path = written(tmp_path_factory.mktemp("rs") / "rs.dcm", [("A", (1, 2, 3), [loop(grid, 1, corners.tolist())])])
    np.testing.assert_array_equal(at(path, grid)[1], crossings(corners, (40, 38)))


def test_a_contour_between_slices_is_drawn_on_the_nearer_one(tmp_path):
    grid = grid_of((4, 8, 8))
    regions = [("A", (1, 2, 3), [loop(grid, z, square(1.5, 4.5)) for z in (0.2, 2.7, 3.9, 4.8)])]
    mask = read_rtstruct(written(tmp_path / "rs.dcm", regions), grid)
    assert mask.labels.any(axis=(1, 2)).tolist() == [True, False, False, True]
    notes = " ".join(mask.provenance.notes)
    assert "2 contours lie between two slices" in notes
    assert "2 contours lie beyond the first or last slice" in notes


def test_overlaps_and_open_contours_are_noted(tmp_path):
    grid = grid_of((2, 8, 8))
    both = [("A", (1, 2, 3), [loop(grid, 0, square(0.5, 3.5))]), ("B", (3, 2, 1), [loop(grid, 0, square(2.5, 5.5))])]
    mask = read_rtstruct(written(tmp_path / "rs.dcm", both), grid)
    assert mask.provenance.notes == ("1 voxels lay in more than one region; the later region has them",)
    assert mask.labels[0, 3, 3] == 2
    lines = read_rtstruct(written(tmp_path / "open.dcm", both, kind="OPEN_PLANAR"), grid)
    assert not lines.labels.any()
    assert "2 points or open contours" in lines.provenance.notes[0]


def test_more_than_255_regions(tmp_path):
    grid = grid_of((2, 20, 20))
    regions = [
        (f"R{k}", (1, 2, 3), [loop(grid, 0, [(y - 0.4, x - 0.4), (y - 0.4, x + 0.4), (y + 0.4, x)])])
        for k, (y, x) in enumerate(np.ndindex(15, 20))
    ]
    labels = at(written(tmp_path / "rs.dcm", regions), grid)
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels[0, :15].ravel(), np.arange(1, 301))


def test_contours_in_other_planes_are_refused(tmp_path):
    grid, coronal = grid_of((9, 9, 9), (1, 1, 1)), grid_of((9, 9, 9), (1, 1, 1), axes=dicom_axes(3))
    path = written(tmp_path / "rs.dcm", [("A", (1, 2, 3), [loop(coronal, 4, square(1, 7))])])
    with pytest.raises(GridMismatchError, match="in planes at an angle to the slices of the image"):
        at(path, grid)


def test_another_frame_of_reference_is_refused(tmp_path):
    grid = grid_of()
    path = written(tmp_path / "rs.dcm", [("A", (1, 2, 3), [loop(grid, 0, square(0, 3))])], frame="1.2.3")
    with pytest.raises(GridMismatchError, match="another frame of reference"):
        at(path, grid)


def test_contours_need_an_image(samples):
    with pytest.raises(UnreadableError, match="need an image to lie on"):
        load_segmentation(samples["rtstruct.dcm"])


def test_a_real_structure_set(samples):
    # Its first contour is a rectangle of 400 x 300 mm at z = -200; the other two regions are points.
    grid = grid_of((5, 120, 120), (10, 4, 4), (-237, -237, -210))
    mask = load_segmentation(samples["rtstruct.dcm"], grid)
    assert [segment.colour for segment in mask.segments] == [(220, 160, 120), (255, 64, 255), (255, 64, 255)]
    assert np.count_nonzero(mask.labels[1] == 1) == 100 * 75
    assert mask.labels.any(axis=(1, 2)).tolist() == [False, True, True, True, False]
    assert "2 points or open contours" in mask.provenance.notes[0]


def test_contours_on_tilted_and_uneven_slices(tmp_path):
    along = np.array([0, 2, 4, 7, 9], float)
    positions = np.stack([0 * along, along * 0.4, along], axis=1)
    axes = np.array([[1, 0, 0], [0, 1, 0]], float)
    placed = place(positions, axes, (0.8, 0.8), (30, 30), 2.0, ["f"] * 5)
    assert placed.source is not None
    contours = [p + np.array([[x * 0.8, y * 0.8, 0] for y, x in square(9.5, 19.5)]) for p in positions]
    path = written(tmp_path / "rs.dcm", [("A", (1, 2, 3), contours)])
    labels = at(path, placed.grid, source=placed.source)
    # Every slice of the file has its 10 x 10 pixels, where they lie.
    for position in positions:
        z = round(float(placed.grid.world_to_index(position)[0]))
        assert np.count_nonzero(labels[z]) == 100
        places = placed.grid.index_to_world([(z, *at) for at in np.argwhere(labels[z])]) - position
        np.testing.assert_allclose(places[:, :2].mean(axis=0), [14.5 * 0.8] * 2, atol=0.41)


def test_a_broken_structure_set_is_one_readable_error(tmp_path):
    grid = grid_of()
    broken = written(tmp_path / "rs.dcm", [("A", (1, 2, 3), [np.arange(10.0)])])
    with pytest.raises(UnreadableError, match=r"rs\.dcm has a contour whose points are no points"):
        load_segmentation(broken, grid)
    dataset = pydicom.dcmread(broken)
    dataset.StructureSetROISequence[0].ROINumber = None
    dataset.save_as(broken)
    with pytest.raises(UnreadableError, match=r"rs\.dcm is an RTSTRUCT that could not be read"):
        load_segmentation(broken, grid)
