"""One job of a lane, with all that its worker needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from medviewer.errors import JobCancelled
from medviewer.jobs.exchange import WorkerReply
from medviewer.jobs.job import Job


@dataclass(eq=False)
class Task:
    """One job of a lane.

    Parameters
    ----------
    job
        What the home thread sees of it.
    entry
        ``package.module:function``.
    payload, arrays, fixed
        The request; the arrays are written when its turn comes, and those named in `fixed` never change.
    convert
        Turns the reply into the job's value, on the lane's thread.
    silence_s
        Seconds without progress or event after which it counts as hung.
    resource
        What it needs for itself alone, empty for nothing.
    priority
        Of two that wait, the one with more goes first.
    number
        Its place among all that were ever submitted.
    cancelled_at
        `time.monotonic` of the wish to stop, None as long as nobody wishes that.
    """

    job: Job[Any]
    entry: str
    payload: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    convert: Callable[[WorkerReply], Any]
    silence_s: float
    resource: str = ""
    priority: int = 0
    fixed: frozenset[str] = frozenset()
    number: int = 0
    cancelled_at: float | None = field(default=None)

    @property
    def turn(self) -> tuple[int, int]:
        """What the queue is sorted by: the smallest goes first."""
        return -self.priority, self.number

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.cancelled_at is not None

    def check(self) -> None:
        """Raise JobCancelled if somebody wants it to stop."""
        if self.cancelled:
            raise JobCancelled(f"{self.job.name} was cancelled.")
