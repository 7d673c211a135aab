"""C-FIND: questions to an archive (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from medviewer.archive.remote.dimse.association import accepted, associated, broken, check_status
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import Stop
from medviewer.errors import RemoteError
from medviewer.formats.dicom.quiet import quiet

_MOST = 50_000
"""Answers to one question, whatever a peer sends."""


def find(node: Node, level: str, keys: Mapping[str, str], stop: Stop, most: int = _MOST) -> list[Dataset]:
    """Ask at one level: PATIENT (patient root), STUDY, SERIES or IMAGE (study root).

    Parameters
    ----------
    keys
        By keyword; an empty one is only to be told.
    most
        Answers that are wanted; the archive is asked to stop after them.
    """
    patients = level == "PATIENT"
    model = PatientRootQueryRetrieveInformationModelFind if patients else StudyRootQueryRetrieveInformationModelFind
    found: list[Dataset] = []
    with associated(node, [build_context(model)], stop) as association, quiet():
        if not accepted(association, model):
            raise RemoteError(f"{node.name} takes connections, but no questions (C-FIND); ask who runs it.")
        status = Dataset()
        cancelled = False
        for status, answer in association.send_c_find(identifier(level, keys), model, msg_id=1):
            pending = int(status.get("Status", 0)) in (0xFF00, 0xFF01)
            if pending and answer is not None and len(found) < most:
                found.append(answer)
            if pending and len(found) >= most and not cancelled:
                association.send_c_cancel(1, query_model=model)
                cancelled = True
        if "Status" not in status:
            stop.check()
            raise broken(node, "answer the query")
        if not (cancelled and int(status.Status) == 0xFE00):
            check_status(node, status, "answer the query", stop)
    return found


def identifier(level: str, keys: Mapping[str, str]) -> Dataset:
    """The data set of a question; names beyond ASCII are in Latin-1 where that has them, else in UTF-8."""
    asked = Dataset()
    text = "".join(keys.values())
    if not text.isascii():
        # Many archives know Latin-1 and no UTF-8.
        asked.SpecificCharacterSet = "ISO_IR 100" if _is_latin(text) else "ISO_IR 192"
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def _is_latin(text: str) -> bool:
    try:
        text.encode("iso8859-1")
    except UnicodeEncodeError:
        return False
    return True
