"""Workers that stay warm from one test to the next.

A worker imports torch with its first job, which takes it seconds. A program keeps its workers warm between two jobs;
with the fixture `warm_workers` they stay so when the program of a test ends, and that of the next test takes them over.
For tests in which many programs each run a job or two, and which are not about how a worker starts and ends.

What a worker has imported it keeps: a plugin whose code changes in its folder needs a worker of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from medviewer.jobs.process import CLOSE_S, WorkerProcess

MOST = 1
"""They hold half a gigabyte each, and nearly all tests use one at a time."""


class Spares:
    """Workers that are in good order and belong to no program."""

    def __init__(self) -> None:
        self._idle: list[_Lasting] = []
        # Linux ends a worker with the thread that started it, and the threads of a program end with the program.
        self._thread = ThreadPoolExecutor(1, "spare workers")

    def take(self, cancelled: Callable[[], bool]) -> WorkerProcess:
        """One that is warm, or else a new one; lanes call this in place of `WorkerProcess`."""
        while True:
            try:
                warm = self._idle.pop()
            except IndexError:
                return self._thread.submit(_Lasting, self, cancelled).result()
            if warm.alive:
                return warm
            warm.end()

    def keep(self, worker: _Lasting) -> bool:
        """Take one back; False where there are enough."""
        if len(self._idle) >= MOST:
            return False
        self._idle.append(worker)
        return True

    def end(self) -> None:
        """End them all."""
        while self._idle:
            self._idle.pop().end()
        self._thread.shutdown()


class _Lasting(WorkerProcess):
    """A worker that goes back to the spares where a program lets it go in good order."""

    def __init__(self, spares: Spares, cancelled: Callable[[], bool]) -> None:
        self._spares = spares
        super().__init__(cancelled)

    def close(self, grace_s: float = CLOSE_S) -> None:
        """A lane gives no grace to a worker that failed it; one that it retires has answered its last job."""
        if not (grace_s and self.alive and self._spares.keep(self)):
            super().close(grace_s)

    def end(self) -> None:
        """End the process."""
        super().close()


@pytest.fixture(scope="session")
def spare_workers() -> Iterator[Spares]:
    """Those of this run."""
    spares = Spares()
    yield spares
    spares.end()


@pytest.fixture
def warm_workers(spare_workers: Spares, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the programs of a test take over the workers of those before it."""
    monkeypatch.setattr("medviewer.jobs.lane.WorkerProcess", spare_workers.take)
