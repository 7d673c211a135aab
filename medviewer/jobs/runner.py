"""Where work is submitted, and where its news comes back onto the home thread."""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from psygnal import Signal

from medviewer.errors import JobCancelled, JobError, JobTimeout
from medviewer.jobs import scratch as folders
from medviewer.jobs.exchange import WorkerReply, encode
from medviewer.jobs.inbox import Inbox
from medviewer.jobs.job import Job, Outcome, failed
from medviewer.jobs.kept import KeptArrays
from medviewer.jobs.lane import Lane
from medviewer.jobs.state import FinishReason
from medviewer.jobs.task import Task
from medviewer.jobs.threads import Threads
from medviewer.jobs.turnstile import Place, Turnstile
from medviewer.plugin_api.context import RunContext

T = TypeVar("T")

# A warm worker holds a network, and maybe much of a GPU: keep the two that were used last.
MAX_WORKERS = 2
# How long closing the program waits for threads that were asked to stop, and for workers that are being ended.
JOIN_S = 1.0
# How long it waits for work that must be finished: a file that the user saved before closing.
FINISH_S = 30.0
ABORT_S = 5.0


class Runner:
    """Runs work beside the home thread: functions in threads, plugins in child processes.

    The home thread is the one that makes the runner. Whatever can be seen (attributes and signals of jobs) changes
    there, inside `pump`.

    Parameters
    ----------
    scratch
        Folder for the arrays on their way; what dead runs left in it is removed.
    wake
        Called from any thread when there is something to pump.
    """

    started = Signal(Job)

    def __init__(self, scratch: Path, *, wake: Callable[[], None] | None = None) -> None:
        self._home = threading.get_ident()
        self._folder = folders.new_run_folder(scratch)
        self._inbox = Inbox(wake)
        self._threads = Threads()
        self._turnstile = Turnstile()
        self._kept = KeptArrays(self._folder)
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[str, Task] = {}
        self._jobs: dict[str, Job[Any]] = {}
        self._stops: dict[str, Callable[[], bool]] = {}
        self._must_finish: dict[str, threading.Event] = {}
        self._closed = False
        atexit.register(self._close)

    @property
    def wake(self) -> Callable[[], None] | None:
        """Called from any thread when there is something to pump; may be set later."""
        return self._inbox.wake

    @wake.setter
    def wake(self, wake: Callable[[], None] | None) -> None:
        self._inbox.set_wake(wake)

    @property
    def jobs(self) -> tuple[Job[Any], ...]:
        """Jobs that are not over, in the order in which they were submitted.

        A finished one is dropped: it holds its result, which may be a volume, for those who hold the job.
        """
        return tuple(self._jobs.values())

    def submit(self, function: Callable[[RunContext], T], *, title: str, must_finish: bool = False) -> Job[T]:
        """Run a function in a thread.

        Parameters
        ----------
        function
            Gets a context whose `progress` reaches the job's signals and whose `cancelled` follows `Job.cancel`. A
            thread cannot be killed: a function that never looks stays CANCELLING until it returns.
        title
            What the user reads.
        must_finish
            Closing the program waits for it, as for a file that is being saved, and cancels it only after long.

        Raises
        ------
        JobError
            If the runner was shut down.
        """
        cancelled, ended = threading.Event(), threading.Event()
        claim = threading.Lock()  # who has it first decides whether the function runs: its thread, or who cancels it

        def stop() -> bool:
            cancelled.set()
            return not claim.acquire(blocking=False)

        job: Job[T] = self._admit(title, stop)
        if must_finish:
            self._must_finish[job.id] = ended

        def report(fraction: float, message: str) -> None:
            self.job_progress(job, fraction, message)

        def work() -> None:
            if not claim.acquire(blocking=False):
                ended.set()
                return
            self.job_began(job)
            try:
                value = function(RunContext(report=report, cancelled=cancelled))
                outcome: Outcome[T] = Outcome(FinishReason.DONE, value)
            except BaseException as error:  # mapped and handed over: a job always ends
                outcome = failed(job, error)
            self.job_ended(job, outcome)
            ended.set()

        self._threads.submit(work)
        self.started.emit(job)
        return job

    def submit_process(
        self,
        entry: str,
        payload: dict[str, Any],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        *,
        title: str,
        lane: str,
        convert: Callable[[WorkerReply], T],
        silence_s: float = 120.0,
        resource: str = "",
        priority: int = 0,
        fixed: Collection[str] = (),
    ) -> Job[T]:
        """Run a function in a child process.

        Parameters
        ----------
        entry
            ``package.module:function``, of a function that takes `WorkerRequest` and `RunContext` and returns a
            `WorkerReply`.
        payload
            JSON-ready values, taken as they are now.
        arrays
            Arrays by name, of any dtype but object. They are written when the job's turn comes, off the home thread:
            hand in a copy of what may change before.
        title
            What the user reads.
        lane
            Jobs of one lane run one after the other in one process, which stays warm.
        convert
            Turns the reply into the result, on the lane's thread; its arrays may be kept and written into.
        silence_s
            Seconds without progress or event after which the job counts as hung.
        resource
            What only one job may have at a time, as people call it, for example ``GPU``: jobs that name the same one
            run one after the other, whatever their lanes. `place` tells where a waiting one stands.
        priority
            Of those that wait for the same lane or resource, the highest goes first, then who came first; give 10 to
            what a person waits for with the hand on the mouse. A job that runs is not stopped for it.
        fixed
            Names of arrays that nobody writes into as long as they live: what one job wrote of them serves the next.

        Raises
        ------
        JobError
            If the runner was shut down.
        ContractError
            If the payload is not JSON-ready.
        """
        snapshot = json.loads(encode(payload))
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = Lane(lane, self._folder, self, self._turnstile, self._kept)
        job: Job[T] = self._admit(title, lambda: queue.cancel(task))
        task = Task(job, entry, snapshot, dict(arrays or {}), convert, silence_s, resource, priority, frozenset(fixed))
        self._tasks[job.id] = task
        queue.submit(task)
        self.started.emit(job)
        return job

    def follow(self, title: str, stop: Callable[[], None]) -> Job[None]:
        """A job that stands for work that several others do, so that it is seen and stopped as one; it runs at once.

        Whoever makes it tells of it with `job_progress` and `job_ended`.

        Parameters
        ----------
        title
            What the user reads.
        stop
            Called on the home thread when it is cancelled; the work's end has to be told all the same.

        Raises
        ------
        JobError
            If the runner was shut down.
        """

        def stops() -> bool:
            stop()
            return True

        job: Job[None] = self._admit(title, stops)
        job._begin()
        self.started.emit(job)
        return job

    def stage(self, array: NDArray[Any]) -> Job[None] | None:
        """Write an array that never changes to where workers map it, beside the home thread, before a job asks for it.

        A job to which it is `fixed` then begins at once. Nothing is done, and None returned, while no worker is warm:
        whoever only looks at images has no use for the file, and a first job waits for its worker anyway.

        Raises
        ------
        JobError
            If the runner was shut down.
        """
        if not any(lane.pid for lane in self._lanes.values()):
            return None

        def write(context: RunContext) -> None:
            with contextlib.suppress(OSError):  # where there is no room, the job that needs it will say so
                self._kept.stage(array)

        return self.submit(write, title="")

    def place(self, job: Job[Any]) -> Place | None:
        """What a job in the queue of a child process waits for, and how many go before it; None once it runs."""
        task = self._tasks.get(job.id)
        return self._turnstile.place(task) if task else None

    def busy(self, resource: str) -> bool:
        """Whether a job has that resource now."""
        return self._turnstile.busy(resource)

    def in_use(self, lane: str) -> bool:
        """Whether a job runs or waits in that lane, or in one whose name begins with it and a colon."""
        return any(one.busy for one in self._named(lane))

    def retire(self, lane: str) -> Callable[[float], None]:
        """End the processes of a lane, and of those whose names begin with it and a colon, once they have no job.

        Returns
        -------
        Waits until they are gone, at most for that many seconds; any thread may call it.
        """
        found = self._named(lane)
        for one in found:
            one.retire()

        def gone(seconds: float) -> None:
            for one in found:
                one.join(seconds)

        return gone

    def _named(self, lane: str) -> list[Lane]:
        return [one for name, one in self._lanes.items() if name == lane or name.startswith(f"{lane}:")]

    def pump(self, seconds: float = math.inf) -> None:
        """Let the home thread see what happened since the last time.

        Parameters
        ----------
        seconds
            After which the rest waits for the next time, for which `wake` is called; a window draws in between.

        Raises
        ------
        JobError
            If another thread calls it.
        """
        self._check_home()
        self._inbox.pump(seconds)

    def wait(self, job: Job[Any], timeout: float | None = None, *, alone: bool = False) -> None:
        """Pump until a job is over.

        Parameters
        ----------
        job
            A job of this runner.
        timeout
            Seconds, None for ever. The job goes on when they are over.
        alone
            Whether the news of all other jobs wait until the next pump: for who goes on with what is open now, and
            would not see that a series which had been read took its place.

        Raises
        ------
        JobTimeout
            If it is not over by then.
        JobError
            If another thread than the home thread calls it.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if alone:
                self._check_home()
                self._inbox.pump_only(job.id)
            else:
                self.pump()
            if job.done:
                return
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise JobTimeout(
                    f"{job.name} should be over within {timeout:g} s, but it still is {job.state}; wait longer."
                )
            self._inbox.wait(left, job.id if alone else None)

    def shutdown(self) -> None:
        """Cancel everything, end the workers and remove the scratch files; a second call does nothing."""
        self._check_home()
        self._close()
        self._inbox.pump()

    def _close(self) -> None:
        """All of `shutdown` but the news, which nobody wants when the interpreter ends."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._close)
        for job in self._jobs.values():
            if job.id not in self._must_finish:
                self._cancel(job)
        for lane in self._lanes.values():
            lane.abort()
        self._let_finish()
        self._threads.join(JOIN_S)
        for lane in self._lanes.values():
            lane.join(ABORT_S)
        for job in self._jobs.values():  # of a thread that did not heed its cancel
            self.job_ended(job, Outcome(FinishReason.CANCELLED, error=JobCancelled(f"{job.name} was cancelled.")))
        self._kept.close()
        folders.remove(self._folder)

    def _let_finish(self) -> None:
        deadline = time.monotonic() + FINISH_S
        for id_, ended in self._must_finish.items():
            if not ended.wait(max(0.0, deadline - time.monotonic())):
                self._cancel(self._jobs[id_])

    def _check_home(self) -> None:
        if threading.get_ident() != self._home:
            raise JobError(
                "The runner should be driven by the thread that made it, but another one did; post it there."
            )

    def _admit(self, title: str, stop: Callable[[], bool]) -> Job[Any]:
        """A new job on the list; `stop` asks it to end, and says whether it had begun, so that its end is to come."""
        self._check_home()
        job: Job[Any] = Job(title, self._cancel)
        if self._closed:
            raise JobError(f"{job.name} needs a running program, but medviewer is closing; start it again.")
        self._jobs[job.id] = job
        self._stops[job.id] = stop
        return job

    def _cancel(self, job: Job[Any]) -> None:
        """Stop a job; what can be seen changes on the home thread."""
        if threading.get_ident() != self._home:
            self._inbox.post(lambda: self._cancel(job), job.id)
            return
        if job.done:
            return
        if self._stops[job.id]():
            job._begin()  # whoever cleans up after it has to wait for its end, even if its beginning was not told yet
        job._mark_cancelled()
        if job.done:  # nothing had begun: its end is told with the next pump
            self._inbox.post(lambda: self._tell_finished(job), job.id)

    def _tell_finished(self, job: Job[Any]) -> None:
        self._stops.pop(job.id, None)
        self._tasks.pop(job.id, None)
        self._jobs.pop(job.id, None)
        self._must_finish.pop(job.id, None)
        job.finished.emit()

    # Host of the lanes and threads: these are called from any thread.

    def job_began(self, job: Job[Any]) -> None:
        """Its turn has come."""
        self._inbox.post(job._begin, job.id)

    def job_progress(self, job: Job[Any], fraction: float, message: str) -> None:
        """It told how far it is."""
        self._inbox.post_news(job.id, lambda: job._tell_progress(fraction, message))

    def job_event(self, job: Job[Any], data: dict[str, Any]) -> None:
        """It sent extra data."""
        self._inbox.post_news(job.id, lambda: job._tell_event(data))

    def job_ended(self, job: Job[Any], outcome: Outcome[Any]) -> None:
        """It is over."""

        def end() -> None:
            if job._finish(outcome):
                self._tell_finished(job)

        self._inbox.post(end, job.id)

    def lane_starting(self, lane: Lane) -> None:
        """Make room for one more process."""
        self._retire_idle(keep=MAX_WORKERS - 1, but=lane)

    def lane_idle(self, lane: Lane) -> None:
        """Keep no more idle processes than allowed."""
        self._retire_idle(keep=MAX_WORKERS)

    def _retire_idle(self, keep: int, but: Lane | None = None) -> None:
        alive = [lane for lane in tuple(self._lanes.values()) if lane.pid is not None and lane is not but]
        idle = sorted((lane for lane in alive if not lane.busy), key=lambda lane: lane.idle_since)
        for lane in idle[: max(0, len(alive) - keep)]:
            lane.retire()
