"""Reports as PDF: whatever is in them, they become pages."""

from __future__ import annotations

import io

import pypdfium2
from PIL import Image

from medviewer.domain.report import RESEARCH_USE, Report, Section
from medviewer.reporting.page import Answer, KeyEntry, Page, Table
from medviewer.reporting.pdf import joined, make_pdf


def words(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    told = [page.get_textpage().get_text_range() for page in document]
    document.close()
    return told


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def report(text: str = "Seen.") -> Report:
    return Report("2.25.1", "1.2.3", 1, (Section("findings", "Findings", text),), author="reader")


def test_what_is_longer_than_a_page_goes_on_on_the_next() -> None:
    long = "word " * 3000
    page = Page(
        "Report",
        (("Name", "N" * 300), ("Study", long[:500])),
        (Answer("Model", (long,), "doubt", (long,)),),
        Table(
            ("Name", "Kind", "Value", "Where"), (("A", "Arrow", long, "Ax 1"), *(("B", "Length", "1 mm", "Ax 2"),) * 80)
        ),
        keys=tuple(KeyEntry(str(k), f"Ax {k}", long if k == 1 else "short") for k in range(7)),
    )
    pictures = {str(k): png(*size) for k, size in enumerate(((500, 500), (2000, 40), (40, 2000), (500, 400)))}
    pages = words(make_pdf(report("x" * 20_000), page, pictures))
    assert len(pages) > 10
    assert all(RESEARCH_USE in one for one in pages)
    whole = "\n".join(pages)
    assert whole.count("1 mm") == 80
    assert whole.count("The picture is not kept any more.") == 3


def test_a_heading_over_an_empty_column_is_not_broken() -> None:
    rows = (
        ("", "Bidirectional " * 3, "12.0 mm x 8.0 mm, area 75 mm2, mean 40 HU", "Ax 12, CT Thorax 2.0 I70f 3 mm"),
    ) * 2
    (told,) = words(make_pdf(report(), Page(measured=Table(("Name", "Kind", "Value", "Where"), rows))))
    assert "Name" in told


def test_an_empty_page_is_a_page_and_several_are_joined() -> None:
    one = make_pdf(report(), Page())
    assert len(words(one)) == 1
    assert "DRAFT, not final" in words(one)[0]
    both = words(joined([one, make_pdf(report("Other."), Page())]))
    assert ["Seen." in both[0], "Other." in both[1]] == [True, True]
