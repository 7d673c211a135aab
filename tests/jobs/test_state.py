"""The table of a job's life is total: each pair of state and event has a way or is refused."""

from __future__ import annotations

import itertools

import pytest

from medviewer.errors import JobError
from medviewer.jobs import JobState
from medviewer.jobs.state import TRANSITIONS, JobEvent, advance

PAIRS = list(itertools.product(JobState, JobEvent))
REFUSED = {
    (JobState.RUNNING, JobEvent.START),
    (JobState.CANCELLING, JobEvent.START),
    (JobState.FINISHED, JobEvent.START),
    (JobState.FINISHED, JobEvent.FINISH),
}


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_each_pair_is_answered_or_refused(state: JobState, event: JobEvent) -> None:
    if (state, event) in REFUSED:
        with pytest.raises(JobError, match=f"A {state} job expects one of .*, not {event}; "):
            advance(state, event)
    else:
        assert advance(state, event) is TRANSITIONS[state, event]


def test_nothing_leaves_finished() -> None:
    assert {after for (before, _), after in TRANSITIONS.items() if before is JobState.FINISHED} == {JobState.FINISHED}


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.FINISHED])
def test_every_live_job_can_be_cancelled_and_can_finish(state: JobState) -> None:
    assert advance(state, JobEvent.CANCEL) in (JobState.CANCELLING, JobState.FINISHED)
    assert advance(state, JobEvent.FINISH) is JobState.FINISHED
