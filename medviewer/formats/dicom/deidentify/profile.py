"""PS3.15 Table E.1-1 as data: what the profile and its options do to each attribute.

``profile.csv`` holds the rows of the 2026c table: tag or pattern, name, basic action, and the options by which it may
be kept. Every basic action is that of the copy in dicom-anonymizer 2.1.0 (BSD-3-Clause, Kitware Europe); that copy has
no options, which follow innolitics' dicom-standard, an older edition. UID (0040,A124) is kept with Retain UIDs, since
reports and segmentations name the same tracked thing by it.

Actions: X remove, Z empty, D dummy, U another UID, K keep, C clean. Where the table leaves a choice to the type of the
attribute in its IOD (Z/D, X/Z, X/D ...), the last of them is taken: a dummy is legal in every IOD, an empty or missing
value is not.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medviewer.formats.dicom.deidentify.options import Options

_RETAINED = {
    "uids": ("retain_uids", "K"),
    "dates": ("shift_dates", "S"),
    "descriptors": ("clean_descriptors", "C"),
    "patient": ("retain_patient", "K"),
    "patient-text": ("retain_patient", "C"),
    "device": ("retain_device", "K"),
    "institution": ("retain_institution", "K"),
}
"""Option of a row -> the field of `Options` that switches it on, and what is done then (S: shift)."""

_RESOLVED = {"Z/D": "D", "X/Z": "Z", "X/D": "D", "X/Z/D": "D", "X/Z/U*": "U"}

_PUBLISHED = ("00080106", "00080107", "00686226", "00686270")
"""Dates of code lists (Context Group Version, Local Version) and of implant templates (Effective and Information Issue
DateTime) are printed where all can read them: moved with the patient's, each would tell by how many days all moved."""

_ABSENT = ("00081110",)
"""Referenced Study Sequence is optional and may not be empty (PS3.3 C.7.2.1), so of X/Z it takes X."""


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    tag: str
    name: str
    action: str
    options: tuple[str, ...]

    def resolve(self, options: Options) -> str:
        """X, Z, D, U, K, C or S (shift)."""
        for option in self.options:
            field, action = _RETAINED.get(option, ("", ""))
            if option == "dates" and self.tag in _PUBLISHED:
                continue
            if field and getattr(options, field):
                return action
        return "X" if self.tag in _ABSENT else _RESOLVED.get(self.action, self.action)

    @property
    def describes(self) -> bool:
        """Whether it is a description: words of its own, not an identity."""
        return "descriptors" in self.options


@cache
def rules() -> dict[str, Rule]:
    """Every row by its tag: eight lower-case hexadecimal digits, or with ``x`` for any."""
    text = files(__package__).joinpath("profile.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["tag"]: Rule(row["tag"], row["name"], row["action"], tuple(row["options"].split())) for row in rows}


def rule_for(tag: int) -> Rule | None:
    """The row of a tag; None where the table has none."""
    name = f"{tag:08x}"
    found = rules().get(name)
    if found is None and name.startswith(("50", "60")):
        found = rules().get(f"{name[:2]}xx{name[4:]}") or rules().get(f"{name[:2]}xxxxxx")
    return found
