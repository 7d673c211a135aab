"""The frames of a SEG, and where they lie: on the slices of a series, or on a lattice of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.domain.geometry import Grid
from medviewer.domain.study import Series, SliceStack
from medviewer.errors import GridMismatchError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.geometry import SAME_POSITION_MM, direction_of, follow
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.placement import SHEAR_MM, SHEAR_PIXELS, place
from medviewer.formats.dicom.segmentation_pixels import stored_values
from medviewer.formats.dicom.segmentation_sources import slice_positions
from medviewer.formats.lattice import vector

_ON_SLICE_MM, _ON_SLICE_PART = 0.05, 0.02
"""A frame this near to a slice, or by this part of their spacing, was drawn on it; see `geometry.follow`."""

_MOST_SLICES = 10_000
"""A lattice with more slices than this is none: then the spacing that the file gives is wrong."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a SEG.

    Parameters
    ----------
    number
        Its segment; None in a label map.
    position
        World position (x, y, z) in mm of the first pixel's centre, or None.
    image
        SOP Instance UID and number of the frame, from 1, of the image that it was drawn on; None if it does not say.
    pixels
        Zero outside, shape (rows, columns); segment numbers in a label map.
    """

    number: int | None
    position: NDArray[np.float64] | None
    image: tuple[str, int] | None
    pixels: NDArray[Any]


@dataclass(frozen=True)
class Lying:
    """Where frames lie: the z of each on `grid`, or among the slices of `source` where there is one."""

    grid: Grid
    index: list[int]
    source: SliceStack | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the label map that the frames are put into."""
        return self.grid.shape if self.source is None else (len(self.source.positions), *self.source.shape)


def frames_in(dataset: Dataset, path: Path) -> list[Frame]:
    """All frames; fractional ones are cut at half of their highest value (PS3.3 C.8.20.2)."""
    pixels = stored_values(dataset, path)
    if dataset.SegmentationType == "FRACTIONAL":
        pixels = pixels >= int(dataset.MaximumFractionalValue) / 2
    shared = dataset.SharedFunctionalGroupsSequence[0]
    found = []
    if len(pixels) > len(dataset.PerFrameFunctionalGroupsSequence):
        raise ValueError(f"{len(pixels)} frames, {len(dataset.PerFrameFunctionalGroupsSequence)} functional groups")
    # Groups of frames that are no longer there are left behind by programs that take frames out.
    for plane, own in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=False):
        segment = _group(own, shared, "SegmentIdentificationSequence")
        place_of = _group(own, shared, "PlanePositionSequence")
        position = None if place_of is None else np.array([float(v) for v in place_of.ImagePositionPatient])
        number = None if segment is None else int(segment.ReferencedSegmentNumber)
        found.append(Frame(number, position, _image(own, shared), plane))
    return found


def on_slices(dataset: Dataset, frames: Sequence[Frame], series: Series) -> Lying | None:
    """The frames on the slices of a series, by position or else by the image they were drawn on; None if they are not.

    Raises
    ------
    GridMismatchError
        If the frames only say on which images they were drawn, and these are others.
    """
    shape = series.source.shape if series.source is not None else series.grid.shape[1:]
    if (int(dataset.Rows), int(dataset.Columns)) != shape:
        return None
    if all(frame.position is not None for frame in frames):
        axes = _axes(dataset)
        wanted = series.grid.axes[:, [2, 1]].T
        if axes is None or not np.allclose(axes, wanted, atol=1e-4):
            return None
        places = slice_positions(series)
        away = [np.abs((places - np.asarray(frame.position)) @ series.grid.axes) for frame in frames]
        index = [int(one[:, 0].argmin()) for one in away]
        if any(np.any(one[z] > _reach_mm(series)) for one, z in zip(away, index, strict=True)):
            return None
        return Lying(series.grid, index, series.source)
    if any(frame.image is None for frame in frames):
        return None
    slots = _slots(series)
    missing = [frame.image for frame in frames if frame.image is not None and frame.image not in slots]
    if missing:
        raise GridMismatchError(
            f"{len(missing)} frames of the mask were drawn on images that are not in this series; open the series that "
            "it was drawn on."
        )
    return Lying(series.grid, [slots[frame.image] for frame in frames if frame.image is not None], series.source)


def _reach_mm(series: Series) -> NDArray[np.float64]:
    """How far along z, y, x a frame may lie from the slice it was drawn on: as far as a file may from its slice."""
    between, *pixel = series.grid.spacing
    sideways = max(SHEAR_MM, SHEAR_PIXELS * min(pixel))
    return np.array([max(_ON_SLICE_MM, _ON_SLICE_PART * between), sideways, sideways])


def on_their_own(dataset: Dataset, frames: Sequence[Frame], near: Grid | None) -> Lying | None:
    """The frames on the lattice that they span themselves; None where not all have a position.

    Frames without anything in them are often left out, so the spacing is what the file says it is, else that of `near`
    where that runs the same way, else the most frequent one. Sheared and uneven frames get an even grid, as images do.
    """
    axes, measures = _axes(dataset), _first_group(dataset, "PixelMeasuresSequence")
    positions = np.array([frame.position for frame in frames if frame.position is not None])
    if axes is None or measures is None or len(positions) < len(frames):
        return None
    normal = np.cross(axes[0], axes[1])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    kept = order[np.concatenate(([True], np.diff(along[order]) > SAME_POSITION_MM))]
    slot = np.clip(np.searchsorted(along[kept], along + SAME_POSITION_MM) - 1, 0, len(kept) - 1)
    shape = (int(dataset.Rows), int(dataset.Columns))
    rows, columns = (float(v) for v in measures.PixelSpacing)
    hints = _hints(measures, near, normal)
    offsets = positions[kept] - positions[kept[0]]
    if float(np.abs(offsets @ axes.T).max()) <= SHEAR_MM:
        spacing, index = _lattice((along[kept] - along[kept[0]]).tolist(), hints)
        if index is not None:
            grid = Grid(
                (index[-1] + 1, *shape), (spacing, rows, columns), vector(positions[kept[0]]), direction_of(axes)
            )
            return Lying(grid, [index[k] for k in slot])
    placed = place(positions[kept], axes, (rows, columns), shape, hints[0], [""] * len(kept))
    return Lying(placed.grid, [placed.index[k] for k in slot], placed.source)


def _lattice(distances: list[float], hints: Sequence[float]) -> tuple[float, tuple[int, ...] | None]:
    """Spacing in mm and z of distances that lie on a lattice, the first of the hints that fits."""
    if len(distances) == 1:
        return hints[0], (0,)
    for hint in (*hints, None):
        steps = follow(distances, hint)
        if not steps.irregular and steps.index[-1] < _MOST_SLICES:
            return steps.spacing, steps.index
    return 0.0, None


def _hints(measures: Dataset, near: Grid | None, normal: NDArray[np.float64]) -> list[float]:
    """Spacings that the frames may have, the surest first; at least one."""
    found = [float(measures.get("SpacingBetweenSlices") or 0)]
    if near is not None and abs(normal @ near.axes[:, 0]) > 1 - 1e-4:
        found.append(near.spacing[0])
    found.append(float(measures.get("SliceThickness") or 0))
    return [hint for hint in found if np.isfinite(hint) and hint > SAME_POSITION_MM] or [1.0]


def _axes(dataset: Dataset) -> NDArray[np.float64] | None:
    """Unit steps along x and y, shape (2, 3), of the first frame."""
    orientation = _first_group(dataset, "PlaneOrientationSequence")
    if orientation is None:
        return None
    axes = np.reshape([float(v) for v in orientation.ImageOrientationPatient], (2, 3))
    return np.asarray(axes / np.linalg.norm(axes, axis=1)[:, None], np.float64)


def _first_group(dataset: Dataset, keyword: str) -> Dataset | None:
    first, shared = dataset.PerFrameFunctionalGroupsSequence[0], dataset.SharedFunctionalGroupsSequence[0]
    return _group(first, shared, keyword)


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset | None:
    """A functional group of a frame, its own or the shared one."""
    for groups in (own, shared):
        if groups.get(keyword):
            found: Dataset = groups[keyword].value[0]
            return found
    return None


def _image(own: Dataset, shared: Dataset) -> tuple[str, int] | None:
    """The image of Derivation Image, the first one if there are several."""
    derivation = _group(own, shared, "DerivationImageSequence")
    for source in () if derivation is None else derivation.get("SourceImageSequence", ()):
        numbers = source.get("ReferencedFrameNumber")
        first = numbers[0] if isinstance(numbers, Sequence) and not isinstance(numbers, str) else numbers
        return str(source.get("ReferencedSOPInstanceUID", "")), int(first or 1)
    return None


def _slots(series: Series) -> dict[tuple[str, int], int]:
    """The z of every frame of a series, by SOP Instance UID and number of the frame in its file, from 1."""
    found = {}
    first = 0
    for k, path in enumerate(series.files):
        uid = read_header(path).plain(t.SOP_INSTANCE_UID)
        count = series.frames[k] if series.frames else 1
        for number in range(count):
            z = series.slice_of(first + number)
            if z >= 0:
                found[uid, number + 1] = z
        first += count
    return found
