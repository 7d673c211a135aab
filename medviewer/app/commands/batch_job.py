"""A run on many series among the other jobs: seen in the job bar, stopped there, and told of when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.commands.batch import Batch
from medviewer.errors import JobCancelled
from medviewer.jobs import FinishReason, Job
from medviewer.jobs.job import Outcome

if TYPE_CHECKING:
    from medviewer.app.services import Services


def counts_text(running: Batch) -> str:
    """How many cases came to what, one sentence: ``2 done, 1 refused, 0 failed`` and its full stop."""
    counts = {status: sum(row.status == status for row in running.rows) for status in ("done", "refused", "failed")}
    text = f"{', '.join(f'{count} {status}' for status, count in counts.items())}."
    return f"Stopped. {text}" if running.cancelled else text


def start(services: Services, made: Batch, studies: int) -> Job[None]:
    """Begin a run, which is one job from now until all its cases are over; then say what it came to.

    Raises
    ------
    JobError
        If the program is closing.
    """
    name = f"{made.manifest.name} on {studies} {'study' if studies == 1 else 'studies'}"
    runner, session = services.runner, services.session
    job = runner.follow(name, made.cancel)

    def progressed() -> None:
        runner.job_progress(job, made.fraction, made.message)

    def over() -> None:
        if made.error is not None:
            runner.job_ended(job, Outcome(FinishReason.FAILED, error=made.error))
            session.say(str(made.error), "error", made.error.details)
            return
        if made.cancelled:
            runner.job_ended(job, Outcome(FinishReason.CANCELLED, error=JobCancelled(f"{name} was cancelled.")))
        else:
            runner.job_ended(job, Outcome(FinishReason.DONE))
        failed = any(row.status == "failed" for row in made.rows)
        session.say(f"{name}: {counts_text(made)}", "warning" if failed else "ok")

    made.changed.connect(progressed)
    made.finished.connect(over)
    made.start()
    return job
