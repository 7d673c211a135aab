"""One piece of work, as the home thread sees it."""

from __future__ import annotations

import logging
import math
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from psygnal import Signal

from medviewer.errors import JobCancelled, JobError, JobTimeout, MedviewerError, WorkerDied
from medviewer.jobs.failure import foreign_sentence, without_locals
from medviewer.jobs.state import FinishReason, JobEvent, JobState, advance

T = TypeVar("T")

_REASONS: dict[type[MedviewerError], FinishReason] = {
    JobCancelled: FinishReason.CANCELLED,
    WorkerDied: FinishReason.DIED,
    JobTimeout: FinishReason.TIMED_OUT,
}

_log = logging.getLogger("medviewer.jobs")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """How a piece of work ended: with a value when it is DONE, with an error otherwise."""

    reason: FinishReason
    value: T | None = None
    error: MedviewerError | None = None


def failed(job: Job[Any], error: BaseException) -> Outcome[Any]:
    """The outcome of a job that an exception of ours or of others ended on this side.

    The log gets kind and place only: the text of an exception may hold a path, and a path a patient's name.
    """
    if isinstance(error, MedviewerError):
        reason = next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), FinishReason.FAILED)
        return Outcome(reason, error=without_locals(error))
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    _log.error("Job %s stopped with %s at %s", job.id, type(error).__name__, place)
    details = "".join(traceback.format_exception(error))
    return Outcome(FinishReason.FAILED, error=MedviewerError(foreign_sentence(job.name, error), details))


class Job(Generic[T]):
    """One piece of work that somebody submitted to a `Runner`.

    All of it belongs to the home thread: attributes change, and signals are emitted, inside `Runner.pump` only. The one
    exception is `cancel`, which changes `state` at once when it is called on the home thread.

    Attributes
    ----------
    id
        Unique in every run of the program.
    title
        What the user reads.
    fraction, message
        How far the work is, in 0..1, and a few words.
    reason, error
        Why it is over; None until then. `error` stays None when the reason is DONE.
    started
        `time.monotonic` in seconds when the work began, None while it is queued.
    """

    progressed = Signal(float, str)
    event = Signal(dict)
    finished = Signal()

    def __init__(self, title: str, on_cancel: Callable[[Job[Any]], None]) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.title = title
        self.state = JobState.QUEUED
        self.fraction = 0.0
        self.message = ""
        self.reason: FinishReason | None = None
        self.error: MedviewerError | None = None
        self.started: float | None = None
        self._value: T | None = None
        self._on_cancel = on_cancel

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}>"

    @property
    def name(self) -> str:
        """The title, or words that stand for it in a sentence: small work in the background may have none."""
        return self.title or "Work in the background"

    @property
    def done(self) -> bool:
        """Whether it is over, for whatever reason."""
        return self.state is JobState.FINISHED

    def cancel(self) -> None:
        """Ask it to stop; a job that is over stays as it is. Any thread may call this."""
        self._on_cancel(self)

    def result(self) -> T:
        """What the work gave.

        Raises
        ------
        MedviewerError
            The job's own error when it ended otherwise than DONE; a JobError while it is not over.
        """
        if self.error is not None:
            raise self.error
        if self.reason is not FinishReason.DONE:
            raise JobError(f"A result needs a finished job, but this one is {self.state}; wait for it first.")
        return cast(T, self._value)

    # What follows is called by the runner, on the home thread.

    def _begin(self) -> None:
        if self.state is JobState.QUEUED:
            self.state = advance(self.state, JobEvent.START)
            self.started = time.monotonic()

    def _mark_cancelled(self) -> None:
        """Note the wish; a job that nobody has begun is over with it."""
        self.state = advance(self.state, JobEvent.CANCEL)
        if self.done and self.reason is None:
            self.reason = FinishReason.CANCELLED
            self.error = JobCancelled(f"{self.name} was cancelled before it began.")

    def _tell_progress(self, fraction: float, message: str) -> None:
        if self.done:
            return
        self.fraction = self.fraction if math.isnan(fraction) else min(max(fraction, 0.0), 1.0)
        self.message = message
        self.progressed.emit(self.fraction, message)

    def _tell_event(self, data: dict[str, Any]) -> None:
        if not self.done:
            self.event.emit(data)

    def _finish(self, outcome: Outcome[T]) -> bool:
        """Take the outcome and say so; a late one, of a job that is over already, is dropped."""
        if self.done:
            return False
        if self.state is JobState.CANCELLING and outcome.reason is not FinishReason.CANCELLED:
            outcome = Outcome(FinishReason.CANCELLED, error=JobCancelled(f"{self.name} was cancelled."))
        self.state = advance(self.state, JobEvent.FINISH)
        self.reason, self.error, self._value = outcome.reason, outcome.error, outcome.value
        if self.reason is FinishReason.DONE:
            self.fraction = 1.0
        return True
