"""Workers that go wrong: each way gives one sentence, the next job runs, and nothing is left behind."""

from __future__ import annotations

import fcntl
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.errors import (
    ContractError,
    JobCancelled,
    JobError,
    JobTimeout,
    PluginError,
    UnsuitableImageError,
    WeightsMissingError,
    WorkerDied,
)
from medviewer.jobs import FinishReason, Job, JobState, Runner
from medviewer.jobs.failure import exit_sentence

from .conftest import PATIENCE_S, Start

Run = Callable[..., Job[Any]]
FirstEvent = Callable[[Job[Any]], dict[str, Any]]

FAILURES = {
    "raises": (
        PluginError,
        "The plugin stopped with ValueError: the kernel is odd; run it again, and report it with the details if it "
        "stops again.",
    ),
    "raises_ours": (UnsuitableImageError, "This plugin expects a chest film."),
    "raises_own": (WeightsMissingError, "Fetch the weights first."),
    "raises_exit": (PluginError, "The plugin stopped with SystemExit: 3; "),
    "raises_memory": (PluginError, "The plugin needs more memory than is free (MemoryError); close other work, "),
    "raises_device_memory": (PluginError, "The plugin needs more memory than is free (OutOfMemoryError); "),
    "wrong_type": (ContractError, "worker_entries:wrong_type should return a WorkerReply, but it returned a int; "),
    "wrong_payload": (ContractError, "A payload has to be JSON-ready, but a object is in it; "),
    "wrong_event": (ContractError, "A payload has to be JSON-ready, but a object is in it; "),
    "wrong_dtype": (ContractError, "Array 'objects' should hold numbers, but it holds Python objects; "),
    "loses_file": (PluginError, "Array 'mask' of the answer should be a file in .npy form, but it is missing or "),
    "cuts_file": (PluginError, "Array 'mask' of the answer should be a file in .npy form, but it is missing or "),
    "scrambles_file": (PluginError, "Array 'mask' of the answer should be a file in .npy form, but it is missing or "),
    "no_such_function": (PluginError, "An entry should name a function as package.module:function, but "),
}


@pytest.mark.parametrize("entry", FAILURES)
def test_failure_is_one_sentence_of_the_right_class(warm_run: Run, entry: str) -> None:
    kind, text = FAILURES[entry]
    job = warm_run(entry)
    assert job.reason is FinishReason.FAILED
    assert type(job.error) is kind
    assert str(job.error).startswith(text)
    assert "\n" not in str(job.error)
    with pytest.raises(kind):
        job.result()
    assert warm_run("echo").reason is FinishReason.DONE


def test_details_hold_traceback_and_output(warm_run: Run) -> None:
    error = warm_run("raises").error
    assert error
    assert "in raises" in error.details
    assert "ValueError: the kernel\nis odd." in error.details
    assert "about to raise" in error.details


def test_own_details_come_first(warm_run: Run) -> None:
    error = warm_run("raises_ours").error
    assert error
    assert error.details.startswith("BodyPartExamined is LEG\n\nTraceback")


def test_missing_module_is_said(runner: Runner) -> None:
    job = runner.submit_process("no_such_module:run", {}, title="it", lane="lane", convert=lambda reply: reply)
    runner.wait(job, PATIENCE_S)
    assert str(job.error).startswith("The plugin stopped with ModuleNotFoundError: No module named 'no_such_module'; ")


@pytest.mark.parametrize(
    "words", ["no json", "[]", '{"id": "JOB"}', '{"id": "JOB", "type": "dance"}', '{"id": "JOB", "type": "reply"}']
)
def test_worker_that_talks_nonsense_is_replaced(warm_run: Run, words: str) -> None:
    job = warm_run("talks_nonsense", {"words": words})
    assert job.reason is FinishReason.FAILED
    assert isinstance(job.error, ContractError)
    assert warm_run("echo").reason is FinishReason.DONE


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("exits", "ended by itself with exit code 7; run it again"),
        ("crashes", "was ended by signal SIGSEGV; run it again"),
        ("has_children", "was ended by signal SIGKILL; most often memory ran out"),
        ("dies_in_hand_over", "ended by itself with exit code 9; run it again"),
    ],
)
def test_dead_worker_is_told_and_replaced(warm_run: Run, entry: str, text: str) -> None:
    before = warm_run("pid").result().payload["pid"]
    job = warm_run(entry)
    assert job.reason is FinishReason.DIED
    assert isinstance(job.error, WorkerDied)
    assert f"The worker process should answer, but it {text}" in str(job.error)
    assert warm_run("pid").result().payload["pid"] != before


def test_last_words_of_a_dead_worker_are_in_the_details(warm_run: Run) -> None:
    died, crashed = warm_run("exits").error, warm_run("crashes").error
    assert died
    assert crashed
    assert died.details == "Last output of the worker process:\nlast words"
    assert "Fatal Python error: Segmentation fault" in crashed.details
    assert "in crashes" in crashed.details


def test_children_of_a_dead_worker_die_with_it(warm_run: Run, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert warm_run("has_children", {"path": str(lock)}).reason is FinishReason.DIED
    with lock.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # free once the last holder has gone


def test_worker_that_died_while_idle_is_replaced(runner: Runner, run: Run) -> None:
    before = run("pid").result().payload["pid"]
    process = runner._lanes["lane"]._process
    assert process
    process._process.kill()
    process._process.wait()
    after = run("pid")
    assert after.reason is FinishReason.DONE
    assert after.result().payload["pid"] != before


@pytest.mark.parametrize("entry", ["loops", "loops_in_c", "hangs_up", "beats_without_progress"])
def test_silent_worker_is_killed(warm_run: Run, exists: Callable[[int], bool], entry: str) -> None:
    before = warm_run("pid").result().payload["pid"]
    job = warm_run(entry, silence_s=0.3)
    assert job.reason is FinishReason.TIMED_OUT
    assert isinstance(job.error, JobTimeout)
    assert str(job.error).startswith(f"{entry} should report progress every 0.3 s at least, but it was silent and was ")
    assert not exists(before)
    assert warm_run("pid").result().payload["pid"] != before


def test_half_a_message_keeps_nobody_waiting(warm_run: Run) -> None:
    died = warm_run("cuts_message", {"ends": True})
    assert (died.reason, "exit code 9" in str(died.error)) == (FinishReason.DIED, True)
    silent = warm_run("cuts_message", {"ends": False}, silence_s=0.3)
    assert silent.reason is FinishReason.TIMED_OUT
    assert "a message may have 64 mib" in str(warm_run("announces_too_much").error).lower()
    assert warm_run("pid").reason is FinishReason.DONE


def test_a_cancel_after_half_a_message_ends_the_job(runner: Runner, start: Start) -> None:
    job = start("cuts_message", {"ends": False})
    began = start("pid", lane="other")
    runner.wait(began, PATIENCE_S)
    job.cancel()
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED


def test_a_payload_larger_than_the_line_arrives(warm_run: Run) -> None:
    text = "x" * (3 << 20)
    assert warm_run("echo", {"text": text}).result().payload == {"text": text}


def test_progress_is_a_sign_of_life(warm_run: Run) -> None:
    warm_run("pid")
    job = warm_run("slow_but_talking", {"words": 16, "pause_s": 0.2}, silence_s=3.0)
    assert job.reason is FinishReason.DONE


@pytest.mark.parametrize(("entry", "stays"), [("listens", True), ("loops", False), ("loops_in_c", False)])
def test_cancel_of_a_running_job(
    runner: Runner,
    run: Run,
    start: Start,
    first_event: FirstEvent,
    exists: Callable[[int], bool],
    entry: str,
    stays: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if stays:  # it listens, however late a busy machine lets it
        monkeypatch.setattr("medviewer.jobs.lane.GRACE_S", PATIENCE_S)
    job = start(entry)
    pid = first_event(job)["pid"]
    job.cancel()
    job.cancel()
    assert job.state is JobState.CANCELLING
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    with pytest.raises(JobCancelled):
        job.result()
    assert exists(pid) is stays
    assert (run("pid").result().payload["pid"] == pid) is stays


def test_cancel_of_a_queued_job_is_immediate(
    runner: Runner, start: Start, first_event: FirstEvent, scratch: Path
) -> None:
    running, queued, last = start("listens"), start("echo"), start("echo")
    first_event(running)
    told: list[bool] = []
    queued.finished.connect(lambda: told.append(queued.done))
    queued.cancel()
    assert (queued.state, queued.reason, told) == (JobState.FINISHED, FinishReason.CANCELLED, [])
    runner.pump()
    assert told == [True]
    with pytest.raises(JobCancelled, match="echo was cancelled before it began"):
        queued.result()
    running.cancel()
    runner.wait(last, PATIENCE_S)
    assert last.reason is FinishReason.DONE
    assert told == [True]


def test_cancel_while_the_worker_starts(runner: Runner, run: Run, start: Start) -> None:
    job = start("loops")
    began = runner.submit(lambda context: None, title="marker")
    runner.wait(began, PATIENCE_S)
    job.cancel()
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    assert run("echo").reason is FinishReason.DONE


def test_late_answer_of_a_cancelled_job_is_dropped(runner: Runner, start: Start) -> None:
    handed_over = threading.Event()
    job = start("echo", convert=lambda reply: handed_over.set())
    assert handed_over.wait(PATIENCE_S)  # the answer is there, but nobody has pumped
    job.cancel()
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.CANCELLED
    runner.pump()
    with pytest.raises(JobCancelled):
        job.result()


def test_process_that_cannot_be_started_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", str(Path(__file__).parent / "no-such-python"))
        job = run("echo")
    assert job.reason is FinishReason.DIED
    assert "should start, but the system refused (No such file or directory); " in str(job.error)
    assert run("echo").reason is FinishReason.DONE


def test_process_that_ends_at_once_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('a broken installation')")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        job = run("echo")
    assert job.reason is FinishReason.DIED
    assert "ended by itself with exit code 1; " in str(job.error)
    assert job.error
    assert "ImportError: a broken installation" in job.error.details
    assert run("echo").reason is FinishReason.DONE


def test_process_that_is_never_ready_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("medviewer.jobs.process.START_S", 0.0)
        job = run("echo")
    assert job.reason is FinishReason.TIMED_OUT
    assert "should be ready within 0 s, but it was not; " in str(job.error)
    assert run("echo").reason is FinishReason.DONE


def test_disk_that_takes_no_arrays_is_told(runner: Runner, run: Run) -> None:
    runner._folder.rmdir()
    runner._folder.write_text("in the way")
    job = run("echo", arrays={"scan": np.ones(3)})
    runner._folder.unlink()
    assert job.reason is FinishReason.FAILED
    assert type(job.error) is JobError
    assert "The arrays of a job could not be written (Not a directory); make room" in str(job.error)
    assert run("echo").reason is FinishReason.DONE


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "stopped answering"),
        (-9, "signal SIGKILL"),
        (-200, "signal 200"),
        (0, "exit code 0"),
        (0xC0000005, "exit code 0xc0000005"),
    ],
)
def test_sentence_about_each_end(code: int | None, text: str) -> None:
    assert text in exit_sentence(code)


def test_log_of_any_size_is_bounded(warm_run: Run) -> None:
    error = warm_run("floods_log", {"megabytes": 500}).error
    assert error
    assert len(error.details) < 80_000
    assert re.search("xxxx\nthe end$", error.details)
