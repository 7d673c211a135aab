"""Studies and series from an archive to the disk: what is missing, again and again, until it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medviewer.archive.incoming import FOLDER, study_folder, tidy
from medviewer.archive.remote.found import InstanceFound, checked_uid
from medviewer.archive.remote.landing import MAX_OBJECT, Landing
from medviewer.archive.remote.peer import Peer, Stop
from medviewer.archive.remote.room import Room
from medviewer.errors import RemoteError

_TRIES = 4
"""Times in a row that nothing new may come, before a series is given up."""
_PAUSES_S = (0.5, 2.0, 5.0)


@dataclass(frozen=True)
class Wanted:
    """A study to retrieve: some of its series, or all where none is named."""

    study_uid: str
    series_uids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a study is: objects on disk, and objects that it has (None where the archive does not list them)."""

    study_uid: str
    present: int
    total: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of one study.

    Parameters
    ----------
    folder
        Where its files lie.
    present, total
        Objects on disk and objects that the archive lists.
    problem
        Why some are missing; empty when none is.
    """

    study_uid: str
    folder: Path
    present: int
    total: int
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return not self.problem and self.present >= self.total


@dataclass(frozen=True)
class _Series:
    landing: Landing
    listed: dict[str, InstanceFound]

    @property
    def missing(self) -> list[InstanceFound]:
        return [instance for uid, instance in self.listed.items() if not self.landing.has(uid)]


def retrieve(
    peer: Peer,
    home: Path,
    wanted: Wanted,
    tell: Callable[[Progress], None],
    stop: Stop,
    *,
    max_object: int = MAX_OBJECT,
) -> Outcome:
    """Bring one study to disk; what is there already is not asked for again.

    A connection that breaks is opened again, for the missing objects only, as long as each new one brings something;
    after four that bring nothing, the series is given up, and the outcome says what is missing.

    Parameters
    ----------
    home
        The archive's folder.
    tell
        Called as objects arrive, on whatever thread takes them.

    Raises
    ------
    RemoteError
        If the archive cannot be asked what it has.
    StoreError
        If the disk does not take the files.
    JobCancelled
        If the user wants it to stop; what arrived stays.
    """
    return _Retrieval(peer, home, wanted, tell, stop, max_object).run()


class _Retrieval:
    """One study on its way."""

    def __init__(
        self, peer: Peer, home: Path, wanted: Wanted, tell: Callable[[Progress], None], stop: Stop, max_object: int
    ) -> None:
        self._peer, self._home, self._wanted = peer, home, wanted
        self._tell, self._stop, self._max_object = tell, stop, max_object
        self._lock = threading.Lock()  # objects of a C-MOVE may come over several connections
        self._room = Room(home / FOLDER)
        self._present = 0
        self._total: int | None = None

    def run(self) -> Outcome:
        study = checked_uid(self._wanted.study_uid)
        tidy(self._home / FOLDER)
        self._room.check()
        uids = self._wanted.series_uids or tuple(s.series_uid for s in self._peer.series(study, self._stop))
        plan = [self._planned(study, checked_uid(uid)) for uid in uids]
        total = sum(len(series.listed) for series in plan)
        self._total = total if all(series.listed for series in plan) else None
        self._present = sum(len(series.listed) - len(series.missing) for series in plan)
        self._say()
        problems = [self._bring(series) for series in plan]
        problem = next(filter(None, problems), "")
        if not uids:
            problem = "The archive has no series of that study; search again."
        folder = study_folder(self._home, study)
        return Outcome(study, folder, self._present, max(total, self._present), problem)

    def _planned(self, study: str, series: str) -> _Series:
        listed = {instance.sop_uid: instance for instance in self._peer.instances(study, series, self._stop)}
        return _Series(
            Landing(self._home, study, series, list(listed), self._arrived, self._max_object, self._room), listed
        )

    def _bring(self, series: _Series) -> str:
        """Fetch until nothing is missing; why something still is, empty when nothing."""
        idle, problem = 0, ""
        while idle < _TRIES:
            missing = series.missing
            if series.listed and not missing:
                return ""
            before = self._present
            try:
                self._peer.fetch(series.landing, missing, len(missing) == len(series.listed), self._stop)
                if not series.listed:
                    return ""
                problem = "The archive left some objects out without a reason; ask who runs it."
            except RemoteError as error:
                problem = str(error)
                if self._room.is_spent:
                    return problem
            self._stop.check()
            if not series.missing and series.listed:
                return ""
            idle = 0 if self._present > before else idle + 1
            if 0 < idle < _TRIES:
                self._stop.cancelled.wait(_PAUSES_S[idle - 1])
                self._stop.check()
        return problem

    def _arrived(self) -> None:
        with self._lock:
            self._present += 1
        self._say()

    def _say(self) -> None:
        self._tell(Progress(self._wanted.study_uid, self._present, self._total))
