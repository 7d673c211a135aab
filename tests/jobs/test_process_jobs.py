"""Jobs in a child process that end as they should: values, arrays, progress, warm workers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.errors import ContractError, GridMismatchError, JobError, JobTimeout
from medviewer.jobs import FinishReason, Job, JobState, Lane, Runner, WorkerReply

from .conftest import PATIENCE_S, Start

Run = Callable[..., Job[Any]]

ARRAYS = {
    "scan": np.arange(-60, 60, dtype=np.int16).reshape(4, 5, 6),
    "mask with a strange name/../x": np.array([[True, False]]),
    "big endian": np.arange(5, dtype=">i4"),
    "half": np.linspace(0, 1, 7, dtype=np.float16),
    "double": np.array([math.nan, math.inf, -0.0]),
    "complex": np.array([1 + 2j]),
    "empty": np.zeros((3, 0, 2), np.uint8),
    "scalar": np.array(3.5, np.float32),
    "strided": np.arange(60).reshape(3, 4, 5)[::2, ::-1, 1::2],
    "fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "fields": np.array([(1, 2.5)], dtype=[("label", "u1"), ("ml", "f4")]),
    "text": np.array(["α", "beta"]),
}


def test_arrays_of_every_kind_come_back_the_same(warm_run: Run) -> None:
    received = warm_run("echo", arrays=ARRAYS).result().arrays
    assert list(received) == list(ARRAYS)
    for name, sent in ARRAYS.items():
        assert received[name].dtype == sent.dtype, name
        np.testing.assert_array_equal(received[name], sent, err_msg=name, strict=True)


def test_arrays_of_an_answer_belong_to_the_caller(warm_run: Run) -> None:
    mask = warm_run("echo", arrays={"mask": np.zeros((2, 3), np.uint8)}).result().arrays["mask"]
    assert type(mask) is np.ndarray
    mask[1, 2] = 7
    assert mask.sum() == 7


def test_arrays_of_a_request_are_read_only(warm_run: Run) -> None:
    assert warm_run("flags", arrays={"scan": np.zeros(3)}).result().payload == {"scan": [False, "ndarray"]}


def test_payload_carries_nan_and_text(warm_run: Run) -> None:
    payload = {"nan": math.nan, "inf": -math.inf, "deep": [{"ä": [1, None, True]}]}
    received = warm_run("echo", payload).result().payload
    assert math.isnan(received.pop("nan"))
    assert received == {"inf": -math.inf, "deep": [{"ä": [1, None, True]}]}


def test_payload_takes_numpy_scalars(warm_run: Run) -> None:
    assert warm_run("scalars").result().payload == {"half": 0.5, "two": 2, "yes": True}


def test_payload_is_taken_as_it_is_at_submission(runner: Runner, start: Start) -> None:
    payload = {"threshold": [0.5]}
    job = start("echo", payload)
    payload["threshold"][0] = 0.9
    runner.wait(job, PATIENCE_S)
    assert job.result().payload == {"threshold": [0.5]}


def test_payload_that_is_no_json_is_refused_at_submission(runner: Runner, start: Start) -> None:
    with pytest.raises(ContractError, match=r"JSON-ready, but a \w+Path is in it; "):
        start("echo", {"path": Path("here")})
    assert runner.jobs == ()


def test_request_array_of_objects_is_refused(warm_run: Run) -> None:
    with pytest.raises(ContractError, match="'things' should hold numbers"):
        warm_run("echo", arrays={"things": np.array([object()])}).result()


def test_result_is_what_convert_makes(warm_run: Run) -> None:
    assert warm_run("echo", {"ml": 1200}, convert=lambda reply: reply.payload["ml"] / 1000).result() == 1.2


def test_convert_may_refuse_the_answer(warm_run: Run) -> None:
    def refuse(reply: WorkerReply) -> None:
        raise GridMismatchError("The mask does not lie on the image's grid.")

    job = warm_run("echo", convert=refuse)
    assert job.reason is FinishReason.FAILED
    with pytest.raises(GridMismatchError, match="does not lie"):
        job.result()


def test_convert_that_stumbles_becomes_a_sentence(warm_run: Run) -> None:
    job = warm_run("echo", convert=lambda reply: reply.payload["volume"])
    assert str(job.error).startswith("Reading the plugin's answer stopped with KeyError: 'volume'; ")
    assert job.error
    assert "Traceback" in job.error.details


def test_life_of_a_job(runner: Runner, start: Start) -> None:
    announced: list[Job[Any]] = []
    runner.started.connect(announced.append)
    job = start("echo")
    assert announced == [job]
    assert (job.state, job.started, job.reason, job.done) == (JobState.QUEUED, None, None, False)
    with pytest.raises(JobError, match="this one is queued; wait for it first"):
        job.result()
    runner.wait(job, PATIENCE_S)
    assert (job.state, job.reason, job.error, job.fraction) == (JobState.FINISHED, FinishReason.DONE, None, 1.0)
    assert job.started is not None
    assert runner.jobs == ()
    job.cancel()
    assert job.reason is FinishReason.DONE


def test_progress_and_events_come_in_order_on_the_home_thread(runner: Runner, start: Start) -> None:
    seen: list[Any] = []
    threads: set[int] = set()

    def note(*values: Any) -> None:
        threads.add(threading.get_ident())
        seen.append(values)

    job = start("progress")
    job.progressed.connect(note)
    job.event.connect(note)
    job.finished.connect(note)
    runner.wait(job, PATIENCE_S)
    assert threads == {threading.get_ident()}
    assert math.isnan(seen[1][0].pop("loss"))
    expected: list[Any] = [(0.0, "step 0"), ({"step": 0},)]
    for step in range(1, 5):
        expected += [(step / 4, f"step {step}"), ({"step": step, "loss": 1 / step},)]
    assert seen == [*expected, ()]
    assert job.message == "step 4"


def test_wake_is_called_when_there_is_something_to_pump(runner: Runner, start: Start) -> None:
    woken = threading.Event()
    job = start("echo")
    runner.wake = woken.set
    while not job.done:
        assert woken.wait(PATIENCE_S)
        woken.clear()
        runner.pump()
    assert job.result().payload == {}


def test_wake_that_fails_does_not_stop_the_work(runner: Runner, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("the window is gone")

    runner.wake = broken
    job = start("echo")
    runner.wait(job, PATIENCE_S)
    assert job.reason is FinishReason.DONE
    assert "wake callback" in caplog.text


def test_very_many_events_are_bounded_not_hoarded(runner: Runner, start: Start) -> None:
    steps: list[int] = []
    ended = threading.Event()
    job = start("floods_events", {"count": 5000}, convert=lambda reply: ended.set())
    job.event.connect(lambda data: steps.append(data["step"]))
    assert ended.wait(PATIENCE_S)  # nothing was pumped meanwhile
    runner.wait(job, PATIENCE_S)
    assert steps == list(range(4000, 5000))


def test_warm_worker_is_used_again(run: Run) -> None:
    first, second = run("pid").result(), run("pid").result()
    assert first.payload == second.payload


def test_warm_worker_survives_an_exception(run: Run) -> None:
    first = run("pid").result()
    assert run("raises").reason is FinishReason.FAILED
    assert run("pid").result().payload == first.payload


def test_jobs_of_a_lane_run_one_after_the_other(runner: Runner, start: Start) -> None:
    order: list[str] = []
    jobs = [start("echo", {"number": number}) for number in range(5)]
    for job in jobs:
        job.finished.connect(lambda job=job: order.append(job.id))
    for job in reversed(jobs):
        runner.wait(job, PATIENCE_S)
    assert order == [job.id for job in jobs]
    assert [job.result().payload["number"] for job in jobs] == list(range(5))


def test_two_idle_workers_stay_and_the_longest_idle_goes(
    runner: Runner, run: Run, exists: Callable[[int], bool]
) -> None:
    pids = {lane: run("pid", lane=lane).result().payload["pid"] for lane in ("a", "b", "c")}
    lanes: dict[str, Lane] = runner._lanes
    lanes["a"].join(PATIENCE_S)
    assert not exists(pids["a"])
    assert lanes["a"].pid is None
    assert {name: run("pid", lane=name).result().payload["pid"] for name in ("c", "b")} == {
        "b": pids["b"],
        "c": pids["c"],
    }
    assert run("pid", lane="a").result().payload["pid"] not in pids.values()


def test_files_of_a_job_go_when_it_is_over(runner: Runner, run: Run, scratch: Path) -> None:
    jobs = [run(entry, arrays={"scan": np.ones(1000)}) for entry in ("echo", "raises", "exits", "writes_scratch")]
    lane = runner._lanes["lane"]
    lane.retire()
    lane.join(PATIENCE_S)
    assert [path for path in scratch.rglob("*") if path != runner._folder] == []
    assert jobs[0].result().arrays["scan"].sum() == 1000  # the mapping outlives its file


def test_wait_gives_up_but_the_job_goes_on(
    runner: Runner, start: Start, first_event: Callable[[Job[Any]], dict[str, Any]]
) -> None:
    job = start("listens")
    first_event(job)
    with pytest.raises(JobTimeout, match=r"listens should be over within 0.01 s, but it still is running; wait longer"):
        runner.wait(job, 0.01)
    assert job.state is JobState.RUNNING


def test_list_holds_only_jobs_that_are_not_over(runner: Runner, start: Start) -> None:
    first, second = start("echo"), start("echo")
    assert runner.jobs == (first, second)
    listed: list[tuple[Job[Any], ...]] = []
    first.finished.connect(lambda: listed.append(runner.jobs))
    runner.wait(second, PATIENCE_S)
    assert (listed, runner.jobs) == ([(second,)], ())
    assert first.result().payload == {}, "who holds the job has its result"


def test_what_a_job_left_behind_is_told_that_it_is_over(run: Run) -> None:
    assert run("leave_and_fail").error is not None
    assert run("told_to_stop").result().payload == {"left": [True], "own": False}
