"""Measurements as DICOM structured reports: what stands in them, whether it is valid, and what comes back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medviewer import formats
from medviewer.domain.measure.measurement import HANDLES, KINDS, Kind, Measurement, new_uid, vector
from medviewer.domain.measure.values import values_of
from medviewer.domain.study import Series
from medviewer.errors import InputError, UnreadableError
from medviewer.formats.dicom.measurement_report import Measured


def dciodvfy(path: Path) -> list[str]:
    """Errors that the validator of dicom3tools finds; a system package that the tests need."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert any("Comprehensive3DSR" in line for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def measured(path: Path, z: float = 0.0, kinds: tuple[Kind, ...] = KINDS) -> list[Measured]:
    """One measurement of every kind in the first series below a path."""
    series = formats.scan([path]).series[0]
    image = formats.load(series)
    places = {
        "ellipse": [(10, 40), (60, 40), (35, 30), (35, 50)],
        "rectangle": [(10, 20), (10, 50.5), (30, 50.5), (30, 20)],
        "bidirectional": [(10, 20), (60, 20), (30, 30), (30, 15)],
    }
    found = []
    for kind in kinds:
        rng = np.random.default_rng(len(kind))
        spots = np.array(places.get(kind, rng.uniform(10, 60, (HANDLES[kind] or 7, 2))), float)
        points = series.grid.index_to_world(np.column_stack([np.full(len(spots), z), spots]))
        m = Measurement(
            new_uid(),
            kind,
            tuple(vector(point) for point in points),
            vector(series.grid.axes[:, 0]),
            series.uid,
            label="Läsion 1" if kind == "bidirectional" else "",
            text="see here" if kind in ("arrow", "text") else "",
            target=kind in ("bidirectional", "length"),
            node=kind == "length",
        )
        found.append(Measured(m, values_of(m, image), series))
    return found


def same(found: tuple[Measurement, ...], expected: list[Measured], tolerance_mm: float = 1e-4) -> None:
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected, strict=True):
        m = wanted.measurement
        assert (one.uid, one.kind, one.series_uid) == (m.uid, m.kind, m.series_uid)
        assert (one.label, one.text, one.target, one.node, one.phase) == (m.label, m.text, m.target, m.node, m.phase)
        assert one.normal == pytest.approx(m.normal)
        assert np.allclose(one.array, m.array, atol=tolerance_mm)


def listed(series: Series) -> list[Series]:
    return [series]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_every_kind_comes_back_from_a_valid_report(tmp_path: Path, samples: dict[str, Path], name: str) -> None:
    path, written = tmp_path / "sr.dcm", measured(samples[name])
    formats.write_measurements(written, path, "reader")
    assert dciodvfy(path) == []
    same(formats.read_measurements(path, listed(written[0].series)), written)


def test_a_volume_refers_to_the_slice_and_the_values_are_coded(tmp_path: Path, demo: Path) -> None:
    path, written = tmp_path / "sr.dcm", measured(demo / "colin27", 20.0, ("ellipse", "sphere", "length", "angle"))
    formats.write_measurements(written, path, "reader")
    assert dciodvfy(path) == []
    series = written[0].series
    same(formats.read_measurements(path, listed(series)), written)
    dataset = pydicom.dcmread(path)
    image = pydicom.dcmread(series.files[20], stop_before_pixels=True)
    assert dataset.StudyInstanceUID == image.StudyInstanceUID
    assert dataset.PatientID == image.PatientID
    evidence = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [one.ReferencedSOPInstanceUID for one in evidence.ReferencedSOPSequence] == [image.SOPInstanceUID]
    told = formats.read_document(path).text
    length = written[2].values[0].number
    assert f"Length: {length:.4f}"[:12] in told
    assert "Research" in told or "research" in str(dataset.SeriesDescription)
    # And it is listed with its study, as other reports are.
    (attachment,) = formats.scan([path]).attachments
    assert attachment.kind == "report"
    assert attachment.of_series == (series.instance_uid,)


def test_an_image_without_a_place_is_measured_on_its_pixels(tmp_path: Path, samples: dict[str, Path]) -> None:
    path, written = tmp_path / "sr.dcm", measured(samples["RG1_UNCI.dcm"])
    assert not written[0].series.frame_of_reference
    formats.write_measurements(written, path)
    assert dciodvfy(path) == []
    same(formats.read_measurements(path, listed(written[0].series)), written, 1e-3)


def test_frames_of_one_file_are_told_by_their_number(tmp_path: Path, samples: dict[str, Path]) -> None:
    name = "emri_small.dcm"
    path, written = tmp_path / "sr.dcm", measured(samples[name], 3.0, ("length", "rectangle"))
    formats.write_measurements(written, path)
    assert dciodvfy(path) == []
    same(formats.read_measurements(path, listed(written[0].series)), written)
    frames = [item.value for item in pydicom.dcmread(path).iterall() if item.keyword == "ReferencedFrameNumber"]
    assert frames
    assert set(frames) == {4}


def test_what_cannot_be_a_report_says_so(tmp_path: Path, brain_file: Path, samples: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="measure something first"):
        formats.write_measurements([], tmp_path / "sr.dcm")
    with pytest.raises(InputError, match=r"save those of other files as \.csv"):
        formats.write_measurements(measured(brain_file, 1.0, ("length",)), tmp_path / "sr.dcm")
    report = samples["test-SR.dcm"] if "test-SR.dcm" in samples else samples["CT_small.dcm"]
    with pytest.raises(UnreadableError, match="no measurements that can be read"):
        formats.read_measurements(report, [])
    assert list(tmp_path.iterdir()) == []


def test_the_shapes_of_other_programs_are_read_and_the_rest_is_counted(tmp_path: Path, demo: Path) -> None:
    kinds: tuple[Kind, ...] = ("length", "bidirectional", "angle", "cobb", "ellipse", "freehand", "sphere", "point")
    path, written = tmp_path / "sr.dcm", measured(demo / "colin27", 20.0, kinds)
    formats.write_measurements(written, path)
    dataset = pydicom.dcmread(path)
    groups = list(dataset.ContentSequence[-1].ContentSequence)
    own = {"99MEDVIEWER"}
    for group in groups:  # what is of our own coding scheme is nothing that others write
        group.ContentSequence = [
            one for one in group.ContentSequence if one.ConceptNameCodeSequence[0].CodingSchemeDesignator not in own
        ]
    dataset.save_as(path)
    series = written[0].series
    found = formats.read_report(path, [series])
    assert (found.not_listed, found.not_understood) == (0, 0)
    assert [m.kind for m, _ in found.measured] == list(kinds)
    for (m, values), wanted in zip(found.measured, written, strict=True):
        assert np.allclose(m.array, wanted.measurement.array, atol=1e-3), m.kind
        assert abs(np.dot(m.normal, wanted.measurement.normal)) == pytest.approx(1)
        lengths = {v.name: v.number for v in values if v.unit in ("mm", "°")}
        assert lengths == pytest.approx({v.name: v.number for v in wanted.values if v.unit in ("mm", "°")}, rel=1e-4)
    assert formats.read_report(path, []).not_listed == len(kinds)
    shape = next(one for one in pydicom.dcmread(path).iterall() if one.keyword == "GraphicType")
    assert shape.value
    for element in dataset.iterall():
        if element.keyword == "GraphicType":
            element.value = "MULTIPOINT"
    dataset.save_as(path)
    assert formats.read_report(path, [series]).not_understood >= len(kinds) - 1
