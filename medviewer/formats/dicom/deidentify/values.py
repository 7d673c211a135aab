"""Replacement values by value representation, and dates that move."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

TEXTS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "UR", "AE"))
CODES = {
    "CS": re.compile(r"[A-Z0-9 _]{0,16}"),
    "DS": re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|\s*"),
    "IS": re.compile(r"\s*[-+]?\d+\s*|\s*"),
    "AS": re.compile(r"\d{3}[DWMY]|\s*"),
}
"""Value representations that hold no free text, and what they may hold; whatever else stands there is free text."""

BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "US or OW", "UN"))
DATES = frozenset(("DA", "DT", "TM"))

REMOVED = "REMOVED"

_DUMMIES: dict[str, Any] = {
    "AE": REMOVED,
    "AS": "000D",
    "CS": REMOVED,
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "PN": "REMOVED",
    "TM": "000000",
    "UR": "about:blank",
} | dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC"), REMOVED)


def dummy(vr: str) -> Any:
    """A value of a representation that says nothing."""
    if vr in _DUMMIES:
        return _DUMMIES[vr]
    if vr in BYTES:
        return b"\0\0"
    return 0


def shifted(text: str, vr: str, days: int) -> str | None:
    """A DA or DT value so many days later; None where it is no whole date. TM stays, intervals within a day do too.

    A DT keeps its time and its offset from UTC.
    """
    if vr == "TM":
        return text if re.fullmatch(r"[\d:. ]*", text) else None
    found = re.match(r"\s*(\d{4})[.-]?(\d{2})[.-]?(\d{2})", text)
    rest = text[found.end() :].strip() if found else ""
    if found is None or not re.fullmatch(r"[\d.]*([-+]\d{4})?" if vr == "DT" else "", rest):
        return None
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{day:%Y%m%d}".rjust(8, "0") + rest
