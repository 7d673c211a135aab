"""What is known of a patient, and texts without it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

_PARTS = re.compile(r"[\s^=,;\\]+")
_WHOLE_WORD_BELOW = 4
_LEAST = 2
_IN_BYTES = 5
"""Shorter texts turn up in pixels by chance."""

_NUMBERS = re.compile(
    r"\d{4}\s?[-./]\s?\d{1,2}\s?[-./]\s?\d{1,2}|\d{1,2}\s?[-./]\s?\d{1,2}\s?[-./]\s?\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?|"
    r"\b\d{1,2}[ -]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?\d{2,4}\b|\d[\d -]{4,}\d|\S+@\S+",
    re.IGNORECASE,
)
"""Dates, times, telephone and other long numbers, and mail addresses, as people write them in a description."""

_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "gb18030", "shift_jis", "euc_kr", "iso2022_jp")


class Known:
    """The identifying values of one object.

    Parameters
    ----------
    names
        Names of persons; every part of one counts.
    values
        Other values, as a whole.
    """

    def __init__(self, names: Iterable[str], values: Iterable[str]) -> None:
        parts = {part for name in names for part in (*_PARTS.split(name), name.strip())}
        self.texts = tuple(
            sorted({t for t in parts | {v.strip() for v in values} if len(t) >= _LEAST}, key=len, reverse=True)
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self.texts:
            return None
        return re.compile("|".join(_alternative(text) for text in self.texts), re.IGNORECASE)

    def scrub(self, text: str) -> str:
        """The text without the known values."""
        return text if self._pattern is None else _tidy(self._pattern.sub("", text), text)

    def clean(self, text: str) -> str:
        """The text without the known values, and without anything that looks like a date, a number or an address."""
        return _tidy(_NUMBERS.sub("", self.scrub(text)), text)

    @cached_property
    def _encoded(self) -> frozenset[bytes]:
        found = set()
        for text in self.texts:
            for encoding in _ENCODINGS:
                try:
                    found.add(text.encode(encoding))
                except UnicodeEncodeError:
                    continue
        return frozenset(value for value in found if len(value) > (_IN_BYTES if value.isdigit() else _IN_BYTES - 1))

    def inside(self, data: bytes) -> bool:
        """Whether bytes hold one of the known values."""
        return any(value in data for value in self._encoded)


def _alternative(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= _WHOLE_WORD_BELOW else rf"(?<!\w){escaped}(?!\w)"


def _tidy(text: str, before: str) -> str:
    return text if text == before else re.sub(r"[ \t]{2,}", " ", text).strip(" ,;:-")
