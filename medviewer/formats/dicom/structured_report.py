"""The content tree of a structured report (PS3.3 C.17.3), key object selections too, as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

MAX_DEPTH = 60
MAX_ITEMS = 20_000
"""More than any report has; a file that goes on is cut off, and says so."""

_REFERENCES = ("IMAGE", "COMPOSITE", "WAVEFORM")
_CUT_OFF = "The report goes on; the rest is not shown."


@dataclass(frozen=True)
class Line:
    """One content item.

    Parameters
    ----------
    depth
        0 for the title of the report.
    label
        The concept name.
    value
        What it says; empty for a container.
    container
        Whether it is a heading for what follows it, one deeper.
    """

    depth: int
    label: str
    value: str = ""
    container: bool = False


def lines_of(dataset: Dataset) -> tuple[Line, ...]:
    """The content items in reading order, bounded in depth and number."""
    lines: list[Line] = []
    for line in _walk(dataset, 0):
        if len(lines) == MAX_ITEMS:
            lines.append(Line(1, "", _CUT_OFF))
            break
        lines.append(line)
    return tuple(lines)


def as_text(lines: tuple[Line, ...]) -> str:
    """Two blanks a level; sentences keep their line breaks."""
    told = []
    for line in lines:
        indent = "  " * line.depth
        words = ": ".join(part for part in (line.label, line.value) if part) or ("Section" if line.container else "-")
        told.append(indent + words.replace("\n", f"\n{indent}  "))
    return "\n".join(told)


def as_html(lines: tuple[Line, ...]) -> str:
    """Headings for containers, nested lists for what they hold; every text is escaped."""
    parts, depth = [], 0
    for line in lines:
        while depth > line.depth:
            parts.append("</ul>")
            depth -= 1
        while depth < line.depth:
            parts.append("<ul>")
            depth += 1
        label, value = escape(line.label), escape(line.value).replace("\n", "<br/>")
        if line.container:
            inner = f"<b>{label or 'Section'}</b>"
            parts.append(f"<h2>{label or 'Report'}</h2>" if line.depth == 0 else f"<li>{inner}</li>")
        else:
            named = f'<span style="color: #8b9299">{label}:</span> ' if label else ""
            parts.append(f"<li>{named}{value or '-'}</li>" if line.depth else f"<p>{named}{value}</p>")
    return "".join(parts) + "</ul>" * depth


def _walk(item: Dataset, depth: int) -> Iterator[Line]:
    kind = str(item.get("ValueType", "") or "").upper()
    label = _meaning(item, "ConceptNameCodeSequence")
    if kind == "CONTAINER" or (depth == 0 and not kind):
        yield Line(depth, label, container=True)
    else:
        yield Line(depth, label, _value(item, kind))
    children = item.get("ContentSequence") or ()
    if children and depth >= MAX_DEPTH:
        yield Line(depth + 1, "", _CUT_OFF)
        return
    for child in children:
        yield from _walk(child, depth + 1)


def _value(item: Dataset, kind: str) -> str:
    if "ReferencedContentItemIdentifier" in item:
        numbers = item.ReferencedContentItemIdentifier
        places = numbers if hasattr(numbers, "__iter__") else [numbers]
        return "see item " + ".".join(str(number) for number in places)
    if kind in _REFERENCES:
        return _reference(item)
    readers = {
        "TEXT": lambda: str(item.get("TextValue", "") or "").replace("\r\n", "\n").replace("\r", "\n").strip(),
        "CODE": lambda: _meaning(item, "ConceptCodeSequence"),
        "NUM": lambda: _number(item),
        "PNAME": lambda: _person(item.get("PersonName", "")),
        "DATE": lambda: _date(str(item.get("Date", "") or "")),
        "TIME": lambda: _time(str(item.get("Time", "") or "")),
        "DATETIME": lambda: _date_time(str(item.get("DateTime", "") or "")),
        "UIDREF": lambda: str(item.get("UID", "") or ""),
        "SCOORD": lambda: _shape(item, 2),
        "SCOORD3D": lambda: _shape(item, 3),
        "TCOORD": lambda: _times(item),
    }
    return readers[kind]() if kind in readers else f"content of the kind {kind or 'unknown'}"


def _first(item: Dataset, keyword: str) -> Dataset | None:
    found = item.get(keyword)
    return found[0] if found else None


def _meaning(item: Dataset, keyword: str) -> str:
    """What a code means; the code itself where it does not say."""
    code = _first(item, keyword)
    if code is None:
        return ""
    for name in ("CodeMeaning", "CodeValue", "LongCodeValue", "URNCodeValue"):
        text = str(code.get(name, "") or "").strip()
        if text:
            return text
    return ""


def _number(item: Dataset) -> str:
    measured = _first(item, "MeasuredValueSequence")
    if measured is None:
        return _meaning(item, "NumericValueQualifierCodeSequence") or "no value"
    code = _first(measured, "MeasurementUnitsCodeSequence")
    unit = str(code.get("CodeValue", "") or "") if code is not None else ""
    if not unit or unit.startswith("{"):  # an annotation of UCUM, which is for readers of codes
        unit = _meaning(measured, "MeasurementUnitsCodeSequence") if unit else ""
    shown = "" if unit in ("1", "no units") else f" {unit}"
    return f"{measured.get('NumericValue', '')}{shown}"


def _person(name: Any) -> str:
    parts = [part for part in str(name or "").partition("=")[0].split("^") if part]
    return ", ".join([parts[0], " ".join(parts[1:])]) if len(parts) > 1 else "".join(parts)


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) >= 8 and text[:8].isdigit() else text


def _time(text: str) -> str:
    return ":".join(part for part in (text[:2], text[2:4], text[4:6]) if part) if text[:4].isdigit() else text


def _date_time(text: str) -> str:
    return f"{_date(text[:8])} {_time(text[8:14])}".strip()


def _reference(item: Dataset) -> str:
    found = _first(item, "ReferencedSOPSequence")
    if found is None:
        return "a reference without a target"
    kind = UID(str(found.get("ReferencedSOPClassUID", "") or "")).name
    frames = found.get("ReferencedFrameNumber")
    many = list(frames) if hasattr(frames, "__iter__") else [frames]
    where = f", frame {', '.join(str(frame) for frame in many)}" if frames else ""
    return f"{kind or 'object'} {found.get('ReferencedSOPInstanceUID', '')}{where}"


def _shape(item: Dataset, dimensions: int) -> str:
    data = item.get("GraphicData") or ()
    points = len(data) // dimensions if hasattr(data, "__len__") else 0
    unit = "mm" if dimensions == 3 else "pixels"
    shape = str(item.get("GraphicType", "") or "shape").lower()
    if points == 1:
        return f"{shape} at {', '.join(f'{float(value):g}' for value in data)} {unit}"
    return f"{shape} of {points} points"


def _times(item: Dataset) -> str:
    for keyword, what in (
        ("ReferencedSamplePositions", "samples"),
        ("ReferencedTimeOffsets", "seconds"),
        ("ReferencedDateTime", "times"),
    ):
        found = item.get(keyword)
        if found is not None:
            values = found if hasattr(found, "__iter__") and not isinstance(found, str) else [found]
            return f"{str(item.get('TemporalRangeType', '') or '').lower()} {what} " + ", ".join(str(v) for v in values)
    return str(item.get("TemporalRangeType", "") or "").lower()
