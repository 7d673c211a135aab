"""Reports and documents: what they say is shown, and nothing of it is taken for more than text."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pypdfium2
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import (
    EncapsulatedCDAStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    generate_uid,
)

from medviewer import formats
from medviewer.domain.document import Document
from medviewer.domain.study import Attachment
from medviewer.errors import UnreadableError
from medviewer.formats import isolation, pdf
from medviewer.formats.dicom import documents
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.structured_report import MAX_DEPTH, MAX_ITEMS

EVIL = "<script>alert(1)</script><img src='http://127.0.0.1/x.png'> & more"


def code(meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99TEST", meaning
    return Sequence([item])


def content(kind: str, meaning: str, **more: object) -> Dataset:
    """One content item."""
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", kind, code(meaning)
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def saved(dataset: Dataset, path: Path, sop_class: str = EnhancedSRStorage) -> Path:
    """Write an object of a made-up patient."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.ContentDate = "Muster^Eva", "ID-17", "20240301"
    with quiet():
        dataset.save_as(path, enforce_file_format=True)
    return path


def report(*items: Dataset) -> Dataset:
    dataset = Dataset()
    dataset.ValueType, dataset.ConceptNameCodeSequence = "CONTAINER", code("Chest report")
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ContentSequence = Sequence(items)
    return dataset


def referenced(sop_class: str = "1.2.840.10008.5.1.4.1.1.2") -> Sequence:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, "1.2.3.4"
    return Sequence([item])


def measured(value: str, unit: str) -> Sequence:
    item = Dataset()
    item.NumericValue = value
    units = Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", "unit meaning"
    item.MeasurementUnitsCodeSequence = Sequence([units])
    return Sequence([item])


def test_every_kind_of_content_is_told(tmp_path: Path) -> None:
    section = content("CONTAINER", "Findings")
    section.ContentSequence = Sequence(
        [
            content("TEXT", "Finding", TextValue="Clear.\r\nNo effusion: größe."),
            content("CODE", "Side", ConceptCodeSequence=code("Left")),
            content("NUM", "Diameter", MeasuredValueSequence=measured("12.5", "mm")),
            content("NUM", "Ratio", MeasuredValueSequence=measured("2", "1")),
            content("NUM", "Lost", MeasuredValueSequence=Sequence()),
            content("PNAME", "Reader", PersonName="Reader^Rita"),
            content("DATE", "Day", Date="20240229"),
            content("TIME", "Hour", Time="101112.5"),
            content("DATETIME", "Moment", DateTime="20240229101112+0100"),
            content("UIDREF", "Tracked", UID="1.2.3"),
            content("IMAGE", "Source", ReferencedSOPSequence=referenced()),
            content("COMPOSITE", "Object", ReferencedSOPSequence=referenced("1.2.840.10008.5.1.4.1.1.66.4")),
            content("WAVEFORM", "Trace", ReferencedSOPSequence=referenced("1.2.840.10008.5.1.4.1.1.9.1.1")),
            content("SCOORD", "Outline", GraphicType="POLYLINE", GraphicData=[1, 2, 3, 4, 5, 6]),
            content("SCOORD3D", "Place", GraphicType="POINT", GraphicData=[1, 2.5, -3]),
            content("TCOORD", "Phase", TemporalRangeType="POINT", ReferencedTimeOffsets=[1.5]),
            content("NEWTYPE", "Unknown"),
        ]
    )
    found = formats.read_document(saved(report(section), tmp_path / "sr.dcm"))
    assert (found.kind, found.title, found.date) == ("report", "Chest report", "2024-03-01")
    assert found.text.splitlines() == [
        "Muster Eva  ID-17",
        "2024-03-01",
        "complete, unverified",
        "",
        "Chest report",
        "  Findings",
        "    Finding: Clear.",
        "      No effusion: größe.",
        "    Side: Left",
        "    Diameter: 12.5 mm",
        "    Ratio: 2",
        "    Lost: no value",
        "    Reader: Reader, Rita",
        "    Day: 2024-02-29",
        "    Hour: 10:11:12",
        "    Moment: 2024-02-29 10:11:12",
        "    Tracked: 1.2.3",
        "    Source: CT Image Storage 1.2.3.4",
        "    Object: Segmentation Storage 1.2.3.4",
        "    Trace: 12-lead ECG Waveform Storage 1.2.3.4",
        "    Outline: polyline of 3 points",
        "    Place: point at 1, 2.5, -3 mm",
        "    Phase: point seconds 1.5",
        "    Unknown: content of the kind NEWTYPE",
    ]
    assert found.html.count("<ul>") == found.html.count("</ul>") == 2
    assert "Muster" not in repr(found)


def test_text_of_a_report_is_never_markup(tmp_path: Path) -> None:
    item = content("TEXT", EVIL[:60], TextValue=EVIL)
    found = formats.read_document(saved(report(item), tmp_path / "sr.dcm"))
    assert "<script" not in found.html
    assert "<img" not in found.html
    assert "&lt;script&gt;" in found.html
    assert EVIL in found.text


def test_deep_and_endless_reports_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deepest = content("TEXT", "The deepest", TextValue="x")
    for _ in range(MAX_DEPTH + 5):
        outer = content("CONTAINER", "Level")
        outer.ContentSequence = Sequence([deepest])
        deepest = outer
    found = formats.read_document(saved(report(deepest), tmp_path / "deep.dcm"))
    assert "The deepest" not in found.text
    assert "the rest is not shown" in found.text
    assert MAX_ITEMS > 10_000
    monkeypatch.setattr("medviewer.formats.dicom.structured_report.MAX_ITEMS", 5)
    many = [content("TEXT", f"Item {k}", TextValue="x") for k in range(9)]
    found = formats.read_document(saved(report(*many), tmp_path / "many.dcm"))
    assert "Item 3" in found.text
    assert "Item 5" not in found.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reportsi.dcm", ["Document Title", "Observation Context Mode: DIRECT", "Report Text"]),
        ("test-SR.dcm", ["Diameter: 3 cm", "circle of 2 points", "see item 1.3.2", "Date: 2000-12-06"]),
    ],
)
def test_reports_of_others_are_readable(samples: dict[str, Path], name: str, words: list[str]) -> None:
    found = formats.read_document(samples[name])
    assert found.kind == "report"
    assert [word for word in words if word not in found.text] == []


def test_a_measurement_report_by_highdicom_is_readable(samples: dict[str, Path], tmp_path: Path) -> None:
    import pydicom

    sr = highdicom.sr
    with quiet():
        ct = pydicom.dcmread(samples["CT_small.dcm"])
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier="Lesion 1", uid=highdicom.UID()),
            finding_type=codes.SCT.Nodule,
            measurements=[sr.Measurement(name=codes.SCT.Diameter, value=7.5, unit=codes.UCUM.Millimeter)],
        )
        observer = sr.ObserverContext(codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(name="Reader^Rita"))
        made = sr.MeasurementReport(
            sr.ObservationContext(observer_person_context=observer), codes.LN.CTUnspecifiedBodyRegion, [group]
        )
        dataset = sr.Comprehensive3DSR([ct], made, highdicom.UID(), 1, highdicom.UID(), 1, "Maker", is_complete=True)
        dataset.save_as(tmp_path / "sr.dcm")
    found = formats.read_document(tmp_path / "sr.dcm")
    assert found.title == "Imaging Measurement Report"
    for words in ("Diameter: 7.5 mm", "Tracking Identifier: Lesion 1", "Person Observer Name: Reader, Rita"):
        assert words in found.text


def test_a_key_object_selection_is_readable(tmp_path: Path) -> None:
    dataset = report(content("IMAGE", "Of Interest", ReferencedSOPSequence=referenced()))
    del dataset.CompletionFlag
    found = formats.read_document(saved(dataset, tmp_path / "ko.dcm", KeyObjectSelectionDocumentStorage))
    assert "Of Interest: CT Image Storage 1.2.3.4" in found.text


# -- documents


def made_pdf(pages: int = 2) -> bytes:
    """A PDF of A5 pages, each with a dark square in its upper left quarter."""
    import io

    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        sheet = document.new_page(420, 595)
        square = pypdfium2.raw.FPDFPageObj_CreateNewRect(40, 400, 100, 100)
        pypdfium2.raw.FPDFPageObj_SetFillColor(square, 20, 40, 60, 255)
        pypdfium2.raw.FPDFPath_SetDrawMode(square, pypdfium2.raw.FPDF_FILLMODE_ALTERNATE, 0)
        pypdfium2.raw.FPDFPage_InsertObject(sheet, square)
        sheet.gen_content()
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def encapsulated(data: bytes, mime: str = "application/pdf") -> Dataset:
    dataset = Dataset()
    dataset.DocumentTitle, dataset.MIMETypeOfEncapsulatedDocument = "Letter", mime
    dataset.EncapsulatedDocumentLength = len(data)
    dataset.EncapsulatedDocument = data + b"\0" * (len(data) % 2 or 2)
    return dataset


def test_a_pdf_comes_out_byte_for_byte_and_its_pages_are_drawn(tmp_path: Path) -> None:
    data = made_pdf()
    path = saved(encapsulated(data), tmp_path / "pdf.dcm", EncapsulatedPDFStorage)
    found = formats.read_document(Attachment("1", "pdf", "Letter", path))
    assert found == Document("pdf", "Letter", "2024-03-01", "Muster Eva  ID-17", pdf=data)
    assert pdf.page_count(found.pdf) == 2
    picture = pdf.page(found.pdf, 1, 72)
    assert picture.shape == (595, 420, 3)
    assert picture[595 - 450, 90].tolist() == [20, 40, 60]
    assert (picture[400:, 200:] == 255).all()


def test_a_page_never_gets_larger_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PIXELS", 10_000)
    picture = pdf._draw(made_pdf(1), 0, 300)
    assert picture.shape[0] * picture.shape[1] <= 10_500


@pytest.mark.parametrize("data", [b"%PDF-1.7 no more", b"%PDF-1.7\n%%EOF\n" + b"\xff" * 4000])
def test_a_broken_pdf_is_one_readable_error(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="cannot be opened"):
        pdf.page_count(data)


def test_a_crash_of_the_renderer_is_one_readable_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real = isolation.call
    monkeypatch.setattr(isolation, "call", lambda function, *arguments: real("os:abort"))
    with pytest.raises(UnreadableError, match="crashed or hung"):
        pdf.page_count(made_pdf(1))


def test_the_words_of_a_cda_are_shown(tmp_path: Path) -> None:
    xml = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ClinicalDocument>'
        b"<script>bad()</script><title>Letter &amp; more</title><text>All is well&e;</text></ClinicalDocument>"
    )
    path = saved(encapsulated(xml, "text/XML"), tmp_path / "cda.dcm", EncapsulatedCDAStorage)
    found = formats.read_document(path)
    assert found.kind == "cda"
    assert "Letter & more" in found.text
    assert "All is well" in found.text
    assert "bad()" not in found.text
    assert "root:" not in found.text


def test_what_is_no_document_is_refused_in_one_sentence(
    samples: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnreadableError, match="neither a report nor a document"):
        formats.read_document(samples["CT_small.dcm"])
    with pytest.raises(UnreadableError, match="could not be opened"):
        formats.read_document(tmp_path / "missing.dcm")
    stl = saved(encapsulated(b"solid thing", "model/stl"), tmp_path / "stl.dcm")
    with pytest.raises(UnreadableError, match="model/stl"):
        formats.read_document(stl)
    monkeypatch.setattr(documents, "MAX_BYTES", 100)
    with pytest.raises(UnreadableError, match="larger than"):
        formats.read_document(stl)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(samples["reportsi.dcm"].read_bytes()[:2000])
    monkeypatch.undo()
    with quiet():
        assert np.isin(_outcome(cut), ["read", "refused"])


def _outcome(path: Path) -> str:
    try:
        formats.read_document(path)
    except UnreadableError:
        return "refused"
    return "read"
