"""Closing: no process, no file and no unfinished job stays, whatever runs."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.errors import JobError
from medviewer.jobs import FinishReason, Job, Runner
from medviewer.jobs.scratch import process_exists
from medviewer.plugin_api import RunContext

from .conftest import Start

FirstEvent = Callable[[Job[Any]], dict[str, Any]]

HOST = """
import contextlib
import sys
from pathlib import Path
from medviewer.errors import JobTimeout
from medviewer.jobs import Runner

runner = Runner(Path(sys.argv[1]))
job = runner.submit_process(
    f"worker_entries:{sys.argv[4]}", {"path": sys.argv[2]}, title="it", lane="lane", convert=lambda reply: reply
)
said = []
job.event.connect(said.append)
while not said:
    with contextlib.suppress(JobTimeout):
        runner.wait(job, 0.1)
sys.stdout.write("locked\\n")
sys.stdout.flush()
if sys.argv[3] == "killed":
    runner.wait(job)
"""


@pytest.mark.parametrize("entry", ["listens", "loops", "loops_in_c"])
def test_shutdown_leaves_no_child_and_no_file(
    runner: Runner, start: Start, first_event: FirstEvent, exists: Callable[[int], bool], scratch: Path, entry: str
) -> None:
    others = set(threading.enumerate())  # runners of other tests may live as long as the session
    idle = start("pid", lane="idle")
    runner.wait(idle, 60)
    running = start(entry, arrays={"scan": np.ones(100)})
    queued = start("echo")
    pid = first_event(running)["pid"]
    runner.shutdown()
    assert not exists(pid)
    assert not exists(idle.result().payload["pid"])
    assert [job.reason for job in (running, queued)] == [FinishReason.CANCELLED] * 2
    assert list(scratch.iterdir()) == []
    runner.shutdown()
    with pytest.raises(JobError, match="medviewer is closing"):
        start("echo")
    assert not [thread for thread in set(threading.enumerate()) - others if thread.name.startswith("medviewer-")]


def test_shutdown_does_not_wait_for_a_deaf_thread(scratch: Path) -> None:
    runner = Runner(scratch)
    running, go = threading.Event(), threading.Event()

    def work(context: Any) -> None:
        running.set()
        go.wait(60)

    job = runner.submit(work, title="Deaf")
    assert running.wait(60)
    runner.shutdown()
    assert job.reason is FinishReason.CANCELLED
    go.set()


def test_start_cleans_up_after_dead_runs_only(scratch: Path) -> None:
    before = Runner(scratch)
    node = before._folder.name.split("-")[1]
    before.shutdown()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = scratch / f"run-{node}-{dead.pid}-00000000"
    kept = [
        scratch / f"run-{node}-{os.getpid()}-00000000",
        scratch / f"run-elsewhere-{dead.pid}-00000000",
        scratch / "something else",
    ]
    for folder in (gone, *kept):
        (folder / "job").mkdir(parents=True)
        (folder / "job" / "000.npy").write_bytes(b"x")
    runner = Runner(scratch)
    assert not gone.exists()
    assert all((folder / "job" / "000.npy").exists() for folder in kept)
    runner.shutdown()


def test_process_exists() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert process_exists(os.getpid())
    assert process_exists(1)
    assert not process_exists(dead.pid)


@pytest.mark.parametrize(
    ("end", "entry"), [("killed", "holds_lock"), ("forgetful", "holds_lock"), ("killed", "holds_lock_in_c")]
)
def test_worker_does_not_outlive_its_host(tmp_path: Path, end: str, entry: str) -> None:
    """The host is killed, or leaves without shutdown: the lock that the busy worker holds comes free."""
    lock = tmp_path / "lock"
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    arguments = [sys.executable, "-c", HOST, str(tmp_path / "scratch"), str(lock), end, entry]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
        assert host.stdout
        assert host.stderr
        assert host.stdout.readline() == b"locked\n", host.stderr.read()
        if end == "killed":
            host.kill()
        host.wait(60)
    with lock.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # waits for the worker's end; pytest's timeout tells a worker that stays
    assert (end == "killed") == any((tmp_path / "scratch").iterdir())


def test_shutdown_lets_a_file_be_saved(runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is slow: it ends only after what else runs was cancelled."""
    monkeypatch.setattr("medviewer.jobs.runner.JOIN_S", 0.0)
    others_run, others_cancelled = threading.Event(), threading.Event()

    def save(context: RunContext) -> None:
        assert others_cancelled.wait(60)
        (tmp_path / "mask.dcm").write_bytes(b"whole" if not context.cancelled.is_set() else b"")

    def read(context: RunContext) -> None:
        others_run.set()
        assert context.cancelled.wait(60)
        others_cancelled.set()

    saving = runner.submit(save, title="Saving", must_finish=True)
    reading = runner.submit(read, title="Loading")
    assert others_run.wait(60)
    runner.shutdown()
    assert (tmp_path / "mask.dcm").read_bytes() == b"whole"
    assert (saving.reason, reading.reason) == (FinishReason.DONE, FinishReason.CANCELLED)


def test_shutdown_does_not_wait_for_ever_for_a_file(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medviewer.jobs.runner.FINISH_S", 0.0)
    saving = runner.submit(lambda context: context.cancelled.wait(60), title="Saving", must_finish=True)
    runner.shutdown()
    assert saving.reason is FinishReason.CANCELLED
