"""Measurements from the reports that `medviewer.formats.dicom.measurement_report` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code

from medviewer.domain.measure.measurement import KINDS, TITLES, Kind, Measurement, vector
from medviewer.domain.study import Series
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import measurement_codes as mc
from medviewer.formats.dicom.measurement_places import from_pixels, series_with
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.whole import read_whole

_GROUP = "125007"
"""Measurement Group (DCM), a container of TID 1410, 1411 and 1501."""


def read_measurements(path: Path, listed: Sequence[Series]) -> tuple[Measurement, ...]:
    """The measurements of a report of ours that were drawn on one of the listed series, in its order.

    Raises
    ------
    UnreadableError
        If the file is missing or damaged, or has no measurements that medviewer wrote.
    """
    dataset = read_whole(path)
    try:
        with quiet():
            groups = [item for item in _items(dataset) if _is(item, _GROUP)]
            ours = [group for group in groups if _code(group, mc.KIND) in KINDS]
            found = [m for group in ours if (m := _measurement(group, listed)) is not None]
    except Exception as error:  # pydicom converts values when they are asked for, and raises whatever they lead to
        text = f"{path.name} should be a report of measurements, but it is damaged; fetch it again."
        raise UnreadableError(text, type(error).__name__) from error
    if not ours:
        raise UnreadableError(f"{path.name} has no measurements that medviewer wrote; open it as a document.")
    return tuple(found)


def _measurement(group: Dataset, listed: Sequence[Series]) -> Measurement | None:
    references = [item.ReferencedSOPSequence[0] for item in _items(group) if item.ValueType == "IMAGE"]
    named = [(str(one.ReferencedSOPInstanceUID), one.get("ReferencedFrameNumber") or 1) for one in references]
    instance, frame = named[-1]
    series = series_with(instance, listed)
    if series is None:
        return None
    kind: Kind = next(kind for kind in KINDS if kind == _code(group, mc.KIND))
    points = _handles(kind, [_points(item, series, instance, int(np.ravel(frame)[0])) for item in _shapes(group)])
    role, label = _code(group, mc.ROLE), _text(group, Code("112039", "DCM", "Tracking Identifier"))
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
    )


def _handles(kind: Kind, shapes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The handles of a measurement from its shapes."""
    points = shapes[0]
    if kind in ("bidirectional", "cobb"):
        return np.vstack(shapes[:2])
    if kind in ("rectangle", "freehand"):
        return points[:-1]  # the last closes it
    if kind == "sphere" and len(points) == 6:
        return np.stack([points[:2].mean(axis=0), points[0]])
    return points


def _shapes(group: Dataset) -> Iterator[Dataset]:
    """Every shape once: two numbers of one group may lie on the same line."""
    seen = set()
    for item in _items(group):
        data = tuple(item.get("GraphicData") or ())
        if item.ValueType in ("SCOORD", "SCOORD3D") and data not in seen:
            seen.add(data)
            yield item


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
