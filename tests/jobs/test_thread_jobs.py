"""Jobs in threads of the host."""

from __future__ import annotations

import gc
import logging
import threading
import traceback
import weakref
from typing import Any

import numpy as np
import pytest
from psygnal import EmitLoopError

from medviewer.errors import JobCancelled, JobError, MedviewerError, UnreadableError
from medviewer.jobs import FinishReason, JobState, Runner
from medviewer.plugin_api import RunContext

from .conftest import PATIENCE_S


def test_value_and_progress(runner: Runner) -> None:
    seen: list[tuple[float, str]] = []
    threads: set[int] = {threading.get_ident()}

    def work(context: RunContext) -> int:
        threads.add(threading.get_ident())
        for step in range(3):
            context.progress(step / 2, f"file {step}")
        return 42

    job = runner.submit(work, title="Scan")
    job.progressed.connect(lambda fraction, message: seen.append((fraction, message)))
    runner.wait(job, PATIENCE_S)
    assert job.result() == 42
    assert seen == [(0.0, "file 0"), (0.5, "file 1"), (1.0, "file 2")]
    assert len(threads) == 2


def test_our_errors_pass_as_they_are(runner: Runner) -> None:
    error = UnreadableError("No reader knows this file.", "four zero bytes")

    def work(context: RunContext) -> None:
        raise error

    job = runner.submit(work, title="Open")
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.FAILED
    assert job.error is error


def test_error_of_a_finished_job_keeps_no_array_alive(runner: Runner) -> None:
    alive: list[weakref.ref[Any]] = []

    def work(context: RunContext) -> None:
        volume = np.zeros(1000)
        alive.append(weakref.ref(volume))
        try:
            volume.reshape(3)
        except ValueError as error:
            raise UnreadableError("No reader knows this file.") from error

    job = runner.submit(work, title="Open")
    runner.wait(job, PATIENCE_S)
    assert job.error
    assert [frame.name for frame in traceback.extract_tb(job.error.__traceback__)] == ["work"]
    assert alive[0]() is None


def test_a_result_lives_as_long_as_somebody_holds_its_job(runner: Runner) -> None:
    job = runner.submit(lambda _: np.zeros(1000), title="Load")
    runner.wait(job, PATIENCE_S)
    alive = weakref.ref(job.result())
    gc.collect()
    assert alive() is not None
    del job
    gc.collect()
    assert alive() is None


def test_other_errors_become_a_sentence_and_a_line_in_the_log(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    def work(context: RunContext) -> None:
        raise KeyError("DOE^JANE")

    job = runner.submit(work, title="Open")
    with caplog.at_level(logging.DEBUG):
        runner.wait(job, PATIENCE_S)
    assert type(job.error) is MedviewerError
    assert str(job.error).startswith("Open stopped with KeyError: 'DOE^JANE'; run it again")
    assert "in work" in job.error.details
    assert f"Job {job.id} stopped with KeyError at test_thread_jobs.py:" in caplog.text
    assert "DOE" not in caplog.text


def test_cancel_reaches_the_function(runner: Runner) -> None:
    running = threading.Event()

    def work(context: RunContext) -> None:
        running.set()
        assert context.cancelled.wait(PATIENCE_S)
        context.progress(0.5)

    job = runner.submit(work, title="Load")
    assert running.wait(PATIENCE_S)
    job.cancel()
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    with pytest.raises(JobCancelled):
        job.result()


def test_result_that_comes_after_a_cancel_is_dropped(runner: Runner) -> None:
    running, go = threading.Event(), threading.Event()

    def work(context: RunContext) -> str:
        running.set()
        assert go.wait(PATIENCE_S)
        return "too late"

    job = runner.submit(work, title="Load")
    assert running.wait(PATIENCE_S)
    runner.pump()
    job.cancel()
    assert job.state is JobState.CANCELLING
    go.set()
    runner.wait(job, PATIENCE_S)
    with pytest.raises(JobCancelled, match="Load was cancelled"):
        job.result()


def test_cancelled_before_its_beginning_was_told_it_is_over_only_when_the_function_is(runner: Runner) -> None:
    running, go = threading.Event(), threading.Event()
    order: list[str] = []

    def work(context: RunContext) -> None:
        running.set()
        assert go.wait(PATIENCE_S)
        order.append("the last file is written")

    job = runner.submit(work, title="Copy")
    job.finished.connect(lambda: order.append("what was written is removed"))
    assert running.wait(PATIENCE_S)  # nobody has pumped: the home thread does not know
    job.cancel()
    assert job.state is JobState.CANCELLING
    go.set()
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    assert order == ["the last file is written", "what was written is removed"]


def test_cancelled_before_its_turn_never_runs(runner: Runner) -> None:
    go = threading.Event()
    ran: list[bool] = []
    blockers = [runner.submit(lambda context: go.wait(PATIENCE_S), title="Block") for _ in range(8)]
    job = runner.submit(lambda context: ran.append(True), title="Load")
    job.cancel()
    assert job.done
    go.set()
    for other in [*blockers, runner.submit(lambda context: None, title="After")]:
        runner.wait(other, PATIENCE_S)
    assert ran == []


def test_cancel_from_another_thread_is_seen_at_the_next_pump(runner: Runner) -> None:
    job = runner.submit(lambda context: context.cancelled.wait(PATIENCE_S), title="Load")
    thread = threading.Thread(target=job.cancel)
    thread.start()
    thread.join()
    assert not job.done
    assert job.state is not JobState.CANCELLING
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED


def test_another_thread_may_not_drive_the_runner(runner: Runner) -> None:
    job = runner.submit(lambda context: runner.pump(), title="Pump")
    runner.wait(job, PATIENCE_S)
    with pytest.raises(JobError, match="driven by the thread that made it"):
        job.result()


def test_listener_that_raises_costs_no_other_news(runner: Runner) -> None:
    seen: list[float] = []
    ended = threading.Event()

    def listen(fraction: float, message: str) -> None:
        seen.append(fraction)
        if fraction == 0.5:
            raise ValueError("a fault of the listener")

    def work(context: RunContext) -> None:
        for step in range(3):
            context.progress(step / 2)
        ended.set()

    job = runner.submit(work, title="Load")
    job.progressed.connect(listen)
    assert ended.wait(PATIENCE_S)
    with pytest.raises(EmitLoopError):
        runner.wait(job, PATIENCE_S)
    runner.wait(job, PATIENCE_S)
    assert seen == [0.0, 0.5, 1.0]
    assert job.reason is FinishReason.DONE


def test_who_pumps_in_parts_gets_all_of_it_in_order(runner: Runner) -> None:
    """A window draws between two parts; what one part leaves wakes it for the next."""
    seen: list[float] = []
    ended, woken = threading.Event(), threading.Event()

    def work(context: RunContext) -> None:
        for step in range(4):
            context.progress(step / 4)
        ended.set()

    job = runner.submit(work, title="Load")
    job.progressed.connect(lambda fraction, _: seen.append(fraction))
    assert ended.wait(PATIENCE_S)
    runner.wake = woken.set
    parts = []
    while not job.done:
        assert woken.wait(PATIENCE_S)
        woken.clear()
        runner.pump(0)
        parts.append(len(seen))
    assert seen == [0.0, 0.25, 0.5, 0.75]
    assert max(np.diff(parts, prepend=0)) == 1


def test_who_waits_for_one_job_alone_hears_of_no_other(runner: Runner) -> None:
    told: list[str] = []
    running, woken = threading.Event(), threading.Event()

    def work(context: RunContext) -> None:
        running.set()
        context.progress(0.5)

    other = runner.submit(work, title="Load")
    other.finished.connect(lambda: told.append("other"))
    assert running.wait(PATIENCE_S)
    runner._threads.join(PATIENCE_S)  # it is over, and nobody has pumped
    mine = runner.submit(lambda context: 42, title="Save")
    mine.finished.connect(lambda: told.append("mine"))
    runner.wake = woken.set
    woken.clear()
    runner.wait(mine, PATIENCE_S, alone=True)
    assert (told, mine.result(), other.fraction) == (["mine"], 42, 0.0)
    assert woken.is_set(), "the news of the other wait for the next pump"
    runner.pump()
    assert told == ["mine", "other"]
    assert other.done


def test_a_listener_that_raises_costs_no_other_news_of_the_job_that_is_waited_for(runner: Runner) -> None:
    told: list[str] = []

    def raises(*_: object) -> None:
        raise RuntimeError("listener")

    job = runner.submit(lambda context: context.progress(0.5), title="Save")
    job.progressed.connect(raises)
    job.finished.connect(lambda: told.append("over"))
    with pytest.raises(EmitLoopError):
        runner.wait(job, PATIENCE_S, alone=True)
    runner.wait(job, PATIENCE_S, alone=True)
    assert told == ["over"]


def test_nan_is_no_progress(runner: Runner) -> None:
    seen: list[Any] = []
    job = runner.submit(lambda context: context.report(float("nan"), "thinking"), title="Load")
    job.progressed.connect(lambda *values: seen.append(values))
    runner.wait(job, PATIENCE_S)
    assert seen == [(0.0, "thinking")]
