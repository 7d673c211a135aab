"""What every archive on the network can be asked, whichever protocol it speaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from medviewer.archive.remote.found import InstanceFound, Query, SeriesFound, StudyFound
from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.nodes import Node
from medviewer.errors import JobCancelled

MOST_STUDIES = 500
"""Studies of one answer; a question that has more is to be narrowed."""


@dataclass(frozen=True)
class Stop:
    """Says whether the user wants it to stop."""

    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise JobCancelled if so."""
        if self.cancelled.is_set():
            raise JobCancelled("It was cancelled.")


class Peer(Protocol):
    """An archive on the network. Every call opens its own connection, and raises RemoteError when that fails."""

    node: Node

    def ping(self, stop: Stop) -> None:
        """Ask whether it is there and talks to us."""
        ...

    def studies(self, query: Query, stop: Stop) -> list[StudyFound]:
        """Studies that match, newest first, `MOST_STUDIES` at most."""
        ...

    def series(self, study_uid: str, stop: Stop) -> list[SeriesFound]:
        """The series of a study, by number."""
        ...

    def instances(self, study_uid: str, series_uid: str, stop: Stop) -> list[InstanceFound]:
        """The objects of a series; empty where it does not list them."""
        ...

    def fetch(self, landing: Landing, missing: Sequence[InstanceFound], whole: bool, stop: Stop) -> None:
        """Bring objects of a series to their landing.

        Parameters
        ----------
        missing
            Which; empty for all, where the archive could not list them.
        whole
            Whether that is all of the series, which is then asked for at once.

        Raises
        ------
        RemoteError
            If the connection breaks or the archive refuses; what landed before stays.
        """
        ...

    def send(self, files: Sequence[Path], sent: Callable[[], None], stop: Stop) -> None:
        """Hand files over as they are; `sent` is called after each.

        Raises
        ------
        RemoteError
            If one was not taken; those before it were.
        """
        ...
