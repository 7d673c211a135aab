"""Every frame of every file as a plane: what its own header would say, had it one.

Enhanced objects say in functional groups what single-frame files say in their header. Here that is put back, so that
everything after this sees single frames only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import Struct

import numpy as np
import pydicom
from numpy.typing import NDArray

from medviewer.domain.study import PhaseAxis
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.cine import cine_axis, is_timed, vector
from medviewer.formats.dicom.geometry import axes_of, pixel_spacing, position_of
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.kinds import stated_frames, usable_frames
from medviewer.formats.dicom.multiframe import (
    FrameGroups,
    as_numbers,
    groups_of,
    items_of,
    read_details,
    value_of,
)
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.raw_groups import RawGroups, raw_groups
from medviewer.formats.dicom.ultrasound import region_spacing

Raw = dict[int, bytes]

_DOUBLES = {True: Struct("<d").pack, False: Struct(">d").pack}

_CONTENT = "FrameContentSequence"

_VIEW = (
    (t.IMAGE_POSITION_PATIENT, "PlanePositionSequence", "ImagePositionPatient"),
    (t.IMAGE_ORIENTATION_PATIENT, "PlaneOrientationSequence", "ImageOrientationPatient"),
    (t.PIXEL_SPACING, "PixelMeasuresSequence", "PixelSpacing"),
    (t.SLICE_THICKNESS, "PixelMeasuresSequence", "SliceThickness"),
    (t.SPACING_BETWEEN_SLICES, "PixelMeasuresSequence", "SpacingBetweenSlices"),
    (t.ACQUISITION_NUMBER, _CONTENT, "FrameAcquisitionNumber"),
    (t.TEMPORAL_POSITION_IDENTIFIER, _CONTENT, "TemporalPositionIndex"),
    (t.FRAME_REFERENCE_TIME, "TemporalPositionSequence", "TemporalPositionTimeOffset"),
    (t.ECHO_TIME, "MREchoSequence", "EffectiveEchoTime"),
    (t.DIFFUSION_B_VALUE, "MRDiffusionSequence", "DiffusionBValue"),
    (t.TRIGGER_TIME, "RespiratorySynchronizationSequence", "NominalRespiratoryTriggerDelayTime"),
    (t.TRIGGER_TIME, "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
)
"""Elements of a single-frame header, and where an enhanced object says the same (PS3.3 C.7.6.16.2, C.8.13.5)."""

_FRAME_TYPES = (
    "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "ParametricMapFrameTypeSequence",
)
_MACROS = {macro: {keyword for _, other, keyword in _VIEW if other == macro} for _, macro, _ in _VIEW}
_MACROS |= {macro: {"FrameType"} for macro in _FRAME_TYPES}
_MACROS[_CONTENT] |= {"StackID", "DimensionIndexValues"}
"""What is asked of functional groups."""

_PLACES = ("ImagePositionPatient", "ImagePositionVolume", "InStackPositionNumber", "StackID")
"""A dimension index that points at one of these says where a frame lies, not which volume it belongs to."""

_MOST_FRAMES = 200_000
"""Frames of one file; far more than any recording has, and few enough to be listed: a small file can hold millions."""

_VOLUMES = ("CT", "MR", "NM", "PT")
"""Modalities whose multi-frame images hold slices when Spacing Between Slices is all that they say."""


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """One frame: its position in mm, and what is known of it.

    Parameters
    ----------
    header
        What the file and its functional groups say of this frame.
    file
        The header of its file.
    number, of
        Which frame of the file, from 0, and how many it holds.
    position
        World position (x, y, z) in mm of the first pixel's centre; None for a frame without a place.
    stack
        Its Stack ID; empty where there is none.
    indices
        Its Dimension Index Values that do not say where it lies.
    placed
        False where only the distance to the frames of its own file is known.
    """

    header: Header
    file: Header
    number: int = 0
    of: int = 1
    position: NDArray[np.float64] | None = None
    stack: str = ""
    indices: tuple[float, ...] = ()
    placed: bool = True


@dataclass(frozen=True, eq=False)
class Film:
    """The frames of one file that lie nowhere in the patient, and the axis along which they follow each other."""

    planes: tuple[Plane, ...]
    axis: PhaseAxis


def is_multi(header: Header) -> bool:
    """Whether a file has several frames, or says of its one frame what it says in functional groups."""
    return stated_frames(header) > 1 or t.SHARED_GROUPS in header.raw or t.FRAME_GROUPS in header.raw


def single(header: Header) -> Plane:
    """The plane of a file with one frame."""
    position = position_of(header)
    if t.ULTRASOUND_REGIONS in header.raw:
        details = read_details(header.path)
        return Plane(_calibrated(header, details), header, position=position)
    return Plane(header, header, position=position)


def frames_of(header: Header) -> tuple[list[Plane], Film | None]:
    """The planes of a multi-frame file that have a place, and the film that the others make.

    Raises
    ------
    UnreadableError
        If what it says of its frames cannot be read, or they are more than any recording has.
    """
    count = usable_frames(header)
    if count > _MOST_FRAMES:
        raise UnreadableError(
            f"{header.path.name} has {count} frames, more than any recording has; it was left out, export it again."
        )
    raw = raw_groups(header, _MACROS)
    details = read_details(header.path, groups=raw is None)
    with quiet():
        groups = raw or groups_of(details)
        if groups is not None:
            planes = _enhanced(header, details, groups, count)
        else:
            planes = _listed(_calibrated(header, details), header, details, count)
    placed = [plane for plane in planes if plane.position is not None]
    rest = tuple(plane for plane in planes if plane.position is None)
    return placed, Film(rest, _axis(details, rest, count)) if rest else None


def _axis(details: pydicom.Dataset, rest: Sequence[Plane], count: int) -> PhaseAxis:
    axis = cine_axis(details, count)
    return axis if len(rest) == count else replace(axis, values=tuple(axis.values[one.number] for one in rest))


def _calibrated(header: Header, details: pydicom.Dataset) -> Header:
    """The header with the pixel spacing of its ultrasound regions, where it has none itself."""
    shape = (header.integer(t.ROWS) or 0, header.integer(t.COLUMNS) or 0)
    found = None if pixel_spacing(header)[2] else region_spacing(details, shape)
    return header if found is None else _with(header, {t.PIXEL_SPACING: _decimal(found)})


def _with(header: Header, more: Raw) -> Header:
    return replace(header, raw={**header.raw, **more})


def _decimal(values: Sequence[float]) -> bytes:
    return "\\".join(repr(float(value)) for value in values).encode()


# Enhanced objects


def _enhanced(header: Header, details: pydicom.Dataset, groups: RawGroups | FrameGroups, count: int) -> list[Plane]:
    """Planes of an object with functional groups."""
    pointers = _pointers(details)
    oriented: dict[bytes | None, bool] = {}
    view = header
    planes = []
    for k in range(count):
        raw = dict(header.raw)
        for tag, macro, keyword in _VIEW:
            numbers = groups.numbers(k, macro, keyword)
            if numbers:
                raw[tag] = _stored(header, tag, numbers)
        for macro in _FRAME_TYPES:
            if text := groups.text(k, macro, "FrameType"):
                raw[t.IMAGE_TYPE] = text.encode("ascii", "replace")
        if raw != view.raw:
            view = replace(header, raw=raw)
        orientation = raw.get(t.IMAGE_ORIENTATION_PATIENT)
        if orientation not in oriented:
            oriented[orientation] = axes_of(view) is not None
        position = position_of(view) if oriented[orientation] else None
        stack = groups.text(k, _CONTENT, "StackID")
        planes.append(Plane(view, header, k, count, position, stack, _indices(groups, k, pointers)))
    return planes


def _stored(header: Header, tag: int, numbers: tuple[float, ...]) -> bytes:
    """Numbers as a single-frame header stores them in an element."""
    if tag == t.DIFFUSION_B_VALUE:
        return _DOUBLES[header.little_endian](numbers[0])
    # Temporal Position Time Offset is in s, the single-frame element in ms.
    return _decimal([1000 * value for value in numbers] if tag == t.FRAME_REFERENCE_TIME else numbers)


def _pointers(dataset: pydicom.Dataset) -> list[bool]:
    """For every dimension of the object whether it says something other than where a frame lies."""
    items = items_of(dataset, "DimensionIndexSequence")
    places = {pydicom.datadict.tag_for_keyword(keyword) for keyword in _PLACES}
    return [value_of(item, "DimensionIndexPointer") not in places for item in items]


def _indices(groups: RawGroups | FrameGroups, k: int, pointers: Sequence[bool]) -> tuple[float, ...]:
    if not any(pointers):
        return ()
    values = groups.numbers(k, _CONTENT, "DimensionIndexValues")
    return tuple(value for value, counts in zip(values, pointers, strict=False) if counts)


# Multi-frame objects that came before functional groups


def _listed(view: Header, header: Header, details: pydicom.Dataset, count: int) -> list[Plane]:
    """Planes of an object whose frames are placed by a vector of its own, or not at all."""
    places = _dose(details, count) or _nuclear(header, details, count) or _slices(header, details, count)
    if not places:
        return [Plane(view, header, k, count) for k in range(count)]
    origin, axes, along, placed = places
    raw = {t.IMAGE_ORIENTATION_PATIENT: _decimal(axes.ravel().tolist())}
    normal = np.cross(axes[0], axes[1])
    slots = _slots(details, count)
    planes = []
    for k in range(count):
        if slots:
            raw[t.TEMPORAL_POSITION_IDENTIFIER] = _decimal(slots[k : k + 1])
        own = _with(view, {**raw, t.IMAGE_POSITION_PATIENT: _decimal((origin + along[k] * normal).tolist())})
        planes.append(
            Plane(own, header, k, count, position_of(own) if axes_of(own) is not None else None, placed=placed)
        )
    return planes


_Places = tuple[NDArray[np.float64], NDArray[np.float64], Sequence[float], bool]
"""Position of the first pixel, unit steps along x and y, for every frame its distance along the normal in mm, and
whether the position is known."""


def _dose(details: pydicom.Dataset, count: int) -> _Places | None:
    """Planes of a dose, from Grid Frame Offset Vector (PS3.3 C.8.8.3.2).

    It starts with 0 and tells distances from the first plane, or it tells the z of axial planes.
    """
    offsets = vector(details, "GridFrameOffsetVector", count)
    plane = _plane(details)
    if plane is None or not offsets:
        return None
    origin, axes = plane
    normal = np.cross(axes[0], axes[1])
    if offsets[0] != 0 and abs(offsets[0] - origin[2]) < 1e-2:
        return origin, axes, [(offset - origin[2]) * float(np.sign(normal[2]) or 1.0) for offset in offsets], True
    return origin, axes, offsets, True


def _nuclear(header: Header, details: pydicom.Dataset, count: int) -> _Places | None:
    """Slices of a reconstructed nuclear medicine image (PS3.3 C.8.4.15): its detector's place and Slice Vector."""
    detectors = items_of(details, "DetectorInformationSequence")
    plane = _plane(detectors[0]) if detectors else None
    numbers = vector(details, "SliceVector", count)
    apart = as_numbers(value_of(details, "SpacingBetweenSlices"))
    if plane is None or not numbers or not apart or apart[0] == 0 or "RECON" not in header.plain(t.IMAGE_TYPE):
        return None
    # A negative spacing stacks the slices in front of the first one.
    return *plane, [(number - 1) * apart[0] for number in numbers], True


def _slices(header: Header, details: pydicom.Dataset, count: int) -> _Places | None:
    """Slices of which only the distance is known, one after the other; the patient may lie in any way."""
    apart = as_numbers(value_of(details, "SpacingBetweenSlices"))
    sliced = header.plain(t.MODALITY).upper() in _VOLUMES and not is_timed(details)
    if not sliced or not apart or not 0 < abs(apart[0]) < 1e3 or value_of(details, "DetectorInformationSequence"):
        return None
    plane = _plane(details)
    origin, axes = plane or (np.zeros(3), np.eye(3)[:2])
    return origin, axes, [k * abs(apart[0]) for k in range(count)], plane is not None


def _slots(details: pydicom.Dataset, count: int) -> tuple[float, ...]:
    """Which time of a gated or dynamic reconstruction every frame belongs to; empty where there is only one."""
    for keyword in ("TimeSlotVector", "TimeSliceVector", "PhaseVector"):
        values = vector(details, keyword, count)
        if len(set(values)) > 1:
            return values
    return ()


def _plane(dataset: pydicom.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Image Position and Orientation (Patient) of a dataset; None where they are not both there."""
    position = as_numbers(value_of(dataset, "ImagePositionPatient"))
    orientation = as_numbers(value_of(dataset, "ImageOrientationPatient"))
    if len(position) != 3 or len(orientation) != 6:
        return None
    return np.array(position), np.reshape(orientation, (2, 3))
