"""A plugin on many series: a step that cannot begin is a row, and one case that is stopped is not all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medviewer.app.case_table import CaseTable
from medviewer.app.commands import batch, batch_job, predict
from medviewer.app.commands.batch import Batch
from medviewer.app.commands.batch_places import Place
from medviewer.app.services import Services
from medviewer.domain.finding import Classification
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import ScanResult
from medviewer.errors import JobError, StoreError
from medviewer.jobs import FinishReason, Job
from tests.app.conftest import SERIES, STUDY
from tests.inference.tiny_plugins import write_plugin

THREE = tuple(replace(SERIES, uid=f"{SERIES.uid}.{number}") for number in (1, 2, 3))


@pytest.fixture
def runs(services: Services, image: Image, monkeypatch: pytest.MonkeyPatch) -> list[Job[Any]]:
    """A plugin that answers at once; its runs."""
    write_plugin(services.archive.home / "plugins", "tuned", inputs={"modality": ["CT"]})
    services.refresh()
    made: list[Job[Any]] = []

    def submit(runner: Any, *_: Any, **__: Any) -> Job[Any]:
        made.append(runner.submit(lambda _: Classification({"A": 1.0}, Provenance()), title="Tuned: a case"))
        return made[-1]

    monkeypatch.setattr(predict, "submit_prediction", submit)
    monkeypatch.setattr("medviewer.formats.load", lambda *_: image)
    return made


def batch_of(services: Services, place: Place | None = None) -> Batch:
    here = Place("Study 1", lambda _: ScanResult((replace(STUDY, series=THREE),)))
    return Batch(services, "tuned", [place or here, here], lambda *_: "")


def finish(services: Services, running: Batch) -> Batch:
    while running.job is not None:
        services.runner.wait(running.job, 60)
    return running


def test_a_case_that_cannot_begin_is_a_row_that_says_why(
    services: Services, runs: list[Job[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = StoreError("The key of patients should be readable, but is not; restore it.")
    key = Batch._patient

    def patient(self: Batch, *about: Any) -> str:
        if len(self.rows) == 1:
            raise told
        return key(self, *about)

    monkeypatch.setattr(Batch, "_patient", patient)
    running = finish(services, batch_of(services).start())
    assert running.done
    assert [(row.status, row.reason) for row in running.rows] == [
        ("failed", str(told)) if number == 1 else ("done", "") for number in range(6)
    ]
    assert (running.rows[1].series_uid, running.rows[1].plugin) == (THREE[1].uid, "tuned")


def test_it_ends_with_its_error_when_nothing_can_be_begun_any_more(
    services: Services, runs: list[Job[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = batch_of(services)
    ends: list[int] = []
    running.finished.connect(lambda: ends.append(1))

    def closing(*_: Any, **__: Any) -> Any:
        raise JobError("It needs a running program, but medviewer is closing; start it again.")

    monkeypatch.setattr(services.runner, "submit", closing)
    running.start()
    assert (running.done, ends) == (True, [1])
    assert running.error is not None


def test_a_case_that_is_stopped_on_the_card_stops_no_other(
    services: Services, runs: list[Job[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin: Callable[..., Any] = predict.submit

    def submit(*about: Any, **more: Any) -> Job[Any]:
        job = begin(*about, **more)
        if len(runs) == 2:
            job.cancel()
        return job

    monkeypatch.setattr(batch.predict, "submit", submit)
    running = finish(services, batch_of(services).start())
    assert not running.cancelled
    assert [row.status for row in running.rows] == ["done", "failed", *["done"] * 4]
    assert "cancelled" in running.rows[1].reason


def test_stopping_it_stops_all_of_it(services: Services, runs: list[Job[Any]]) -> None:
    running = batch_of(services).start()
    while not runs and running.job is not None:
        services.runner.wait(running.job, 60)
    running.cancel()
    finish(services, running)
    assert (running.done, running.cancelled) == (True, True)
    assert all(row.status == "done" for row in running.rows)
    assert len(running.rows) < 6


def test_a_place_that_failed_leaves_the_table_when_it_is_there_again(
    services: Services, runs: list[Job[Any]], tmp_path: Path
) -> None:
    found = ScanResult(())

    def again() -> list[tuple[str, str]]:
        places = [Place("Path 1 of 1", lambda _: found)]
        table = CaseTable(tmp_path / "cases.json", ["A"])
        finish(services, Batch(services, "tuned", places, lambda *_: "", table=table).start())
        return [(one["series_uid"], one["status"]) for one in json.loads((tmp_path / "cases.json").read_text())]

    assert again() == [("Path 1 of 1", "failed")]
    found = ScanResult((replace(STUDY, series=THREE[:1]),))
    assert again() == [(THREE[0].uid, "done")]


def test_it_is_one_job_that_can_be_cancelled_like_any_other(services: Services, runs: list[Job[Any]]) -> None:
    running = batch_of(services)
    job = batch_job.start(services, running, 1)
    assert job in services.runner.jobs
    while not runs:
        services.runner.pump()
    job.cancel()
    finish(services, running)
    services.runner.wait(job)
    assert running.cancelled
    assert job.reason is FinishReason.CANCELLED
    assert services.session.message is not None
    assert services.session.message.text.endswith("on 1 study: Stopped. 0 done, 0 refused, 0 failed.")
