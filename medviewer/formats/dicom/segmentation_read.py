"""DICOM Segmentation objects as masks, whatever program wrote them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.domain.geometry import Grid
from medviewer.domain.mask import PALETTE, TISSUE, Code, Colour, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import GridMismatchError, UnreadableError
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.resample import from_slices
from medviewer.formats.dicom.segmentation import LABEL_PREFIX
from medviewer.formats.dicom.segmentation_frames import Frame, Lying, frames_in, on_slices, on_their_own
from medviewer.formats.dicom.whole import iso_time, read_whole
from medviewer.formats.lattice import onto_or_nearest

_SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


def read_seg(path: Path, grid: Grid | None, series: Series | None = None) -> Segmentation:
    """Read a SEG; see `medviewer.formats.load_segmentation`."""
    try:
        with quiet():
            dataset = read_whole(path)
            if dataset.get("SOPClassUID") not in _SEG_CLASSES:
                raise UnreadableError(
                    f"{path.name} is a DICOM object but no segmentation (SEG or RTSTRUCT); open it as an image."
                )
            return _segmentation(dataset, path, grid, series)
    except (UnreadableError, GridMismatchError):
        raise
    except Exception as error:
        raise UnreadableError(
            f"{path.name} is a DICOM SEG that could not be read ({type(error).__name__}); export it again.",
            details=str(error),
        ) from error


def _segmentation(dataset: Dataset, path: Path, grid: Grid | None, series: Series | None) -> Segmentation:
    own_frame = str(dataset.get("FrameOfReferenceUID", ""))
    same_frame = series is not None and bool(own_frame) and own_frame == series.frame_of_reference
    if series is not None and not same_frame:
        _check_frame(dataset, own_frame, path, series)
    described = {int(item.SegmentNumber): item for item in dataset.SegmentSequence}
    described.pop(0, None)  # the background of a label map
    labels = {number: _label(item) for number, item in described.items()}
    if len(set(labels.values())) < len(labels):
        labels = {number: number for number in described}
    frames = frames_in(dataset, path)
    lying = _lying(dataset, frames, grid, series, path)
    values, overlaps = _label_map(frames, lying, labels)
    if lying.source is not None:
        values = from_slices(values, lying.grid, lying.source)
    notes = []
    if dataset.SegmentationType == "FRACTIONAL":
        notes.append("segments were fractional; what is at least half belongs to them")
    if overlaps:
        notes.append(f"{overlaps} voxels lay in more than one segment; the later segment has them")
    target = lying.grid if grid is None else grid
    values, note = onto_or_nearest(values, lying.grid, target, path.name, may_resample=same_frame)
    provenance = _provenance(dataset)
    provenance = replace(provenance, notes=(*provenance.notes, *notes, *([note] if note else [])))
    segments = tuple(_segment(labels[number], item) for number, item in sorted(described.items()))
    return Segmentation(
        values,
        target,
        tuple(sorted(segments, key=lambda segment: segment.label)),
        provenance,
        _source_series(dataset),
    )


def _check_frame(dataset: Dataset, own_frame: str, path: Path, series: Series) -> None:
    """Refuse a mask of another patient or examination whose slices happen to lie at the same numbers.

    One that names the series as its source is taken, whatever frame of reference its program gave it.
    """
    named = {str(item.get("SeriesInstanceUID", "")) for item in dataset.get("ReferencedSeriesSequence", ())}
    if own_frame and series.frame_of_reference and series.instance_uid not in named:
        raise GridMismatchError(
            f"{path.name} lies in another frame of reference than this series and was not drawn on it; open the series "
            "that it was drawn on."
        )


def _lying(dataset: Dataset, frames: Sequence[Frame], grid: Grid | None, series: Series | None, path: Path) -> Lying:
    """Where the frames lie: on the slices of the series, else on a lattice of their own, else on a flat image."""
    found = None if series is None else on_slices(dataset, frames, series)
    found = found or on_their_own(dataset, frames, grid)
    if found is not None:
        return found
    if len({frame.image for frame in frames}) > 1:
        raise GridMismatchError(
            f"{path.name} only says on which images it was drawn, not where they lie; open their series first, then "
            "the mask."
        )
    return Lying(_flat_grid((int(dataset.Rows), int(dataset.Columns)), grid, path), [0] * len(frames))


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


def _label_map(frames: Sequence[Frame], lying: Lying, labels: dict[int, int]) -> tuple[NDArray[Any], int]:
    """The label map, and how many voxels more than one segment claims."""
    values = np.zeros(lying.shape, np.uint8 if max(labels.values(), default=0) < 256 else np.uint16)
    lookup = np.zeros(max(labels, default=0) + 1, values.dtype)
    for number, label in labels.items():
        lookup[number] = label
    overlaps = 0
    for frame, z in zip(frames, lying.index, strict=True):
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
            return Provenance(
                plugin_id=name, model_version=version, author=creator, created=iso_time(dataset, "Content")
            )
    return Provenance(author=creator, created=iso_time(dataset, "Content"))


def _source_series(dataset: Dataset) -> str:
    for item in dataset.get("ReferencedSeriesSequence", ()):
        return str(item.get("SeriesInstanceUID", ""))
    return ""
