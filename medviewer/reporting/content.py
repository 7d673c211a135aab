"""A report as headings and lines, in the order that it is read: what a structured report is made of."""

from __future__ import annotations

from medviewer.domain.document import Part
from medviewer.domain.report import Report
from medviewer.reporting.page import ANSWERS, KEYS, PARTS, Page, Table, state_line


def content_of(report: Report, page: Page) -> tuple[Part, ...]:
    """The sections that have text, and the parts of the page that the report does not leave out."""
    shown = page.without(report.left_out)
    parts = [Part(one.key, one.title, (one.text.strip(),)) for one in report.sections if one.text.strip()]
    for name, title in PARTS.items():
        if shown.has(name):
            parts.append(Part(name, title, _lines(shown, name)))
    parts.append(Part("state", "State", (f"{state_line(report)}. Research use only, not for diagnosis.",)))
    return tuple(parts)


def _lines(page: Page, name: str) -> tuple[str, ...]:
    if name == ANSWERS:
        return tuple("\n".join((one.title, *one.lines, one.doubt, *one.flags)) for one in page.answers)
    if name == KEYS:
        return tuple(f"{one.place}: {one.caption}" if one.caption else one.place for one in page.keys)
    table: Table = getattr(page, name)
    rows = (
        ", ".join(
            f"{head} {cell}" if k else cell
            for k, (head, cell) in enumerate(zip(table.header, row, strict=True))
            if cell
        )
        for row in table.rows
    )
    return (*rows, *table.lines)
