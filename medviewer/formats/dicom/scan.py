"""From the headers of many files to studies: their images, masks, reports and documents."""

from __future__ import annotations

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydicom.uid import generate_uid

from medviewer.domain.study import Attachment, Patient, Series, Study, Warning
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.attachments import attachment_of
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.kinds import DIRECTORY, attachment_kind, executable, fingerprint, why_not
from medviewer.formats.dicom.series import Identity, series_of

log = logging.getLogger(__name__)


@dataclass
class _Found:
    """What one study has: the first header of every series of images, those of its attachments, and both."""

    firsts: list[Header] = field(default_factory=list)
    others: list[Header] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)


def studies_of(headers: Iterable[Header], identity: Identity) -> tuple[list[Study], list[Warning]]:
    """Group objects into studies, images into series that are sorted by geometry.

    Returns the studies (unsorted) and the warnings about objects that are neither images nor belong to some.
    """
    warnings: list[Warning] = []
    images: dict[tuple[str, str], list[Header]] = defaultdict(list)
    others: list[tuple[str, str, Header]] = []
    shown: set[tuple[object, ...]] = set()
    for header in headers:
        sop_class = header.plain(t.SOP_CLASS_UID)
        if sop_class == DIRECTORY:
            continue
        kind = attachment_kind(sop_class)
        if not kind and (key := fingerprint(header)) not in shown:
            problem = why_not(header)
            if problem is not None:
                warnings += [problem, *_armed(header)]
                continue
            shown.add(key)
        study_uid = header.plain(t.STUDY_INSTANCE_UID) or made_up_uid(identity(header.path.parent))
        if kind:
            others.append((study_uid, kind, header))
            continue
        series_uid = header.plain(t.SERIES_INSTANCE_UID) or made_up_uid(identity(header.path))
        images[study_uid, series_uid].append(header)
    found: dict[str, _Found] = defaultdict(_Found)
    for (study_uid, series_uid), members in images.items():
        made, problems = _series(series_uid, members, identity)
        warnings += problems
        if made:
            found[study_uid].firsts.append(members[0])
            found[study_uid].series += made
    for study_uid, kind, header in others:
        warnings += _attach(found, study_uid, kind, header, identity)
    return [_study(uid, parts) for uid, parts in found.items()], warnings


def made_up_uid(identity: str) -> str:
    """A UID that is the same whenever the same thing is scanned again."""
    return str(generate_uid(entropy_srcs=["medviewer", identity]))


def _series(uid: str, members: Sequence[Header], identity: Identity) -> tuple[list[Series], list[Warning]]:
    """The series of some files; whatever else goes wrong over their headers costs this one series."""
    try:
        return series_of(uid, members, identity)
    except (UnreadableError, ValueError, ArithmeticError) as error:  # numbers that fit nothing
        why, name = "their headers contradict each other; fetch the series again", type(error).__name__
    except Exception as error:  # one series must never hide the others, though this is no fault of the file's
        # Without the exception's text, which may quote a value.
        trace = "".join(traceback.format_tb(error.__traceback__))
        why, name = "this looks like a mistake in medviewer; report it with the log", type(error).__name__
        log.error("A series could not be put in order (%s):\n%s", name, trace)
    text = (
        f"{members[0].path.name} and {len(members) - 1} more files of its series could not be put in order "
        f"({name}): {why}."
    )
    return [], [Warning("unreadable", text)]


def _attach(found: dict[str, _Found], study_uid: str, kind: str, header: Header, identity: Identity) -> list[Warning]:
    """Add an object to its study; its copies are left out."""
    uid = header.plain(t.SOP_INSTANCE_UID) or made_up_uid(identity(header.path))
    if study_uid in found and uid in found[study_uid].attachments:
        text = (
            f"{header.path.name} is the same object as {found[study_uid].attachments[uid].file.name}; it is left out."
        )
        return [Warning("duplicate", text), *_armed(header)]
    try:
        attachment = attachment_of(header, kind, uid)
    except UnreadableError as error:
        return [Warning("unreadable", str(error)), *_armed(header)]
    found[study_uid].attachments[uid] = attachment
    found[study_uid].others.append(header)
    return _armed(header)


def _armed(header: Header) -> list[Warning]:
    warning = executable(header)
    return [] if warning is None else [warning]


def _study(uid: str, found: _Found) -> Study:
    # What other programs add to a study often says less of it than the images do.
    header = min(found.firsts or found.others, key=lambda h: h.plain(t.SERIES_INSTANCE_UID))
    patient = Patient(
        id=header.text(t.PATIENT_ID),
        name=header.person(t.PATIENT_NAME),
        birth_date=header.date(t.PATIENT_BIRTH_DATE),
        sex=header.plain(t.PATIENT_SEX).upper(),
        age=header.plain(t.PATIENT_AGE),
    )
    return Study(
        uid=uid,
        date=header.date(t.STUDY_DATE),
        description=header.text(t.STUDY_DESCRIPTION),
        patient=patient,
        series=tuple(found.series),
        accession=header.text(t.ACCESSION_NUMBER),
        attachments=tuple(sorted(found.attachments.values(), key=lambda one: (one.date, one.title, one.uid))),
    )
