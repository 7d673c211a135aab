"""RT Structure Sets (PS3.3 A.19) as masks: contours, filled in on the slices of an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.domain.geometry import Grid
from medviewer.domain.mask import PALETTE, Colour, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series, SliceStack
from medviewer.errors import GridMismatchError, UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import read_header
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.resample import from_slices
from medviewer.formats.dicom.whole import iso_time, read_whole

_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

_OFF_PLANE = 0.01
"""A contour may lean out of a slice by this part of its length, and by half a slice in all."""

_ON_SLICE_MM = 0.1
"""A contour this far from its slice lies on it."""

_MOST_POINTS = 2_000_000
"""Points of one contour; more than any drawn one has."""


@dataclass(frozen=True, eq=False)
class _Contour:
    """One closed contour: the z of its slice, and its points as (y, x) in pixels of that slice, shape (n, 2)."""

    z: int
    points: NDArray[np.float64]


@dataclass
class _Told:
    """What did not become a mask as it was, for the provenance."""

    open_contours: int = 0
    overlaps: int = 0
    outside: int = 0
    between: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind that there is."""
        texts = {
            "{} points or open contours enclose nothing and are left out": self.open_contours,
            "{} voxels lay in more than one region; the later region has them": self.overlaps,
            "{} contours lie beyond the first or last slice and are left out": self.outside,
            "{} contours lie between two slices and are drawn on the nearer one": self.between,
        }
        return tuple(text.format(count) for text, count in texts.items() if count)


def is_rtstruct(path: Path) -> bool:
    """Whether a DICOM file is an RT Structure Set."""
    return read_header(path).plain(t.SOP_CLASS_UID) == _CLASS


def read_rtstruct(path: Path, grid: Grid | None, series: Series | None = None) -> Segmentation:
    """Read an RT Structure Set as a label map on the grid of an image.

    A pixel belongs to a region if its centre lies in an odd number of the contours that the region has on the slice
    (even-odd rule), so that a contour within another one is a hole, as is one that is joined to the outer one by a
    keyhole; a centre on the line itself belongs to it. A contour between two slices is drawn on the nearer one. Regions
    are numbered from 1 in the order of their ROI Numbers; where two overlap, the later has the voxel.

    Parameters
    ----------
    grid
        The grid of the image.
    series
        Its series: contours are filled on the slices that it really has where it is resampled to be shown, and its
        frame of reference is compared.

    Raises
    ------
    UnreadableError
        If it cannot be read, or no grid is given.
    GridMismatchError
        If its frame of reference is not that of the series, or its contours do not lie in the planes of the slices.
    """
    if grid is None:
        raise UnreadableError(
            f"{path.name} holds contours (RTSTRUCT), which need an image to lie on; open their series first."
        )
    try:
        with quiet():
            return _segmentation(read_whole(path), path.name, grid, series)
    except (UnreadableError, GridMismatchError):
        raise
    except Exception as error:
        raise UnreadableError(
            f"{path.name} is an RTSTRUCT that could not be read ({type(error).__name__}); export it again.",
            details=str(error),
        ) from error


def _segmentation(dataset: Dataset, name: str, grid: Grid, series: Series | None) -> Segmentation:
    _check_frame(dataset, name, series)
    source = None if series is None else series.source
    regions = sorted(dataset.get("StructureSetROISequence", ()), key=lambda item: int(item.ROINumber))
    drawn = {int(item.ReferencedROINumber): item for item in dataset.get("ROIContourSequence", ())}
    shape = grid.shape if source is None else (len(source.positions), *source.shape)
    labels = np.zeros(shape, np.uint8 if len(regions) < 256 else np.uint16)
    told = _Told()
    segments = []
    for label, region in enumerate(regions, start=1):
        item = drawn.get(int(region.ROINumber), Dataset())
        segments.append(
            Segment(label, str(region.get("ROIName", "")) or f"ROI {region.ROINumber}", _colour(item, label))
        )
        _fill(labels, label, _contours(item, grid, source, name, told), told)
    if source is not None:
        labels = from_slices(labels, grid, source)
    author = str(dataset.get("OperatorsName", "")).rstrip("^")
    provenance = Provenance(author=author, created=iso_time(dataset, "StructureSet"), notes=told.notes)
    return Segmentation(labels, grid, tuple(segments), provenance, _referenced_series(dataset))


def _check_frame(dataset: Dataset, name: str, series: Series | None) -> None:
    frames = {
        str(item.get("FrameOfReferenceUID", "")) for item in dataset.get("ReferencedFrameOfReferenceSequence", ())
    }
    frames |= {
        str(item.get("ReferencedFrameOfReferenceUID", "")) for item in dataset.get("StructureSetROISequence", ())
    }
    frames.discard("")
    if series is not None and series.frame_of_reference and frames and series.frame_of_reference not in frames:
        raise GridMismatchError(
            f"The contours of {name} lie in another frame of reference than this series; open the series that they "
            "were drawn on."
        )


def _contours(region: Dataset, grid: Grid, source: SliceStack | None, name: str, told: _Told) -> Iterator[_Contour]:
    """The closed contours of a region that lie on a slice."""
    for contour in region.get("ContourSequence", ()):
        points = np.array(contour.get("ContourData") or [], np.float64)
        if str(contour.get("ContourGeometricType", "")) not in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR") or len(points) < 9:
            told.open_contours += 1
            continue
        if len(points) % 3 or len(points) > 3 * _MOST_POINTS or not np.all(np.isfinite(points)):
            raise UnreadableError(f"{name} has a contour whose points are no points; export it again.")
        placed = _on_slice(points.reshape(-1, 3), grid, source, name, told)
        if placed is not None:
            yield placed


def _on_slice(
    points: NDArray[np.float64], grid: Grid, source: SliceStack | None, name: str, told: _Told
) -> _Contour | None:
    """A contour in the pixels of its slice; None if there is no slice where it lies."""
    index = grid.world_to_index(points)
    z = index[:, 0]
    lean_mm, size_mm = np.ptp(z) * grid.spacing[0], float(np.linalg.norm(np.ptp(points, axis=0)))
    if lean_mm > max(_OFF_PLANE * size_mm, 0.01) or np.ptp(z) > 1:
        raise GridMismatchError(
            f"The contours of {name} lie in planes at an angle to the slices of the image ({lean_mm:.1f} mm from one "
            "side to the other); open the series that they were drawn on."
        )
    middle = float(z.mean())
    if source is None:
        nearest, away, reach = round(middle), abs(middle - round(middle)), 0.5
        if not 0 <= nearest < grid.shape[0]:
            told.outside += 1
            return None
        own = index[:, 1:]
    else:
        starts = grid.world_to_index(np.array(source.positions))
        nearest = int(np.argmin(np.abs(starts[:, 0] - middle)))
        away, reach = abs(float(starts[nearest, 0]) - middle), _half_step(starts[:, 0], nearest)
        own = index[:, 1:] - starts[nearest, 1:]
    if away > reach + 1e-6:
        told.outside += 1
        return None
    told.between += away * grid.spacing[0] > _ON_SLICE_MM
    return _Contour(nearest, own)


def _half_step(along: NDArray[np.float64], k: int) -> float:
    steps = np.abs(np.diff(along))[max(k - 1, 0) : k + 1]
    return float(steps.max()) / 2 if len(steps) else 0.5


def _fill(labels: NDArray[Any], label: int, contours: Iterator[_Contour], told: _Told) -> None:
    """Label the pixels whose centres an odd number of contours of a slice encloses."""
    slices: dict[int, list[_Contour]] = defaultdict(list)
    for contour in contours:
        slices[contour.z].append(contour)
    for z, several in slices.items():
        inside = np.zeros(labels.shape[1:], bool)
        for contour in several:
            _toggle(inside, contour.points)
        told.overlaps += int(np.count_nonzero(labels[z][inside]))
        labels[z][inside] = label


def _toggle(inside: NDArray[np.bool_], points: NDArray[np.float64]) -> None:
    """Turn over the pixels in a polygon, given as (y, x)."""
    from skimage.draw import polygon

    draw: Callable[..., tuple[NDArray[np.intp], NDArray[np.intp]]] = polygon  # it has no types of its own
    rows, columns = draw(points[:, 0], points[:, 1], inside.shape)
    inside[rows, columns] ^= True


def _colour(item: Dataset, label: int) -> Colour:
    """ROI Display Color, else one of ours."""
    values = item.get("ROIDisplayColor")
    if values is None or len(values) != 3:
        return PALETTE[(label - 1) % len(PALETTE)]
    red, green, blue = (min(max(int(value), 0), 255) for value in values)
    return red, green, blue


def _referenced_series(dataset: Dataset) -> str:
    """The first series that the contours were drawn on."""
    found: Sequence[Any] = [
        series.get("SeriesInstanceUID", "")
        for frame in dataset.get("ReferencedFrameOfReferenceSequence", ())
        for study in frame.get("RTReferencedStudySequence", ())
        for series in study.get("RTReferencedSeriesSequence", ())
    ]
    return str(found[0]) if found else ""
