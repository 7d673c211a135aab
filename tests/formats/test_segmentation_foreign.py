"""SEG of other programs, and masks of series that are not one plain file a slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.study import Series
from medviewer.errors import GridMismatchError, UnreadableError
from medviewer.formats import load_segmentation, save_segmentation, scan, write_dicom_series
from medviewer.formats.dicom import segmentation_pixels, whole
from medviewer.formats.dicom.resample import from_slices
from tests.formats.conftest import STUDY, dicom_axes, grid_of, image_of, series_of
from tests.formats.test_masks import BRAIN, dciodvfy

FRAME = "1.2.826.0.1.3680043.8.498.7"


def series_in(folder: Path, grid=None, shear: float = 0.0) -> Series:
    """A scanned series in a frame of reference, its slices shifted along y by `shear` mm from one to the next."""
    grid = grid or grid_of((5, 8, 9))
    header = replace(series_of(grid), frame_of_reference=FRAME)
    for k, file in enumerate(write_dicom_series(image_of(grid), folder, study=STUDY, series=header)):
        if shear:
            dataset = pydicom.dcmread(file)
            place = np.array(dataset.ImagePositionPatient, float) + k * shear * grid.axes[:, 1]
            dataset.ImagePositionPatient = [f"{value:.8f}" for value in place]
            dataset.save_as(file)
    [series] = scan([folder]).series
    return series


def foreign(path: Path, series: Series, pixels: np.ndarray, kind: str, count: int = 1, **more) -> Path:
    """A SEG as another program writes it, on the files of a series."""
    code = pydicom.sr.codedict.codes.SCT.Tissue
    described = [hd.seg.SegmentDescription(k + 1, f"S{k + 1}", code, code, "MANUAL") for k in range(count)]
    dataset = hd.seg.Segmentation(
        source_images=[pydicom.dcmread(file, stop_before_pixels=True) for file in series.files],
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=3,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Else",
        manufacturer_model_name="Else",
        software_versions="1",
        device_serial_number="1",
        **more,
    )
    dataset.save_as(path)
    return path


def blob(shape, seed=1) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < 0.4).astype(np.uint8)


def test_fractional_segments_are_cut_at_half(tmp_path):
    series = series_in(tmp_path)
    values = np.random.default_rng(2).random(series.grid.shape)
    path = foreign(tmp_path / "seg.dcm", series, values, "FRACTIONAL", max_fractional_value=200)
    mask = load_segmentation(path, series.grid)
    np.testing.assert_array_equal(mask.labels, np.rint(values * 200) >= 100)
    assert mask.provenance.notes == ("segments were fractional; what is at least half belongs to them",)


@pytest.mark.parametrize("count", [3, 300])
def test_a_label_map_segmentation_opens(tmp_path, count):
    series = series_in(tmp_path)
    labels = np.random.default_rng(3).integers(0, count + 1, series.grid.shape).astype(np.uint16)
    labels[0, 0, 0] = count
    path = foreign(tmp_path / "seg.dcm", series, labels, "LABELMAP", count)
    assert pydicom.dcmread(path).SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    mask = load_segmentation(path, series.grid)
    np.testing.assert_array_equal(mask.labels, labels)
    assert mask.labels.dtype == (np.uint8 if count < 256 else np.uint16)
    assert len(mask.segments) == count


def test_overlapping_segments_go_to_the_later_one(tmp_path):
    series = series_in(tmp_path)
    both = np.stack([blob(series.grid.shape, 1), blob(series.grid.shape, 2)], axis=-1)
    mask = load_segmentation(foreign(tmp_path / "seg.dcm", series, both, "BINARY", 2), series.grid)
    np.testing.assert_array_equal(mask.labels, np.where(both[..., 1], 2, both[..., 0]))
    shared = int(np.count_nonzero(both.all(axis=-1)))
    assert mask.provenance.notes == (f"{shared} voxels lay in more than one segment; the later segment has them",)


def test_a_mask_of_another_frame_of_reference_is_refused_though_its_slices_lie_at_the_same_numbers(tmp_path):
    series = series_in(tmp_path)
    drawn = blob(series.grid.shape)
    path = foreign(tmp_path / "seg.dcm", series, drawn, "BINARY")
    dataset = pydicom.dcmread(path)
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.save_as(path)
    # its program made the frame of reference up, but it was drawn on this series
    np.testing.assert_array_equal(load_segmentation(path, series=series).labels, drawn)
    dataset.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.5"
    dataset.save_as(path)
    with pytest.raises(GridMismatchError, match=r"another frame of reference than this series and was not drawn on it"):
        load_segmentation(path, series=series)


def test_a_deflated_mask_is_bounded_before_it_is_unpacked(tmp_path, monkeypatch):
    series = series_in(tmp_path)
    path = foreign(tmp_path / "seg.dcm", series, blob(series.grid.shape), "BINARY")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    assert load_segmentation(path, series=series).labels.any()
    monkeypatch.setattr(whole, "MAX_BYTES", 1000)
    with pytest.raises(UnreadableError, match="would unpack to more than"):
        load_segmentation(path, series=series)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_frames_are_decoded_in_a_process_of_their_own(tmp_path, monkeypatch, syntax):
    series = series_in(tmp_path, grid_of((5, 64, 66)))
    labels = np.random.default_rng(3).integers(0, 4, series.grid.shape).astype(np.uint8)
    path = foreign(tmp_path / "seg.dcm", series, labels, "LABELMAP", 3)
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)
    monkeypatch.setattr(Dataset, "pixel_array", property(lambda _: pytest.fail("decoded in this process")))
    np.testing.assert_array_equal(load_segmentation(path, series=series).labels, labels)
    monkeypatch.setattr(segmentation_pixels, "MAX_BYTES", 100)
    few = pydicom.dcmread(path)
    few.Rows, few.Columns = 60_000, 60_000
    few.save_as(path)
    with pytest.raises(UnreadableError, match=r"seg.dcm claims 18.0 GB of pixels but holds"):
        load_segmentation(path, series=series)


def test_a_compressed_frame_that_is_damaged_is_told(tmp_path):
    series = series_in(tmp_path, grid_of((5, 64, 66)))
    path = foreign(tmp_path / "seg.dcm", series, np.ones(series.grid.shape, np.uint8), "LABELMAP")
    dataset = pydicom.dcmread(path)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    dataset.save_as(path)
    data = path.read_bytes()
    at = data.rindex(b"\xff\x4f\xff\x51")
    path.write_bytes(data[: at + 4] + bytes(16) + data[at + 20 :])
    with pytest.raises(UnreadableError, match=r"seg.dcm is a DICOM SEG whose compressed frame 5 could not be decoded"):
        load_segmentation(path, series=series)


def test_times_are_iso_and_the_same_for_both_kinds():
    dataset = Dataset()
    assert whole.iso_time(dataset, "Content") == ""
    dataset.ContentDate, dataset.StructureSetDate, dataset.StructureSetTime = "20200301", "20200302", "1015"
    assert whole.iso_time(dataset, "Content") == "2020-03-01T00:00:00"
    assert whole.iso_time(dataset, "StructureSet") == "2020-03-02T10:15:00"


def without_places(path: Path) -> None:
    """Leave nothing but the references to the images that frames were drawn on."""
    dataset = pydicom.dcmread(path)
    for group in (*dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence):
        for keyword in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"):
            if keyword in group:
                del group[keyword]
    dataset.save_as(path)


@pytest.mark.parametrize("shear", [0.0, 1.0])
def test_frames_that_only_refer_to_images_find_their_slices(tmp_path, shear):
    series = series_in(tmp_path, shear=shear)
    drawn = blob((5, 8, 9))
    drawn[2] = 0  # a frame that is left out
    path = foreign(tmp_path / "seg.dcm", series, drawn, "BINARY")
    without_places(path)
    mask = load_segmentation(path, series=series)
    expected = drawn if series.source is None else from_slices(drawn, series.grid, series.source)
    np.testing.assert_array_equal(mask.labels, expected)
    with pytest.raises(GridMismatchError, match="open their series first"):
        load_segmentation(path, series.grid)
    with pytest.raises(GridMismatchError, match="drawn on images that are not in this series"):
        load_segmentation(path, series=replace(series, files=series.files[:1] * 5))


@pytest.mark.parametrize("shear", [1.0, -0.45])
def test_a_foreign_seg_on_tilted_slices_is_straightened_like_the_image(tmp_path, shear):
    series = series_in(tmp_path, shear=shear)
    assert series.source is not None
    drawn = blob((5, 8, 9))
    drawn[1] = 0
    path = foreign(tmp_path / "seg.dcm", series, drawn, "BINARY")
    expected = from_slices(drawn, series.grid, series.source)
    np.testing.assert_array_equal(load_segmentation(path, series=series).labels, expected)


def test_a_mask_of_a_tilted_series_is_saved_on_its_slices(tmp_path):
    series = series_in(tmp_path, shear=0.9)
    assert series.source is not None
    drawn = blob((5, 8, 9))
    mask = Segmentation(from_slices(drawn, series.grid, series.source), series.grid, (BRAIN,), series_uid=series.uid)
    save_segmentation(mask, tmp_path / "seg.dcm", series)
    assert dciodvfy(tmp_path / "seg.dcm") == []
    stored = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (stored.Rows, stored.Columns) == (8, 9)
    places = sorted(
        group.PlanePositionSequence[0].ImagePositionPatient[1] for group in stored.PerFrameFunctionalGroupsSequence
    )
    np.testing.assert_allclose(places, sorted(p[1] for p in series.source.positions), atol=1e-6)
    for back in (
        load_segmentation(tmp_path / "seg.dcm", series=series),
        load_segmentation(tmp_path / "seg.dcm", series.grid),
    ):
        np.testing.assert_array_equal(back.labels, mask.labels)


def test_a_seg_on_another_grid_of_the_same_frame_comes_to_the_nearest_voxel(tmp_path):
    coarse = grid_of((5, 8, 9), (2, 2, 2), (0, 0, 0))
    fine = grid_of((10, 16, 18), (1, 1, 1), (-0.5, -0.5, -0.5))
    series = series_in(tmp_path, coarse)
    drawn = blob(coarse.shape)
    path = foreign(tmp_path / "seg.dcm", series, drawn, "BINARY")
    other = replace(series_of(fine), frame_of_reference=FRAME)
    mask = load_segmentation(path, series=other)
    np.testing.assert_array_equal(mask.labels, drawn.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    assert "drawn on another grid (5 x 8 x 9 at 2.00 x 2.00 x 2.00 mm)" in mask.provenance.notes[0]
    for refused in (replace(other, frame_of_reference="1.2.3"), replace(other, frame_of_reference="")):
        with pytest.raises(GridMismatchError, match=r"open the (image|series) that it was drawn on"):
            load_segmentation(path, series=refused)
    far = series_of(grid_of((4, 4, 4), (1, 1, 1), (500, 0, 0)))
    with pytest.raises(GridMismatchError, match="open the image that it was drawn on"):
        load_segmentation(path, series=replace(far, frame_of_reference=FRAME))


def enhanced(path: Path, series: Series, phases: int) -> Path:
    """An enhanced MR file of the slices of a series, `phases` times, the last slice of the last phase first."""
    first = pydicom.dcmread(series.files[0])
    dataset = Dataset()
    dataset.update(first)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        del dataset[keyword]
    dataset.file_meta = first.file_meta
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = hd.UID()
    dataset.SeriesInstanceUID = hd.UID()
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    plane.ImageOrientationPatient = first.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    groups, planes = [], []
    for phase, file in reversed([(phase, file) for phase in range(phases) for file in series.files]):
        single = pydicom.dcmread(file)
        group, content, place = Dataset(), Dataset(), Dataset()
        content.TemporalPositionIndex = phase + 1
        place.ImagePositionPatient = single.ImagePositionPatient
        group.FrameContentSequence, group.PlanePositionSequence = [content], [place]
        groups.append(group)
        planes.append(single.pixel_array + phase)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], groups
    dataset.NumberOfFrames = len(planes)
    dataset.PixelData = np.stack(planes).astype(np.int16).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("phases", [1, 3])
def test_a_mask_of_a_multi_frame_series_refers_to_its_frames(tmp_path, phases):
    (tmp_path / "single").mkdir()
    single = series_in(tmp_path / "single", grid_of((4, 8, 9), axes=dicom_axes(5)))
    file = enhanced(tmp_path / "multi.dcm", single, phases)
    [series] = scan([file]).series
    assert series.frames == (4 * phases,)
    assert (series.phases is None) == (phases == 1)
    mask = Segmentation(blob(series.grid.shape) * 3, series.grid, (Segment(3, "Three"),), series_uid=series.uid)
    save_segmentation(mask, tmp_path / "seg.dcm", series)
    assert dciodvfy(tmp_path / "seg.dcm") == []
    np.testing.assert_array_equal(load_segmentation(tmp_path / "seg.dcm", series=series).labels, mask.labels)
    stored, image = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(file)
    assert [item.ReferencedSOPInstanceUID for item in stored.SourceImageSequence] == [image.SOPInstanceUID]
    [listed] = stored.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert (listed.ReferencedSOPClassUID, listed.ReferencedSOPInstanceUID) == (image.SOPClassUID, image.SOPInstanceUID)
    for group in stored.PerFrameFunctionalGroupsSequence:
        [source] = group.DerivationImageSequence[0].SourceImageSequence
        frame = image.PerFrameFunctionalGroupsSequence[source.ReferencedFrameNumber - 1]
        assert frame.FrameContentSequence[0].TemporalPositionIndex == 1
        np.testing.assert_allclose(
            np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float),
            np.array(group.PlanePositionSequence[0].ImagePositionPatient, float),
            atol=1e-4,
        )
    without_places(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(load_segmentation(tmp_path / "seg.dcm", series=series).labels, mask.labels)


def test_a_mask_of_several_files_a_slice_refers_to_those_of_the_first_phase(tmp_path):
    grid = grid_of((3, 8, 9))
    for echo in (1, 2):
        (tmp_path / str(echo)).mkdir()
        image = image_of(grid)
        for file in write_dicom_series(image, tmp_path / str(echo), study=STUDY, series=series_of(grid)):
            dataset = pydicom.dcmread(file)
            dataset.EchoTime, dataset.SOPInstanceUID = str(10 * echo), hd.UID()
            dataset.save_as(file)
    [series] = scan([tmp_path]).series
    assert series.phases is not None
    mask = Segmentation(blob(grid.shape), series.grid, (BRAIN,), series_uid=series.uid)
    save_segmentation(mask, tmp_path / "seg.dcm", series)
    assert dciodvfy(tmp_path / "seg.dcm") == []
    np.testing.assert_array_equal(load_segmentation(tmp_path / "seg.dcm", series=series).labels, mask.labels)
    referenced = {item.ReferencedSOPInstanceUID for item in pydicom.dcmread(tmp_path / "seg.dcm").SourceImageSequence}
    assert referenced == {pydicom.dcmread(file).SOPInstanceUID for file in sorted((tmp_path / "1").iterdir())}


def test_positions_that_a_header_rounds_are_those_of_the_slices(tmp_path):
    series = series_in(tmp_path, grid_of((5, 8, 9), spacing=(5, 0.7, 0.7)))
    dataset = pydicom.dcmread(series.files[2])
    dataset.ImagePositionPatient = [
        f"{float(v) + more:.3f}" for v, more in zip(dataset.ImagePositionPatient, (0.05, 0.05, 0.08), strict=True)
    ]
    dataset.save_as(series.files[2])
    [series] = scan([tmp_path]).series
    assert series.warnings == ()
    drawn = blob((5, 8, 9))
    path = foreign(tmp_path / "seg.dcm", series, drawn, "BINARY")
    mask = load_segmentation(path, series=series)
    np.testing.assert_array_equal(mask.labels, drawn)
    assert mask.provenance.notes == ()
    ours = Segmentation(drawn, series.grid, (BRAIN,), series_uid=series.uid)
    save_segmentation(ours, tmp_path / "ours.dcm", series)
    np.testing.assert_array_equal(load_segmentation(tmp_path / "ours.dcm", series=series).labels, drawn)


def test_a_mask_of_a_film_lies_on_its_first_frame(tmp_path, samples):
    [series] = scan([samples["color3d_jpeg_baseline.dcm"]]).series
    assert series.phases is not None
    labels = np.zeros(series.grid.shape, np.uint8)
    labels[0, 100:200, 50:300] = 1
    save_segmentation(Segmentation(labels, series.grid, (BRAIN,)), tmp_path / "seg.dcm", series)
    np.testing.assert_array_equal(load_segmentation(tmp_path / "seg.dcm", series=series).labels, labels)
    [group] = pydicom.dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence
    assert group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber == 1


@pytest.mark.parametrize("name", ["liver.dcm", "liver_1frame.dcm"])
def test_a_real_seg_opens(samples, name):
    mask = load_segmentation(samples[name])
    assert mask.labels.any()
