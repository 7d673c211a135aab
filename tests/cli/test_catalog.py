"""The list of studies by command line."""

from __future__ import annotations

import json
from pathlib import Path

from medviewer.archive import Archive
from tests.cli.conftest import STUDY, Run, one_sentence


def test_an_empty_list(run: Run) -> None:
    assert "No study is listed" in run("studies", "list").out
    assert json.loads(run("studies", "list", "--json").out) == {"count": 0, "studies": []}


def test_add_list_mark_tag_remove(run: Run, head: Path) -> None:
    added = json.loads(run("studies", "add", head, "--json").out)
    assert added == {"studies": 1, "series": 1, "files": 6, "already": 0, "skipped": 0, "uids": [STUDY.uid]}
    assert run("studies", "add", head).out.endswith("6 files were listed before\n")
    assert run("studies", "mark", STUDY.uid, "to-correct").code == 0
    assert run("studies", "tag", STUDY.uid, "teaching").out.endswith(": teaching\n")
    found = json.loads(run("studies", "list", "--search", "doe 2020-01", "--state", "to-correct", "--json").out)
    [entry] = found["studies"]
    assert (entry["uid"], entry["state"], entry["tags"], entry["images"]) == (STUDY.uid, "to-correct", ["teaching"], 6)
    assert entry["patient"]["name"] == "Doe^Jane"
    line = run("studies", "list", "--modality", "mr", "--tag", "teaching", "--from", "2020", "--until", "2020-01")
    assert STUDY.uid in line.out
    assert "No study is like that" in run("studies", "list", "--search", "zebra").out
    assert run("studies", "tag", STUDY.uid, "teaching", "--off").out.endswith(": -\n")
    assert run("studies", "remove", STUDY.uid).code == 0
    assert len(list(head.iterdir())) == 6
    assert "No study is listed" in run("studies", "list").out


def test_copies_are_deleted_only_when_that_was_agreed(run: Run, head: Path) -> None:
    run("studies", "add", head, "--copy")
    refused = run("studies", "remove", STUDY.uid)
    assert refused.code != 0
    with Archive.open() as archive:
        assert archive.catalog.missing(STUDY.uid) == ()
    assert run("studies", "remove", STUDY.uid, "--yes").code == 0
    with Archive.open() as archive:
        assert [path for path in (archive.home / "studies").rglob("*") if path.is_file()] == []


def test_a_study_that_is_not_there_is_told_in_a_sentence(run: Run) -> None:
    for arguments in (("mark", "1.2", "read"), ("tag", "1.2", "x"), ("remove", "1.2")):
        told = run("studies", *arguments)
        assert told.code == 1
        assert one_sentence(told.err)
    assert run("studies", "mark", "1.2", "lost").code == 2
