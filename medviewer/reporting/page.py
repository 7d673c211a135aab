"""What stands on the page of a report beside its text: frozen values, made ready to be written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from medviewer.domain.report import Report

ANSWERS, MEASURED, CHANGES, TARGETS, KEYS = "answers", "measured", "changes", "targets", "keys"
PARTS: dict[str, str] = {
    ANSWERS: "AI results",
    MEASURED: "Measurements",
    CHANGES: "Change since the earlier study",
    TARGETS: "Target lesions (RECIST 1.1)",
    KEYS: "Key images",
}
"""The parts that a report may leave out, and their headings."""


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Parameters
    ----------
    header
        Of its columns.
    rows
        One text a column.
    lines
        What stands below it.
    numbers
        Columns that are set flush right.
    """

    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Parameters
    ----------
    title
        Plugin and model version, and when.
    lines
        What it found, and its confidence.
    doubt
        How far it can be trusted, in figures.
    flags
        What speaks against it, one sentence each.
    """

    title: str
    lines: tuple[str, ...]
    doubt: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyEntry:
    """A key image on the page.

    Parameters
    ----------
    uid
        Its UID, by which its picture is found.
    place
        Slice and series.
    caption
        What a person says of it.
    """

    uid: str
    place: str
    caption: str = ""


@dataclass(frozen=True)
class Page:
    """All that stands beside the text.

    Parameters
    ----------
    title
        What the report is called.
    header
        Names and values about patient and study, in order.
    answers, measured, changes, targets, keys
        What the parts hold; empty where there is nothing.
    response
        What the targets and the other lesions came to, in words.
    """

    title: str = "Report"
    header: tuple[tuple[str, str], ...] = ()
    answers: tuple[Answer, ...] = ()
    measured: Table = field(default_factory=Table)
    changes: Table = field(default_factory=Table)
    targets: Table = field(default_factory=Table)
    keys: tuple[KeyEntry, ...] = ()

    def has(self, part: str) -> bool:
        """Whether there is anything in a part of `PARTS`."""
        found = getattr(self, part)
        return bool(found.rows) if isinstance(found, Table) else bool(found)

    def without(self, left_out: tuple[str, ...]) -> Page:
        """The page less the parts, and the key images by their UID, that a report leaves out."""
        kept = {name: getattr(self, name) for name in PARTS if name not in left_out}
        keys = tuple(key for key in kept.get(KEYS, ()) if key.uid not in left_out)
        return Page(self.title, self.header, **{**kept, KEYS: keys})

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Page:
        """Read back what `to_json` wrote, also after JSON made lists of it."""
        tables = {name: _table(data[name]) for name in (MEASURED, CHANGES, TARGETS)}
        answers = tuple(
            Answer(one["title"], tuple(one["lines"]), one["doubt"], tuple(one["flags"])) for one in data[ANSWERS]
        )
        header = tuple((str(name), str(value)) for name, value in data["header"])
        return cls(data["title"], header, answers, **tables, keys=tuple(KeyEntry(**one) for one in data[KEYS]))


def state_line(report: Report) -> str:
    """Which version it is, whose, and whether it is final: ``Draft, version 1, by reader``."""
    what = "Addendum" if report.kind == "addendum" else "Report"
    state = "final" if report.is_final else "DRAFT, not final"
    when = (report.signed or report.changed)[:16].replace("T", " ")
    by = f"by {report.author}" if report.author else ""
    return ", ".join(
        part for part in (f"{what}, version {report.version}", state, by, f"{when} UTC" if when else "") if part
    )


def _table(data: Mapping[str, Any]) -> Table:
    rows = tuple(tuple(row) for row in data["rows"])
    return Table(tuple(data["header"]), rows, tuple(data["lines"]), tuple(data["numbers"]))
