"""The bar of jobs."""

import threading
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from medviewer.app.services import Services
from medviewer.jobs import Job, JobState
from medviewer.plugin_api import RunContext
from medviewer.ui.widgets import job_bar
from medviewer.ui.widgets.job_bar import JobBar, JobRow, time_left

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Jobs of these tests run until it is set."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def bar(qtbot: QtBot, services: Services, monkeypatch: pytest.MonkeyPatch) -> JobBar:
    monkeypatch.setattr(job_bar, "QUIET_S", 0.0)
    made = JobBar(services)
    qtbot.addWidget(made)
    return made


def start(services: Services, gate: threading.Event, title: str) -> Job[None]:
    def work(context: RunContext) -> None:
        context.progress(0.25, "Reading")
        while not gate.wait(0.01):
            context.check()

    return services.runner.submit(work, title=title)


def rows(bar: JobBar) -> list[str]:
    return [row.job.title for row in bar.findChildren(JobRow) if not row.isHidden() and row.parent() is bar]


def test_shows_two_jobs_and_counts_the_rest(bar: JobBar, services: Services, gate: threading.Event, wait: Wait) -> None:
    assert bar.isHidden()
    jobs = [start(services, gate, f"Job {k}") for k in range(3)]
    wait(lambda: all(job.state is JobState.RUNNING for job in jobs) and not bar.isHidden())
    bar.refresh()
    assert rows(bar) == ["Job 0", "Job 1"]
    assert bar.more_button.text() == "3 jobs"
    gate.set()
    wait(lambda: bar.isHidden())


def test_the_list_has_every_job(bar: JobBar, services: Services, gate: threading.Event, wait: Wait) -> None:
    for k in range(3):
        start(services, gate, f"Job {k}")
    wait(lambda: bar.more_button.text() == "3 jobs")
    bar.show_list()
    assert sorted(row.job.title for row in bar._listed) == ["Job 0", "Job 1", "Job 2"]
    gate.set()
    wait(lambda: bar.isHidden())
    assert bar._list.isHidden()


def test_cancel_stops_the_job(bar: JobBar, services: Services, gate: threading.Event, wait: Wait) -> None:
    job = start(services, gate, "Loading")
    wait(lambda: job.fraction > 0)
    bar.refresh()
    (row,) = bar.findChildren(JobRow)
    assert row.figures.text() == "25%"
    row.cancel_button.click()
    assert job.state is JobState.CANCELLING
    wait(lambda: job.done and bar.isHidden())


def test_jobs_without_a_title_are_not_shown(bar: JobBar, services: Services, gate: threading.Event) -> None:
    start(services, gate, "")
    bar.refresh()
    assert bar.isHidden()


def test_short_jobs_do_not_flicker(
    bar: JobBar, services: Services, gate: threading.Event, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_bar, "QUIET_S", 1e6)
    job = start(services, gate, "Loading")
    wait(lambda: job.fraction > 0)
    bar.refresh()
    assert bar.isHidden()


@pytest.mark.parametrize(
    ("started", "fraction", "text"),
    [(100.0, 0.25, "0:30 left"), (109.0, 0.5, ""), (None, 0.5, ""), (100.0, 0.0, ""), (100.0, 0.01, "")],
)
def test_time_left_is_a_fair_guess_or_none(started: float | None, fraction: float, text: str) -> None:
    job: Job[None] = Job("x", lambda _: None)
    job.started, job.fraction = started, fraction
    assert time_left(job, 110.0) == text


def test_what_waits_for_the_gpu_is_shown_in_turn_and_can_be_cancelled(
    bar: JobBar, services: Services, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_bar, "has_gpu", lambda: True)

    def submit(title: str, lane: str, priority: int = 0) -> Job[object]:
        return services.runner.submit_process(
            "tests.jobs.worker_entries:listens",
            {},
            title=title,
            lane=lane,
            convert=lambda reply: reply,
            resource="GPU",
            priority=priority,
        )

    bar.refresh()
    assert bar.gpu.text() == "GPU idle"
    running = submit("Running", "a")
    wait(lambda: running.state is JobState.RUNNING)
    later, click = submit("Later", "b"), submit("Click", "c", priority=10)
    bar.refresh()
    bar.show_list()
    assert bar.gpu.text() == "GPU busy"
    assert [(row.job.title, row.figures.text()) for row in bar._listed[1:]] == [
        ("Click", "Waiting for the GPU, 1 before it"),
        ("Later", "Waiting for the GPU, 2 before it"),
    ]
    assert rows(bar) == ["Running", "Click"], "what is next is in the bar"
    bar._listed[1].cancel_button.click()
    assert click.done
    bar.refresh()
    assert bar._listed[1].figures.text() == "Waiting for the GPU, 1 before it"
    running.cancel()
    later.cancel()
    wait(lambda: bar.isHidden())
    assert bar.gpu.text() == "GPU idle"


def test_a_machine_without_a_gpu_says_so(bar: JobBar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_bar, "has_gpu", lambda: False)
    bar.refresh()
    assert bar.gpu.text() == "No GPU"


def test_the_viewports_keep_their_size_when_a_job_begins(
    qtbot: QtBot, services: Services, gate: threading.Event, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_bar, "QUIET_S", 0.0)
    window, bar = QMainWindow(), JobBar(services)
    qtbot.addWidget(window)
    window.statusBar().addWidget(bar, 1)
    window.statusBar().addPermanentWidget(bar.gpu)
    window.show()
    idle = window.statusBar().sizeHint().height()
    start(services, gate, "Loading")
    wait(lambda: bool(rows(bar)) and not bar.isHidden())
    assert bar.sizeHint().height() > 0
    assert window.statusBar().sizeHint().height() == idle
    gate.set()
    wait(lambda: bar.isHidden())
