"""Measurements from structured reports of TID 1500: those that medviewer wrote, and the plain shapes of other programs.

What `medviewer.formats.dicom.measurement_report` wrote comes back as it was. Of other programs, groups of measurements
(TID 1410, 1411, 1501) are understood by their shapes: points, lines of two and three points, circles, ellipses and
closed lines. What is not understood, or lies on a series that is not listed, is counted and told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code

from medviewer.domain.measure.measurement import KINDS, TITLES, Kind, Measurement, vector
from medviewer.domain.measure.values import Value
from medviewer.domain.study import Series
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import measurement_codes as mc
from medviewer.formats.dicom.measurement_places import from_pixels, series_with
from medviewer.formats.dicom.measurement_shapes import Shape, foreign
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.whole import read_whole

_GROUP = "125007"
"""Measurement Group (DCM), a container of TID 1410, 1411 and 1501."""
_TRACKING = Code("112039", "DCM", "Tracking Identifier")
_NAMES = {code.value: name for name, code in mc.CONCEPTS.items()}
_STATISTICS = {code.value: name for name, code in mc.DERIVATIONS.items() if code is not None}


@dataclass(frozen=True)
class ReadReport:
    """What a report of measurements holds.

    Parameters
    ----------
    measured
        What was understood, each with the numbers that the report gives.
    not_listed
        Groups on images that are not listed.
    not_understood
        Groups whose shape is none that is measured here.
    """

    measured: tuple[tuple[Measurement, tuple[Value, ...]], ...] = ()
    not_listed: int = 0
    not_understood: int = 0


def read_measurements(path: Path, listed: Sequence[Series]) -> tuple[Measurement, ...]:
    """The measurements of a report that lie on one of the listed series, in its order. Raises as `read_report` does."""
    return tuple(m for m, _ in read_report(path, listed).measured)


def read_report(path: Path, listed: Sequence[Series]) -> ReadReport:
    """The measurements of a report, with their numbers, and how much of it was left.

    Raises
    ------
    UnreadableError
        If the file is missing or damaged, or has no group of measurements.
    """
    dataset = read_whole(path)
    try:
        with quiet():
            groups = [item for item in _items(dataset) if _is(item, _GROUP)]
            found = [_read(group, listed) for group in groups]
    except Exception as error:  # pydicom converts values when they are asked for, and raises whatever they lead to
        text = f"{path.name} should be a report of measurements, but it is damaged; fetch it again."
        raise UnreadableError(text, type(error).__name__) from error
    if not groups:
        raise UnreadableError(f"{path.name} has no measurements that can be read (TID 1500); open it as a document.")
    return ReadReport(
        tuple(one for one in found if isinstance(one, tuple)), found.count("not listed"), found.count("not understood")
    )


def _read(group: Dataset, listed: Sequence[Series]) -> tuple[Measurement, tuple[Value, ...]] | str:
    """A group as a measurement with its numbers; else ``not listed`` or ``not understood``."""
    instance, frame = _image_of(group)
    series = series_with(instance, listed) or _in_frame(group, listed)
    if series is None:
        return "not listed"
    ours = _code(group, mc.KIND) in KINDS
    m = _ours(group, series, instance, frame) if ours else _theirs(group, series, instance, frame)
    return "not understood" if m is None else (m, _values(group))


def _image_of(group: Dataset) -> tuple[str, int]:
    """SOP Instance UID and frame number of the image that a group was measured on; empty where it names none."""
    named = [item.ReferencedSOPSequence[0] for item in _items(group) if item.ValueType == "IMAGE"]
    if not named:
        return "", 1
    frame = named[-1].get("ReferencedFrameNumber") or 1
    return str(named[-1].ReferencedSOPInstanceUID), int(np.ravel(frame)[0])


def _in_frame(group: Dataset, listed: Sequence[Series]) -> Series | None:
    """The first series in the frame of reference that a group's points are given in, where it names no image."""
    frames = {str(item.get("ReferencedFrameOfReferenceUID", "")) for item in _items(group)} - {""}
    if any(item.ValueType == "IMAGE" for item in _items(group)):
        return None
    return next((series for series in listed if series.frame_of_reference in frames), None)


def _ours(group: Dataset, series: Series, instance: str, frame: int) -> Measurement:
    kind: Kind = next(kind for kind in KINDS if kind == _code(group, mc.KIND))
    points = _handles(kind, [shape.points for shape in _shapes(group, series, instance, frame)])
    role, label = _code(group, mc.ROLE), _text(group, _TRACKING)
    return Measurement(
        uid=next(str(item.UID) for item in _items(group) if item.ValueType == "UIDREF"),
        kind=kind,
        points=tuple(vector(point) for point in points),
        normal=vector([float(number) for number in _text(group, mc.NORMAL).split()]),
        series_uid=series.uid,
        label="" if label == TITLES[kind] else label,
        text=_text(group, mc.COMMENT),
        target=bool(role),
        node=role == mc.NODE.value,
        phase=int(_text(group, mc.PHASE) or 0),
        organ=_text(group, mc.ORGAN),
    )


def _theirs(group: Dataset, series: Series, instance: str, frame: int) -> Measurement | None:
    """What another program measured, by its shape; None where that is none of ours."""
    found = foreign(list(_shapes(group, series, instance, frame)), series.grid)
    if found is None:
        return None
    kind, points, normal = found
    uid = next((str(item.UID) for item in _items(group) if item.ValueType == "UIDREF"), "")
    return Measurement(
        uid=uid,
        kind=kind,
        points=tuple(vector(point) for point in points),
        normal=vector(normal),
        series_uid=series.uid,
        label=_text(group, _TRACKING)[:64],
    )


def _handles(kind: Kind, shapes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The handles of a measurement of ours from its shapes."""
    points = shapes[0]
    if kind in ("bidirectional", "cobb"):
        return np.vstack(shapes[:2])
    if kind in ("rectangle", "freehand"):
        return points[:-1]  # the last closes it
    if kind == "sphere" and len(points) == 6:
        return np.stack([points[:2].mean(axis=0), points[0]])
    return points


def _values(group: Dataset) -> tuple[Value, ...]:
    """The numbers of a group, as far as they have names here."""
    units = {code.value: unit for unit, code in mc.UNITS.items()}
    found = []
    for item in _items(group):
        measured = item.get("MeasuredValueSequence")
        if item.ValueType != "NUM" or not measured:
            continue
        names = item.get("ConceptNameCodeSequence")
        name = _NAMES.get(str(names[0].get("CodeValue", ""))) if names else None
        name = name or next((_STATISTICS[code] for code in _derivations(item) if code in _STATISTICS), None)
        unit = measured[0].MeasurementUnitsCodeSequence[0]
        if name is not None:
            code = str(unit.get("CodeValue", ""))
            told = units.get(code, str(unit.get("CodeMeaning", "")) if code.startswith("{") else code)
            found.append(Value(name, float(measured[0].NumericValue), told))
    return tuple({value.name: value for value in found}.values())


def _derivations(item: Dataset) -> list[str]:
    return [
        str(child.ConceptCodeSequence[0].get("CodeValue", "")) for child in _items(item) if child.ValueType == "CODE"
    ]


def _shapes(group: Dataset, series: Series, instance: str, frame: int) -> Iterator[Shape]:
    """Every shape once, in the world: two numbers of one group may lie on the same line."""
    seen = set()
    for item in _items(group):
        data = tuple(item.get("GraphicData") or ())
        if item.ValueType in ("SCOORD", "SCOORD3D") and data not in seen:
            seen.add(data)
            yield Shape(str(item.GraphicType), _points(item, series, instance, frame))


def _points(item: Dataset, series: Series, instance: str, frame: int) -> NDArray[np.float64]:
    data = np.asarray(item.GraphicData, float)
    if item.ValueType == "SCOORD3D":
        return data.reshape(-1, 3)
    return from_pixels(data.reshape(-1, 2), series, instance, frame)


def _items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        yield from _items(child)


def _is(item: Dataset, value: str) -> bool:
    names = item.get("ConceptNameCodeSequence")
    return bool(names) and names[0].get("CodeValue") == value


def _text(group: Dataset, name: Code) -> str:
    return next(
        (str(item.TextValue) for item in _items(group) if item.ValueType == "TEXT" and _is(item, name.value)), ""
    )


def _code(group: Dataset, name: Code) -> str:
    coded = (item for item in _items(group) if item.ValueType == "CODE" and _is(item, name.value))
    return next((str(item.ConceptCodeSequence[0].CodeValue) for item in coded), "")
