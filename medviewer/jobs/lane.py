"""A lane: a queue of jobs, and one warm worker process that runs them one after the other."""

from __future__ import annotations

import math
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Protocol

from medviewer.errors import JobCancelled, JobTimeout, MedviewerError, PluginError
from medviewer.jobs import scratch
from medviewer.jobs.exchange import (
    WorkerReply,
    checked_answer,
    end_of_log,
    open_arrays,
    save_arrays,
    save_payload,
    unlinked,
)
from medviewer.jobs.failure import foreign_sentence, restore, with_log
from medviewer.jobs.job import Job, Outcome, failed
from medviewer.jobs.kept import KeptArrays
from medviewer.jobs.process import LAST_WORDS_S, LogTail, WorkerProcess
from medviewer.jobs.state import FinishReason
from medviewer.jobs.task import Task
from medviewer.jobs.turnstile import Turnstile

# How long a job may take to heed a cancel before its process is killed; with the kill it is idle within a second.
GRACE_S = 0.75


class Host(Protocol):
    """What a lane tells about its jobs; called on the lane's thread."""

    def job_began(self, job: Job[Any]) -> None:
        """Its turn has come."""

    def job_progress(self, job: Job[Any], fraction: float, message: str) -> None:
        """It told how far it is."""

    def job_event(self, job: Job[Any], data: dict[str, Any]) -> None:
        """It sent extra data."""

    def job_ended(self, job: Job[Any], outcome: Outcome[Any]) -> None:
        """It is over."""

    def lane_starting(self, lane: Lane) -> None:
        """A process is about to start in that lane."""

    def lane_idle(self, lane: Lane) -> None:
        """Nothing waits in that lane."""


class Lane:
    """Jobs of one kind, one after the other, in one worker process that stays warm between them.

    The process starts with the first job, and anew after it died. One daemon thread serves both; it lives as long as
    the process does.

    Parameters
    ----------
    name
        The lane's name.
    folder
        Where each job gets a folder of its own while it runs.
    host
        Who is told.
    turnstile
        Says whose turn it is, over all lanes; its lock is that of all of them.
    kept
        Files of arrays that were written before.
    """

    def __init__(self, name: str, folder: Path, host: Host, turnstile: Turnstile, kept: KeptArrays) -> None:
        self.name = name
        self.idle_since = time.monotonic()
        self._folder = folder
        self._host = host
        self._turnstile = turnstile
        self._kept = kept
        self._changed = turnstile.changed
        self._queue = turnstile.queue()
        self._process: WorkerProcess | None = None
        self._thread: threading.Thread | None = None
        self._retiring = False
        self._leaving: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Id of the warm process, None when there is none."""
        process = self._process
        return process.pid if process else None

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._queue.current is not None or bool(self._queue.waiting)

    def submit(self, task: Task) -> None:
        """Put a task into the queue."""
        with self._changed:
            self._turnstile.add(self._queue, task)
            self._retiring = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=f"medviewer-lane-{self.name}", daemon=True)
                self._thread.start()

    def cancel(self, task: Task) -> bool:
        """Take a task out of the queue, or tell its worker at once to stop.

        Returns
        -------
        Whether it had left the queue, so that its end is told to the host.
        """
        with self._changed:
            if task.cancelled_at is None:
                task.cancelled_at = time.monotonic()
            waited = self._turnstile.remove(self._queue, task)
            process = self._process if self._queue.current is task else None
        if process:
            process.notify({"type": "cancel", "id": task.job.id})
        return not waited

    def retire(self) -> None:
        """End the process and the thread as soon as nothing runs or waits; a later job starts new ones."""
        with self._changed:
            self._retiring = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Drop what waits, kill what runs, and retire."""
        with self._changed:
            self._turnstile.clear(self._queue)
            if self._queue.current:
                self._queue.current.cancelled_at = -math.inf  # no grace
            self._retiring = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait until the process is gone, at most that long."""
        for thread in (self._thread, self._leaving):
            if thread:
                thread.join(seconds)

    def _serve(self) -> None:
        while (task := self._next()) is not None:
            folder = self._folder / task.job.id
            outcome = self._run(task, folder)
            with self._changed:  # who sees the job's end finds its place free
                self._host.job_ended(task.job, outcome)
                self._turnstile.end(self._queue)
                self.idle_since = time.monotonic()
            del task, outcome  # an idle lane must not hold a result in memory
            # Last, because on a busy disk this may take longer than all the rest, and nobody else has to wait for it.
            scratch.remove(folder)
            if not self.busy:
                self._host.lane_idle(self)

    def _next(self) -> Task | None:
        """Wait for the next task; None, with the process gone, once the lane retires."""
        with self._changed:
            while self._queue.waiting or not self._retiring:
                if task := self._turnstile.begin(self._queue):
                    return task
                self._changed.wait()
            # From here on a new task gets a new thread and a new process, while the old one ends.
            process, self._process = self._process, None
            self._leaving, self._thread = self._thread, None
        if process:
            process.close()
        return None

    def _run(self, task: Task, folder: Path) -> Outcome[Any]:
        """One job from its first to its last moment; the process is gone afterwards unless it is fit for the next."""
        self._host.job_began(task.job)
        try:
            process = self._ready(task)
            files = save_arrays(folder, task.arrays, "request", self._kept, task.fixed)
            task.check()
            answer = self._ask(task, process, folder, files)
            task.check()
            return self._settle(task, answer, folder, process.log)
        except BaseException as error:  # whatever it is, the lane and the jobs after it go on
            return failed(task.job, error)

    def _ready(self, task: Task) -> WorkerProcess:
        """The warm process, or a new one."""
        if self._process and not self._process.alive:
            self._drop_process()
        if self._process is None:
            self._host.lane_starting(self)
            self._process = WorkerProcess(lambda: task.cancelled)
        self._process.log.clear()
        return self._process

    def _ask(self, task: Task, process: WorkerProcess, folder: Path, files: dict[str, str]) -> dict[str, Any]:
        """Send the request and wait for the answer; a process that gives none is ended, whatever the reason."""
        # The payload goes by file: a message that fills the line would wait for a worker that does not listen.
        request = {"entry": task.entry, "folder": str(folder), "arrays": files}
        save_payload(folder, task.payload)
        try:
            process.send({"type": "run", "id": task.job.id, **request})
            if task.cancelled:  # the wish may have come before there was a request to cancel
                process.notify({"type": "cancel", "id": task.job.id})
            return self._follow(task, process)
        except BaseException:
            self._drop_process(grace_s=0)
            raise

    def _follow(self, task: Task, process: WorkerProcess) -> dict[str, Any]:
        """Pass on what the worker sends, until its answer: the reply or the failure."""
        heard = time.monotonic()
        while True:
            message = process.receive()
            now = time.monotonic()
            if task.cancelled_at is not None and now - task.cancelled_at > GRACE_S:
                raise JobCancelled(f"{task.job.name} was cancelled, and its worker process was ended for it.")
            if message is None:
                if now - heard > task.silence_s and not task.cancelled:
                    self._silent(task, process)
                continue
            if message.get("id") != task.job.id:
                continue  # a late word about an earlier job
            heard = now
            if message.get("type") == "progress":
                self._host.job_progress(task.job, message["fraction"], message["message"])
            elif message.get("type") == "event":
                self._host.job_event(task.job, message["data"])
            else:
                return checked_answer(message)

    def _silent(self, task: Task, process: WorkerProcess) -> None:
        self._drop_process(grace_s=0)
        raise JobTimeout(
            f"{task.job.name} should report progress every {task.silence_s:g} s at least, but it was silent and was "
            "stopped; run it again, and report the plugin if it hangs again.",
            with_log("", process.log.text(LAST_WORDS_S)),
        )

    def _settle(self, task: Task, answer: dict[str, Any], folder: Path, log: LogTail) -> Outcome[Any]:
        """The outcome that an answer stands for."""
        if answer["type"] == "failure":
            return failed(task.job, restore(answer, log.text_to(end_of_log(task.job.id), LAST_WORDS_S)))
        arrays = unlinked(open_arrays(folder, answer["arrays"], "c"))
        try:
            value = task.convert(WorkerReply(answer["payload"], arrays))
        except MedviewerError:
            raise
        except Exception as error:
            details = "".join(traceback.format_exception(error))
            raise PluginError(
                foreign_sentence("Reading the plugin's answer", error), with_log(details, log.text())
            ) from error
        return Outcome(FinishReason.DONE, value)

    def _drop_process(self, grace_s: float = 1.0) -> None:
        process, self._process = self._process, None
        if process:
            process.close(grace_s)
