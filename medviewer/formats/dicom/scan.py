"""From the headers of many files to series that can each be shown as one image."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from medviewer.domain.geometry import Grid
from medviewer.domain.study import Patient, Series, Study, Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.geometry import (
    axes_of,
    flat_grid,
    pixel_spacing,
    position_of,
    slice_thickness,
    spacing_warnings,
)
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.kinds import DIRECTORY, truncated, why_not
from medviewer.formats.dicom.placement import place
from medviewer.formats.dicom.volumes import Slice, instance, volumes_of

Identity = Callable[[Path], str]
"""What stands for a file when it has no UID of its own; the same on every scan."""

_FORMAT = (t.SAMPLES_PER_PIXEL, t.BITS_ALLOCATED, t.PIXEL_REPRESENTATION, t.PHOTOMETRIC_INTERPRETATION)
_LIKE = (t.ROWS, t.COLUMNS, *_FORMAT, t.PIXEL_SPACING, t.IMAGE_ORIENTATION_PATIENT)
"""Files of one stack agree in these."""


@dataclass(frozen=True)
class _Stack:
    """Files of one series that agree in size, format and orientation."""

    size: tuple[int, int]
    format: tuple[bytes, ...]
    axes: NDArray[np.float64] | None
    spacing: tuple[float, float, bool]
    headers: list[Header]

    @property
    def content(self) -> tuple[str, ...]:
        """What its files have in common, as texts that are the same on every scan."""
        axes = [] if self.axes is None else self.axes.ravel().tolist()
        rounded = [f"{round(value, 3) + 0.0:.3f}" for value in (*axes, *self.spacing[:2])]
        return (*map(str, self.size), *(part.decode("latin-1") for part in self.format), *rounded)


def studies_of(headers: Iterable[Header], identity: Identity) -> tuple[list[Study], list[Warning]]:
    """Group images into studies and series, each series sorted by geometry.

    Returns the studies (unsorted) and the warnings about objects that are no images.
    """
    warnings: list[Warning] = []
    series: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        if header.plain(t.SOP_CLASS_UID) == DIRECTORY:
            continue
        problem = why_not(header)
        if problem is not None:
            warnings.append(problem)
            continue
        study_uid = header.plain(t.STUDY_INSTANCE_UID) or made_up_uid(identity(header.path.parent))
        series_uid = header.plain(t.SERIES_INSTANCE_UID) or made_up_uid(identity(header.path))
        series[study_uid, series_uid].append(header)
    found: dict[str, list[tuple[Header, list[Series]]]] = defaultdict(list)
    for (study_uid, series_uid), members in series.items():
        found[study_uid].append((members[0], series_of(series_uid, members, identity)))
    return [_study(uid, parts) for uid, parts in found.items()], warnings


def made_up_uid(identity: str) -> str:
    """A UID that is the same whenever the same thing is scanned again."""
    return str(generate_uid(entropy_srcs=["medviewer", identity]))


def series_of(uid: str, headers: Sequence[Header], identity: Identity) -> list[Series]:
    """The series that files of one Series Instance UID make; see `Series.uid` for their names."""
    stacks = _split(headers)
    made: list[Series] = []
    placed = 0
    for stack in stacks:
        notes = _split_warnings(stack, stacks)
        if stack.axes is None:
            made += _flats(uid, stack, notes, identity)
        else:
            own = uid if placed == 0 else f"{uid}#{_short(*stack.content)}"
            made += _volumes(own, stack, stack.axes, notes)
            placed += 1
    return made


def _short(*parts: str) -> str:
    """A short name made from content."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


def _split(headers: Sequence[Header]) -> list[_Stack]:
    """Stacks of like files, the largest first."""
    stacks: list[_Stack] = []
    known: dict[tuple[object, ...], _Stack] = {}
    for header in headers:
        placed = position_of(header) is not None
        key = (placed, header.little_endian, *(header.raw.get(tag) for tag in _LIKE))
        if key not in known:
            known[key] = _matching(stacks, header, axes_of(header) if placed else None)
        known[key].headers.append(header)
    return sorted(
        stacks, key=lambda stack: (-len(stack.headers), min(instance(h)[:2] for h in stack.headers), stack.content)
    )


def _matching(stacks: list[_Stack], header: Header, axes: NDArray[np.float64] | None) -> _Stack:
    """The stack that a file belongs to, by values and not by how they are spelled; a new one if there is none."""
    size = (header.integer(t.ROWS) or 0, header.integer(t.COLUMNS) or 0)
    kind = tuple(
        header.raw.get(tag, b"").strip(b" \0") if tag == _FORMAT[-1] else _number(header, tag) for tag in _FORMAT
    )
    spacing = pixel_spacing(header)
    for stack in stacks:
        same_axes = (
            axes is None if stack.axes is None else axes is not None and np.allclose(axes, stack.axes, atol=1e-3)
        )
        if same_axes and (stack.size, stack.format) == (size, kind) and np.allclose(spacing, stack.spacing, atol=1e-3):
            return stack
    stacks.append(_Stack(size, kind, axes, spacing, []))
    return stacks[-1]


def _number(header: Header, tag: int) -> bytes:
    return b"%d" % (header.integer(tag) or 0)


def _split_warnings(stack: _Stack, stacks: Sequence[_Stack]) -> list[Warning]:
    """What to say beside a stack that shares its series with others; radiographs stand alone anyway."""
    if len(stacks) == 1 or all(other.axes is None and other.size == stack.size for other in stacks):
        return []
    sizes = {other.size for other in stacks}
    if len(sizes) > 1:
        code, what = "mixed-sizes", " and ".join(f"{r} x {c}" for r, c in sorted(sizes, reverse=True)) + " pixels"
    elif any(other.format != stack.format for other in stacks):
        code, what = "mixed-formats", "different pixel formats"
    else:
        code, what = "mixed-orientations", "different orientations or pixel spacings"
    count = sum(len(other.headers) for other in stacks)
    mine = len(stack.headers)
    text = f"The series mixes images of {what}; {mine} of its {count} files are shown here, the others apart."
    return [Warning(code, text)]


def _volumes(uid: str, stack: _Stack, axes: NDArray[np.float64], notes: list[Warning]) -> list[Series]:
    """The volumes of a stack; the second and later ones are named by their number."""
    found = volumes_of(stack.headers, np.cross(axes[0], axes[1]))
    count = len(found.slices)
    if count == 1:
        return [_volume(uid, stack, axes, found.slices[0], [*notes, *_duplicates(found.duplicates)])]
    made = []
    for k, slices in enumerate(found.slices, start=1):
        text = (
            f"The series holds {count} images at one position, so it is shown as {count} volumes; this is volume {k}, "
            f"told apart by {found.told_by}."
        )
        own = [*notes, Warning("several-volumes", text), *(_duplicates(found.duplicates) if k == 1 else [])]
        volume = _volume(uid if k == 1 else _numbered(uid, k), stack, axes, slices, own)
        made.append(replace(volume, description=f"{volume.description} (volume {k} of {count})".strip()))
    return made


def _numbered(uid: str, number: int) -> str:
    return f"{uid}-t{number}" if "#" in uid else f"{uid}#t{number}"


def _volume(
    uid: str, stack: _Stack, axes: NDArray[np.float64], slices: Sequence[Slice], notes: list[Warning]
) -> Series:
    headers = [one.header for one in slices]
    spacing, names = (stack.spacing[0], stack.spacing[1]), [header.path.name for header in headers]
    positions = np.array([one.position for one in slices])
    placed = place(positions, axes, spacing, stack.size, slice_thickness(headers[0]), names)
    notes = [*notes, *placed.warnings]
    notes += [problem for header in headers if (problem := truncated(header)) is not None]
    _, _, calibrated = stack.spacing
    series = _series(uid, headers, placed.grid, calibrated, headers[0].plain(t.FRAME_OF_REFERENCE_UID), notes)
    return replace(series, index=placed.index, source=placed.source)


def _flats(uid: str, stack: _Stack, notes: list[Warning], identity: Identity) -> list[Series]:
    """Images without a place in the patient, each a series of its own that is named by its SOP Instance UID."""
    images: dict[str, list[Header]] = defaultdict(list)
    for header in sorted(stack.headers, key=instance):
        own = header.plain(t.SOP_INSTANCE_UID) or identity(header.path)
        images[f"{uid}#{_short(own, *stack.content)}"].append(header)
    return [_flat(name, same[0], [*notes, *_duplicates(same[1:])]) for name, same in images.items()]


def _flat(uid: str, header: Header, notes: list[Warning]) -> Series:
    grid, calibrated, oriented = flat_grid(header)
    problem = truncated(header)
    notes = [*notes, *([problem] if problem else [])]
    if not oriented:
        text = "The header does not say how the patient lies in the image; no orientation letters are shown."
        notes.append(Warning("no-orientation", text))
    return _series(uid, [header], grid, calibrated, "", notes)


def _series(
    uid: str, headers: Sequence[Header], grid: Grid, calibrated: bool, frame: str, notes: Sequence[Warning]
) -> Series:
    first = headers[0]
    if t.MODALITY_LUT_SEQUENCE in first.raw:
        text = "The file turns stored into real values by a table, which is not applied yet; stored values are shown."
        notes = [*notes, Warning("modality-lut", text)]
    notes = [*notes, *spacing_warnings(first)]
    return Series(
        uid=uid,
        modality=first.plain(t.MODALITY).upper() or "OT",
        description=first.text(t.SERIES_DESCRIPTION),
        grid=grid,
        files=tuple(header.path for header in headers),
        reader="dicom",
        number=first.whole(t.SERIES_NUMBER),
        body_part=first.plain(t.BODY_PART_EXAMINED).upper(),
        view=first.plain(t.VIEW_POSITION).upper(),
        laterality=(first.plain(t.IMAGE_LATERALITY) or first.plain(t.LATERALITY)).upper(),
        calibrated=calibrated,
        frame_of_reference=frame,
        warnings=tuple(notes),
    )


def _study(uid: str, parts: Sequence[tuple[Header, list[Series]]]) -> Study:
    header = min((first for first, _ in parts), key=lambda h: h.plain(t.SERIES_INSTANCE_UID))
    patient = Patient(
        id=header.text(t.PATIENT_ID),
        name=header.person(t.PATIENT_NAME),
        birth_date=header.date(t.PATIENT_BIRTH_DATE),
        sex=header.plain(t.PATIENT_SEX).upper(),
    )
    return Study(
        uid=uid,
        date=header.date(t.STUDY_DATE),
        description=header.text(t.STUDY_DESCRIPTION),
        patient=patient,
        series=tuple(series for _, group in parts for series in group),
        accession=header.text(t.ACCESSION_NUMBER),
    )


def _duplicates(dropped: Sequence[Header]) -> list[Warning]:
    if not dropped:
        return []
    names = _names([header.path.name for header in dropped])
    return [Warning("duplicate", f"Other files of the series hold the same images as {names}, which are left out.")]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more files"
