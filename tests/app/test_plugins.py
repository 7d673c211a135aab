"""Installing, trusting and removing: the long part beside the home thread, and never half of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medviewer.app.commands import plugins
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.errors import JobCancelled, NotFoundError, PluginError, UntrustedError
from medviewer.inference import base_weights
from medviewer.inference.acquiring.install import Candidate
from tests.inference.tiny_plugins import write_plugin

Threads = list[int]


def prepared(services: Services, root: Path, version: str = "1.2.3", labels: int = 1) -> plugins.Proposal:
    folder = write_plugin(root / version, "stranger", version=version, labels=labels).folder
    job = plugins.prepare(services, folder)
    services.runner.wait(job, 60)
    return plugins.propose(services, job.result())


def installed(services: Services, root: Path) -> Path:
    job = plugins.install(services, prepared(services, root), trusted=True)
    services.runner.wait(job, 60)
    return plugins.row_of(services, job.result()).folder


def settle(services: Services) -> None:
    for job in services.runner.jobs:
        services.runner.wait(job, 60)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """The threads on which folders are hashed, copied and removed."""
    seen: Threads = []

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*about: Any, **more: Any) -> Any:
            seen.append(threading.get_ident())
            return function(*about, **more)

        return call

    monkeypatch.setattr(plugins, "fingerprint", watched(plugins.fingerprint))
    monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))
    monkeypatch.setattr(shutil, "copyfileobj", watched(shutil.copyfileobj))
    return seen


def test_nothing_is_hashed_copied_or_removed_on_the_home_thread(
    services: Services, tmp_path: Path, elsewhere: Threads
) -> None:
    folder = installed(services, tmp_path)
    row = plugins.row_of(services, "stranger")
    services.registry.ensure_base(row, base_weights(row, services.archive.home))
    newer = plugins.install(services, prepared(services, tmp_path, "1.3.0"))
    services.runner.wait(newer, 60)
    assert services.plugin("stranger").trusted == "", "that word was about other files"
    trusting = plugins.trust(services, "stranger", plugins.fingerprint(folder))
    elsewhere.clear()  # the line above hashed here
    services.runner.wait(trusting, 60)
    assert services.plugin("stranger").trusted
    refused = prepared(services, tmp_path, "1.4.0")
    plugins.forget(services, refused.candidate)
    settle(services)
    removing = plugins.remove(services, "stranger")
    services.runner.wait(removing, 60)
    assert elsewhere
    assert threading.get_ident() not in elsewhere
    with pytest.raises(NotFoundError):
        plugins.row_of(services, "stranger")
    assert list(folder.parent.iterdir()) == []
    assert services.trust.trusted("stranger") == ""
    kept = services.registry.weights_path("stranger", "1.2.3")
    assert kept.is_relative_to(services.archive.home / "models")


def test_a_program_that_closes_finishes_what_was_agreed_to(launch: Callable[..., Services], tmp_path: Path) -> None:
    services = launch()
    plugins.install(services, prepared(services, tmp_path), trusted=True)
    services.close()
    services = launch()
    folder = services.plugin("stranger").folder
    assert services.plugin("stranger").trusted
    assert [path.name for path in folder.parent.iterdir()] == ["stranger"]
    plugins.remove(services, "stranger")
    services.close()
    assert list(folder.parent.iterdir()) == []
    assert launch().trust.trusted("stranger") == ""


def test_an_installation_that_is_stopped_leaves_what_was_there(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(services, tmp_path)
    newer, gate = prepared(services, tmp_path, "1.3.0"), threading.Event()

    def slow(*_: object) -> None:
        assert gate.wait(60)

    monkeypatch.setattr(plugins, "_keep_weights", slow)
    job = plugins.install(services, newer, trusted=True)
    job.cancel()
    gate.set()
    services.runner.wait(job, 60)
    assert isinstance(job.error, JobCancelled)
    settle(services)
    row = plugins.row_of(services, "stranger")
    assert row.manifest is not None
    assert (row.manifest.version, bool(row.trusted)) == ("1.2.3", True)


def test_a_plugin_that_changed_while_it_was_looked_at_is_not_trusted(services: Services, tmp_path: Path) -> None:
    folder = installed(services, tmp_path)
    plugins.distrust(services, "stranger")
    shown = plugins.fingerprint(folder)
    (folder / "plugin.py").write_text("# other\n")
    job = plugins.trust(services, "stranger", shown)
    services.runner.wait(job, 60)
    assert isinstance(job.error, UntrustedError)
    assert services.trust.trusted("stranger") == ""


def test_a_plugin_that_is_at_work_is_neither_removed_nor_replaced(services: Services, tmp_path: Path) -> None:
    folder = installed(services, tmp_path)
    services.session.busy_plugins = frozenset({"stranger"})
    with pytest.raises(PluginError, match="is at work; wait for it or stop it, and remove it then"):
        plugins.remove(services, "stranger")
    newer = prepared(services, tmp_path, "1.3.0")
    with pytest.raises(PluginError, match="and install again"):
        plugins.install(services, newer)
    settle(services)
    assert [path.name for path in folder.parent.iterdir()] == ["stranger"], "what was prepared is gone"
    services.session.busy_plugins = frozenset()
    services.runner.wait(plugins.remove(services, "stranger"), 60)
    assert not folder.exists()


def test_its_warm_process_ends_before_it_is_removed(services: Services, tmp_path: Path, image: Image) -> None:
    folder = installed(services, tmp_path)
    row = plugins.row_of(services, "stranger")
    warm = services.runner.submit_process(
        "os:getpid_of_nobody", {}, title="x", lane=f"plugin:{row.id}:1", convert=lambda reply: reply
    )
    assert plugins.at_work(services, "stranger")
    with pytest.raises(PluginError, match="is at work"):
        plugins.remove(services, "stranger")
    services.runner.wait(warm, 60)
    lane = services.runner._lanes[f"plugin:{row.id}:1"]
    services.runner.wait(plugins.remove(services, "stranger"), 60)
    assert lane.pid is None
    assert not folder.exists()


def test_candidates_are_removed_when_their_name_is_taken(services: Services, tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, "stranger").folder
    manifest = folder / "plugin.yaml"
    manifest.write_text(manifest.read_text().replace("id: stranger", "id: brain-extraction"))
    job = plugins.prepare(services, folder)
    services.runner.wait(job, 60)
    candidate: Candidate = job.result()
    with pytest.raises(PluginError, match="comes with medviewer"):
        plugins.propose(services, candidate)
    settle(services)
    assert not candidate.staged.parent.exists()
