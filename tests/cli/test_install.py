"""Installing, trusting, switching and removing plugins by command line, with code that must not run before its time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from medviewer.app.services import Services
from tests.cli.conftest import Run, one_sentence
from tests.inference.tiny_plugins import write_plugin


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A plugin folder that leaves a file behind when any of its code runs."""
    return make(tmp_path / "made", tmp_path / "canary")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What is answered to the questions that were asked, by a word in them."""
    given: dict[str, bool] = {}

    def confirm(text: str, err: bool) -> bool:
        return next(answer for word, answer in given.items() if word in text)

    monkeypatch.setattr("typer.confirm", confirm)
    return given


def make(root: Path, canary: Path, version: str = "1.2.3", body: str = "") -> Path:
    folder = write_plugin(root, "stranger", body, version=version).folder
    armed = f"open({str(canary)!r}, 'w').close()\n"
    for name in ("__init__.py", "plugin.py"):
        (folder / name).write_text(armed + (folder / name).read_text())
    return folder


def row(run: Run) -> dict[str, Any]:
    rows = json.loads(run("plugin", "list", "--json").out)["plugins"]
    return next((one for one in rows if one["id"] == "stranger"), {})


def test_from_install_to_trust_to_removal(
    run: Run, package: Path, tmp_path: Path, head: Path, answers: dict[str, bool]
) -> None:
    canary = tmp_path / "canary"
    answers |= {"Install it?": True, "Trust": False}
    told = run("plugin", "install", package)
    assert told.code == 0, told.err
    for shown in ("Stranger 1.2.3 (stranger)", "this test", "Apache-2.0", "Research only", "plugin.py", "Fingerprint"):
        assert shown in told.err
    assert "medviewer plugin trust stranger" in told.err
    assert (row(run)["state"], row(run)["runs"]) == ("not trusted", False)

    # listed, looked at and asked to run, and nothing of it ran
    predict = ("predict", head, "--plugin", "stranger", "-o", tmp_path / "a.nii.gz", "--device", "cpu")
    for call in (("plugin", "check", "stranger"), predict):
        told = run(*call)
        assert (told.code, "nobody has trusted yet" in told.err) == (1, True), told.err
    assert not canary.exists()

    assert run("plugin", "trust", "stranger").code == 1
    answers["Trust"] = True
    told = run("plugin", "trust", "stranger")
    assert (told.code, "Fingerprint" in told.err) == (0, True)
    assert row(run)["state"] == "trusted"
    told = run(*predict)
    assert told.code == 0, told.err
    assert canary.exists()

    # a file changes: noticed in the list, and nothing of it runs
    canary.unlink()
    code = Path(row(run)["folder"], "plugin.py")
    code.write_text(code.read_text() + "\n# changed\n")
    assert row(run)["state"] == "changed since it was trusted"
    told = run(*predict)
    assert (told.code, "changed since it was trusted" in told.err) == (1, True)
    assert not canary.exists()

    assert run("plugin", "disable", "stranger").code == 0
    assert row(run)["state"] == "switched off"
    told = run(*predict)
    assert "medviewer plugin enable stranger" in told.err
    assert run("plugin", "enable", "stranger").code == 0
    assert run("plugin", "distrust", "stranger").code == 0
    assert row(run)["state"] == "not trusted"
    assert run("plugin", "remove", "stranger", "--yes").code == 0
    assert row(run) == {}
    assert list(Path(os.environ["MEDVIEWER_HOME"], "plugins").iterdir()) == []


def test_a_newer_version_replaces_only_on_the_users_word(
    run: Run, package: Path, tmp_path: Path, answers: dict[str, bool]
) -> None:
    assert run("plugin", "install", package, "--yes", "--trust").code == 0
    first = row(run)
    assert first["state"] == "trusted"
    with_services(lambda services: services.registry.ensure_base(*base(services)))
    newer = make(tmp_path / "newer", tmp_path / "canary", "1.3.0")
    answers["Replace it by 1.3.0?"] = False
    told = run("plugin", "install", newer)
    assert (told.code, row(run)) == (1, first)
    assert run("plugin", "install", newer, "--yes").code == 0
    assert (row(run)["version"], row(run)["state"]) == ("1.3.0", "not trusted"), "trust was for the former files"
    assert sorted(path.name for path in Path(first["folder"]).parent.iterdir()) == ["stranger"]

    def kept(services: Services) -> None:
        weights = services.registry.weights_path("stranger", "1.2.3")
        assert weights.is_relative_to(services.archive.home / "models")

    with_services(kept)


def test_a_version_that_was_used_keeps_its_weights(run: Run, package: Path, tmp_path: Path) -> None:
    assert run("plugin", "install", package, "--yes").code == 0
    with_services(lambda services: services.registry.ensure_base(*base(services)))
    other = write_plugin(tmp_path / "other", "stranger", labels=2).folder
    told = run("plugin", "install", other, "--yes")
    assert (told.code, "was used on this machine with other weights" in told.err) == (1, True), told.err
    assert sorted(path.name for path in Path(row(run)["folder"]).parent.iterdir()) == ["stranger"]


def base(services: Services) -> tuple[Any, Path]:
    found = services.plugin("stranger")
    return found, found.folder / "weights.safetensors"


def with_services(function: Callable[[Services], object]) -> None:
    services = Services.open()
    try:
        function(services)
    finally:
        services.close()


def test_an_id_of_a_plugin_that_comes_with_medviewer_is_not_taken(run: Run, package: Path) -> None:
    data = yaml.safe_load((package / "plugin.yaml").read_text()) | {"id": "brain-extraction"}
    (package / "plugin.yaml").write_text(yaml.safe_dump(data))
    told = run("plugin", "install", package, "--yes", "--trust")
    assert (told.code, "comes with medviewer" in told.err) == (1, True)
    assert list(Path(os.environ["MEDVIEWER_HOME"], "plugins").iterdir()) == []


@pytest.mark.parametrize("command", ["trust", "distrust", "remove", "enable"])
def test_what_is_not_installed_is_told(run: Run, command: str) -> None:
    more = ["--yes"] if command in ("trust", "remove") else []
    assert one_sentence(run("plugin", command, "nobody", *more).err)
    told = run("plugin", command, "chest-xray", *more)
    assert (told.code == 0) is (command == "enable")
