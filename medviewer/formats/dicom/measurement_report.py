"""Measurements as a DICOM structured report: TID 1500 in a Comprehensive 3D SR (PS3.16, PS3.3 A.35.13), by highdicom.

Regions are TID 1410, spheres TID 1411, all else TID 1501 groups. Points are coordinates in the patient (SCOORD3D) where
the image has a frame of reference, and on the pixels of the image (SCOORD) where it has none. What the standard has no
code for (which kind of measurement it is, its plane) has codes of our own, so that `read_measurements` brings back the
same measurements; other programs read the numbers and the shapes without them. Coordinates in the file are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code

from medviewer.domain.measure.measurement import REGIONS, TITLES, Measurement, radius_of
from medviewer.domain.measure.outline import axes_of, basis
from medviewer.domain.measure.values import Value
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.formats.dicom import measurement_codes as mc
from medviewer.formats.dicom.measurement_places import Frame, Frames, to_pixels
from medviewer.formats.dicom.observers import device_observer, person_observer
from medviewer.formats.dicom.own_objects import identity, sign, write_object

_SERIES_NUMBER = 9100
"""High, so that reports come after the images in every browser, and after masks."""

_LINES = {"bidirectional": ("Long axis", "Short axis")}


@dataclass(frozen=True)
class Measured:
    """A measurement with what it came to and the series that it was drawn on."""

    measurement: Measurement
    values: tuple[Value, ...]
    series: Series


def write_measurements(measured: Sequence[Measured], path: Path, author: str = "") -> None:
    """Write the measurements of a study as one report, which belongs to the study.

    Parameters
    ----------
    author
        Who measured; never the patient.

    Raises
    ------
    InputError
        If there are none, an image is no DICOM or its file is gone, or the files lack what a report needs.
    """
    if not measured:
        raise InputError("A report needs measurements, but the study has none; measure something first.")
    write_object(
        path,
        lambda: _build(measured, author),
        "cannot be a DICOM report, because its images lack what it needs; save it as .csv.",
    )


def _build(measured: Sequence[Measured], author: str) -> Dataset:
    import highdicom as hd

    frames = Frames()
    groups = [_group(one, frames.of(one.measurement, one.series)) for one in measured]
    context: dict[str, Any] = {"observer_device_context": device_observer()}
    person = person_observer(author)
    if person is not None:
        context["observer_person_context"] = person
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(**context),
        procedure_reported=mc.PROCEDURE,
        imaging_measurements=groups,
    )
    dataset = hd.sr.Comprehensive3DSR(
        evidence=frames.datasets,
        content=content[0],
        is_complete=True,
        **identity(_SERIES_NUMBER),
    )
    return sign(dataset, "Measurements, research use only")


def _group(one: Measured, frame: Frame) -> Any:
    import highdicom as hd

    m = one.measurement
    shared: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=m.uid, identifier=(m.label or TITLES[m.kind])[:64]),
        "qualitative_evaluations": [hd.sr.QualitativeEvaluation(mc.KIND, Code(m.kind, mc.OWN, TITLES[m.kind]))],
    }
    if m.target:
        role = mc.NODE if m.node else mc.TARGET
        shared["qualitative_evaluations"].append(hd.sr.QualitativeEvaluation(mc.ROLE, role))
    if m.kind in REGIONS or m.kind in ("point", "probe", "text", "arrow"):
        shared["measurements"] = [_number(value) for value in one.values]
        group = _region(one, frame, shared)
    else:
        shared["measurements"] = _lines(one, frame)
        group = hd.sr.MeasurementsAndQualitativeEvaluations(**shared)
    items = group[0].ContentSequence
    items.append(hd.sr.SourceImageForMeasurementGroup(*frame.reference))
    texts = [(mc.NORMAL, " ".join(repr(number) for number in m.normal)), (mc.PHASE, str(m.phase))]
    for name, text in [*texts, (mc.ORGAN, m.organ), (mc.COMMENT, m.text)]:
        if text:
            items.append(hd.sr.TextContentItem(name, text, hd.sr.RelationshipTypeValues.CONTAINS))
    return group


def _region(one: Measured, frame: Frame, shared: dict[str, Any]) -> Any:
    import highdicom as hd

    m, place = one.measurement, _frame_of_reference(one)
    graphic, points = _graphic(m, placed=bool(place))
    if not place:
        source = hd.sr.SourceImageForRegion(*frame.reference)
        flat = hd.sr.ImageRegion(graphic, to_pixels(points, one.series), source)
        return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=flat, **shared)
    if m.kind == "sphere":
        surface = hd.sr.VolumeSurface(
            graphic, points, place, source_images=[hd.sr.SourceImageForSegmentation(*frame.reference)]
        )
        return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_volume_surface=surface, **shared)
    region = hd.sr.ImageRegion3D(graphic, points, place)
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **shared)


def _graphic(m: Measurement, *, placed: bool) -> tuple[str, NDArray[np.float64]]:
    """Graphic type (PS3.3 C.18.6.1.1, C.18.9.1.1) and points (n, 3) in the world of a region."""
    points = m.array
    if m.kind == "ellipse":  # its long axis comes first
        _, first, second = axes_of(m)
        return "ELLIPSE", points if np.linalg.norm(first) >= np.linalg.norm(second) else points[[2, 3, 0, 1]]
    if m.kind in ("rectangle", "freehand"):
        return "POLYGON" if placed else "POLYLINE", np.vstack([points, points[:1]])
    if m.kind != "sphere":
        return ("POLYLINE" if len(points) > 1 else "POINT"), points
    if not placed:
        return "CIRCLE", points
    # The ends of three axes, of which the first goes through the point that the person chose.
    first = (points[1] - points[0]) / max(radius_of(m), 1e-12)
    axes = radius_of(m) * np.stack([first, *basis(first)])
    return "ELLIPSOID", np.concatenate([[points[0] + axis, points[0] - axis] for axis in axes])


def _lines(one: Measured, frame: Frame) -> list[Any]:
    """Numbers that were inferred from lines, each with its own lines."""
    m, points = one.measurement, one.measurement.array
    lines = [points]
    if m.kind == "cobb":
        lines = [points[:2], points[2:]]
    if m.kind != "bidirectional":
        return [_number(value, [_line(line, one, frame) for line in lines]) for value in one.values]
    ordered = sorted((points[:2], points[2:]), key=lambda line: -float(np.linalg.norm(line[1] - line[0])))
    return [
        _number(value, [_line(line, one, frame)])
        for name, line in zip(_LINES["bidirectional"], ordered, strict=True)
        for value in one.values
        if value.name == name
    ]


def _line(points: NDArray[np.float64], one: Measured, frame: Frame) -> Any:
    import highdicom as hd

    place = _frame_of_reference(one)
    if place:
        return hd.sr.CoordinatesForMeasurement3D("POLYLINE", points, place)
    source = hd.sr.SourceImageForRegion(*frame.reference)
    return hd.sr.CoordinatesForMeasurement("POLYLINE", to_pixels(points, one.series), source)


def _number(value: Value, coordinates: Sequence[Any] | None = None) -> Any:
    import highdicom as hd

    if value.name in mc.DERIVATIONS:
        name, derivation = mc.intensity_code(value.unit), mc.DERIVATIONS[value.name]
    else:
        name, derivation = mc.CONCEPTS[value.name], None
    return hd.sr.Measurement(
        name, value.number, mc.unit_code(value.unit), derivation=derivation, referenced_coordinates=coordinates
    )


def _frame_of_reference(one: Measured) -> str:
    """The frame of reference that the points lie in; empty where the image has no place in the patient."""
    return one.series.frame_of_reference if one.series.calibrated else ""
