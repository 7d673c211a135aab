"""A report or document of a study, ready to be read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Document:
    """What a structured report, an encapsulated PDF or an encapsulated CDA says.

    Parameters
    ----------
    kind
        ``report``, ``pdf`` or ``cda``.
    title
        What it calls itself.
    date
        ISO date of its content, empty when it has none.
    patient
        Whom it is about: name and ID as the file gives them. Never logged.
    html
        The content as HTML without scripts, links or pictures, and without `date` and `patient`; empty for a PDF.
    text
        The content as plain text; empty for a PDF.
    pdf
        The bytes of the PDF; empty for what is none.
    """

    kind: str
    title: str
    date: str = ""
    patient: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    pdf: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Part:
    """A heading of a report with what stands under it.

    Parameters
    ----------
    key
        What it is, by which it gets its code: ``findings``, ``impression`` ...
    title
        The heading.
    lines
        One text each.
    """

    key: str
    title: str
    lines: tuple[str, ...]
