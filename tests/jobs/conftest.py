"""A runner, and a short way to run an entry of worker_entries in a child process."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from medviewer.jobs import Job, Runner, WorkerReply

# Far above what any of it takes: a machine may be busy, but a hang has to end.
PATIENCE_S = 60.0


def as_it_is(reply: WorkerReply) -> WorkerReply:
    return reply


class Start(Protocol):
    """Submit an entry of worker_entries."""

    def __call__(
        self,
        entry: str,
        payload: dict[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        lane: str = "lane",
        convert: Callable[[WorkerReply], Any] = as_it_is,
        silence_s: float = PATIENCE_S,
        resource: str = "",
        priority: int = 0,
    ) -> Job[Any]: ...


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def runner(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    # The child searches where the host does.
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    runner = Runner(scratch)
    yield runner
    runner.shutdown()


def starter(runner: Runner) -> Start:
    def submit(
        entry: str,
        payload: dict[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        lane: str = "lane",
        convert: Callable[[WorkerReply], Any] = as_it_is,
        silence_s: float = PATIENCE_S,
        resource: str = "",
        priority: int = 0,
    ) -> Job[Any]:
        return runner.submit_process(
            f"worker_entries:{entry}",
            payload or {},
            arrays,
            title=entry,
            lane=lane,
            convert=convert,
            silence_s=silence_s,
            resource=resource,
            priority=priority,
        )

    return submit


def waiter(runner: Runner) -> Callable[..., Job[Any]]:
    start = starter(runner)

    def submit_and_wait(*args: Any, **keywords: Any) -> Job[Any]:
        job = start(*args, **keywords)
        runner.wait(job, PATIENCE_S)
        return job

    return submit_and_wait


@pytest.fixture
def start(runner: Runner) -> Start:
    return starter(runner)


@pytest.fixture
def run(runner: Runner) -> Callable[..., Job[Any]]:
    """Submit, and wait for the end."""
    return waiter(runner)


@pytest.fixture(scope="module")
def warm_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Job[Any]]]:
    """As `run`, in one warm worker for all tests of a module that leave it fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        runner = Runner(tmp_path_factory.mktemp("scratch"))
        yield waiter(runner)
        runner.shutdown()


@pytest.fixture
def first_event(runner: Runner) -> Callable[[Job[Any]], dict[str, Any]]:
    """Wait until a job has sent its first event: then its entry is running."""

    def wait(job: Job[Any]) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        marker = runner.submit(lambda context: context.cancelled.wait(PATIENCE_S), title="marker")

        def note(data: dict[str, Any]) -> None:
            events.append(data)
            marker.cancel()

        job.event.connect(note)
        job.finished.connect(marker.cancel)
        runner.wait(marker, PATIENCE_S)
        assert events, (job, job.error, job.error and job.error.details)
        return events[0]

    return wait


@pytest.fixture
def exists() -> Callable[[int], bool]:
    """Whether a process is there (one that has ended but was not waited for counts as there)."""

    def look(pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False

    return look
