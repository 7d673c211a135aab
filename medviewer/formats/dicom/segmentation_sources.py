"""The images that a SEG is written on, frame by frame, in the form that highdicom takes.

highdicom takes one file a slice, or one enhanced file whose frames are all in the mask. So the frames of multi-frame
files, of which a mask wants those of the first phase, are handed over as single-frame headers that stand in for them,
and afterwards every reference to a stand-in is made one to the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage, generate_uid

from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.formats.dicom.frames import Plane, frames_of, is_multi, single
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.lattice import TOLERANCE_MM

_REQUIRED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
"""Type 2 attributes: they have to be there, and may be empty."""

_OF_A_FRAME = (
    "SOPClassUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionIndexSequence",
    "DimensionOrganizationSequence",
)
"""What a stand-in has of its own, or not at all."""


@dataclass
class Sources:
    """Headers to write a SEG on.

    Parameters
    ----------
    datasets
        One a source slice of the first phase.
    order
        The z of each among the slices of the series.
    exact
        Whether every slice has one that lies where the slice lies.
    stand_ins
        SOP Instance UID of a stand-in -> SOP Class and Instance UID of its file, and the number of its frame, from 1.
    """

    datasets: list[Dataset] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    exact: bool = True
    stand_ins: dict[str, tuple[str, str, int]] = field(default_factory=dict)


def slice_positions(series: Series) -> NDArray[np.float64]:
    """World position (x, y, z) in mm of the first pixel's centre of every slice of the files, shape (slices, 3)."""
    if series.source is not None:
        return np.array(series.source.positions)
    z = np.arange(series.grid.shape[0])
    return series.grid.index_to_world(np.stack([z, 0 * z, 0 * z], axis=1))


def sources_of(series: Series) -> Sources:
    """The headers of the files that hold the first phase of a series.

    Raises
    ------
    InputError
        If a file no longer lies where it was scanned.
    UnreadableError
        If a file cannot be read.
    """
    found = Sources()
    expected = slice_positions(series)
    first = 0
    for k, path in enumerate(series.files):
        count = series.frames[k] if series.frames else 1
        slots = [(n, series.slot(first + n)) for n in range(count)]
        first += count
        wanted = {n: z for n, (phase, z) in slots if phase == 0 and 0 <= z < len(expected)}
        if wanted:
            _add(found, series, path, wanted, expected)
    found.exact &= sorted(found.order) == list(range(len(expected)))
    return found


def refer_to_frames(dataset: Dataset, stand_ins: dict[str, tuple[str, str, int]]) -> None:
    """Make every reference to a stand-in one to the frame that it stands for."""
    if not stand_ins:
        return
    for items in (group.get("DerivationImageSequence", ()) for group in dataset.PerFrameFunctionalGroupsSequence):
        for source in (source for item in items for source in item.SourceImageSequence):
            _point(source, stand_ins, with_frame=True)
    lists = [dataset.SourceImageSequence]
    lists += [item.ReferencedInstanceSequence for item in dataset.ReferencedSeriesSequence]
    for sources in lists:
        known: dict[str, Dataset] = {}
        for source in sources:
            _point(source, stand_ins, with_frame=False)
            known.setdefault(source.ReferencedSOPInstanceUID, source)
        sources[:] = list(known.values())


def _point(source: Dataset, stand_ins: dict[str, tuple[str, str, int]], *, with_frame: bool) -> None:
    real = stand_ins.get(source.ReferencedSOPInstanceUID)
    if real is not None:
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = real[:2]
        if with_frame:
            source.ReferencedFrameNumber = real[2]


def _add(found: Sources, series: Series, path: Path, wanted: dict[int, int], expected: NDArray[np.float64]) -> None:
    """Add the wanted frames of a file, given as number -> z."""
    header = read_header(path)
    multi = is_multi(header)
    planes = _planes(frames_of(header)) if multi else {0: single(header)}
    dataset = _dataset(path, series)
    normal = series.grid.axes[:, 0]
    for number, z in wanted.items():
        plane = planes.get(number)
        position = None if plane is None else plane.position
        away = np.zeros(3) if position is None else position - expected[z]
        if plane is None or (len(expected) > 1 and (position is None or abs(away @ normal) > series.grid.spacing[0])):
            raise InputError(
                f"{path.name} no longer lies in the series that was scanned; scan the folder again, then save."
            )
        found.exact &= bool(np.linalg.norm(away) <= TOLERANCE_MM)
        source = _stand_in(dataset, position, number, found) if multi else dataset
        _place(source, series, position)
        found.datasets.append(source)
        found.order.append(z)


def _planes(found: tuple[list[Plane], object]) -> dict[int, Plane]:
    placed, film = found
    rest = getattr(film, "planes", ())
    return {plane.number: plane for plane in (*placed, *rest)}


def _dataset(path: Path, series: Series) -> Dataset:
    """The header of a file, with what a SEG copies from it."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for keyword in _REQUIRED:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    if not series.calibrated and "PixelSpacing" in dataset:
        del dataset.PixelSpacing  # a spacing of 0 is none
    return dataset


def _stand_in(dataset: Dataset, position: NDArray[np.float64] | None, number: int, found: Sources) -> Dataset:
    """A single-frame header for one frame of a file."""
    source = Dataset()
    # A copy shares its elements, and setting one that is there would change it for all; so these are left out.
    source.update({tag: element for tag, element in dataset.items() if keyword_for_tag(tag) not in _OF_A_FRAME})
    source.SOPClassUID = SecondaryCaptureImageStorage if position is None else CTImageStorage
    source.SOPInstanceUID = generate_uid()
    for keyword in ("FrameOfReferenceUID", "PixelSpacing"):
        if dataset.get(keyword):
            setattr(source, keyword, dataset[keyword].value)
    found.stand_ins[source.SOPInstanceUID] = (dataset.SOPClassUID, dataset.SOPInstanceUID, number + 1)
    return source


def _place(source: Dataset, series: Series, position: NDArray[np.float64] | None) -> None:
    """Say where a source lies, in the words of a single-frame header; nowhere, if it has no position."""
    if position is None:
        for keyword in ("FrameOfReferenceUID", "PositionReferenceIndicator", "ImagePositionPatient"):
            if keyword in source:
                del source[keyword]
        return
    grid = series.grid
    source.ImagePositionPatient = [f"{value:.10g}" for value in position]
    # Headers of one stack may differ in the last digit, which highdicom takes for different planes.
    source.ImageOrientationPatient = [f"{value:.10g}" for value in (*grid.axes[:, 2], *grid.axes[:, 1])]
    source.PixelSpacing = [f"{value:.10g}" for value in grid.spacing[1:]]
    if not source.get("SliceThickness"):
        source.SliceThickness = f"{grid.spacing[0]:.10g}"
    if not source.get("FrameOfReferenceUID"):
        source.FrameOfReferenceUID = generate_uid(entropy_srcs=["medviewer", "frame of reference", series.uid])
