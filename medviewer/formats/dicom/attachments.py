"""Objects that are no images but belong to some: masks, reports and documents."""

from __future__ import annotations

from collections.abc import Iterator

import pydicom

from medviewer.domain.study import Attachment
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.deflated import open_plain
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.multiframe import as_text, items_of, value_of
from medviewer.formats.dicom.quiet import quiet

_EVIDENCE = (
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
    "StudiesContainingOtherReferencedInstancesSequence",
)
"""Studies, with series in them, that an object refers to (PS3.3 C.17.2, C.12.1)."""

_WANTED = (
    "SpecificCharacterSet",
    "SeriesDescription",
    "ContentLabel",
    "ContentDescription",
    "StructureSetLabel",
    "StructureSetName",
    "DocumentTitle",
    "ConceptNameCodeSequence",
    "ContentDate",
    "StructureSetDate",
    "InstanceCreationDate",
    "SeriesDate",
    "ReferencedSeriesSequence",
    "ReferencedFrameOfReferenceSequence",
    *_EVIDENCE,
)

_OWN_TITLES = {
    "seg": ("SeriesDescription", "ContentLabel", "ContentDescription"),
    "rtstruct": ("StructureSetLabel", "SeriesDescription", "StructureSetName"),
    "pdf": ("DocumentTitle", "SeriesDescription"),
    "cda": ("DocumentTitle", "SeriesDescription"),
    "report": ("SeriesDescription",),
}
"""Where the title lies, best first; the concept name of the document is next."""

_KINDS = {
    "seg": "Segmentation",
    "rtstruct": "Structure set",
    "report": "Report",
    "pdf": "Document",
    "cda": "Document",
}
"""What an object without a title is called."""


def attachment_of(header: Header, kind: str, uid: str) -> Attachment:
    """Describe an object of one of the kinds that `kinds.attachment_kind` knows.

    Parameters
    ----------
    header
        Its header.
    kind
        Kind of attachment.
    uid
        What it is known by: its SOP Instance UID, or what stands for that.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    """
    try:
        with quiet(), open_plain(header.path) as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_WANTED), force=True)
            dates = ("ContentDate", "StructureSetDate", "SeriesDate", "InstanceCreationDate")
            return Attachment(
                uid=uid,
                kind=kind,
                title=_title(dataset, kind),
                file=header.path,
                modality=header.plain(t.MODALITY).upper(),
                date=next((date for key in dates if (date := _date(dataset, key))), ""),
                series_uid=header.plain(t.SERIES_INSTANCE_UID),
                of_series=tuple(dict.fromkeys(uid for uid in _referenced(dataset) if uid)),
            )
    except Exception as error:
        raise UnreadableError(
            f"{header.path.name} is broken: it could not be listed ({type(error).__name__}); fetch it again.",
            details=str(error),
        ) from error


def _title(dataset: pydicom.Dataset, kind: str) -> str:
    for key in _OWN_TITLES[kind]:
        title = as_text(value_of(dataset, key)).strip()
        if title:
            return title
    names = items_of(dataset, "ConceptNameCodeSequence")
    meaning = as_text(value_of(names[0], "CodeMeaning")).strip() if names else ""
    return meaning or _KINDS[kind]


def _date(dataset: pydicom.Dataset, keyword: str) -> str:
    digits = as_text(value_of(dataset, keyword)).replace(".", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 and digits.isdigit() else ""


def _referenced(dataset: pydicom.Dataset) -> Iterator[str]:
    """Series Instance UIDs that an object refers to, in its order."""
    yield from _series_in(dataset, "ReferencedSeriesSequence")
    for frame in items_of(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items_of(frame, "RTReferencedStudySequence"):
            yield from _series_in(study, "RTReferencedSeriesSequence")
    for keyword in _EVIDENCE:
        for study in items_of(dataset, keyword):
            yield from _series_in(study, "ReferencedSeriesSequence")


def _series_in(dataset: pydicom.Dataset, keyword: str) -> Iterator[str]:
    for series in items_of(dataset, keyword):
        yield as_text(value_of(series, "SeriesInstanceUID"))
