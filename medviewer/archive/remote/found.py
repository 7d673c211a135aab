"""What is asked of an archive on the network, and what it answers: frozen values, and the DICOM keys for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from medviewer.errors import InputError

_NAME_PARTS = re.compile(r"[,^]\s*")


@dataclass(frozen=True)
class Query:
    """Which studies to look for; an empty field matches everything.

    Parameters
    ----------
    name
        Patient's name, family name first (``Muster, Eva`` or ``Muster^Eva``). ``*`` and ``?`` stand for anything; a
        name without them is the beginning of one.
    patient_id, accession
        The whole number, or one with ``*`` and ``?``.
    date_from, date_to
        ISO dates of the study, both included.
    modality
        ``CT``, ``MR`` ...
    description
        A part of the study's description.
    study_uid
        One study.
    """

    name: str = ""
    patient_id: str = ""
    accession: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    description: str = ""
    study_uid: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it would list everything that the archive has."""
        return self == Query()

    def keys(self) -> dict[str, str]:
        """The matching keys by keyword (PS3.4 C.2.2.2).

        Raises
        ------
        InputError
            If a date is none, the first is after the last, or a text holds what a key cannot hold.
        """
        name = _NAME_PARTS.sub("^", self.name.strip())
        described = self.description.strip()
        keys = {
            "PatientName": name if not name or _is_wild(name) else f"{name}*",
            "PatientID": self.patient_id.strip(),
            "AccessionNumber": self.accession.strip(),
            "StudyDate": _date_range(self.date_from, self.date_to),
            "ModalitiesInStudy": self.modality.strip().upper(),
            "StudyDescription": described if not described or _is_wild(described) else f"*{described}*",
            "StudyInstanceUID": checked_uid(self.study_uid) if self.study_uid else "",
        }
        for value in keys.values():
            if "\\" in value or not value.isprintable() or len(value) > 128:
                raise InputError("A search text has up to 128 characters and no backslash; type another one.")
        return keys

    def matches(self, study: StudyFound) -> bool:
        """Whether a study is what was asked for by its texts; case and accents do not count."""
        keys = self.keys()
        pairs = (
            (keys["PatientName"], study.patient_name),
            (keys["PatientID"], study.patient_id),
            (keys["AccessionNumber"], study.accession),
            (keys["StudyDescription"], study.description),
        )
        return all(not asked or _is_like(asked, text) for asked, text in pairs)


@dataclass(frozen=True)
class StudyFound:
    """A study that the archive has. Counts are None where it does not tell."""

    study_uid: str
    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    date: str = ""
    time: str = ""
    modalities: tuple[str, ...] = ()
    description: str = ""
    accession: str = ""
    series_count: int | None = None
    instance_count: int | None = None


@dataclass(frozen=True)
class SeriesFound:
    """A series that the archive has."""

    study_uid: str
    series_uid: str
    modality: str = ""
    description: str = ""
    number: int | None = None
    body_part: str = ""
    instance_count: int | None = None


@dataclass(frozen=True)
class PatientFound:
    """A patient whom the archive knows."""

    patient_id: str
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True)
class InstanceFound:
    """An object that the archive has; its SOP class is empty where the archive does not tell."""

    sop_uid: str
    sop_class: str = ""


PATIENT_KEYS = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
STUDY_KEYS = (
    "StudyInstanceUID",
    *PATIENT_KEYS,
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
    "StudyDescription",
    "AccessionNumber",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = (
    "SeriesInstanceUID",
    "Modality",
    "SeriesDescription",
    "SeriesNumber",
    "BodyPartExamined",
    "NumberOfSeriesRelatedInstances",
)
INSTANCE_KEYS = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")


def patient_of(answer: Dataset) -> PatientFound:
    """The patient that an answer at that level names."""
    return PatientFound(
        _text(answer, "PatientID"),
        _text(answer, "PatientName"),
        _iso_date(answer, "PatientBirthDate"),
        _text(answer, "PatientSex"),
    )


def study_of(answer: Dataset) -> StudyFound | None:
    """The study that an answer describes; None where it has no usable UID."""
    uid = _uid(answer, "StudyInstanceUID")
    if not uid:
        return None
    patient = patient_of(answer)
    return StudyFound(
        uid,
        patient.name,
        patient.patient_id,
        patient.birth_date,
        patient.sex,
        _iso_date(answer, "StudyDate"),
        _iso_time(_text(answer, "StudyTime")),
        tuple(sorted(filter(None, _texts(answer, "ModalitiesInStudy")))),
        _text(answer, "StudyDescription"),
        _text(answer, "AccessionNumber"),
        _count(answer, "NumberOfStudyRelatedSeries"),
        _count(answer, "NumberOfStudyRelatedInstances"),
    )


def series_of(answer: Dataset, study_uid: str) -> SeriesFound | None:
    """The series that an answer describes; None where it has no usable UID."""
    uid = _uid(answer, "SeriesInstanceUID")
    if not uid:
        return None
    return SeriesFound(
        study_uid,
        uid,
        _text(answer, "Modality"),
        _text(answer, "SeriesDescription"),
        _count(answer, "SeriesNumber"),
        _text(answer, "BodyPartExamined"),
        _count(answer, "NumberOfSeriesRelatedInstances"),
    )


def instance_of(answer: Dataset) -> InstanceFound | None:
    """The object that an answer describes; None where it has no usable UID."""
    uid = _uid(answer, "SOPInstanceUID")
    return InstanceFound(uid, _uid(answer, "SOPClassUID")) if uid else None


def checked_uid(text: str) -> str:
    """A UID as it is, where it is one: digits and dots, up to 64 (PS3.5 9.1).

    Raises
    ------
    InputError
        If it is none.
    """
    if not _usable(text):
        raise InputError("A UID has up to 64 digits and dots; copy it from the list of studies.")
    return text


def _usable(uid: str) -> bool:
    # Leading zeros are against the standard and are met in the wild.
    return 0 < len(uid) <= 64 and re.fullmatch(r"[0-9.]+", uid) is not None


def _uid(answer: Dataset, keyword: str) -> str:
    text = _text(answer, keyword)
    return text if _usable(text) else ""


def _text(answer: Dataset, keyword: str) -> str:
    return "\\".join(_texts(answer, keyword))


def _texts(answer: Dataset, keyword: str) -> Sequence[str]:
    try:
        value: Any = answer.get(keyword)
    except (ValueError, TypeError, LookupError, NotImplementedError, AttributeError):
        return ()  # pydicom decodes when asked; a value that cannot be decoded is none
    if value is None:
        return ()
    values = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return [UID(v) if isinstance(v, UID) else _clean(str(v)) for v in values]


def _clean(text: str) -> str:
    """One line of a list, of bounded length: it comes from outside."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:512]


def _count(answer: Dataset, keyword: str) -> int | None:
    try:
        return int(float(_text(answer, keyword)))
    except (ValueError, OverflowError):
        return None


def _iso_date(answer: Dataset, keyword: str) -> str:
    digits = _text(answer, keyword).replace(".", "").replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 and digits.isdecimal() else ""


def _iso_time(text: str) -> str:
    digits = text.replace(":", "")
    return f"{digits[:2]}:{digits[2:4]}" if digits[:4].isdecimal() and len(digits) >= 4 else ""


def _is_like(asked: str, text: str) -> bool:
    pattern = re.escape(_folded(asked)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, _folded(text)) is not None


def _folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def _date_range(first: str, last: str) -> str:
    """A date range key (PS3.4 C.2.2.2.5): ``20200101-20201231``, open at either end."""
    days = []
    for text in (first.strip(), last.strip()):
        try:
            days.append(date.fromisoformat(text) if text else None)
        except ValueError:
            raise InputError(f"A date is written like 2020-01-31, not {text[:20]}; correct it.") from None
    begin, end = days
    if begin is None and end is None:
        return ""
    if begin is not None and end is not None and begin > end:
        raise InputError("The first date should not be after the last one; exchange them.")
    if begin == end and begin is not None:
        return f"{begin:%Y%m%d}"
    return f"{begin:%Y%m%d}-" + (f"{end:%Y%m%d}" if end else "") if begin else f"-{end:%Y%m%d}"
