"""Large weights are read beside the home thread before they are first used, and only then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medviewer.app.commands import catalog, explain, interactive, predict, weights
from medviewer.app.services import Services
from medviewer.domain.finding import Classification
from medviewer.domain.provenance import Provenance
from medviewer.errors import InputError
from medviewer.learning import hashes
from medviewer.plugin_api.interactive import Prompt
from medviewer.plugin_api.manifest import file_sha256
from tests.inference.click_plugins import write_click_plugin
from tests.inference.tiny_plugins import write_plugin


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads that read files of weights."""
    seen: list[int] = []

    def read(path: Path, each: Callable[[int], None]) -> str:
        seen.append(threading.get_ident())
        return file_sha256(path, each)

    monkeypatch.setattr(hashes, "file_sha256", read)
    return seen


@pytest.fixture
def plugin(services: Services, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plugin whose weights count as large; what it would answer is there at once."""
    write_plugin(services.archive.home / "plugins", "large", inputs={"modality": ["CT"]})
    services.refresh()
    monkeypatch.setattr(weights, "AT_ONCE_BYTES", 16)

    def submit(runner: Any, *_: Any, **__: Any) -> Any:
        return runner.submit(lambda _: Classification({"A": 1.0}, Provenance()), title="")

    monkeypatch.setattr(predict, "submit_prediction", submit)
    monkeypatch.setattr(explain, "submit_explanation", submit)
    return "large"


def wait_all(services: Services) -> None:
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0])


def test_a_run_waits_until_they_were_read_elsewhere(services: Services, plugin: str, readers: list[int]) -> None:
    job = predict.run(services, plugin)
    assert (job.title, services.session.busy_plugins) == ("Large: reading its weights", {plugin})
    with pytest.raises(InputError, match="at work already"):
        predict.run(services, plugin)
    wait_all(services)
    assert services.session.classification is not None, services.session.message
    assert services.session.busy_plugins == frozenset()
    assert readers
    assert threading.get_ident() not in readers
    assert predict.run(services, plugin).title == "", "they are known now"
    wait_all(services)
    assert len(readers) == 1


def test_small_ones_are_read_at_once(
    services: Services, plugin: str, readers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "AT_ONCE_BYTES", 1 << 20)
    assert predict.run(services, plugin).title == ""
    assert readers == [threading.get_ident()]
    wait_all(services)


def test_why_waits_for_them_too(services: Services, plugin: str, readers: list[int]) -> None:
    job = explain.run(services, plugin)
    assert job.title == "Large: reading its weights"
    job.cancel()
    wait_all(services)
    assert "cancelled" in str(services.session.message)
    assert services.session.busy_plugins == frozenset()
    assert threading.get_ident() not in readers


def test_what_cannot_wait_says_that_they_are_read(services: Services, plugin: str, readers: list[int]) -> None:
    with pytest.raises(InputError, match="Large are being read for the first time; try again"):
        weights.check_read(services, plugin)
    wait_all(services)
    weights.check_read(services, plugin)
    assert len(readers) > 0
    assert threading.get_ident() not in readers


def test_who_is_impatient_has_nothing_read_twice(
    services: Services, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, seen = threading.Event(), threading.Event(), []

    def slow(path: Path, each: Callable[[int], None]) -> str:
        seen.append(path)
        begun.set()
        assert go.wait(60)
        return file_sha256(path, each)

    monkeypatch.setattr(hashes, "file_sha256", slow)
    for _ in range(3):
        with pytest.raises(InputError, match="being read for the first time"):
            weights.check_read(services, plugin)
        assert begun.wait(60)
    go.set()
    wait_all(services)
    assert len(seen) == 1
    weights.check_read(services, plugin)


def test_a_click_reads_none_at_once(
    services: Services, readers: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.plugins[:] = [write_click_plugin(tmp_path, "clicks")]
    monkeypatch.setattr(weights, "AT_ONCE_BYTES", 16)
    with pytest.raises(InputError, match="being read for the first time"):
        interactive.point_at(services, Prompt("point", ((1, 2, 3),)))
    assert services.session.clicks == ()
    wait_all(services)
    assert threading.get_ident() not in readers
    assert len(readers) == 1


def test_the_start_reads_what_is_here_for_the_first_time(services: Services, plugin: str, readers: list[int]) -> None:
    here = [row for row in services.plugins if predict.weights_present(services, row)]
    catalog.housekeep(services)
    wait_all(services)
    assert len(readers) == len(here) > 1, "others are yet to be fetched"
    assert threading.get_ident() not in readers
    catalog.housekeep(services)
    wait_all(services)
    assert predict.run(services, plugin).title == ""
    wait_all(services)
    assert len(readers) == len(here)


def test_one_that_cannot_be_read_keeps_none_of_the_others_from_it(
    services: Services, plugin: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(path: Path, each: Callable[[int], None]) -> str:
        if path.parent.name == plugin:
            raise OSError("a broken disk")
        return file_sha256(path, each)

    monkeypatch.setattr(hashes, "file_sha256", broken)
    write_plugin(services.archive.home / "plugins", "zebra")
    services.refresh()
    weights.read_ahead(services)
    wait_all(services)
    assert f"the weights of {plugin} cannot be read" in caplog.text
    assert services.session.message is None
    assert services.registry.knows(services.archive.home / "plugins" / "zebra" / "weights.safetensors")
    predict.run(services, plugin)
    wait_all(services)
    assert "cannot be read" in str(services.session.message)
