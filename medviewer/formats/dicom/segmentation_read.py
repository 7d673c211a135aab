"""DICOM Segmentation objects as masks, whatever program wrote them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.domain.geometry import Grid
from medviewer.domain.mask import PALETTE, TISSUE, Code, Colour, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import GridMismatchError, UnreadableError
from medviewer.formats.dicom.geometry import SAME_POSITION_MM, direction_of, follow
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.segmentation import LABEL_PREFIX
from medviewer.formats.lattice import onto, vector

_SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


@dataclass(frozen=True)
class _Frame:
    """One frame: its segment (None in a label map), its position in mm if it has one, and its pixels."""

    number: int | None
    position: NDArray[np.float64] | None
    pixels: NDArray[Any]


def read_seg(path: Path, grid: Grid | None) -> Segmentation:
    """Read a SEG; see `medviewer.formats.load_segmentation`."""
    try:
        with quiet():
            dataset = pydicom.dcmread(path)
            if dataset.get("SOPClassUID") not in _SEG_CLASSES:
                raise UnreadableError(f"{path.name} is a DICOM object but no segmentation (SEG); open it as an image.")
            return _segmentation(dataset, path, grid)
    except (UnreadableError, GridMismatchError):
        raise
    except Exception as error:
        raise UnreadableError(
            f"{path.name} is a DICOM SEG that could not be read ({type(error).__name__}); export it again.",
            details=str(error),
        ) from error


def _segmentation(dataset: Dataset, path: Path, grid: Grid | None) -> Segmentation:
    if dataset.SegmentationType == "FRACTIONAL":
        raise UnreadableError(
            f"{path.name} holds fractional segments, but only binary ones can be shown; convert it first."
        )
    described = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
    described.pop(0, None)  # the background of a label map
    labels = {number: _label(item) for number, item in described.items()}
    if len(set(labels.values())) < len(labels):
        labels = {number: number for number in described}
    frames = _frames(dataset)
    own, index = _own_grid(dataset, frames, grid, path)
    values, overlaps = _label_map(frames, index, own, labels)
    target = own if grid is None else grid
    provenance = _provenance(dataset)
    if overlaps:
        note = f"{overlaps} voxels lay in more than one segment; the later segment has them"
        provenance = Provenance.from_json({**provenance.to_json(), "notes": [*provenance.notes, note]})
    segments = tuple(_segment(labels[number], item) for number, item in sorted(described.items()))
    return Segmentation(
        onto(values, own, target, path.name),
        target,
        tuple(sorted(segments, key=lambda segment: segment.label)),
        provenance,
        _source_series(dataset),
    )


def _frames(dataset: Dataset) -> list[_Frame]:
    pixels = dataset.pixel_array
    if pixels.ndim == 2:
        pixels = pixels[np.newaxis]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    frames = []
    for plane, own in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        segment = _group(own, shared, "SegmentIdentificationSequence")
        place = _group(own, shared, "PlanePositionSequence")
        position = None if place is None else np.array([float(v) for v in place.ImagePositionPatient])
        frames.append(_Frame(None if segment is None else int(segment.ReferencedSegmentNumber), position, plane))
    return frames


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset | None:
    """A functional group of a frame, its own or the shared one."""
    for groups in (own, shared):
        if groups.get(keyword):
            found: Dataset = groups[keyword].value[0]
            return found
    return None


def _own_grid(dataset: Dataset, frames: list[_Frame], grid: Grid | None, path: Path) -> tuple[Grid, list[int]]:
    """The lattice that the frames themselves span, and the z index of each frame on it."""
    shape = (int(dataset.Rows), int(dataset.Columns))
    shared = dataset.SharedFunctionalGroupsSequence[0]
    first = dataset.PerFrameFunctionalGroupsSequence[0]
    orientation = _group(first, shared, "PlaneOrientationSequence")
    measures = _group(first, shared, "PixelMeasuresSequence")
    positions = [frame.position for frame in frames if frame.position is not None]
    if orientation is None or measures is None or len(positions) < len(frames):
        return _flat_grid(shape, grid, path), [0] * len(frames)
    axes = np.reshape([float(v) for v in orientation.ImageOrientationPatient], (2, 3))
    along = np.array([position @ np.cross(axes[0], axes[1]) for position in positions])
    distances = _distinct(along)
    thickness = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1.0)
    steps = follow(distances, thickness) if len(distances) > 1 else None
    spacing = thickness if steps is None else steps.spacing
    if steps is not None and steps.irregular:
        raise UnreadableError(f"{path.name} has unevenly spaced frames, but even spacing is needed; resample it first.")
    z = np.rint((along - distances[0]) / spacing).astype(int)
    between_rows, between_columns = (float(v) for v in measures.PixelSpacing)
    own = Grid(
        (int(z.max()) + 1, *shape),
        (spacing, between_rows, between_columns),
        vector(positions[int(np.argmin(along))]),
        direction_of(axes),
    )
    return own, z.tolist()


def _distinct(along: NDArray[np.float64]) -> list[float]:
    ordered = np.sort(along)
    return [float(v) for v in ordered[np.concatenate(([True], np.diff(ordered) > SAME_POSITION_MM))]]


def _flat_grid(shape: tuple[int, int], grid: Grid | None, path: Path) -> Grid:
    """The grid of a mask on an image without a place in the patient: that of the image, if the pixels agree."""
    if grid is None:
        return Grid((1, *shape))
    if grid.shape != (1, *shape):
        raise GridMismatchError(
            f"{path.name} has {shape[0]} x {shape[1]} pixels and no position, but the image has {grid.describe()}; "
            "open the image that it was drawn on."
        )
    return grid


def _label_map(frames: list[_Frame], index: list[int], grid: Grid, labels: dict[int, int]) -> tuple[NDArray[Any], int]:
    """The label map, and how many voxels more than one segment claims."""
    values = np.zeros(grid.shape, np.uint8 if max(labels.values(), default=0) < 256 else np.uint16)
    lookup = np.zeros(max(labels, default=0) + 1, values.dtype)
    for number, label in labels.items():
        lookup[number] = label
    overlaps = 0
    for frame, z in zip(frames, index, strict=True):
        inside = frame.pixels != 0
        overlaps += int(np.count_nonzero(values[z][inside]))
        values[z][inside] = lookup[frame.pixels[inside]] if frame.number is None else lookup[frame.number]
    return values, overlaps


def _label(item: Dataset) -> int:
    """The label that `write_seg` noted, else the segment's number."""
    text = str(item.get("SegmentDescription", ""))
    number = text.removeprefix(LABEL_PREFIX)
    return int(number) if text.startswith(LABEL_PREFIX) and number.isdigit() else int(item.SegmentNumber)


def _segment(label: int, item: Dataset) -> Segment:
    name = str(item.get("SegmentLabel", "")) or f"Segment {label}"
    category = _code(item.get("SegmentedPropertyCategoryCodeSequence"))
    return Segment(label, name, _colour(item, label), _code(item.get("SegmentedPropertyTypeCodeSequence")), category)


def _code(items: Any) -> Code:
    if not items:
        return TISSUE
    value = items[0].get("CodeValue") or items[0].get("LongCodeValue") or items[0].get("URNCodeValue") or ""
    return Code(str(value), str(items[0].get("CodingSchemeDesignator", "")), str(items[0].get("CodeMeaning", "")))


def _colour(item: Dataset, label: int) -> Colour:
    """Recommended Display CIELab Value as red, green and blue."""
    value = item.get("RecommendedDisplayCIELabValue")
    if value is None:
        return PALETTE[(label - 1) % len(PALETTE)]
    from highdicom.color import CIELabColor

    red, green, blue = CIELabColor.from_dicom_value(tuple(int(v) for v in value)).to_rgb(clip=True)
    return red, green, blue


def _provenance(dataset: Dataset) -> Provenance:
    """Who made it: the provenance that `write_seg` put in, else what the attributes say."""
    creator = str(dataset.get("ContentCreatorName", "")).rstrip("^")
    creator = "" if creator == "medviewer" else creator
    for item in dataset.SegmentSequence:
        for algorithm in item.get("SegmentationAlgorithmIdentificationSequence", ()):
            parameters = str(algorithm.get("AlgorithmParameters", ""))
            with suppress(ValueError, TypeError):
                return Provenance.from_json(json.loads(parameters.partition("provenance=")[2]))
            name, version = str(algorithm.get("AlgorithmName", "")), str(algorithm.get("AlgorithmVersion", ""))
            return Provenance(plugin_id=name, model_version=version, author=creator, created=_created(dataset))
    return Provenance(author=creator, created=_created(dataset))


def _created(dataset: Dataset) -> str:
    date, time = str(dataset.get("ContentDate", "")), str(dataset.get("ContentTime", ""))
    if len(date) != 8:
        return ""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2] or '00'}:{time[2:4] or '00'}:{time[4:6] or '00'}"


def _source_series(dataset: Dataset) -> str:
    for item in dataset.get("ReferencedSeriesSequence", ()):
        return str(item.get("SeriesInstanceUID", ""))
    return ""
