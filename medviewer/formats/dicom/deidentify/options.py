"""What a person chooses about a de-identification, and the secret that makes it consistent."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field

from medviewer.errors import InputError

KEY_BYTES = 32
_NEAREST_DAYS, _FARTHEST_DAYS = 365, 3650
"""Dates move back by one to ten years: enough to lose the season and the day of the week, and never into the future."""


@dataclass(frozen=True)
class Key:
    """A secret from which every replacement is made: the same key gives the same UIDs, pseudonyms and date shifts.

    Parameters
    ----------
    secret
        At least 32 random bytes; whoever has them can test whether a patient is in an export.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < KEY_BYTES:
            raise InputError(
                f"A key for de-identification needs {KEY_BYTES} bytes or more, but this has {len(self.secret)}; "
                "name a file that does not exist yet, and a key is made there."
            )

    @classmethod
    def random(cls) -> Key:
        """A key that nobody has used before."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def uid(self, uid: str) -> str:
        """The UID that stands for `uid`: a UUID below 2.25 (PS3.5 B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._hash('uid', uid)[:16], version=4).int}"

    def pseudonym(self, patient: str) -> str:
        """The Patient ID that stands for a patient."""
        return f"ANON-{self._hash('patient', patient)[:6].hex().upper()}"

    def days(self, patient: str) -> int:
        """How many days all dates of a patient move; always into the past."""
        span = _FARTHEST_DAYS - _NEAREST_DAYS
        return -(_NEAREST_DAYS + int.from_bytes(self._hash("dates", patient)[:8], "big") % span)

    def name(self, text: bytes) -> str:
        """A file name that stands for some content."""
        return self._hash("file", text.hex())[:12].hex()

    def _hash(self, kind: str, value: str) -> bytes:
        return hmac.new(self.secret, f"{kind}:{value.strip()}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True)
class Options:
    """What to keep beyond the Basic Application Level Confidentiality Profile (PS3.15 E.2 and E.3).

    Parameters
    ----------
    retain_uids
        Keep UIDs as they are (E.3.9). Otherwise they are replaced, the same one by the same one.
    shift_dates
        Keep dates, all of a patient's moved by the same number of days, and times (E.3.6, modified dates). Otherwise
        they are removed, emptied or replaced by 1900-01-01.
    clean_descriptors
        Keep descriptions and comments without what is known of the patient (E.3.5). Otherwise they are removed.
    clean_content
        Keep the sentences of structured reports without what is known of the patient (E.3.4). Otherwise every
        sentence is replaced.
    retain_patient
        Keep sex, age (90 at most), size, weight and the like (E.3.7).
    retain_device, retain_institution
        Keep who made the image: the machine (E.3.8) or the place (E.3.11).
    patient_id, patient_name
        What stands for the patient; by default made from the key.
    """

    retain_uids: bool = False
    shift_dates: bool = False
    clean_descriptors: bool = False
    clean_content: bool = False
    retain_patient: bool = False
    retain_device: bool = False
    retain_institution: bool = False
    patient_id: str = ""
    patient_name: str = ""

    @property
    def methods(self) -> tuple[tuple[str, str], ...]:
        """Code and meaning of everything applied (PS3.16 CID 7050, coding scheme DCM)."""
        chosen = (
            (True, "113100", "Basic Application Confidentiality Profile"),
            (self.clean_content, "113104", "Clean Structured Content Option"),
            (self.clean_descriptors, "113105", "Clean Descriptors Option"),
            (self.shift_dates, "113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
            (self.retain_patient, "113108", "Retain Patient Characteristics Option"),
            (self.retain_device, "113109", "Retain Device Identity Option"),
            (self.retain_uids, "113110", "Retain UIDs Option"),
            (self.retain_institution, "113112", "Retain Institution Identity Option"),
        )
        return tuple((code, meaning) for wanted, code, meaning in chosen if wanted)
