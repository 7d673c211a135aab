"""Measurements as a table: CSV, UTF-8 with a byte order mark, so that spreadsheets read its signs right."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from medviewer.domain.measure.measurement import TITLES, Measurement
from medviewer.domain.measure.values import Value
from medviewer.formats.atomic import replacing

COLUMNS = (
    "label",
    "kind",
    "value",
    "number",
    "unit",
    "target",
    "node",
    "x_mm",
    "y_mm",
    "z_mm",
    "phase",
    "text",
    "author",
    "created",
    "series_uid",
    "uid",
)
"""The columns. x, y, z are the middle of the measurement in the patient (LPS)."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def table_rows(measured: Iterable[tuple[Measurement, Sequence[Value]]]) -> list[tuple[str, ...]]:
    """One row a value, under `COLUMNS`; one without a value for what has none."""
    rows = []
    for m, values in measured:
        place = tuple(f"{mm:.3f}" for mm in m.centre)
        about = (*place, str(m.phase), _word(m.text), _word(m.author), m.created, m.series_uid, m.uid)
        role = (_yes(m.target), _yes(m.target and m.node))
        for value in values or (None,):
            told = ("", "", "") if value is None else (value.name, f"{value.number:.6g}", value.unit)
            rows.append((_word(m.label), TITLES[m.kind], *told, *role, *about))
    return rows


def save_measurement_table(measured: Iterable[tuple[Measurement, Sequence[Value]]], path: Path) -> None:
    """Write measurements as CSV. Raises InputError if the folder is missing or the system refuses."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(table_rows(measured))


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _word(text: str) -> str:
    """A person's words as text, so that no spreadsheet runs them as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
