"""Several volumes in one series: phases, echoes and b-values whose slices lie at the same positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.geometry import SAME_POSITION_MM, position_of
from medviewer.formats.dicom.headers import Header

Key = tuple[float, ...]

_PARTS: tuple[tuple[str, int], ...] = (
    ("acquisition number", t.ACQUISITION_NUMBER),
    ("temporal position", t.TEMPORAL_POSITION_IDENTIFIER),
    ("echo number", t.ECHO_NUMBERS),
    ("echo time", t.ECHO_TIME),
    ("b-value", t.DIFFUSION_B_VALUE),
    ("trigger time", t.TRIGGER_TIME),
)
"""What tells volumes apart (PS3.3 C.7.6.16.2, C.8.3.1, C.8.13.5), in the order that they are sorted by."""

_BY_ORDER = "the order of acquisition and instance numbers, which is wrong where files are missing"


@dataclass(frozen=True, eq=False)
class Slice:
    """One file of a stack: its distance along the normal and its position, in mm."""

    distance: float
    position: NDArray[np.float64]
    header: Header


@dataclass(frozen=True)
class Volumes:
    """What the files of a stack make.

    Parameters
    ----------
    slices
        For every volume its slices, ascending along the normal.
    told_by
        What the volumes were told apart by, for a text.
    duplicates
        Files that hold the image of another file: SOP Instance UID and position are the same.
    """

    slices: list[list[Slice]]
    told_by: str
    duplicates: list[Header]


def instance(header: Header) -> tuple[int, str, str]:
    """The order of files that nothing else orders."""
    return header.whole(t.INSTANCE_NUMBER) or 0, header.plain(t.SOP_INSTANCE_UID), str(header.path)


def volumes_of(headers: Sequence[Header], normal: NDArray[np.float64]) -> Volumes:
    """Sort the files of a stack into volumes that have one file at each position."""
    duplicates: list[Header] = []
    places = [_without_duplicates(place, duplicates) for place in _places(headers, normal)]
    most = max(len(place) for place in places)
    if most == 1:
        return Volumes([[one for place in places for one in place]], "", duplicates)
    for name, key in _keys():
        values = sorted({key(one.header) for place in places for one in place})
        if len(values) == most and all(len({key(one.header) for one in place}) == len(place) for place in places):
            return Volumes([_with(places, key, value) for value in values], name, duplicates)
    ordered = [sorted(place, key=lambda one: (_full(one.header), instance(one.header))) for place in places]
    return Volumes([[p[k] for p in ordered if k < len(p)] for k in range(most)], _BY_ORDER, duplicates)


def _places(headers: Sequence[Header], normal: NDArray[np.float64]) -> list[list[Slice]]:
    """The files at each position, ascending along the normal."""
    placed = [(position, header) for header in headers if (position := position_of(header)) is not None]
    slices = [Slice(float(position @ normal), position, header) for position, header in placed]
    places: list[list[Slice]] = []
    for one in sorted(slices, key=lambda one: (one.distance, instance(one.header))):
        if places and one.distance - places[-1][0].distance < SAME_POSITION_MM:
            places[-1].append(one)
        else:
            places.append([one])
    return places


def _without_duplicates(place: Sequence[Slice], duplicates: list[Header]) -> list[Slice]:
    kept: dict[str, Slice] = {}
    for one in sorted(place, key=lambda one: instance(one.header)):
        # A file without a UID stands for itself.
        uid = one.header.plain(t.SOP_INSTANCE_UID) or str(one.header.path)
        if uid in kept:
            duplicates.append(one.header)
        else:
            kept[uid] = one
    return list(kept.values())


def _keys() -> list[tuple[str, Callable[[Header], Key]]]:
    """One part that may tell the volumes apart after the other, then all together."""
    return [*((name, _single(tag)) for name, tag in _PARTS), ("acquisition, time, echo and b-value together", _full)]


def _single(tag: int) -> Callable[[Header], Key]:
    return lambda header: (_value(header, tag),)


def _full(header: Header) -> Key:
    return tuple(_value(header, tag) for _, tag in _PARTS)


def _value(header: Header, tag: int) -> float:
    if tag == t.DIFFUSION_B_VALUE:
        value = header.double(tag)
        return -1.0 if value is None or not np.isfinite(value) else value
    values = header.numbers(tag)
    return values[0] if values and np.isfinite(values[0]) else -1.0


def _with(places: Sequence[Sequence[Slice]], key: Callable[[Header], Key], value: Key) -> list[Slice]:
    return [one for place in places for one in place if key(one.header) == value]
