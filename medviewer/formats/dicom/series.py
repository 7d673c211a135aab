"""From the files of one Series Instance UID to series that can each be shown as one image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.study import UNORIENTED_PICTURE, PhaseAxis, Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.frames import Film, Plane, frames_of, is_multi, single
from medviewer.formats.dicom.geometry import flat_grid, slice_thickness, spacing_warnings
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.kinds import executable, frames_missing, native_bytes, stated_frames, truncated
from medviewer.formats.dicom.placement import place
from medviewer.formats.dicom.stacks import Stack, short, split_warnings, stacks_of
from medviewer.formats.dicom.volumes import Volumes, instance, volumes_of

Identity = Callable[[Path], str]
"""What stands for a file when it has no UID of its own; the same on every scan."""

_UNORIENTED = Warning(
    "no-orientation", "The header does not say how the patient lies in the image; no orientation letters are shown."
)
_PICTURE = Warning("no-orientation", UNORIENTED_PICTURE)
_PICTURES = frozenset(
    ("US", "IVUS", "ES", "GM", "SM", "XC", "OP", "OPT", "OCT", "IVOCT", "DMS", "HC", "DOC", "OT", "SC")
)
"""Modalities (PS3.3 C.7.3.1.1.1) whose images mostly have no place in the patient."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary Capture Image Storage; its multi-frame kinds (PS3.4 B.5) have a further component."""


def series_of(uid: str, headers: Sequence[Header], identity: Identity) -> tuple[list[Series], list[Warning]]:
    """The series that files of one Series Instance UID make, and what is wrong with files that make none.

    See `Series.uid` for their names.
    """
    planes, films, warnings = _planes(headers, identity)
    stacks = stacks_of(planes)
    made: list[Series] = []
    placed = 0
    for stack in stacks:
        notes = split_warnings(stack, stacks)
        if stack.axes is None:
            made += _flats(uid, stack, notes, identity)
        else:
            own = uid if placed == 0 else f"{uid}#{short(*stack.content)}"
            made += _volumes(own, stack, stack.axes, notes)
            placed += 1
    made += [_film(uid, film, same, identity) for film, same in films]
    return made, warnings


def _planes(
    headers: Sequence[Header], identity: Identity
) -> tuple[list[Plane], list[tuple[Film, list[Header]]], list[Warning]]:
    """All planes of some files; films with the files that are copies of theirs; and what could not be read."""
    planes: list[Plane] = []
    films: list[tuple[Film, list[Header]]] = []
    warnings: list[Warning] = []
    several: dict[tuple[str | int, ...], list[Header]] = defaultdict(list)  # copies of one file together
    for header in headers:
        if is_multi(header):
            own = header.plain(t.SOP_INSTANCE_UID) or identity(header.path)
            several[(own, stated_frames(header), *stacks_of([Plane(header, header)])[0].content)].append(header)
            continue
        try:
            planes.append(single(header))
        except UnreadableError as error:
            warnings.append(Warning("unreadable", str(error)))
    for same in several.values():
        first, *copies = sorted(same, key=instance)
        try:
            placed, film = frames_of(first)
        except UnreadableError as error:
            warnings.append(Warning("unreadable", str(error)))
            continue
        planes += placed
        if film is not None:
            films.append((film, copies))
        elif copies:
            planes += [replace(plane, file=copy) for copy in copies for plane in placed]
    films.sort(key=lambda pair: instance(pair[0].planes[0].file))
    return planes, films, warnings


def _volumes(uid: str, stack: Stack, axes: NDArray[np.float64], notes: list[Warning]) -> list[Series]:
    """The volumes of a stack: one series, with phases where they share their positions, else one each."""
    found = volumes_of(stack.planes, np.cross(axes[0], axes[1]))
    notes = [*notes, *_duplicates(found.duplicates)]
    count = len(found.volumes)
    if count == 1 or found.axis is not None:
        if found.in_order:
            notes.append(Warning("several-volumes", _told(found, "they are shown one after the other")))
        return [_volume(uid, stack, axes, found, notes)]
    made = []
    for k, volume in enumerate(found.volumes, start=1):
        text = _told(found, f"they are shown as {count} volumes; this is volume {k}")
        planes = [plane for _, plane in volume]
        own = Volumes(planes, [list(enumerate(planes))], "", [])
        several = [*(notes if k == 1 else _split_only(notes)), Warning("several-volumes", text)]
        one = _volume(uid if k == 1 else _numbered(uid, k), stack, axes, own, several)
        made.append(replace(one, description=f"{one.description} (volume {k} of {count})".strip()))
    return made


def _split_only(notes: Sequence[Warning]) -> list[Warning]:
    """What is said of every series of a stack: all but the files that were left out of it."""
    return [note for note in notes if note.code != "duplicate"]


def _told(found: Volumes, what: str) -> str:
    count = len(found.volumes)
    return f"The series holds {count} images at one position, so {what}, told apart by {found.told_by}."


def _numbered(uid: str, number: int) -> str:
    return f"{uid}-t{number}" if "#" in uid else f"{uid}#t{number}"


def _volume(uid: str, stack: Stack, axes: NDArray[np.float64], found: Volumes, notes: list[Warning]) -> Series:
    """The series of planes that share a grid; phase by phase where there are several."""
    first = found.places[0].header
    names = [plane.file.path.name for plane in found.places]
    positions = np.array([plane.position for plane in found.places])
    at = place(
        positions, axes, stack.spacing[:2], stack.size, slice_thickness(first), names, _thicknesses(found.places)
    )
    slices = at.grid.shape[0] if at.source is None else len(at.source.positions)
    slots = [(plane, phase * slices + at.index[k]) for phase, volume in enumerate(found.volumes) for k, plane in volume]
    frame = first.plain(t.FRAME_OF_REFERENCE_UID) if stack.placed else ""
    notes = [*notes, *at.warnings, *_lacking(found), *([] if stack.placed else [_unoriented(first)])]
    series = _series(uid, slots, first, at.grid, frame, notes)
    return replace(series, source=at.source, phases=found.axis)


def _thicknesses(places: Sequence[Plane]) -> list[float]:
    """Slice Thickness of every plane; empty where one does not say."""
    found = [plane.header.numbers(t.SLICE_THICKNESS) for plane in places]
    return [one[0] for one in found if len(one) == 1 and np.isfinite(one[0]) and one[0] > 0] if all(found) else []


def _lacking(found: Volumes) -> list[Warning]:
    """The warning for slices that single phases lack."""
    lacking = [
        f"{len(found.places) - len(volume)} of phase {k}"
        for k, volume in enumerate(found.volumes, start=1)
        if len(volume) < len(found.places)
    ]
    if not lacking:
        return []
    shown = ", ".join(lacking[:3]) + (f" and of {len(lacking) - 3} more" if len(lacking) > 3 else "")
    text = f"Slices are missing in single phases ({shown}); they are shown blank, fetch the series again."
    return [Warning("missing-slice", text)]


def _flats(uid: str, stack: Stack, notes: list[Warning], identity: Identity) -> list[Series]:
    """Images without a place in the patient, each a series of its own that is named by its SOP Instance UID."""
    images: dict[str, list[Plane]] = defaultdict(list)
    for plane in sorted(stack.planes, key=lambda plane: instance(plane.file)):
        own = plane.file.plain(t.SOP_INSTANCE_UID) or identity(plane.file.path)
        images[f"{uid}#{short(own, *stack.content)}"].append(plane)
    return [
        _flat(name, same[:1], None, [*notes, *_duplicates([plane.file for plane in same[1:]])])
        for name, same in images.items()
    ]


def _film(uid: str, film: Film, copies: Sequence[Header], identity: Identity) -> Series:
    """The series of a multi-frame file whose frames lie nowhere in the patient, named by its SOP Instance UID."""
    first = film.planes[0].file
    [stack] = stacks_of(film.planes[:1])
    own = first.plain(t.SOP_INSTANCE_UID) or identity(first.path)
    axis = film.axis if len(film.planes) > 1 else None
    name = short(own, *stack.content, f"{len(film.planes)} frames")
    return _flat(f"{uid}#{name}", film.planes, axis, _duplicates(copies))


def _flat(uid: str, planes: Sequence[Plane], axis: PhaseAxis | None, notes: Sequence[Warning]) -> Series:
    first = planes[0].header
    grid, _, oriented = flat_grid(first)
    slots = [(plane, k) for k, plane in enumerate(planes)]
    series = _series(uid, slots, first, grid, "", [*notes, *([] if oriented else [_unoriented(first)])])
    return replace(series, phases=axis)


def _unoriented(header: Header) -> Warning:
    """What to say of an image that does not tell how the patient lies: of most kinds, that it should."""
    modality, sop_class = header.plain(t.MODALITY).upper() or "OT", header.plain(t.SOP_CLASS_UID)
    captured = f"{sop_class}.".startswith(f"{_SECONDARY_CAPTURE}.")
    return _PICTURE if captured or modality in _PICTURES else _UNORIENTED


def _series(
    uid: str, slots: Sequence[tuple[Plane, int]], first: Header, grid: Grid, frame: str, notes: Sequence[Warning]
) -> Series:
    """The series of some planes and their slots, described by the header of the first."""
    files, frames, index = _layout(slots)
    needed = native_bytes(first)
    found = [problem for plane in files for problem in _problems(plane, needed)]
    spacings = spacing_warnings(first)
    return Series(
        uid=uid,
        modality=first.plain(t.MODALITY).upper() or "OT",
        description=first.text(t.SERIES_DESCRIPTION),
        grid=grid,
        files=tuple(plane.file.path for plane in files),
        reader="dicom",
        number=first.whole(t.SERIES_NUMBER),
        body_part=first.plain(t.BODY_PART_EXAMINED).upper(),
        view=first.plain(t.VIEW_POSITION).upper(),
        laterality=(first.plain(t.IMAGE_LATERALITY) or first.plain(t.LATERALITY)).upper(),
        calibrated=all(note.code != "uncalibrated" for note in spacings),
        frame_of_reference=frame,
        warnings=(*notes, *found, *spacings),
        frames=frames,
        index=index,
        instances=tuple(plane.file.plain(t.SOP_INSTANCE_UID) for plane in files),
    )


def _layout(slots: Sequence[tuple[Plane, int]]) -> tuple[list[Plane], tuple[int, ...], tuple[int, ...]]:
    """How the files of some planes follow each other, in the order that they are first needed.

    Returns a plane of every file, the frames a file (empty for one each), and the slot of each frame.
    """
    starts: dict[int, int] = {}
    files: list[Plane] = []
    frames: list[int] = []
    index: list[int] = []
    for plane, slot in slots:
        file = id(plane.file)
        if file not in starts:
            starts[file] = len(index)
            files.append(plane)
            frames.append(plane.of)
            index += [-1] * plane.of
        index[starts[file] + plane.number] = slot
    return files, tuple(frames) if len(index) > len(files) else (), tuple(index)


def _problems(plane: Plane, needed: int) -> list[Warning]:
    """What is wrong with the file of a plane, whose frames take `needed` bytes each."""
    file = plane.file
    if (
        needed <= file.pixel_length
        and file.pixel_offset + needed <= file.size
        and plane.of == 1
        and not file.executable
    ):
        return []  # nearly all files: a series has thousands
    found = (truncated(file) or frames_missing(file, plane.of), executable(file))
    return [problem for problem in found if problem is not None]


def _duplicates(dropped: Sequence[Header]) -> list[Warning]:
    if not dropped:
        return []
    names = _names(list(dict.fromkeys(header.path.name for header in dropped)))
    return [Warning("duplicate", f"Other files of the series hold the same images as {names}, which are left out.")]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more files"
