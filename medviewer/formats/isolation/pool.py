"""A few warm children that all callers share."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from medviewer.errors import JobCancelled, JobError
from medviewer.formats.isolation.process import Worker

TIMEOUT_S = 8.0
"""How long one frame may take before its decoder counts as hung."""

_MOST = 4


def size() -> int:
    """How many children there may be: one a core, at most four."""
    return max(1, min(_MOST, os.cpu_count() or 1))


def call(
    function: str,
    *arguments: Any,
    timeout_s: float = TIMEOUT_S,
    cancelled: threading.Event | None = None,
) -> Any:
    """Run a function in a child process and return what it returns.

    Any number of threads may call; each waits until a child is free. A child that crashed or hung is replaced.

    Parameters
    ----------
    function
        ``package.module:function``; the child imports the module.
    arguments
        What it is called with: anything that can be pickled.
    timeout_s
        Seconds without an answer after which the child counts as hung and is ended.
    cancelled
        Set by whoever wants the call to stop.

    Returns
    -------
    Plain values, arrays, paths and values of `medviewer.domain`. Large arrays are better written into a `SharedBlock`.

    Raises
    ------
    WorkerDied
        If the child ended while it worked.
    JobTimeout
        If it gave no answer in time.
    JobCancelled
        If `cancelled` was set.
    UnreadableError
        If the function raised anything but an error of ours, or took more memory than a child may have.
    MedviewerError
        An error of ours that the function raised.
    """
    with _POOL.worker(cancelled) as worker:
        return worker.ask(function, arguments, timeout_s, cancelled)


def warm(count: int | None = None) -> None:
    """Start children in the background, as many as there may be, so that the first call finds them ready."""
    _POOL.warm(size() if count is None else count)


def processes() -> tuple[int, ...]:
    """Process ids of the children that live."""
    return _POOL.processes()


def shutdown() -> None:
    """End all children; the next call starts new ones. Called when the interpreter ends."""
    _POOL.shutdown()


class _Pool:
    """Children that wait, and a count of those there are."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._starting = 0
        self._generation = 0
        atexit.register(self.shutdown)

    @contextlib.contextmanager
    def worker(self, cancelled: threading.Event | None) -> Iterator[Worker]:
        """A child that nobody else asks meanwhile."""
        worker = self._take(cancelled)
        try:
            yield worker
        finally:
            with self._changed:
                known = worker in self._busy
                self._busy.discard(worker)
                if known and worker.alive:
                    self._idle.append(worker)
                self._changed.notify()

    def warm(self, count: int) -> None:
        with self._changed:
            missing = min(count, size()) - len(self._idle) - len(self._busy) - self._starting
            self._starting += max(missing, 0)
            generation = self._generation
        for _ in range(missing):
            threading.Thread(target=self._warm_one, args=(generation,), daemon=True).start()

    def _warm_one(self, generation: int) -> None:
        worker: Worker | None = None
        with contextlib.suppress(JobError):  # the call that needs it will say why
            worker = Worker()
        self._arrived(worker, generation, self._idle.append)

    def _arrived(self, worker: Worker | None, generation: int, keep: Any) -> bool:
        """Count a start as over and keep the child, unless the pool was shut down meanwhile."""
        with self._changed:
            if generation != self._generation:
                kept = False
            else:
                self._starting -= 1
                kept = worker is not None
                if worker is not None:
                    keep(worker)
            self._changed.notify_all()
        if worker is not None and not kept:
            worker.kill()
        return kept

    def processes(self) -> tuple[int, ...]:
        with self._changed:
            return tuple(worker.pid for worker in (*self._idle, *self._busy) if worker.alive)

    def shutdown(self) -> None:
        with self._changed:
            self._generation += 1
            self._starting = 0
            workers = (*self._idle, *self._busy)
            self._idle.clear()
            self._busy.clear()
            self._changed.notify_all()
        for worker in workers:
            worker.kill()

    def _take(self, cancelled: threading.Event | None) -> Worker:
        while True:
            with self._changed:
                if cancelled is not None and cancelled.is_set():
                    raise JobCancelled("Decoding was stopped before it was done.")
                while self._idle:
                    worker = self._idle.pop()
                    if worker.alive:
                        self._busy.add(worker)
                        return worker
                    worker.kill()  # it ended while nobody looked: let go of its pipes
                if len(self._busy) + self._starting >= size():
                    self._changed.wait(0.1)
                    continue
                self._starting += 1
                generation = self._generation
            worker = self._start(generation)
            if self._arrived(worker, generation, self._busy.add):
                return worker

    def _start(self, generation: int) -> Worker:
        try:
            return Worker()
        except JobError:
            self._arrived(None, generation, self._busy.add)
            raise


_POOL = _Pool()
