"""A written report as DICOM: an Enhanced SR after TID 2000 (PS3.16), by highdicom, and an encapsulated PDF.

The structured report holds the text under coded headings, and tables as lines of text; measurements with their shapes
are in the report of `medviewer.formats.dicom.measurement_report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medviewer.domain.document import Part
from medviewer.domain.study import Study
from medviewer.errors import InputError
from medviewer.formats.dicom import measurement_codes as mc
from medviewer.formats.dicom.measurement_places import REQUIRED
from medviewer.formats.dicom.observers import device_observer, person_observer
from medviewer.formats.dicom.own_objects import identity, sign, write_object
from medviewer.formats.dicom.study_header import study_header

_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_SERIES_NUMBER = 9300
_DESCRIPTION = "Report, research use only"
_CANNOT = "cannot be DICOM, because the study lacks what it needs; save the report as .pdf."

SECTIONS: Final[Mapping[str, tuple[Code, Code]]] = {
    "indication": (Code("121109", "DCM", "Indications for Procedure"), mc.COMMENT),
    "technique": (
        Code("121064", "DCM", "Current Procedure Descriptions"),
        Code("121065", "DCM", "Procedure Description"),
    ),
    "comparison": (
        Code("121066", "DCM", "Prior Procedure Descriptions"),
        Code("121065", "DCM", "Procedure Description"),
    ),
    "findings": (Code("121070", "DCM", "Findings"), Code("121071", "DCM", "Finding")),
    "impression": (Code("121072", "DCM", "Impressions"), Code("121073", "DCM", "Impression")),
}
"""Heading (CID 7001) and element (CID 7002) of the sections that DICOM has codes for."""


def write_report(parts: Sequence[Part], study: Study, path: Path, author: str = "", final: bool = True) -> None:
    """Write a report as a structured report of its study.

    Parameters
    ----------
    parts
        Its headings with what stands under them.
    study
        Patient and study, and the series that it is about.
    author
        Who wrote it; never the patient.
    final
        Whether it is final; a draft says that it is preliminary.

    Raises
    ------
    InputError
        If there is nothing in it, or the study lacks what an object needs.
    """
    if not parts:
        raise InputError("A report needs text, but there is none; write something first.")
    write_object(path, lambda: _structured(parts, study, author, final), _CANNOT)


def write_pdf_document(pdf: bytes, study: Study, path: Path, title: str, final: bool = True) -> None:
    """Write a PDF as an encapsulated document of a study (PS3.3 A.45.1). Raises as `write_report` does."""
    write_object(path, lambda: _encapsulated(pdf, study, title, final), _CANNOT)


def _structured(parts: Sequence[Part], study: Study, author: str, final: bool) -> Dataset:
    import highdicom as hd

    header, real = study_header(study)
    root = hd.sr.ContainerContentItem(name=mc.PROCEDURE, template_id="2000")
    english = hd.sr.CodedConcept("en", "RFC5646", "English")
    root.ContentSequence = hd.sr.ContentSequence([*hd.sr.LanguageOfContentItemAndDescendants(english)])
    for observer in (device_observer(), person_observer(author)):
        root.ContentSequence.extend(observer or [])
    root.ContentSequence.extend(_section(part) for part in parts)
    dataset = hd.sr.EnhancedSR(
        evidence=[header],
        content=root,
        is_complete=final,
        is_final=final,
        record_evidence=real,
        **identity(_SERIES_NUMBER),
    )
    return sign(dataset, _DESCRIPTION)


def _section(part: Part) -> Any:
    import highdicom as hd

    own = Code(part.key.replace("_", "-")[:16], mc.OWN, part.title[:64])
    heading, element = SECTIONS.get(part.key, (own, mc.COMMENT))
    contains = hd.sr.RelationshipTypeValues.CONTAINS
    made = hd.sr.ContainerContentItem(name=heading, relationship_type=contains)
    texts = [line.replace("\r\n", "\n").replace("\n", "\r\n") for line in part.lines if line.strip()]
    made.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.TextContentItem(element, text, relationship_type=contains) for text in texts]
    )
    return made


def _encapsulated(pdf: bytes, study: Study, title: str, final: bool) -> Dataset:
    header, real = study_header(study)
    now = datetime.now()
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in ("StudyInstanceUID", "ReferringPhysicianName", *REQUIRED):
        setattr(made, keyword, header.get(keyword, ""))
    made.SOPClassUID, made.SOPInstanceUID = _ENCAPSULATED_PDF, generate_uid()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.Modality, made.ConversionType = "DOC", "WSD"
    made.SeriesInstanceUID, made.SeriesNumber, made.InstanceNumber = generate_uid(), _SERIES_NUMBER, 1
    made.ContentDate, made.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = title if final else f"{title} (draft)"
    made.ConceptNameCodeSequence = [_coded(mc.PROCEDURE)]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    if real:
        made.SourceInstanceSequence = [_source(header)]
    made.Manufacturer = "medviewer"
    return sign(made, _DESCRIPTION)


def _source(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item
