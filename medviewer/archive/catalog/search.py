"""From what a person types and chooses to one statement of SQL.

The words of a study (name, ID, dates, modalities, descriptions, accession number, tags) lie in a full-text index
(SQLite FTS5); a search finds the studies in which every word begins one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FEW = 2000
"""Up to so many matches are sorted; more are met sooner by walking through the patients in their order."""

_COLUMNS = """
SELECT s.number, s.uid, s.date, s.description, s.accession, s.modalities, s.images, s.state, s.copied, s.seen,
       p.patient_id, p.name, p.birth_date, p.sex
"""
_ORDER = "ORDER BY p.seen DESC, p.number DESC, s.date DESC, s.number DESC LIMIT :limit OFFSET :offset"
_MATCH = "SELECT rowid FROM catalog_search WHERE catalog_search MATCH :words"


@dataclass(frozen=True)
class Query:
    """What is looked for; empty fields leave everything in.

    Parameters
    ----------
    text
        Words, or beginnings of words, that a study has to have, in any order. A caret counts as a blank, as in names.
    modality, state, tag
        Exactly.
    date_from, date_to
        The first and the last day, month or year: ``2020``, ``2020-03`` or ``2020-03-14``. Studies without a date are
        left out when one of them is given.
    """

    text: str = ""
    modality: str = ""
    state: str = ""
    tag: str = ""
    date_from: str = ""
    date_to: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return self != Query()


def match_of(text: str) -> str:
    """The words of a search as FTS5 wants them: each a prefix, all of them needed; empty where there is none."""
    words = [word for word in text.replace("^", " ").split() if any(letter.isalnum() for letter in word)]
    return " AND ".join('"' + word.replace('"', '""').replace("\0", "") + '"*' for word in words)


def words_of(parts: Iterable[str], dates: Iterable[str]) -> str:
    """What is put into the index for a study; a date is found as the file writes it too, 20200314."""
    plain = " ".join(part for part in parts if part).replace("^", " ").replace("=", " ")
    return " ".join([plain, *(f"{date} {date.replace('-', '')}" for date in dates if date)])


def listing(query: Query, count: int) -> tuple[str, dict[str, Any]]:
    """The statement that gives a page of studies, by their patients, the most recently seen first.

    Parameters
    ----------
    count
        How many studies match, from which the way to walk is chosen.
    """
    where, values = _conditions(query)
    words = match_of(query.text)
    if not words:
        return f"{_COLUMNS} FROM catalog_patients p CROSS JOIN catalog_studies s ON s.patient = p.number" + _both(
            where
        ), values
    values["words"] = words
    if count > FEW:
        source = "catalog_patients p CROSS JOIN catalog_studies s ON s.patient = p.number"
        return f"{_COLUMNS} FROM {source}" + _both([*where, f"s.number IN ({_MATCH})"]), values
    source = f"({_MATCH}) f CROSS JOIN catalog_studies s ON s.number = f.rowid JOIN catalog_patients p"
    return f"{_COLUMNS} FROM {source} ON p.number = s.patient" + _both(where), values


def counting(query: Query) -> tuple[str, dict[str, Any]]:
    """The statement that counts the studies which match."""
    where, values = _conditions(query)
    words = match_of(query.text)
    if words:
        values["words"] = words
        if not where:
            return "SELECT count(*) FROM catalog_search WHERE catalog_search MATCH :words", values
        where = [*where, f"s.number IN ({_MATCH})"]
    return "SELECT count(*) FROM catalog_studies s" + _where(where), values


def _conditions(query: Query) -> tuple[list[str], dict[str, Any]]:
    chosen = {
        "modality": (query.modality, "' ' || s.modalities || ' ' LIKE '% ' || :modality || ' %'"),
        "state": (query.state, "s.state = :state"),
        "tag": (query.tag, "EXISTS (SELECT 1 FROM catalog_tags t WHERE t.study = s.number AND t.tag = :tag)"),
        "date_from": (query.date_from, "s.date != '' AND s.date >= :date_from"),
        "date_to": (query.date_to, "s.date != '' AND substr(s.date, 1, length(:date_to)) <= :date_to"),
    }
    where = [condition for value, condition in chosen.values() if value]
    return where, {name: value for name, (value, _) in chosen.items() if value}


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _both(conditions: list[str]) -> str:
    return f"{_where(conditions)} {_ORDER}"
