"""Masks as DICOM Segmentation objects (PS3.3 A.51), written with highdicom.

highdicom takes half a second to load and is loaded when the first mask is saved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode
from pydicom.uid import generate_uid

import medviewer
from medviewer.domain.mask import Code, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import GridMismatchError, InputError
from medviewer.formats.atomic import replacing
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.resample import onto_slices
from medviewer.formats.dicom.segmentation_sources import refer_to_frames, slice_positions, sources_of

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription

LABEL_PREFIX = "label "
"""Segment Description says which label of the label map a segment was: segment numbers have to run from 1."""

_FEWEST_PIXELS = 8
"""highdicom 0.28 packs the bits of smaller frames into too many bytes."""

_SERIES_NUMBER = 9000
"""High, so that results come after the images in every browser."""


def write_seg(segmentation: Segmentation, path: Path, series: Series) -> None:
    """Write a binary SEG on the slices of the files of `series`; see `medviewer.formats.save_segmentation`.

    It lies where the files lie, also where the series is resampled to be shown, and refers to their frames; those of
    the first phase where there are several.
    """
    if not segmentation.grid.matches(series.grid):
        raise GridMismatchError(
            f"The mask has {segmentation.grid.describe()}, but its series has {series.grid.describe()}; save the mask "
            "with the series that it was drawn on."
        )
    if series.grid.shape[1] * series.grid.shape[2] < _FEWEST_PIXELS:
        raise InputError(
            f"A DICOM SEG needs slices of at least {_FEWEST_PIXELS} pixels, not {series.grid.describe()}; "
            "save as .nii.gz."
        )
    segments = _present(segmentation)
    try:
        with quiet():
            dataset = _build(segmentation, segments, series)
            with replacing(path) as temporary:
                dataset.save_as(temporary)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        text = f"{path.name} cannot be a DICOM SEG, because its source images lack what it needs; save it as .nii.gz."
        raise InputError(text, details=f"{type(error).__name__}: {error}") from error


def _build(segmentation: Segmentation, segments: Sequence[Segment], series: Series) -> Dataset:
    import highdicom as hd

    sources = sources_of(series)
    frames = _renumbered(segmentation, segments)
    if series.source is not None:
        frames = onto_slices(frames, series.grid, series.source)
    arguments: dict[str, Any] = {}
    if sources.exact:
        frames = frames[sources.order]
    else:
        arguments = _own_planes(series)
    provenance = segmentation.provenance
    dataset = hd.seg.Segmentation(
        source_images=sources.datasets,
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(k + 1, segment, provenance) for k, segment in enumerate(segments)],
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="medviewer",
        manufacturer_model_name="medviewer",
        software_versions=medviewer.__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description="Research use only, not for diagnosis",
        content_creator_name=_creator(provenance),
        series_description=_series_description(segments),
        specific_character_set="ISO_IR 192",
        # Of uneven slices only all together say what lies between them.
        omit_empty_frames=bool(frames.any()) and series.source is None,
        **arguments,
    )
    if "FrameOfReferenceUID" not in dataset:
        # Needed where there is no position (PS3.3 C.7.6.1), and left out by highdicom.
        dataset.PatientOrientation = sources.datasets[0].get("PatientOrientation", "")
    refer_to_frames(dataset, sources.stand_ins)
    return dataset


def _own_planes(series: Series) -> dict[str, Any]:
    """Plane positions, orientation and spacing of the slices of a series, where not every slice has a file."""
    import highdicom as hd

    grid = series.grid
    between = None if series.source is not None else grid.spacing[0]
    positions = [hd.PlanePositionSequence("PATIENT", point) for point in slice_positions(series).tolist()]
    return {
        "plane_positions": positions,
        "plane_orientation": hd.PlaneOrientationSequence(
            "PATIENT", [float(v) for v in (*grid.axes[:, 2], *grid.axes[:, 1])]
        ),
        "pixel_measures": hd.PixelMeasuresSequence(grid.spacing[1:], grid.spacing[0], between),
    }


def _present(segmentation: Segmentation) -> list[Segment]:
    """The segments that have voxels; the first declared one where none has, since a SEG needs one."""
    labels = [int(label) for label in np.unique(segmentation.labels) if label]
    declared = segmentation.segments[0] if segmentation.segments else Segment(1, "Segment 1")
    return [segmentation.segment(label) for label in labels] or [declared]


def _renumbered(segmentation: Segmentation, segments: Sequence[Segment]) -> NDArray[Any]:
    """The label map with segment numbers 1, 2, 3 ... in place of labels."""
    numbers = np.zeros(int(segmentation.labels.max()) + 1, np.uint16)
    for number, segment in enumerate(segments, start=1):
        if segment.label < len(numbers):
            numbers[segment.label] = number
    return numbers[segmentation.labels].astype(np.uint8 if len(segments) < 256 else np.uint16)


def _description(number: int, segment: Segment, provenance: Provenance) -> SegmentDescription:
    import highdicom as hd

    kind = algorithm_type(provenance)
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64] or f"Segment {segment.label}",
        segmented_property_category=_code(segment.category),
        segmented_property_type=_code(segment.code),
        algorithm_type=kind,
        algorithm_identification=None if kind == "MANUAL" else _algorithm(provenance),
        tracking_uid=generate_uid(),
        tracking_id=segment.name[:64] or f"Segment {segment.label}",
        display_color=hd.color.CIELabColor.from_rgb(*segment.colour),
    )
    description.SegmentDescription = f"{LABEL_PREFIX}{segment.label}"
    return description


def algorithm_type(provenance: Provenance) -> str:
    """Segment Algorithm Type (PS3.3 C.8.20.2): who drew it."""
    if not provenance.plugin_id:
        return "MANUAL"
    return "AUTOMATIC" if provenance.author in ("", "algorithm") else "SEMIAUTOMATIC"


def _algorithm(provenance: Provenance) -> AlgorithmIdentificationSequence:
    """Plugin and model version, and the rest of the provenance as a parameter."""
    import highdicom as hd

    return hd.AlgorithmIdentificationSequence(
        name=provenance.plugin_id[:64],
        family=codes.cid7162.ArtificialIntelligence,
        version=(provenance.model_version or provenance.plugin_version or "unknown")[:64],
        source="medviewer",
        parameters={"provenance": json.dumps(provenance.to_json(), ensure_ascii=True)},
    )


def _code(code: Code) -> DicomCode:
    return DicomCode(code.value, code.scheme, code.meaning)


def _creator(provenance: Provenance) -> str:
    """Who made it, as a person's name; never the patient."""
    name = provenance.author if provenance.author not in ("", "algorithm") else "medviewer"
    name = name.replace("=", " ").replace("\\", " ")[:63]
    return name if "^" in name else f"{name}^"


def _series_description(segments: Sequence[Segment]) -> str:
    return ("Segmentation of " + ", ".join(segment.name for segment in segments))[:64]
