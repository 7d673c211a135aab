"""What a reader writes of a study: sections of text, as a draft or final, with the versions before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from medviewer.domain.measure.follow_up import Others

State = Literal["draft", "final"]
Kind = Literal["report", "addendum"]

RESEARCH_USE = "Research use only, not for diagnosis"
"""Stands on every page."""


@dataclass(frozen=True)
class Section:
    """A part of a report that a person writes.

    Parameters
    ----------
    key
        ``indication``, ``technique``, ``findings``, ``impression``, or another one of a template.
    title
        Its heading.
    text
        What was written; lines are paragraphs.
    """

    key: str
    title: str
    text: str = ""


@dataclass(frozen=True)
class Report:
    """One version of a study's report.

    Parameters
    ----------
    uid
        What it is known by.
    study_uid
        Its study.
    version
        From 1; a study has one of each.
    sections
        What was written.
    state
        A final one never changes again.
    kind
        A whole report, or an addendum, which is read together with the versions before it.
    author, created, changed, signed
        Who wrote it; when it was begun, changed last and made final: UTC, ISO 8601.
    left_out
        Names of the tables, and UIDs of key images, that this report leaves out.
    others, new_lesions
        What the reader says beside the RECIST 1.1 targets.
    page
        Of a final one: all that stood on its page beside the text, as it was then; empty for a draft.
    """

    uid: str
    study_uid: str
    version: int
    sections: tuple[Section, ...]
    state: State = "draft"
    kind: Kind = "report"
    author: str = ""
    created: str = ""
    changed: str = ""
    signed: str = ""
    left_out: tuple[str, ...] = ()
    others: Others = "none"
    new_lesions: bool = False
    page: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self.state == "final"

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not any(section.text.strip() for section in self.sections)

    def text_of(self, key: str) -> str:
        """What stands in a section; empty where there is none of that key."""
        return next((section.text for section in self.sections if section.key == key), "")

    def written(self, key: str, text: str) -> Report:
        """The report with another text in a section; one of an unknown key is left as it is."""
        sections = tuple(replace(one, text=text) if one.key == key else one for one in self.sections)
        return replace(self, sections=sections)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Read back what `to_json` wrote."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        sections = tuple(Section(**one) for one in data["sections"])
        return cls(**{**known, "sections": sections, "left_out": tuple(data.get("left_out", ()))})
