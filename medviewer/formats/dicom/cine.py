"""What changes from frame to frame of a film, or of another multi-frame object without places in the patient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pydicom

from medviewer.domain.study import PhaseAxis
from medviewer.formats.dicom.multiframe import as_numbers, items_of, value_of

_VECTORS = {
    "EnergyWindowVector": "energy window",
    "DetectorVector": "detector",
    "PhaseVector": "phase",
    "RotationVector": "rotation",
    "RRIntervalVector": "R-R interval",
    "TimeSlotVector": "time slot",
    "AngularViewVector": "angular view",
    "SliceVector": "slice",
    "TimeSliceVector": "time slice",
}
"""The vectors of a nuclear medicine image (PS3.3 C.8.4.8): to which of these every frame belongs."""

_LONGEST_MS = 3.6e6
"""A frame that takes more than an hour is a mistake."""


def cine_axis(details: pydicom.Dataset, count: int) -> PhaseAxis:
    """The axis along which `count` frames follow each other.

    Parameters
    ----------
    details
        As `multiframe.read_details` returns them.
    count
        Number of frames.
    """
    varying = [key for key in _VECTORS if len(set(vector(details, key, count))) > 1]
    if varying:
        return _nuclear(details, varying, count)
    times = as_numbers(value_of(details, "FrameTimeVector"))[:count]
    if len(times) == count > 1 and min(times) >= 0 and 0 < max(times[1:]) <= _LONGEST_MS:
        since = np.cumsum([0.0, *times[1:]])
        return PhaseAxis("time", _rounded(since), "ms", float(since[-1]) / (count - 1))
    interval = _interval(details)
    if interval is not None:
        return PhaseAxis("time", _rounded(np.arange(count) * interval), "ms", interval)
    return PhaseAxis("frame", tuple(float(k) for k in range(1, count + 1)))


def is_timed(details: pydicom.Dataset) -> bool:
    """Whether the file says how much time lies between its frames."""
    return _interval(details) is not None or bool(as_numbers(value_of(details, "FrameTimeVector")))


def vector(details: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """A vector with one number a frame; empty where it has another length."""
    values = as_numbers(value_of(details, keyword))
    return values[:count] if len(values) >= count else ()


def _interval(details: pydicom.Dataset) -> float | None:
    """Milliseconds from frame to frame (PS3.3 C.7.6.5), by the frame's time first and by a rate else."""
    time = as_numbers(value_of(details, "FrameTime"))
    if time and 0 < time[0] <= _LONGEST_MS:
        return time[0]
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = as_numbers(value_of(details, keyword))
        if rate and 1000 / _LONGEST_MS <= rate[0] <= 1e6:
            return 1000 / rate[0]
    return None


def _nuclear(details: pydicom.Dataset, varying: list[str], count: int) -> PhaseAxis:
    """The one thing that changes, by its name; frames that differ in more are only counted."""
    times = _durations(details, count) if set(varying) <= {"PhaseVector", "TimeSliceVector"} else ()
    if times:
        since = np.cumsum([0.0, *times[:-1]])
        return PhaseAxis("time", _rounded(since), "ms", float(np.median(times)))
    values = vector(details, varying[0], count)
    if len(varying) == 1 and len(set(values)) == count:
        return PhaseAxis(_VECTORS[varying[0]], values)
    return PhaseAxis("frame", tuple(float(k) for k in range(1, count + 1)))


def _durations(details: pydicom.Dataset, count: int) -> tuple[float, ...]:
    """Actual Frame Duration in ms of every frame of a dynamic study; empty where it is not known of all."""
    phases = vector(details, "PhaseVector", count) or (1.0,) * count
    known = [
        as_numbers(value_of(item, "ActualFrameDuration")) for item in items_of(details, "PhaseInformationSequence")
    ]
    if any(not 1 <= phase <= len(known) or not known[int(phase) - 1] for phase in phases):
        return ()
    times = tuple(known[int(phase) - 1][0] for phase in phases)
    return times if all(0 < time <= _LONGEST_MS for time in times) else ()


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)
