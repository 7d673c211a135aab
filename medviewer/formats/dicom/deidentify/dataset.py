"""A dataset without what identifies its patient (PS3.15 Annex E)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pydicom.valuerep import IS, DSfloat

from medviewer.domain.study import Warning
from medviewer.errors import InputError
from medviewer.formats.dicom.deidentify.burned_in import picture_warnings
from medviewer.formats.dicom.deidentify.options import Key, Options
from medviewer.formats.dicom.deidentify.profile import rule_for
from medviewer.formats.dicom.deidentify.text import Known
from medviewer.formats.dicom.deidentify.values import CODES, DATES, REMOVED, TEXTS, dummy, shifted
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.dicom.tags import PATIENT_ID, PATIENT_NAME, PIXELS, SPECIFIC_CHARACTER_SET

_PATIENT_AGE = 0x00101010
_TEXT_VALUE = 0x0040A160
_PERSON_CODES = 0x00401101
_SEGMENT_DESCRIPTION = 0x00620006
_TRACKING_ID = 0x00620020
_ENCAPSULATED_DOCUMENT = 0x00420011
_OLDEST = 90
"""Years; those who are older are few enough to be found (45 CFR 164.514(b)(2)(i)(C))."""
_SHORTEST = 3
PLAIN_UID = re.compile(r"(?=.{3,64}$)[0-9]+(\.[0-9]+)+")
"""What a UID may look like (PS3.5 9.1); anything else in its place may be a name."""
_NO_IDENTITY = ("ClassUID", "SchemeUID", "ContextUID", "ResourceUID", "SyntaxUID")
"""Ends of the keywords of UIDs that name a kind of thing and never a thing."""

_Found = Iterator[tuple[int, str, Any]]


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A de-identified dataset.

    Parameters
    ----------
    dataset
        A new one; values that were kept are shared with the original. UTF-8.
    warnings
        What a person has to look at, in sentences without a patient's data.
    """

    dataset: Dataset
    warnings: tuple[Warning, ...] = ()


def deidentify(dataset: Dataset, options: Options, key: Key) -> Cleaned:
    """Apply the Basic Application Level Confidentiality Profile with the chosen options.

    Beyond the table: private attributes, attributes that PS3.6 does not know, overlays, curves and group lengths are
    dropped; names of persons that the table does not list are emptied, and addresses on the network and dates that it
    does not list are dropped (dates are moved with `Options.shift_dates`); texts that are kept lose every value that an
    identifying attribute of the same object has. Descriptions of segments are removed like the descriptions that the
    table lists, and their tracking IDs cleaned like these. Pixel data are kept byte for byte.

    Parameters
    ----------
    dataset
        As read from a file, without file meta information; not changed.

    Raises
    ------
    InputError
        If it cannot be de-identified: an encapsulated document, or names inside its pixel data.
    """
    if _ENCAPSULATED_DOCUMENT in dataset:
        raise InputError(
            "A de-identified copy needs images or reports, but this is an encapsulated document whose text cannot be "
            "checked; black out the document itself."
        )
    with quiet():
        walk = _Walk(dataset, options, key)
        made = walk.item(dataset)
        _mark(made, options)
        return Cleaned(made, (*picture_warnings(dataset, options), *dict.fromkeys(walk.warnings)))


def patient_of(dataset: Dataset) -> str:
    """What tells this patient from others: the ID, or name and birth date, or the study."""
    own = str(dataset.get("PatientID", "") or "").strip()
    if own:
        return own
    told = f"{dataset.get('PatientName', '') or ''}|{dataset.get('PatientBirthDate', '') or ''}"
    return told if told != "|" else str(dataset.get("StudyInstanceUID", "") or "")


class _Walk:
    """One object on its way: what is known of the patient, and what is done to each element."""

    def __init__(self, dataset: Dataset, options: Options, key: Key) -> None:
        self._options, self._key = options, key
        patient = patient_of(dataset)
        self._days = key.days(patient)
        self._id = options.patient_id or key.pseudonym(patient)
        self._name = options.patient_name or self._id
        self._known = _known(dataset, options)
        self.warnings: list[Warning] = []
        self._actions: dict[str, Callable[[DataElement], DataElement | None]] = {
            "X": lambda element: None,
            "Z": _emptied,
            "D": self._dummied,
            "U": self._other_uids,
            "S": self._shifted,
            "K": self._kept,
            "C": self._cleaned,
        }

    def item(self, dataset: Dataset) -> Dataset:
        """The elements of a dataset, or of an item of a sequence, that stay."""
        made = Dataset()
        for tag in sorted(dataset.keys()):
            group = tag.group
            if tag.is_private or group < 0x0008 or tag.element == 0 or group & 0xFF00 in (0x5000, 0x6000):
                continue
            if not dictionary_has_tag(tag) or tag == SPECIFIC_CHARACTER_SET:
                continue
            try:
                element = self._element(dataset[tag])
            except InputError:
                raise
            except Exception:  # whatever a damaged value raises; the reader's errors have no common root
                self._warn("unreadable", "An element that could not be read was removed; compare with the original.")
                continue
            if element is not None:
                made[tag] = element
        return made

    def _element(self, element: DataElement) -> DataElement | None:
        if element.tag == PATIENT_NAME:
            return DataElement(element.tag, "PN", self._name)
        if element.tag == PATIENT_ID:
            return DataElement(element.tag, "LO", self._id)
        rule = rule_for(element.tag)
        if rule is not None:
            return self._actions[rule.resolve(self._options)](element)
        if element.tag == _TEXT_VALUE:
            return self._cleaned(element) if self._options.clean_content else _with(element, REMOVED)
        if element.tag == _SEGMENT_DESCRIPTION and not self._options.clean_descriptors:
            return None  # the table does not list it, but it is a free text like those that it removes
        if element.tag in (_SEGMENT_DESCRIPTION, _TRACKING_ID):
            return self._cleaned(element)
        return self._unlisted(element)

    def _unlisted(self, element: DataElement) -> DataElement | None:
        vr = element.VR
        if vr == "UN":
            return None
        if vr == "PN":
            return _emptied(element)
        if vr == "UR" and not str(element.value).lower().startswith("urn:"):  # a URN names a kind of thing: a code
            return None
        if vr in DATES:
            return self._shifted(element) if self._options.shift_dates else None
        if vr == "UI":
            known_kind = element.keyword.endswith(_NO_IDENTITY)
            return element if known_kind and _plain_uids(element) else self._other_uids(element)
        return self._kept(element)

    def _kept(self, element: DataElement) -> DataElement | None:
        """The element, but for the known values in it."""
        vr, value = element.VR, element.value
        if vr == "SQ":
            return _with(element, Sequence(self.item(item) for item in value))
        if vr == "UI":
            uids = [text if PLAIN_UID.fullmatch(text) else self._key.uid(text) for text in _texts(value)]
            return _with(element, uids if len(uids) > 1 else "".join(uids))
        if element.tag == _PATIENT_AGE:
            return _with(element, _capped_age(str(value)))
        if vr in TEXTS:
            return self._rewritten(element, self._known.scrub)
        if vr == "CS" and not all(CODES[vr].fullmatch(text) for text in _texts(value)):
            return self._rewritten(element, self._known.scrub)
        if vr in CODES:
            return element if all(CODES[vr].fullmatch(text) for text in _texts(value)) else None
        if isinstance(value, bytes) and self._known.inside(value):
            if element.tag in PIXELS:
                raise InputError(
                    "The pixel data should hold a picture only, but a name or number of the patient stands among its "
                    "bytes; write the picture anew without it."
                )
            self._warn("identity-in-bytes", "Binary data with a name or number of the patient were removed.")
            return None
        return element

    def _cleaned(self, element: DataElement) -> DataElement | None:
        return self._rewritten(element, self._known.clean) if element.VR in TEXTS else None

    def _rewritten(self, element: DataElement, rewrite: Callable[[str], str]) -> DataElement:
        values = [text if text == (new := rewrite(text)) else new or REMOVED for text in _texts(element.value)]
        return _with(element, values if len(values) > 1 else "".join(values))

    def _dummied(self, element: DataElement) -> DataElement | None:
        if element.VR == "UI":
            return self._other_uids(element)
        if element.VR != "SQ":
            return _with(element, dummy(element.VR))
        if element.tag == _PERSON_CODES:
            return _with(element, Sequence([_code("ANON", "99MEDVIEWER", "Anonymized")]))
        return _with(element, Sequence(self.item(item) for item in element.value))

    def _other_uids(self, element: DataElement) -> DataElement | None:
        if element.VR == "SQ":
            return _with(element, Sequence(self.item(item) for item in element.value))
        if element.VR != "UI":
            return None
        values = [self._uid(text) for text in _texts(element.value)]
        return _with(element, values if len(values) > 1 else "".join(values))

    def _uid(self, uid: str) -> str:
        kept = self._options.retain_uids and PLAIN_UID.fullmatch(uid)
        return uid if kept or _is_registered(uid) or not uid else self._key.uid(uid)

    def _shifted(self, element: DataElement) -> DataElement | None:
        """Moved in time; what is no whole date is emptied, for a part of one could not be told from another's."""
        if element.VR not in DATES:  # Timezone Offset From UTC: intervals need it, and it says little
            return element if element.VR == "SH" else None
        values = [shifted(text, element.VR, self._days) for text in _texts(element.value)]
        moved = [value for value in values if value is not None]
        if len(moved) < len(values):
            self._warn("date", "A date that is not a whole date was emptied; it could not be moved with the others.")
            return _emptied(element)
        return _with(element, moved if len(moved) > 1 else "".join(moved))

    def _warn(self, code: str, text: str) -> None:
        self.warnings.append(Warning(code, text))


def _with(element: DataElement, value: Any) -> DataElement:
    return DataElement(element.tag, element.VR, value)


def _emptied(element: DataElement) -> DataElement:
    return _with(element, Sequence() if element.VR == "SQ" else None)


def _texts(value: Any) -> list[str]:
    """The values of an element as texts; none for an empty one."""
    if value is None or value == "":
        return []
    values = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return [str(one.original_string if isinstance(one, (DSfloat, IS)) else one) for one in values]


def _is_registered(uid: str) -> bool:
    """Whether PS3.6 annex A gives it a name: a UID of a kind of thing."""
    return bool(UID(uid).type)


def _plain_uids(element: DataElement) -> bool:
    return all(PLAIN_UID.fullmatch(text) for text in _texts(element.value))


def _capped_age(age: str) -> str:
    return f"{_OLDEST:03d}Y" if age[3:4] == "Y" and age[:3].isdigit() and int(age[:3]) >= _OLDEST else age


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _mark(made: Dataset, options: Options) -> None:
    """Say that and how it was done (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1)."""
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = "medviewer, DICOM PS3.15 Annex E"
    made.DeidentificationMethodCodeSequence = [_code(code, "DCM", meaning) for code, meaning in options.methods]
    made.LongitudinalTemporalInformationModified = "MODIFIED" if options.shift_dates else "REMOVED"


def _known(dataset: Dataset, options: Options) -> Known:
    names, values = [], []
    for tag, vr, value in _identifying(dataset, options):
        texts = _texts(value)
        if vr == "PN":
            names += texts
        elif vr == "DT" or tag in PIXELS:
            values += [text[:8] for text in texts if text[:8].isdigit()]
        else:
            values += [text for text in texts if len(text.strip()) >= _SHORTEST]
    return Known(names, values)


def _identifying(dataset: Dataset, options: Options) -> _Found:
    """Every value that may not stay, with tag and VR: at any depth, in private attributes names of persons only."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # removed later on, with a warning
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from _identifying(item, options)
            continue
        rule = rule_for(tag)
        listed = rule is not None and not rule.describes and rule.resolve(options) != "K"
        if element.VR == "PN" or (listed and element.VR in (*TEXTS, "DA", "DT", "UI")):
            if element.VR == "UI":
                kept = [text for text in _texts(element.value) if not _is_registered(text)]
                yield tag, "UI", kept
            else:
                yield tag, element.VR, element.value
