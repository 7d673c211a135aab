"""One job at a time of a resource, over all lanes: who goes next, and what those that wait are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from medviewer.jobs import FinishReason, Job, JobState, Place, Runner
from medviewer.jobs.job import Job as AnyJob
from medviewer.jobs.task import Task
from medviewer.jobs.turnstile import Queue, Turnstile

from .conftest import PATIENCE_S, Start

FirstEvent = Callable[[Job[Any]], dict[str, Any]]


def task(resource: str = "", priority: int = 0) -> Task:
    return Task(AnyJob("it", lambda job: None), "", {}, {}, lambda reply: reply, 1.0, resource, priority)


def test_one_holder_over_all_lanes_and_interactive_work_first(
    runner: Runner, start: Start, first_event: FirstEvent
) -> None:
    running = start("listens", lane="a", resource="GPU")
    first_event(running)
    second = start("pid", lane="b", resource="GPU")
    third = start("pid", lane="a", resource="GPU")
    click = start("pid", lane="b", resource="GPU", priority=10)
    order: list[Job[Any]] = []
    for job in (second, third, click):
        job.finished.connect(lambda job=job: order.append(job))
    assert [runner.place(job) for job in (running, click, second, third)] == [
        None,
        Place("GPU", 1),
        Place("GPU", 2),
        Place("GPU", 3),
    ]
    assert runner.place(second) == Place("GPU", 2)
    assert (runner.busy("GPU"), runner.busy("other"), second.state) == (True, False, JobState.QUEUED)
    running.cancel()
    for job in (second, third, click):
        runner.wait(job, PATIENCE_S)
    assert order == [click, second, third]
    assert not runner.busy("GPU")
    assert runner.place(third) is None


def test_work_without_the_resource_does_not_wait(runner: Runner, start: Start, first_event: FirstEvent) -> None:
    running = start("listens", lane="a", resource="GPU")
    first_event(running)
    beside = start("pid", lane="b")
    runner.wait(beside, PATIENCE_S)
    assert (beside.reason, running.state) == (FinishReason.DONE, JobState.RUNNING)
    behind = start("pid", lane="a")
    place = runner.place(behind)
    assert place == Place("", 1)
    assert place.text == "Waiting, 1 before it"
    running.cancel()
    runner.wait(behind, PATIENCE_S)


def test_a_waiting_job_can_be_cancelled_and_lets_others_by(
    runner: Runner, start: Start, first_event: FirstEvent
) -> None:
    running = start("listens", lane="a", resource="GPU")
    first_event(running)
    gone, last = start("pid", lane="b", resource="GPU", priority=10), start("pid", lane="c", resource="GPU")
    assert runner.place(last) == Place("GPU", 2)
    gone.cancel()
    assert gone.reason is FinishReason.CANCELLED
    assert runner.place(last) == Place("GPU", 1)
    running.cancel()
    runner.wait(last, PATIENCE_S)
    assert last.reason is FinishReason.DONE


def test_a_dead_worker_gives_the_resource_back(runner: Runner, start: Start) -> None:
    dies, hangs, after = (
        start(entry, lane=lane, resource="GPU", silence_s=silence)
        for entry, lane, silence in (("exits", "a", 60.0), ("loops_in_c", "a", 0.2), ("pid", "b", 60.0))
    )
    runner.wait(after, PATIENCE_S)
    assert [job.reason for job in (dies, hangs, after)] == [
        FinishReason.DIED,
        FinishReason.TIMED_OUT,
        FinishReason.DONE,
    ]


def test_places_read_as_sentences() -> None:
    assert Place("GPU", 2).text == "Waiting for the GPU, 2 before it"
    assert Place("GPU", 0).text == "Waiting for the GPU"
    assert Place("", 3).text == "Waiting, 3 before it"


def run_all(turnstile: Turnstile, queues: list[Queue], running: list[tuple[Queue, Task]]) -> None:
    for queue in queues:
        if begun := turnstile.begin(queue):
            running.append((queue, begun))


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["", "GPU", "disk"]), st.integers(0, 2)), min_size=1, max_size=12
    ),
    st.randoms(),
)
def test_every_task_has_its_turn_and_no_resource_two_holders(jobs: list[tuple[int, str, int]], random: Any) -> None:
    turnstile = Turnstile()
    queues = [turnstile.queue() for _ in range(3)]
    for lane, resource, priority in jobs:
        turnstile.add(queues[lane], task(resource, priority))
    running: list[tuple[Queue, Task]] = []
    ended = 0
    while ended < len(jobs):
        # Whatever order the lanes' threads come in, all that may begin begins.
        for _ in queues:
            run_all(turnstile, random.sample(queues, 3), running)
        assert running, "work waits, but nothing runs"
        held = [begun.resource for _, begun in running if begun.resource]
        assert len(held) == len(set(held))
        queue, _ = running.pop(random.randrange(len(running)))
        turnstile.end(queue)
        ended += 1
