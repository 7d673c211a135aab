"""A DIMSE archive as a `Peer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pynetdicom import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from medviewer.archive.remote.dimse.association import accepted, associated, check_status
from medviewer.archive.remote.dimse.fetch import get, move
from medviewer.archive.remote.dimse.find import find
from medviewer.archive.remote.dimse.send import send
from medviewer.archive.remote.found import (
    INSTANCE_KEYS,
    PATIENT_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    InstanceFound,
    PatientFound,
    Query,
    SeriesFound,
    StudyFound,
    instance_of,
    patient_of,
    series_of,
    study_of,
)
from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.nodes import Node
from medviewer.archive.remote.peer import MOST_STUDIES, Stop
from medviewer.errors import RemoteError
from medviewer.formats.dicom.quiet import quiet


class DimsePeer:
    """Implements `Peer` by C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def ping(self, stop: Stop) -> None:
        """C-ECHO."""
        with associated(self.node, [build_context(Verification)], stop) as association:
            if not accepted(association, Verification):
                raise RemoteError(f"{self.node.name} takes connections, but no test (C-ECHO); ask who runs it.")
            check_status(self.node, association.send_c_echo(), "answer the test", stop)

    def patients(self, query: Query, stop: Stop) -> list[PatientFound]:
        """Patients that match by name or ID, at the patient level of the patient root."""
        asked = query.keys()
        keys = {**dict.fromkeys(PATIENT_KEYS, ""), "PatientName": asked["PatientName"], "PatientID": asked["PatientID"]}
        answers = find(self.node, "PATIENT", keys, stop, MOST_STUDIES)
        with quiet():
            return sorted((patient_of(answer) for answer in answers), key=lambda patient: patient.name)

    def studies(self, query: Query, stop: Stop) -> list[StudyFound]:
        """C-FIND at the study level."""
        answers = find(self.node, "STUDY", {**dict.fromkeys(STUDY_KEYS, ""), **query.keys()}, stop, MOST_STUDIES)
        with quiet():
            found = [study for study in map(study_of, answers) if study is not None]
        return sorted(found, key=lambda study: (study.date, study.time), reverse=True)

    def series(self, study_uid: str, stop: Stop) -> list[SeriesFound]:
        """C-FIND at the series level."""
        keys = {"StudyInstanceUID": study_uid, **dict.fromkeys(SERIES_KEYS, "")}
        answers = find(self.node, "SERIES", keys, stop)
        with quiet():
            found = [series for answer in answers if (series := series_of(answer, study_uid)) is not None]
        return sorted(found, key=lambda series: (series.number is None, series.number or 0, series.series_uid))

    def instances(self, study_uid: str, series_uid: str, stop: Stop) -> list[InstanceFound]:
        """C-FIND at the image level."""
        uids = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        answers = find(self.node, "IMAGE", {**uids, **dict.fromkeys(INSTANCE_KEYS, "")}, stop)
        with quiet():
            return [instance for instance in map(instance_of, answers) if instance is not None]

    def fetch(self, landing: Landing, missing: Sequence[InstanceFound], whole: bool, stop: Stop) -> None:
        """C-GET or C-MOVE, as the node says."""
        bring = move if self.node.retrieve_by == "move" else get
        bring(self.node, landing, missing, whole, stop)

    def send(self, files: Sequence[Path], sent: Callable[[], None], stop: Stop) -> None:
        """C-STORE."""
        send(self.node, files, sent, stop)
