"""Key images as a DICOM Key Object Selection Document (PS3.3 A.35.4, PS3.16 TID 2010), by highdicom.

It names the instances, and of files with several frames the frames, that a person marked; other programs show them
first. It says nothing of windows: those are in the pictures, and in the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset
from pydicom.sr.coding import Code

from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.formats.dicom.measurement_places import Frame, Frames
from medviewer.formats.dicom.observers import device_observer, person_observer
from medviewer.formats.dicom.own_objects import identity, sign, write_object

_OF_INTEREST = Code("113000", "DCM", "Of Interest")
_SERIES_NUMBER = 9200


def write_key_objects(images: Sequence[tuple[KeyImage, Series]], path: Path, author: str = "") -> None:
    """Write which slices of a study were marked as one object of that study.

    Parameters
    ----------
    images
        Key images that are stored slices, each with its series.
    path
        The file.
    author
        Who marked them; never the patient.

    Raises
    ------
    InputError
        If there are none, a series is no DICOM or its file is gone, or the files lack what the object needs.
    """
    if not images:
        raise InputError("A key object selection needs key images, but there are none; mark some first.")
    write_object(
        path,
        lambda: _build(images, author),
        "cannot be a DICOM key object, because its images lack what it needs; save the pictures.",
    )


def _build(images: Sequence[tuple[KeyImage, Series]], author: str) -> Dataset:
    import highdicom as hd

    frames = Frames()
    places = [frames.at(series, one.slice, one.phase) for one, series in images]
    content = hd.ko.KeyObjectSelection(
        document_title=_OF_INTEREST,
        referenced_objects=[place.dataset for place in places],
        observer_device_context=device_observer(),
        observer_person_context=person_observer(author),
        description=_description(images) or None,
    )
    _number_frames(content[0], places)
    dataset = hd.ko.KeyObjectSelectionDocument(
        evidence=frames.datasets,
        content=content,
        **identity(_SERIES_NUMBER),
    )
    return sign(dataset, "Key images, research use only")


def _number_frames(content: Dataset, places: Sequence[Frame]) -> None:
    """Tell which frame is meant, where a file has several: highdicom refers to whole files."""
    items = [item for item in content.ContentSequence if item.ValueType == "IMAGE"]
    for item, place in zip(items, places, strict=True):
        if place.number is not None:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = place.number


def _description(images: Sequence[tuple[KeyImage, Series]]) -> str:
    """The notes, by the number of their image: the object has one description for all."""
    return "\n".join(f"{number}: {one.note}" for number, (one, _) in enumerate(images, start=1) if one.note)
