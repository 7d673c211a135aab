"""Listing, checking and fetching plugins by command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from tests.cli.conftest import Run, one_sentence
from tests.inference.tiny_plugins import write_plugin

pytestmark = pytest.mark.usefixtures("warm_workers")  # each command is a program


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is searched for plugins."""
    made = tmp_path / "plugins"
    made.mkdir()
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(made))
    return made


def test_both_first_party_plugins_are_listed(run: Run) -> None:
    rows = {row["id"]: row for row in json.loads(run("plugin", "list", "--json").out)["plugins"]}
    assert rows["brain-extraction"]["kinds"] == ["segment", "explain", "train"]
    assert (rows["brain-extraction"]["weights"], rows["chest-xray"]["weights"]) == ("here", "to be fetched")
    assert "chest-xray" in run("plugin", "list").out


def test_check_tells_each_check_and_fails_with_the_plugin(folder: Path, run: Run) -> None:
    write_plugin(folder, "raises", "    def normalise(self, values):\n        raise ValueError('no')\n")
    told = run("plugin", "check", "raises", "--device", "cpu", "--json")
    assert told.code == 1
    data = json.loads(told.out)
    assert data["ok"] is False
    assert {row["name"]: row["ok"] for row in data["checks"]}["weights"] is True
    assert "repeatable" in told.err
    assert one_sentence(told.err)


FETCHED = {
    "weights": {"file": "", "fetch": True, "source": "A shelf", "licence": "Some licence", "intended_use": "None"}
}


def test_fetch_shows_where_weights_come_from_and_asks(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(folder, "fetched", **FETCHED)
    answers = iter([None, False, True])

    def confirm(text: str, err: bool) -> bool:
        answer = next(answers)
        if answer is None:  # what typer does where there is no terminal
            raise typer.Abort
        return answer

    monkeypatch.setattr("typer.confirm", confirm)
    told = run("plugin", "fetch", "fetched")
    assert (told.code, "at the question or with --yes" in told.err) == (1, True)
    told = run("plugin", "fetch", "fetched")
    assert told.code == 1
    for shown in ("Source: A shelf", "Licence: Some licence", "Intended use: None"):
        assert shown in told.err
    told = run("plugin", "fetch", "fetched")
    assert told.code == 0, told.err
    assert "are here already" in run("plugin", "fetch", "fetched", "--yes").out


def test_a_new_plugin_is_checked_by_its_folder(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = run("plugin", "new", "film_reader", "--kind", "classify", "-o", "mine")
    assert told.code == 0, told.err
    assert "  medviewer plugin check mine/film_reader\n" in told.out.replace("\\", "/")
    told = run("plugin", "check", "mine/film_reader", "--device", "cpu", "--json")
    assert told.code == 0, told.err
    data = json.loads(told.out)
    assert (data["plugin"], data["ok"]) == ("film-reader", True)
    assert "cancel" in [row["name"] for row in data["checks"]]
    told = run("plugin", "new", "film_reader", "--kind", "classify", "-o", "mine")
    assert told.code == 1
    assert "nothing is overwritten" in told.err


def test_a_folder_that_is_no_plugin_or_a_broken_one_is_told(tmp_path: Path, run: Run) -> None:
    told = run("plugin", "check", tmp_path)
    assert told.code == 1
    assert one_sentence(told.err)
    assert "plugin.yaml" in told.err
    (tmp_path / "plugin.yaml").write_text("id: 5\n")
    told = run("plugin", "check", tmp_path)
    assert told.code == 1
    assert one_sentence(told.err)
    assert "is wrong" in told.err
