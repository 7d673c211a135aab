"""Functional groups: what an enhanced multi-frame object says of each of its frames (PS3.3 C.7.6.16)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.filereader import read_partial
from pydicom.sequence import Sequence

from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.deflated import open_plain
from medviewer.formats.dicom.quiet import quiet

SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"

_DETAILS = (
    SHARED,
    PER_FRAME,
    "NumberOfFrames",
    "DimensionIndexSequence",
    "ConcatenationFrameOffsetNumber",
    "ConcatenationUID",
    "FrameIncrementPointer",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "GridFrameOffsetVector",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SpacingBetweenSlices",
    "DetectorInformationSequence",
    "PhaseInformationSequence",
    "EnergyWindowVector",
    "DetectorVector",
    "PhaseVector",
    "RotationVector",
    "RRIntervalVector",
    "TimeSlotVector",
    "SliceVector",
    "AngularViewVector",
    "TimeSliceVector",
    "SequenceOfUltrasoundRegions",
)
"""Sequences and vectors that say how the frames of a file follow each other."""


class FrameGroups:
    """The functional groups of one file, asked by frame and macro; what is missing or broken is not there.

    Parameters
    ----------
    dataset
        A dataset that holds the two functional groups sequences.
    """

    def __init__(self, dataset: pydicom.Dataset) -> None:
        self.dataset = dataset
        shared = items_of(dataset, SHARED)
        self._shared = shared[0] if shared else pydicom.Dataset()
        self._frames = items_of(dataset, PER_FRAME)
        self._found: dict[tuple[int, str], pydicom.Dataset | None] = {}

    @property
    def count(self) -> int:
        """Number of frames: Number of Frames, else of per-frame items, and at least 1."""
        stated = as_numbers(value_of(self.dataset, "NumberOfFrames"))
        return int(stated[0]) if stated and stated[0] >= 1 else max(len(self._frames), 1)

    def item(self, frame: int, macro: str) -> pydicom.Dataset | None:
        """The first item of a macro, such as ``PlanePositionSequence``: the frame's own, else the shared one."""
        own = self._of(frame, macro) if 0 <= frame < len(self._frames) else None
        return own if own is not None else self._of(-1, macro)

    def numbers(self, frame: int, macro: str, keyword: str) -> tuple[float, ...]:
        """The numbers of an element in a macro; empty if there are none."""
        item = self.item(frame, macro)
        return () if item is None else as_numbers(value_of(item, keyword))

    def text(self, frame: int, macro: str, keyword: str) -> str:
        """The text of an element in a macro, several values joined by a backslash; empty if there is none."""
        item = self.item(frame, macro)
        return "" if item is None else as_text(value_of(item, keyword))

    def _of(self, frame: int, macro: str) -> pydicom.Dataset | None:
        key = (frame, macro)
        if key not in self._found:
            groups = self._shared if frame < 0 else self._frames[frame]
            items = items_of(groups, macro)
            self._found[key] = items[0] if items else None
        return self._found[key]


def read_groups(path: Path) -> FrameGroups | None:
    """The functional groups of a file; None where it has none.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    """
    return groups_of(read_details(path))


def groups_of(details: pydicom.Dataset) -> FrameGroups | None:
    """The functional groups in what `read_details` read; None where it has none."""
    return FrameGroups(details) if items_of(details, SHARED) or items_of(details, PER_FRAME) else None


def read_details(path: Path, *, groups: bool = True) -> pydicom.Dataset:
    """What a file says about its frames, of whatever kind it is, with or without its functional groups.

    Raises
    ------
    UnreadableError
        If the file cannot be read.
    """
    try:
        with quiet(), open_plain(path) as file:
            if groups:
                return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_DETAILS), force=True)
            tags: list[pydicom.tag.BaseTag | int] = [pydicom.tag.Tag(keyword) for keyword in _DETAILS]
            return read_partial(file, _at_groups, specific_tags=tags, force=True)
    except Exception as error:
        raise UnreadableError(
            f"{path.name} is broken: what it says of its frames could not be read ({type(error).__name__}); fetch it "
            "again.",
            details=str(error),
        ) from error


def _at_groups(tag: int, vr: str | None, length: int) -> bool:
    """Whether reading may stop: all that is asked for lies before the functional groups."""
    return tag >= t.SHARED_GROUPS


def value_of(dataset: pydicom.Dataset, keyword: str) -> Any:
    """The value of an element; None where it is missing, or so broken that its reader raises."""
    try:
        with quiet():
            return dataset.get(keyword)
    except Exception:  # whatever a broken value raises, it is no value
        return None


def as_numbers(value: Any) -> tuple[float, ...]:
    """A value as numbers; empty where it is not only finite numbers."""
    several = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
    try:
        numbers = tuple(float(part) for part in several)
    except (TypeError, ValueError, OverflowError):
        return ()
    return numbers if np.all(np.isfinite(numbers)) else ()


def as_text(value: Any) -> str:
    """A value as text, several joined by a backslash; empty for none."""
    if value is None:
        return ""
    several = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
    return "\\".join(str(part).strip(" \0") for part in several)


def items_of(dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset]:
    """The items of a sequence; none where it is missing or broken."""
    value = value_of(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []
