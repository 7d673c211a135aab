"""Planes of one series that agree in size, format and orientation: what can be one volume."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.study import Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.frames import Plane
from medviewer.formats.dicom.geometry import axes_of, pixel_spacing, stated_spacing
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.volumes import instance

_FORMAT = (t.SAMPLES_PER_PIXEL, t.BITS_ALLOCATED, t.PIXEL_REPRESENTATION, t.PHOTOMETRIC_INTERPRETATION)
_SPACINGS = (
    t.PIXEL_SPACING,
    t.IMAGER_PIXEL_SPACING,
    t.NOMINAL_SCANNED_PIXEL_SPACING,
    t.ESTIMATED_MAGNIFICATION,
)
_LIKE = (t.ROWS, t.COLUMNS, *_FORMAT, *_SPACINGS, t.IMAGE_ORIENTATION_PATIENT)
"""Planes that agree in these, byte for byte, are of one stack."""

_ALIKE = 1e-3
"""Directions and spacings in mm that differ by no more are the same, rounded."""

_MOST_COMPARED = 200
"""Stacks of one series that a plane is compared with by value; where there are more, only equal bytes are alike."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes of one series that agree in size, format and orientation.

    Parameters
    ----------
    size
        Rows and columns.
    format
        What a loader needs to be the same: samples, bits, sign, photometric interpretation, and the kind of number.
    axes
        Unit steps along x and y, shape (2, 3); None for planes without a place in the patient.
    spacing
        Distance in mm between rows and between columns, and whether the files give it.
    stack
        Stack ID of an enhanced object.
    placed
        False where only the distances between the planes are known.
    planes
        The planes, in the order that they were found.
    """

    size: tuple[int, int]
    format: tuple[bytes, ...]
    axes: NDArray[np.float64] | None
    spacing: tuple[float, float, bool]
    stack: str
    placed: bool
    planes: list[Plane]

    @property
    def content(self) -> tuple[str, ...]:
        """What its planes have in common, as texts that are the same on every scan.

        The spacing in it is as it is written: masks are kept by names made from this, so it may not follow what is
        made of magnifications and ultrasound regions.
        """
        axes = [] if self.axes is None else self.axes.ravel().tolist()
        first = self.planes[0]
        spacing = stated_spacing(first.file if self.axes is None else first.header)
        rounded = [f"{round(value, 3) + 0.0:.3f}" for value in (*axes, *spacing)]
        own = (self.stack,) if self.stack else ()
        return (*map(str, self.size), *(part.decode("latin-1") for part in self.format), *rounded, *own)


def short(*parts: str) -> str:
    """A short name made from content."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


def stacks_of(planes: Sequence[Plane]) -> list[Stack]:
    """Stacks of like planes, the largest first."""
    stacks: list[Stack] = []
    known: dict[tuple[object, ...], Stack] = {}
    for plane in planes:
        raw, header = plane.header.raw, plane.header
        key = (
            plane.position is not None,
            plane.placed,
            plane.stack,
            header.little_endian,
            header.pixel_tag,
            *map(raw.get, _LIKE),
        )
        stack = known.get(key)
        if stack is None:
            stack = known[key] = _matching(stacks, plane)
        stack.planes.append(plane)
    if len(stacks) < 2:
        return stacks
    return sorted(stacks, key=lambda one: (-len(one.planes), _first(one.planes), one.content))


def _first(planes: Sequence[Plane]) -> tuple[int, str]:
    return min(instance(plane.file)[:2] for plane in planes)


def _matching(stacks: list[Stack], plane: Plane) -> Stack:
    """The stack that a plane belongs to, by values and not by how they are spelled; a new one if there is none."""
    header = plane.header
    axes = axes_of(header) if plane.position is not None else None
    size = (header.integer(t.ROWS) or 0, header.integer(t.COLUMNS) or 0)
    spacing, kind = pixel_spacing(header), _format(header)
    for stack in stacks[:_MOST_COMPARED]:
        same = (stack.size, stack.format, stack.stack, stack.placed) == (size, kind, plane.stack, plane.placed)
        if same and _alike(spacing, stack.spacing) and _same_axes(axes, stack.axes):
            return stack
    stacks.append(Stack(size, kind, axes, spacing, plane.stack, plane.placed, []))
    return stacks[-1]


def _same_axes(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> bool:
    if one is None or other is None:
        return one is other
    return _alike(one.ravel().tolist(), other.ravel().tolist())


def _alike(some: Sequence[float], others: Sequence[float]) -> bool:
    return all(abs(a - b) <= _ALIKE for a, b in zip(some, others, strict=True))


def _format(header: Header) -> tuple[bytes, ...]:
    photometric = header.raw.get(t.PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0")
    floating = (b"%08X" % header.pixel_tag,) if header.pixel_tag not in (0, t.PIXEL_DATA) else ()
    return *(b"%d" % (header.integer(tag) or 0) for tag in _FORMAT[:-1]), photometric, *floating


def split_warnings(stack: Stack, stacks: Sequence[Stack]) -> list[Warning]:
    """What to say beside a stack that shares its series with others; radiographs stand alone anyway."""
    if len(stacks) == 1 or all(other.axes is None and other.size == stack.size for other in stacks):
        return []
    sizes = {other.size for other in stacks}
    if len(sizes) > 1:
        code, what = "mixed-sizes", " and ".join(f"{r} x {c}" for r, c in sorted(sizes, reverse=True)) + " pixels"
    elif any(other.format != stack.format for other in stacks):
        code, what = "mixed-formats", "different pixel formats"
    elif all(_same_axes(other.axes, stack.axes) and _alike(other.spacing, stack.spacing) for other in stacks):
        code, what = "several-stacks", "several stacks of slices"
    else:
        code, what = "mixed-orientations", "different orientations or pixel spacings"
    count = sum(len(other.planes) for other in stacks)
    noun = "files" if all(plane.header is plane.file for plane in stack.planes) else "frames"
    mine = len(stack.planes)
    text = f"The series mixes images of {what}; {mine} of its {count} {noun} are shown here, the others apart."
    return [Warning(code, text)]
