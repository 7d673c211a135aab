"""The life of a job: its states, and one table of the ways between them."""

from __future__ import annotations

from enum import StrEnum

from medviewer.errors import JobError


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"


class FinishReason(StrEnum):
    """Why a job is over. Only DONE has a result; the others have an error."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DIED = "died"
    TIMED_OUT = "timed_out"


class JobEvent(StrEnum):
    """What can happen to a job."""

    START = "start"
    CANCEL = "cancel"
    FINISH = "finish"


TRANSITIONS: dict[tuple[JobState, JobEvent], JobState] = {
    (JobState.QUEUED, JobEvent.START): JobState.RUNNING,
    # Nothing runs yet, so nobody has to be waited for.
    (JobState.QUEUED, JobEvent.CANCEL): JobState.FINISHED,
    # It could not even start: its worker did not come up, or the program is closing.
    (JobState.QUEUED, JobEvent.FINISH): JobState.FINISHED,
    (JobState.RUNNING, JobEvent.CANCEL): JobState.CANCELLING,
    (JobState.RUNNING, JobEvent.FINISH): JobState.FINISHED,
    # Asking twice changes nothing.
    (JobState.CANCELLING, JobEvent.CANCEL): JobState.CANCELLING,
    (JobState.CANCELLING, JobEvent.FINISH): JobState.FINISHED,
    (JobState.FINISHED, JobEvent.CANCEL): JobState.FINISHED,
}


def advance(state: JobState, event: JobEvent) -> JobState:
    """The state after an event.

    Raises
    ------
    JobError
        If that event cannot happen in that state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        allowed = ", ".join(known for at, known in TRANSITIONS if at is state)
        raise JobError(f"A {state} job expects one of {allowed}, not {event}; this is a fault of the runner.") from None
