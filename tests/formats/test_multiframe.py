"""Multi-frame objects: where a scan puts their frames, against positions worked out by hand and other readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from highdicom.volume import Volume
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    ParametricMapStorage,
    XRayAngiographicImageStorage,
    generate_uid,
)

from medviewer.errors import UnreadableError
from medviewer.formats import scan
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.multiframe import read_groups
from medviewer.formats.dicom.raw_groups import raw_groups

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SERIES = generate_uid(entropy_srcs=["multi-frame"])


def item(**values) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def base(sop_class: str, modality: str, count: int, **more) -> Dataset:
    """A multi-frame object of `count` frames, 4 x 6 pixels; frame k is all k."""
    ds = item(
        SOPClassUID=sop_class, SOPInstanceUID=generate_uid(), StudyInstanceUID="1.2.3", SeriesInstanceUID=SERIES,
        Modality=modality, SeriesNumber=1, InstanceNumber=1, NumberOfFrames=count, Rows=4, Columns=6,
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15,
        PixelRepresentation=0, FrameOfReferenceUID="1.2.4",
    )  # fmt: skip
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PixelData = np.repeat(np.arange(count, dtype=np.uint16), 24).tobytes()
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds


def frame(position=None, **content) -> Dataset:
    """Per-frame groups: plane position, and what else is known of the frame."""
    groups = item(FrameContentSequence=[item(**content)])
    if position is not None:
        groups.PlanePositionSequence = [item(ImagePositionPatient=list(position))]
    return groups


def shared(orientation=AXIAL, spacing=(0.5, 0.25), thickness=3) -> Dataset:
    return item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(orientation))],
        PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=thickness)],
    )


def enhanced(sop_class: str, modality: str, frames: list[Dataset], common: Dataset | None = None, **more) -> Dataset:
    ds = base(sop_class, modality, len(frames), **more)
    ds.SharedFunctionalGroupsSequence = [shared() if common is None else common]
    ds.PerFrameFunctionalGroupsSequence = frames
    return ds


def saved(folder: Path, *datasets: Dataset) -> Path:
    for k, ds in enumerate(datasets):
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder


# -- enhanced CT, MR, PET


def test_frames_are_sorted_along_the_normal_and_not_by_number(tmp_path):
    order = [3, 0, 2, 1]
    frames = [frame((-10, 20, 5 * z), StackID="1", InStackPositionNumber=9 - z) for z in order]
    saved(tmp_path, enhanced(EnhancedPETImageStorage, "PT", frames))
    [series] = scan([tmp_path]).series
    assert (series.uid, series.modality, series.frame_of_reference) == (SERIES, "PT", "1.2.4")
    assert (series.frames, series.index, series.phases) == ((4,), tuple(order), None)
    assert series.grid.shape == (4, 4, 6)
    assert series.grid.spacing == (5, 0.5, 0.25)
    assert series.grid.origin == (-10, 20, 0)
    assert series.warnings == ()


def test_a_coronal_stack_lies_where_highdicom_puts_it(tmp_path):
    frames = [frame((-10, 2.5 * k, 30)) for k in (2, 0, 1)]
    ds = enhanced(EnhancedMRImageStorage, "MR", frames, shared(CORONAL, (0.75, 0.5)))
    saved(tmp_path, ds)
    [series] = scan([tmp_path]).series
    plane = [groups.PlanePositionSequence[0].ImagePositionPatient for groups in frames]
    theirs = Volume.from_components(
        np.zeros((3, 4, 6)), position=plane[1], direction=np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]),
        spacing=(2.5, 0.75, 0.5), coordinate_system="PATIENT",
    )  # fmt: skip
    for k, z in enumerate(series.index):
        np.testing.assert_allclose(series.grid.index_to_world((z, 0, 0)), plane[k])
    corner = theirs.map_indices_to_reference(np.array([[2, 3, 5]]))[0]
    slot = series.grid.world_to_index(corner)
    np.testing.assert_allclose(np.sort(slot), np.sort([slot[0], 3, 5]))
    assert series.grid.letters(1) == ("S", "I")


def test_real_enhanced_ct_lies_where_simpleitk_puts_it(samples):
    [series] = scan([samples["eCT_Supplemental.dcm"]]).series
    theirs = sitk.ReadImage(str(samples["eCT_Supplemental.dcm"]))
    assert series.grid.shape == theirs.GetSize()[::-1]
    np.testing.assert_allclose(series.grid.spacing, theirs.GetSpacing()[::-1])
    for number in (0, 1):
        z = series.slice_of(number)
        # It takes the frames as they come, and this file's come from the other end.
        position = read_groups(samples["eCT_Supplemental.dcm"]).numbers(
            number, "PlanePositionSequence", "ImagePositionPatient"
        )
        np.testing.assert_allclose(series.grid.index_to_world((z, 0, 0)), position)


def test_a_real_enhanced_mr_without_positions_is_a_volume_of_unknown_place(samples):
    [series] = scan([samples["emri_small.dcm"]]).series
    assert series.grid.shape == (10, 64, 64)
    assert series.grid.spacing[0] == 1.2
    assert {warning.code for warning in series.warnings} == {"no-orientation", "uncalibrated"}
    assert (series.frames, series.frame_of_reference) == ((10,), "")


def test_a_file_a_frame_makes_one_volume(tmp_path):
    sets = [enhanced(EnhancedCTImageStorage, "CT", [frame((0, 0, 2 * z))], InstanceNumber=z) for z in range(3)]
    saved(tmp_path, *sets)
    [series] = scan([tmp_path]).series
    assert series.grid.shape == (3, 4, 6)
    assert (series.frames, series.index) == ((), (0, 1, 2))
    assert [path.name for path in series.files] == ["0.dcm", "1.dcm", "2.dcm"]


def test_a_concatenation_is_one_series(tmp_path):
    parts = []
    for k in (1, 0):  # the later part comes first
        frames = [frame((0, 0, 3 * (4 * k + z))) for z in range(4)]
        more = {"ConcatenationUID": "1.9", "InConcatenationNumber": k + 1, "ConcatenationFrameOffsetNumber": 4 * k}
        parts.append(enhanced(EnhancedCTImageStorage, "CT", frames, InstanceNumber=1, **more))
    saved(tmp_path, *parts)
    [series] = scan([tmp_path]).series
    assert series.grid.shape == (8, 4, 6)
    assert [path.name for path in series.files] == ["1.dcm", "0.dcm"]
    assert (series.frames, series.index) == ((4, 4), tuple(range(8)))


@pytest.mark.parametrize(
    ("groups", "name", "values", "unit", "interval"),
    [
        (lambda k: item(MREchoSequence=[item(EffectiveEchoTime=4.0 * k + 2)]), "echo", (2, 6, 10), "ms", None),
        (lambda k: item(MRDiffusionSequence=[item(DiffusionBValue=9.0 * k)]), "b-value", (0, 9, 18), "s/mm²", None),
        (
            lambda k: item(CardiacSynchronizationSequence=[item(NominalCardiacTriggerDelayTime=40.0 * k)]),
            "time", (0, 40, 80), "ms", 40,
        ),
        (
            lambda k: item(TemporalPositionSequence=[item(TemporalPositionTimeOffset=1.5 * k)]),
            "time", (0, 1500, 3000), "ms", None,
        ),
    ],
)  # fmt: skip
def test_what_changes_between_frames_is_the_fourth_axis(tmp_path, groups, name, values, unit, interval):
    frames = []
    for z in (2, 0, 1):
        for k in (1, 2, 0):
            one = frame((0, 0, 4 * z))
            one.update(groups(k))
            frames.append(one)
    saved(tmp_path, enhanced(EnhancedMRImageStorage, "MR", frames))
    [series] = scan([tmp_path]).series
    assert series.grid.shape == (3, 4, 6)
    assert series.phases is not None
    assert (series.phases.name, series.phases.unit, series.phases.interval_ms) == (name, unit, interval)
    assert series.phases.values == pytest.approx(values)
    assert series.index == tuple(k * 3 + z for z in (2, 0, 1) for k in (1, 2, 0))


def test_temporal_position_and_dimension_index_make_phases(tmp_path):
    timed = [frame((0, 0, 4 * z), TemporalPositionIndex=k + 1) for k in range(2) for z in range(3)]
    saved(tmp_path, enhanced(EnhancedMRImageStorage, "MR", timed))
    [series] = scan([tmp_path]).series
    assert (series.phases.name, series.phases.values) == ("time", (1, 2))
    assert series.index == tuple(range(6))
    pointers = [
        item(DimensionIndexPointer=pydicom.tag.Tag(0x0020, 0x9057)),
        item(DimensionIndexPointer=pydicom.tag.Tag(0x0018, 0x9073)),
    ]
    indexed = [frame((0, 0, 4 * z), DimensionIndexValues=[z + 1, 2 - k]) for k in range(2) for z in range(3)]
    saved(tmp_path, enhanced(EnhancedMRImageStorage, "MR", indexed, DimensionIndexSequence=pointers))
    [series] = scan([tmp_path]).series
    assert len(series.phases) == 2
    assert series.index == (3, 4, 5, 0, 1, 2)
    assert series.warnings == ()


def test_orientations_and_stacks_are_series_of_their_own(tmp_path):
    frames = [frame((0, 0, 4 * z), StackID="1") for z in range(3)]
    frames += [frame((0, 0, 100 + 4 * z), StackID="2") for z in range(2)]
    scout = frame((0, 50, 0), StackID="3")
    scout.PlaneOrientationSequence = [item(ImageOrientationPatient=list(CORONAL))]
    saved(tmp_path, enhanced(EnhancedMRImageStorage, "MR", [*frames, scout]))
    first, second, third = scan([tmp_path]).series
    assert [series.grid.shape[0] for series in (first, second, third)] == [3, 2, 1]
    assert first.uid == SERIES
    assert len({series.uid for series in (first, second, third)}) == 3
    assert all(series.instance_uid == SERIES for series in (second, third))
    assert first.index == (0, 1, 2, -1, -1, -1)
    assert second.index == (-1, -1, -1, 0, 1, -1)
    assert third.index == (-1, -1, -1, -1, -1, 0)
    assert first.frames == second.frames == third.frames == (6,)
    assert second.slot(0) == (-1, -1)
    assert {warning.code for warning in first.warnings} == {"mixed-orientations"}
    assert "3 of its 6 frames" in first.warnings[0].text


def test_tomosynthesis_is_a_volume(tmp_path):
    frames = [frame((0, 10, 1.0 * z)) for z in range(5)]
    ds = enhanced(BreastTomosynthesisImageStorage, "MG", frames, shared(spacing=(0.1, 0.1)))
    saved(tmp_path, ds)
    [series] = scan([tmp_path]).series
    assert (series.modality, series.grid.shape, series.grid.spacing) == ("MG", (5, 4, 6), (1, 0.1, 0.1))
    assert series.calibrated


@pytest.mark.parametrize(
    ("keyword", "bits", "dtype"), [("FloatPixelData", 32, "f4"), ("DoubleFloatPixelData", 64, "f8")]
)
def test_a_parametric_map_of_floats_is_a_volume(tmp_path, keyword, bits, dtype):
    ds = enhanced(ParametricMapStorage, "MR", [frame((0, 0, z)) for z in range(3)], BitsAllocated=bits)
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, name)
    setattr(ds, keyword, np.zeros(72, dtype).tobytes())
    saved(tmp_path, ds)
    [series] = scan([tmp_path]).series
    assert (series.grid.shape, series.frames) == ((3, 4, 6), (3,))
    assert series.warnings == ()


def test_a_missing_frame_is_named(tmp_path):
    saved(tmp_path, enhanced(EnhancedCTImageStorage, "CT", [frame((0, 0, z)) for z in (0, 1, 2, 4, 5)]))
    [series] = scan([tmp_path]).series
    assert [warning.code for warning in series.warnings] == ["missing-slice"]
    assert series.index == (0, 1, 2, 4, 5)


# -- films


@pytest.mark.parametrize(
    ("more", "values", "interval"),
    [
        ({"FrameTime": "40"}, (0, 40, 80, 120), 40),
        ({"FrameTimeVector": [0, 30, 50, 40], "FrameIncrementPointer": 0x00181065}, (0, 30, 80, 120), 40),
        ({"CineRate": "25"}, (0, 40, 80, 120), 40),
        ({"RecommendedDisplayFrameRate": "20"}, (0, 50, 100, 150), 50),
        ({"FrameTime": "0", "CineRate": "50"}, (0, 20, 40, 60), 20),
        ({"FrameTimeVector": [0, 30], "CineRate": "50"}, (0, 20, 40, 60), 20),
    ],
)
def test_a_film_has_time_as_its_fourth_axis(tmp_path, more, values, interval):
    ds = base(XRayAngiographicImageStorage, "XA", 4, ImagerPixelSpacing=[0.2, 0.2], **more)
    saved(tmp_path, ds)
    [series] = scan([tmp_path]).series
    assert series.uid.startswith(f"{SERIES}#")
    assert series.grid.shape == (1, 4, 6)
    assert (series.frames, series.index) == ((4,), (0, 1, 2, 3))
    assert (series.phases.name, series.phases.unit) == ("time", "ms")
    assert series.phases.values == pytest.approx(values)
    assert series.phases.interval_ms == pytest.approx(interval)
    assert series.grid.spacing[1:] == (0.2, 0.2)


def test_real_ultrasound_films_have_their_times_and_spacing(samples):
    [series] = scan([samples["color3d_jpeg_baseline.dcm"]]).series
    assert series.grid.shape == (1, 480, 640)
    assert (len(series.phases), series.phases.interval_ms) == (120, 33.333)
    assert series.phases.values[-1] == pytest.approx(119 * 33.333)
    # Physical Delta X is 0.05104970559477806 cm in its one region.
    assert series.grid.spacing[1:] == pytest.approx((0.5104970559, 0.5104970559))
    assert series.calibrated


def test_frames_without_timing_are_counted(samples):
    [series] = scan([samples["SC_rgb_2frame.dcm"]]).series
    assert (series.phases.name, series.phases.values, series.phases.interval_ms) == ("frame", (1, 2), None)


def region(**more) -> Dataset:
    values = {
        "RegionSpatialFormat": 1, "RegionLocationMinX0": 0, "RegionLocationMinY0": 0, "RegionLocationMaxX1": 5,
        "RegionLocationMaxY1": 3, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02, "PhysicalDeltaY": -0.03,
    }  # fmt: skip
    return item(**{**values, **more})


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([region()], (0.3, 0.2)),
        ([region(RegionSpatialFormat=4), region()], (0.3, 0.2)),
        ([region(RegionSpatialFormat=3), region()], None),
        ([region(RegionLocationMaxX1=2, RegionLocationMaxY1=1)], None),
        ([region(PhysicalUnitsXDirection=4)], None),
        ([region(), region(PhysicalDeltaX=0.05)], None),
        ([region(PhysicalDeltaX=0)], None),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_ultrasound_regions_calibrate_the_picture(tmp_path, regions, spacing, count):
    ds = base("1.2.840.10008.5.1.4.1.1.3.1", "US", count, SequenceOfUltrasoundRegions=regions)
    if count == 1:
        del ds.NumberOfFrames
    saved(tmp_path, ds)
    [series] = scan([tmp_path]).series
    assert series.calibrated == (spacing is not None)
    assert series.grid.spacing[1:] == pytest.approx(spacing or (1, 1))


# -- nuclear medicine and dose


def nuclear(count: int, **more) -> Dataset:
    return base(NuclearMedicineImageStorage, "NM", count, PixelSpacing=[4, 4], **more)


@pytest.mark.parametrize(("apart", "index"), [(5, (0, 1, 2)), (-5, (2, 1, 0))])
def test_a_reconstructed_tomogram_is_a_volume(tmp_path, apart, index):
    detector = item(ImagePositionPatient=[-8, -9, 100], ImageOrientationPatient=list(AXIAL))
    kind = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    more = {"SpacingBetweenSlices": apart, "SliceVector": [1, 2, 3], "DetectorInformationSequence": [detector]}
    saved(tmp_path, nuclear(3, ImageType=kind, **more))
    [series] = scan([tmp_path]).series
    assert (series.grid.shape, series.grid.spacing, series.index) == ((3, 4, 6), (5, 4, 4), index)
    assert series.grid.origin == (-8, -9, 100 if apart > 0 else 90)


def test_a_gated_tomogram_has_time_slots(tmp_path):
    detector = item(ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=list(AXIAL))
    more = {"SpacingBetweenSlices": 5, "SliceVector": [1, 2] * 3, "TimeSlotVector": [1, 1, 2, 2, 3, 3]}
    kind = ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
    saved(tmp_path, nuclear(6, ImageType=kind, DetectorInformationSequence=[detector], **more))
    [series] = scan([tmp_path]).series
    assert (series.grid.shape, series.phases.name, series.phases.values) == ((2, 4, 6), "time", (1, 2, 3))
    assert series.index == tuple(range(6))


def test_a_whole_body_scan_has_detectors_and_energy_windows(tmp_path):
    both = {"EnergyWindowVector": [1, 1, 2, 2], "DetectorVector": [1, 2, 1, 2]}
    saved(tmp_path, nuclear(4, **both), nuclear(2, EnergyWindowVector=[1, 1], DetectorVector=[1, 2]))
    found = {series.phases.name: series.phases.values for series in scan([tmp_path]).series}
    assert found == {"frame": (1, 2, 3, 4), "detector": (1, 2)}


def test_a_dynamic_study_has_its_durations(tmp_path):
    phases = [item(ActualFrameDuration=1000), item(ActualFrameDuration=5000)]
    vectors = {"PhaseVector": [1, 1, 2], "TimeSliceVector": [1, 2, 1]}
    saved(tmp_path, nuclear(3, PhaseInformationSequence=phases, **vectors))
    [series] = scan([tmp_path]).series
    assert (series.phases.name, series.phases.values, series.phases.unit) == ("time", (0, 1000, 2000), "ms")


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm"])
def test_a_dose_lies_where_simpleitk_puts_it(samples, name):
    [series] = scan([samples[name]]).series
    theirs = sitk.ReadImage(str(samples["rtdose.dcm"]))
    assert series.grid.shape == theirs.GetSize()[::-1]
    np.testing.assert_allclose(series.grid.spacing, theirs.GetSpacing()[::-1])
    np.testing.assert_allclose(series.grid.origin, theirs.GetOrigin())
    assert series.index == tuple(range(15))


@pytest.mark.parametrize("offsets", [[0, 5, 10], [100, 105, 110], [100, 95, 90], [0, -5, -10]])
def test_dose_offsets_are_relative_or_absolute(tmp_path, offsets):
    more = {"ImagePositionPatient": [1, 2, 100], "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [3, 3]}
    saved(tmp_path, base("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", 3, GridFrameOffsetVector=offsets, **more))
    [series] = scan([tmp_path]).series
    rising = offsets[1] > offsets[0]
    assert series.grid.origin == (1, 2, 100 if rising else 90)
    assert series.index == ((0, 1, 2) if rising else (2, 1, 0))


# -- bad input


@pytest.mark.parametrize("stated", ["1000000000", "7", "-3", "0"])
def test_a_wrong_number_of_frames_costs_nothing_but_a_warning(tmp_path, stated):
    ds = base(XRayAngiographicImageStorage, "XA", 5, FrameTime="40")
    ds.NumberOfFrames = stated
    saved(tmp_path, ds)
    result = scan([tmp_path])
    if int(stated) < 1:
        assert "no whole number of frames" in result.warnings[0].text
        return
    [series] = result.series
    assert series.frames == (5,)
    [text] = [warning.text for warning in series.warnings if warning.code == "truncated"]
    assert f"0.dcm holds 5 of the {stated} frames that it states" in text


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_millions_of_tiny_frames_are_no_recording(tmp_path, syntax):
    # A deflated file of some kilobytes has room for them.
    ds = base(XRayAngiographicImageStorage, "XA", 1, FrameTime="40")
    ds.file_meta.TransferSyntaxUID = syntax
    ds.Rows = ds.Columns = 1
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.NumberOfFrames, ds.PixelData = 7, 1_000_000, bytes(1_000_000)
    saved(tmp_path, ds)
    result = scan([tmp_path])
    assert result.series == ()
    assert "0.dcm has 1000000 frames, more than any recording has" in result.warnings[0].text


def test_fragments_bound_the_frames_of_a_compressed_film(tmp_path, samples):
    ds = pydicom.dcmread(samples["color3d_jpeg_baseline.dcm"])
    ds.NumberOfFrames = 100000
    ds.save_as(tmp_path / "a.dcm")
    [series] = scan([tmp_path]).series
    assert series.frames == (120,)
    assert "truncated" in [warning.code for warning in series.warnings]


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds, "SharedFunctionalGroupsSequence", []),
        lambda ds: setattr(ds, "PerFrameFunctionalGroupsSequence", ds.PerFrameFunctionalGroupsSequence[:2]),
        lambda ds: setattr(ds, "PerFrameFunctionalGroupsSequence", [Dataset()] * 4),
        lambda ds: setattr(ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", [-1, 0]),
        lambda ds: setattr(ds.SharedFunctionalGroupsSequence[0], "PlaneOrientationSequence", []),
        lambda ds: setattr(
            ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0], "ImageOrientationPatient", [0] * 6
        ),
    ],
)
def test_broken_groups_never_stop_a_scan(tmp_path, change):
    ds = enhanced(EnhancedCTImageStorage, "CT", [frame((0, 0, z)) for z in range(4)])
    change(ds)
    saved(tmp_path, ds)
    result = scan([tmp_path])
    shown = [slot for series in result.series for slot in series.index if slot >= 0]
    assert len(shown) == 4


def test_positions_that_are_no_numbers_leave_a_film(tmp_path):
    ds = enhanced(EnhancedCTImageStorage, "CT", [frame((111, 222, z)) for z in (1, 2, 333)])
    saved(tmp_path, ds)
    path = tmp_path / "0.dcm"
    path.write_bytes(path.read_bytes().replace(b"\\333", b"\\NaN"))
    first, film = scan([tmp_path]).series
    assert (first.index, film.index) == ((0, 1, -1), (-1, -1, 0))


def test_groups_are_asked_by_frame_and_macro(tmp_path):
    own = frame((0, 0, 3), StackID="A")
    saved(tmp_path, enhanced(EnhancedCTImageStorage, "CT", [frame((0, 0, 1)), own]))
    groups = read_groups(tmp_path / "0.dcm")
    assert groups.count == 2
    assert groups.numbers(1, "PlanePositionSequence", "ImagePositionPatient") == (0, 0, 3)
    assert groups.numbers(1, "PixelMeasuresSequence", "PixelSpacing") == (0.5, 0.25)
    assert groups.text(1, "FrameContentSequence", "StackID") == "A"
    assert groups.text(0, "FrameContentSequence", "StackID") == ""
    assert groups.item(7, "PlanePositionSequence") is None
    assert groups.numbers(0, "PixelMeasuresSequence", "NoSuchKeyword") == ()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_groups_read_from_bytes_are_those_that_pydicom_reads(tmp_path, implicit, undefined):
    frames = [frame((1, 2.5, z), StackID=f"S{z}", TemporalPositionIndex=z + 1) for z in range(3)]
    for k, one in enumerate(frames):
        one.MRDiffusionSequence = [item(DiffusionBValue=12.5 * k)] if k else []
        block = one.private_block(0x0029, "VENDOR", create=True)
        block.add_new(1, "SQ", [item(PatientComments="x", ReferencedImageSequence=[item(StackID="no")])])
    ds = enhanced(EnhancedMRImageStorage, "MR", frames)
    if implicit:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    for element in ds.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for one in element.value:
                one.is_undefined_length_sequence_item = undefined
    saved(tmp_path, ds)
    _same_groups(tmp_path / "0.dcm", "MRDiffusionSequence", "DiffusionBValue")


def test_groups_of_a_real_file_read_from_bytes(samples):
    _same_groups(samples["eCT_Supplemental.dcm"], "FrameContentSequence", "TemporalPositionIndex")


def _same_groups(path, macro, keyword) -> None:
    asked = {
        "PlanePositionSequence": {"ImagePositionPatient"},
        "PixelMeasuresSequence": {"PixelSpacing", "SliceThickness"},
        "FrameContentSequence": {"StackID"},
    }
    asked.setdefault(macro, set()).add(keyword)
    fast, slow = raw_groups(read_header(path), asked), read_groups(path)
    assert fast is not None
    for k in range(slow.count + 1):
        for name, keywords in asked.items():
            for key in keywords:
                if key == "StackID":
                    assert fast.text(k, name, key) == slow.text(k, name, key)
                else:
                    assert fast.numbers(k, name, key) == slow.numbers(k, name, key)
    assert fast.numbers(0, "PlanePositionSequence", "ImagePositionPatient")


def test_a_file_without_groups_has_none(samples, tmp_path):
    assert read_groups(samples["CT_small.dcm"]) is None
    with pytest.raises(UnreadableError, match="what it says of its frames could not be read"):
        read_groups(tmp_path / "nowhere.dcm")
