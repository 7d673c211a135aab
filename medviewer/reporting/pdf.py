"""A report as PDF, by reportlab: A4, fonts inside the file, and on every page what it may be used for."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from medviewer.domain.report import RESEARCH_USE, Report
from medviewer.reporting.fonts import font_file
from medviewer.reporting.page import (
    ANSWERS,
    KEYS,
    PARTS,
    Answer,
    KeyEntry,
    Page,
    Table,
    state_line,
)

_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_QUIET, _LINE, _INK, _WARN = "#5f666d", "#c9ced3", "#16191c", "#8a5a00"
_KEY_WIDE_MM, _KEY_HIGH_MM = 82.0, 92.0
_CAPTION = 300
"""Letters of a caption that fit below its picture."""
_EAST_ASIAN = ((0xAC00, 0xD7AF, "HYSMyeongJo-Medium"), (0x1100, 0x11FF, "HYSMyeongJo-Medium"))
_HAN = ((0x2E80, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF))


def make_pdf(
    report: Report, page: Page, pictures: Mapping[str, bytes] | None = None, before: Sequence[bytes] = ()
) -> bytes:
    """A report with its page as PDF.

    Parameters
    ----------
    report
        Its text.
    page
        What stands beside it; what the report leaves out is left out.
    pictures
        PNG of each key image, by UID; one that is missing says so.
    before
        PDFs of earlier versions, appended: an addendum is read together with them.
    """
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    _register()
    made = page.without(report.left_out)
    buffer = io.BytesIO()
    width, height, margin = *_a4(), _mm(18)
    document = BaseDocTemplate(
        buffer, pagesize=(width, height), title=page.title, author=report.author or "medviewer", creator="medviewer"
    )
    frame = Frame(margin, _mm(20), width - 2 * margin, height - _mm(38), 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate(frames=[frame]))
    story = [*_head(report, made), *_text(report), *_parts(made, pictures or {}, width - 2 * margin)]
    document.build(story, canvasmaker=_numbered(state_line(report)))
    return joined([buffer.getvalue(), *before]) if before else buffer.getvalue()


def joined(documents: Sequence[bytes]) -> bytes:
    """Several of our own PDFs as one."""
    import pypdfium2  # type: ignore[import-untyped]  # it publishes no types

    whole = pypdfium2.PdfDocument.new()
    for content in documents:
        part = pypdfium2.PdfDocument(content)
        whole.import_pages(part)
        part.close()
    buffer = io.BytesIO()
    whole.save(buffer)
    whole.close()
    return buffer.getvalue()


@cache
def _register() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont(_FONT, str(font_file())))
    pdfmetrics.registerFont(TTFont(_BOLD, str(font_file(bold=True))))
    pdfmetrics.registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)
    # The reader's own fonts are used for these: none that may be passed on comes with a package.
    for name in ("HYSMyeongJo-Medium", "HeiseiMin-W3"):
        pdfmetrics.registerFont(UnicodeCIDFont(name))


def _a4() -> tuple[float, float]:
    from reportlab.lib.pagesizes import A4

    return A4


def _mm(length: float) -> float:
    return length * 72 / 25.4


def _style(size: float = 9.5, *, bold: bool = False, colour: str = _INK, before: float = 0, after: float = 3) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        f"{size}{bold}{colour}{before}{after}",
        fontName=_BOLD if bold else _FONT,
        fontSize=size,
        leading=size * 1.4,
        textColor=HexColor(colour),
        spaceBefore=before,
        spaceAfter=after,
        splitLongWords=True,
    )


def _paragraph(text: str, style: Any) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph("<br/>".join(_marked(line) for line in text.split("\n")) or "&nbsp;", style)


def _marked(line: str) -> str:
    """A line as reportlab's markup: escaped, with the font that has each letter."""
    parts, font, run = [], "", ""
    for letter in line:
        wanted = _font_of(letter)
        if wanted != font:
            parts.append(_in_font(run, font))
            font, run = wanted, ""
        run += letter
    parts.append(_in_font(run, font))
    return "".join(parts)


def _in_font(run: str, font: str) -> str:
    text = escape(run)
    return f'<font name="{font}">{text}</font>' if font and run else text


def _font_of(letter: str) -> str:
    code = ord(letter)
    if code < 0x1100:
        return ""
    if any(low <= code <= high for low, high, _ in _EAST_ASIAN):
        return "HYSMyeongJo-Medium"
    return "HeiseiMin-W3" if any(low <= code <= high for low, high in _HAN) else ""


def _heading(text: str) -> Any:
    from reportlab.platypus import CondPageBreak

    return [CondPageBreak(_mm(22)), _paragraph(text, _style(11, bold=True, before=9, after=3))]


def _head(report: Report, page: Page) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table as Rows
    from reportlab.platypus import TableStyle

    title = page.title if report.kind == "report" else f"{page.title}: addendum"
    story = [
        _paragraph(title, _style(16, bold=True, after=2)),
        _paragraph(state_line(report), _style(8, colour=_QUIET)),
    ]
    cells = [
        [_paragraph(name, _style(8, colour=_QUIET, after=0)), _paragraph(value, _style(9, after=0))]
        for name, value in page.header
    ]
    half = (len(cells) + 1) // 2
    rows = [[*cells[k], *(cells[half + k] if half + k < len(cells) else ["", ""])] for k in range(half)]
    if rows:
        made = Rows(rows, colWidths=[_mm(26), _mm(61), _mm(26), _mm(61)], splitInRow=1)
        rule = ("LINEBELOW", (0, -1), (-1, -1), 0.5, HexColor(_LINE))
        top = ("LINEABOVE", (0, 0), (-1, 0), 0.5, HexColor(_LINE))
        pads = [(f"{side}PADDING", (0, 0), (-1, -1), 1.5) for side in ("TOP", "BOTTOM", "LEFT")]
        made.setStyle(TableStyle([rule, top, *pads, ("VALIGN", (0, 0), (-1, -1), "TOP")]))
        story.append(made)
    return story


def _text(report: Report) -> list[Any]:
    story: list[Any] = []
    for section in report.sections:
        if section.text.strip():
            story += _heading(section.title)
            story += [_paragraph(part, _style()) for part in section.text.strip().split("\n\n")]
    return story


def _parts(page: Page, pictures: Mapping[str, bytes], width: float) -> list[Any]:
    story: list[Any] = []
    for part, title in PARTS.items():
        if not page.has(part):
            continue
        if part == KEYS:
            story += _keys(title, page.keys, pictures, width)
            continue
        story += _heading(title)
        if part == ANSWERS:
            for answer in page.answers:
                story += _answer(answer)
        else:
            story += _table(getattr(page, part), width)
    return story


def _answer(answer: Answer) -> list[Any]:
    from reportlab.platypus import KeepTogether

    parts = [_paragraph(answer.title, _style(9, bold=True, after=1))]
    parts += [_paragraph(line, _style(9, after=1)) for line in answer.lines]
    parts.append(_paragraph(answer.doubt, _style(8, colour=_QUIET, after=1)))
    parts += [_paragraph(flag, _style(8, colour=_WARN, after=1)) for flag in answer.flags]
    parts.append(_paragraph("", _style(3)))
    return [KeepTogether(parts)]


_PADS = 13.0
"""Points that a cell keeps free at its left and right together, and one more."""


def _table(table: Table, width: float) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.enums import TA_RIGHT
    from reportlab.platypus import Table as Rows
    from reportlab.platypus import TableStyle

    def cell(text: str, column: int, *, bold: bool = False) -> Any:
        style = _style(8, bold=bold, after=0)
        if column in table.numbers:
            style.alignment = TA_RIGHT
        return _paragraph(text, style)

    widths = _widths(table, width)
    rows = [[cell(text, k, bold=True) for k, text in enumerate(table.header)]]
    rows += [[cell(text, k) for k, text in enumerate(row)] for row in table.rows]
    made = Rows(rows, colWidths=widths, repeatRows=1, splitInRow=1)  # a text may be longer than a page
    pads: list[Any] = [(f"{side}PADDING", (0, 0), (-1, -1), 2) for side in ("TOP", "BOTTOM")]
    rules: list[Any] = [("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(_LINE)), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    made.setStyle(TableStyle([*pads, *rules]))
    return [made, *(_paragraph(line, _style(8.5, before=2, after=1)) for line in table.lines)]


def _widths(table: Table, width: float) -> list[float]:
    """As wide as the longest text of each column asks for, in their proportions; no word of a heading breaks.

    Where the headings alone are wider than the page, they break.
    """
    from reportlab.pdfbase.pdfmetrics import stringWidth

    columns = range(len(table.header))
    longest = [max(len(row[k]) for row in (table.header, *table.rows)) for k in columns]
    wanted = [min(max(length, 6), 40) for length in longest]
    font = _style(8, bold=True).fontName
    least = [max((stringWidth(word, font, 8) for word in text.split()), default=0) + _PADS for text in table.header]
    free = width - sum(least)
    if free < 0:
        return [width * part / sum(wanted) for part in wanted]
    short = [max(width * part / sum(wanted) - low, 0) for part, low in zip(wanted, least, strict=True)]
    return [low + free * more / (sum(short) or 1) for low, more in zip(least, short, strict=True)]


def _keys(title: str, keys: Sequence[KeyEntry], pictures: Mapping[str, bytes], width: float) -> list[Any]:
    """Two pictures a row, each over its caption; the heading stays with the first row."""
    from reportlab.platypus import KeepTogether, TableStyle
    from reportlab.platypus import Table as Rows

    story: list[Any] = []
    for first in range(0, len(keys), 2):
        pair = [_key(one, first + k + 1, pictures.get(one.uid)) for k, one in enumerate(keys[first : first + 2])]
        made = Rows([[*pair, *[""] * (2 - len(pair))]], colWidths=[width / 2] * 2)
        made.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
        story.append(made if first else KeepTogether([*_heading(title), made]))
        # a row with pictures is never parted, so what is long stands below it
        story += [_paragraph(f"{first + k + 1}. {text}", _style(9)) for k, text in _long(keys[first : first + 2])]
    return story


def _long(keys: Sequence[KeyEntry]) -> list[tuple[int, str]]:
    return [(k, one.caption) for k, one in enumerate(keys) if len(one.caption) > _CAPTION]


def _key(entry: KeyEntry, number: int, png: bytes | None) -> list[Any]:
    from reportlab.platypus import Image

    title = _paragraph(f"{number}. {entry.place}", _style(8, colour=_QUIET, after=1))
    caption = [_paragraph(entry.caption, _style(9))] if 0 < len(entry.caption) <= _CAPTION else []
    if png is None:
        return [_paragraph("The picture is not kept any more.", _style(8, colour=_WARN)), title, *caption]
    picture = Image(io.BytesIO(png))
    scale = min(_mm(_KEY_WIDE_MM) / picture.imageWidth, _mm(_KEY_HIGH_MM) / picture.imageHeight)
    picture.drawWidth, picture.drawHeight = picture.imageWidth * scale, picture.imageHeight * scale
    picture.hAlign = "LEFT"
    return [picture, title, *caption]


def _numbered(state: str) -> Any:
    """A canvas that writes head and foot once it is known how many pages there are."""
    from reportlab.lib.colors import HexColor
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802  # reportlab's name
            self._pages.append(dict(self.__dict__))
            self._startPage()  # type: ignore[attr-defined]  # how reportlab's own example counts pages

        def save(self) -> None:
            for number, page in enumerate(self._pages, start=1):
                self.__dict__.update(page)
                self._foot(number)
                super().showPage()
            super().save()

        def _foot(self, number: int) -> None:
            width, height = _a4()
            self.setFont(_BOLD, 8)
            self.setFillColor(HexColor(_WARN))
            self.drawCentredString(width / 2, height - _mm(11), RESEARCH_USE)
            self.drawCentredString(width / 2, _mm(12), RESEARCH_USE)
            self.setFont(_FONT, 7)
            self.setFillColor(HexColor(_QUIET))
            self.drawString(_mm(18), _mm(8), state)
            self.drawRightString(width - _mm(18), _mm(8), f"{number} / {len(self._pages)}")

    return Numbered
