"""Several volumes in one series: phases, echoes and b-values whose slices lie at the same positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.study import PhaseAxis
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.frames import Plane
from medviewer.formats.dicom.geometry import SAME_POSITION_MM
from medviewer.formats.dicom.headers import Header

Key = tuple[float | str, ...]

_PARTS: tuple[tuple[str, int], ...] = (
    ("acquisition number", t.ACQUISITION_NUMBER),
    ("temporal position", t.TEMPORAL_POSITION_IDENTIFIER),
    ("frame reference time", t.FRAME_REFERENCE_TIME),
    ("echo number", t.ECHO_NUMBERS),
    ("echo time", t.ECHO_TIME),
    ("b-value", t.DIFFUSION_B_VALUE),
    ("trigger time", t.TRIGGER_TIME),
    ("image type", t.IMAGE_TYPE),
)
"""What tells volumes apart (PS3.3 C.7.6.16.2, C.8.3.1, C.8.13.5), in the order that they are sorted by."""

_TRIED = (1, 2, 4, 3, 5, 6, 0, 7)
"""The order of parts by how much each says: the number of an acquisition only where nothing else differs."""

_ALL = "time, echo, b-value and kind together"
_DIMENSIONS = "dimension index"
_BY_ORDER = "the order of acquisition and instance numbers, which is wrong where files are missing"

_SIDEWAYS_MM = 0.1
"""Planes at one distance along the normal that lie further apart sideways are not planes of one grid."""

_COMPLETE = 0.9
"""Part of the positions that every volume must have to be one phase of a series; one slice may lack anyway."""


@dataclass(frozen=True)
class Volumes:
    """What the planes of a stack make.

    Parameters
    ----------
    places
        One plane of every position, ascending along the normal.
    volumes
        For every volume its planes with the number of their place, ascending.
    told_by
        What the volumes were told apart by, for a text.
    duplicates
        Files that hold the image of another file: SOP Instance UID and position are the same.
    axis
        The 4th axis that the volumes make; None where there is one volume, or their positions differ.
    in_order
        Whether only the order of the files told the volumes apart.
    """

    places: list[Plane]
    volumes: list[list[tuple[int, Plane]]]
    told_by: str
    duplicates: list[Header]
    axis: PhaseAxis | None = None
    in_order: bool = False


Place = list[Plane]


def instance(header: Header) -> tuple[int, str, str]:
    """The order of files that nothing else orders."""
    return header.whole(t.INSTANCE_NUMBER) or 0, header.plain(t.SOP_INSTANCE_UID), str(header.path)


def volumes_of(planes: Sequence[Plane], normal: NDArray[np.float64]) -> Volumes:
    """Sort the planes of a stack, all of which have a position, into volumes that have one plane at each position."""
    duplicates: list[Header] = []
    places = [place if len(place) == 1 else _without_duplicates(place, duplicates) for place in _places(planes, normal)]
    firsts = [place[0] for place in places]
    most = max(len(place) for place in places)
    if most == 1:
        return Volumes(firsts, [list(enumerate(firsts))], "", duplicates)
    told_by, volumes = _told_apart(places, most)
    axis = _axis(told_by, volumes) if _on_one_grid(firsts, volumes) else None
    return Volumes(firsts, volumes, told_by, duplicates, axis, told_by == _BY_ORDER)


def _places(planes: Sequence[Plane], normal: NDArray[np.float64]) -> list[Place]:
    """The planes at each position, ascending along the normal."""
    distances = np.array([plane.position for plane in planes]) @ normal
    order = np.argsort(distances, kind="stable")
    starts = np.flatnonzero(np.diff(distances[order], prepend=-np.inf) >= SAME_POSITION_MM)
    groups = np.split(order, starts[1:])
    return [[planes[k] for k in group.tolist()] for group in groups]


def _without_duplicates(place: Place, duplicates: list[Header]) -> Place:
    kept: dict[tuple[str, int], Plane] = {}
    for one in sorted(place, key=_instance):
        # A file without a UID stands for itself.
        uid = one.file.plain(t.SOP_INSTANCE_UID) or str(one.file.path)
        if (uid, one.number) in kept:
            duplicates.append(one.file)
        else:
            kept[uid, one.number] = one
    return list(kept.values())


def _instance(plane: Plane) -> tuple[tuple[int, str, str], int]:
    return instance(plane.file), plane.number


def _told_apart(places: Sequence[Place], most: int) -> tuple[str, list[list[tuple[int, Plane]]]]:
    """What tells `most` volumes apart, and the volumes.

    First by a value that is the same throughout a volume; then by the rank of a value at each position, because a
    trigger time is a little different at every slice; then by order.
    """
    found: dict[str, list[list[Key]]] = {}
    for name, key in _keys():
        values = found[name] = [[key(one) for one in place] for place in places]
        known = sorted({value for at_place in values for value in at_place})
        if len(known) == most and all(len(set(at_place)) == len(at_place) for at_place in values):
            number = {value: k for k, value in enumerate(known)}
            return name, _sorted_into(most, places, [[number[value] for value in at_place] for at_place in values])
    for name, values in found.items():
        if all(len(set(at_place)) == most for at_place in values):
            return name, _sorted_into(most, places, [_ranks(at_place) for at_place in values])
    ordered = [
        _ranks([(value, _instance(plane)) for value, plane in zip(values, place, strict=True)])
        for values, place in zip(found[_ALL], places, strict=True)
    ]
    return _BY_ORDER, _sorted_into(most, places, ordered)


def _ranks(values: Sequence[Any]) -> list[int]:
    """For every value its place when they are sorted."""
    ranks = [0] * len(values)
    for rank, k in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        ranks[k] = rank
    return ranks


def _sorted_into(most: int, places: Sequence[Place], numbers: Sequence[Sequence[int]]) -> list[list[tuple[int, Plane]]]:
    """The volumes, from the number of the volume that every plane of every place belongs to."""
    volumes: list[list[tuple[int, Plane]]] = [[] for _ in range(most)]
    for k, (place, own) in enumerate(zip(places, numbers, strict=True)):
        for plane, number in zip(place, own, strict=True):
            volumes[number].append((k, plane))
    return volumes


def _keys() -> list[tuple[str, Callable[[Plane], Key]]]:
    """One part that may tell the volumes apart after the other, then all together."""
    parts = [_PARTS[k] for k in _TRIED]
    return [*((name, _single(tag)) for name, tag in parts), (_DIMENSIONS, lambda plane: plane.indices), (_ALL, _full)]


def _single(tag: int) -> Callable[[Plane], Key]:
    return lambda plane: (_value(plane.header, tag),)


def _full(plane: Plane) -> Key:
    return *(_value(plane.header, tag) for _, tag in _PARTS), *plane.indices


def _value(header: Header, tag: int) -> float | str:
    if tag == t.IMAGE_TYPE:
        return header.plain(tag)
    return _number(header, tag)


def _number(header: Header, tag: int) -> float:
    if tag == t.DIFFUSION_B_VALUE:
        value = header.double(tag)
        return -1.0 if value is None or not np.isfinite(value) else value
    values = header.numbers(tag)
    return values[0] if values and np.isfinite(values[0]) else -1.0


def _on_one_grid(places: Sequence[Plane], volumes: Sequence[Sequence[tuple[int, Plane]]]) -> bool:
    """Whether the volumes lie at the same positions.

    A slice may lack here and there, and of three or more volumes the last may have been cut short.
    """
    enough = min(len(places) - 1, _COMPLETE * len(places))
    whole = volumes[:-1] if len(volumes) > 2 else volumes
    if any(len(volume) < enough for volume in whole):
        return False
    first = np.array([plane.position for plane in places])
    for volume in volumes:
        own = np.array([plane.position for _, plane in volume])
        if np.max(np.abs(own - first[[k for k, _ in volume]])) > _SIDEWAYS_MM:
            return False
    return True


def _axis(told_by: str, volumes: Sequence[Sequence[tuple[int, Plane]]]) -> PhaseAxis:
    """The 4th axis by what told the volumes apart; their mere count where that is no one number."""
    count = tuple(float(k) for k in range(1, len(volumes) + 1))
    if told_by in ("temporal position", "frame reference time", "trigger time"):
        return _time(volumes)
    if told_by in ("echo number", "echo time"):
        times = _medians(volumes, t.ECHO_TIME)
        if _ascending(times) and times[0] >= 0:
            return PhaseAxis("echo", times, "ms")
        return PhaseAxis("echo", _medians(volumes, t.ECHO_NUMBERS))
    if told_by == "b-value":
        return PhaseAxis("b-value", tuple(max(value, 0.0) for value in _medians(volumes, t.DIFFUSION_B_VALUE)), "s/mm²")
    if told_by == "acquisition number":
        return PhaseAxis("acquisition", _medians(volumes, t.ACQUISITION_NUMBER))
    return PhaseAxis("image type" if told_by == "image type" else "acquisition", count)


def _time(volumes: Sequence[Sequence[tuple[int, Plane]]]) -> PhaseAxis:
    """Time in ms: after the trigger, as in a film of the heart; else since the start; else the number of the time."""
    trigger = _medians(volumes, t.TRIGGER_TIME)
    if _ascending(trigger) and trigger[0] >= 0:
        return PhaseAxis("time", trigger, "ms", float(np.median(np.diff(trigger))))
    since = _medians(volumes, t.FRAME_REFERENCE_TIME)
    if _ascending(since) and since[0] >= 0:
        return PhaseAxis("time", since, "ms")
    numbers = _medians(volumes, t.TEMPORAL_POSITION_IDENTIFIER)
    resolution = volumes[0][0][1].header.numbers(t.TEMPORAL_RESOLUTION)
    if resolution and np.isfinite(resolution[0]) and resolution[0] > 0 and numbers[0] >= 0:
        return PhaseAxis("time", tuple((number - numbers[0]) * resolution[0] for number in numbers), "ms")
    return PhaseAxis("time", numbers)


def _medians(volumes: Sequence[Sequence[tuple[int, Plane]]], tag: int) -> tuple[float, ...]:
    return tuple(float(np.median([_number(plane.header, tag) for _, plane in volume])) for volume in volumes)


def _ascending(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))
