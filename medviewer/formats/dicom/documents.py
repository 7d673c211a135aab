"""Structured reports and encapsulated documents (PS3.3 A.35, A.45), read so that a person can read them."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path

from pydicom.dataset import Dataset

from medviewer.domain.document import Document
from medviewer.domain.study import Attachment
from medviewer.errors import UnreadableError
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.structured_report import as_html, as_text, lines_of
from medviewer.formats.dicom.whole import read_whole

MAX_BYTES = 256 * 1024**2
"""A document larger than this is no document."""

_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)


def read_document(source: Attachment | Path) -> Document:
    """Read a structured report, a key object selection, an encapsulated PDF or an encapsulated CDA.

    Raises
    ------
    UnreadableError
        If the file is missing, damaged, too large, or something else.
    """
    path = source.file if isinstance(source, Attachment) else source
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UnreadableError(f"{path.name} is larger than the {MAX_BYTES // 1024**2} MB of a document; left unread.")
    dataset = read_whole(path)
    try:
        with quiet():
            return _document(dataset, path)
    except UnreadableError:
        raise
    except Exception as error:  # pydicom converts values when they are asked for, and raises whatever they lead to
        text = f"{path.name} should be a DICOM report or document, but it is damaged; fetch it again."
        raise UnreadableError(text, type(error).__name__) from error


def _document(dataset: Dataset, path: Path) -> Document:
    date = _iso(str(dataset.get("ContentDate", "") or "") or str(dataset.get("StudyDate", "") or ""))
    name, number = (str(dataset.get(keyword, "") or "").strip() for keyword in ("PatientName", "PatientID"))
    patient = "  ".join(part for part in (name.partition("=")[0].replace("^", " "), number) if part)
    if "EncapsulatedDocument" in dataset:
        return _encapsulated(dataset, path, date, patient)
    if "ContentSequence" not in dataset and "ValueType" not in dataset:
        raise UnreadableError(
            f"{path.name} is neither a report nor a document; open an SR or an encapsulated PDF, and images as images."
        )
    lines = lines_of(dataset)
    title = lines[0].label or str(dataset.get("SeriesDescription", "") or "") or "Report"
    head = [text for text in (patient, date, _state(dataset)) if text]
    text = "\n".join([*head, "", as_text(lines)]) if head else as_text(lines)
    state = _state(dataset)
    html = (f"<p>{escape(state)}</p>" if state else "") + as_html(lines)
    return Document("report", title, date, patient, html=html, text=text)


def _encapsulated(dataset: Dataset, path: Path, date: str, patient: str) -> Document:
    content = dataset.EncapsulatedDocument
    length = dataset.get("EncapsulatedDocumentLength")
    if isinstance(length, int) and 0 < length <= len(content):
        content = content[:length]  # what follows pads to an even number of bytes
    kind = str(dataset.get("MIMETypeOfEncapsulatedDocument", "") or "").lower()
    title = str(dataset.get("DocumentTitle", "") or dataset.get("SeriesDescription", "") or "").strip() or "Document"
    if content.startswith(b"%PDF-") or (kind == "application/pdf" and b"%PDF-" in content[:1024]):
        return Document("pdf", title, date, patient, pdf=content)
    if "xml" in kind or content.lstrip()[:5] == b"<?xml":
        text = _words(content.decode("utf-8", "replace"))
        html = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
        return Document("cda", title, date, patient, html=html, text=text)
    raise UnreadableError(
        f"{path.name} holds a document of the type {kind or 'unknown'}; only PDF and CDA can be shown. Save it with "
        "another program."
    )


def _words(xml: str) -> str:
    """The words of an XML document, a line a piece; its entities are never resolved."""
    pieces = (" ".join(unescape(piece).split()) for piece in _TAG.sub("\n", xml).splitlines())
    return "\n".join(piece for piece in pieces if piece)


def _state(dataset: Dataset) -> str:
    """How far the report is, as it says: complete or partial, verified or not."""
    flags = (dataset.get("CompletionFlag"), dataset.get("VerificationFlag"))
    return ", ".join(str(flag).lower() for flag in flags if flag)


def _iso(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 and date.isdigit() else date
