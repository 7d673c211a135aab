"""Nodes: what may be set up, and how it is kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from medviewer.archive.remote import Node, NodeBook, Query, make_node
from medviewer.errors import InputError, NotFoundError, StoreError

DIMSE = {"name": "PACS", "host": "pacs.example", "ae_title": "PACS"}
WEB = {"name": "Web", "kind": "dicomweb", "url": "https://pacs.example/dicom-web/"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({**DIMSE, "name": " "}, "name"),
        ({**DIMSE, "host": ""}, "host"),
        ({**DIMSE, "host": "http://pacs"}, "host"),
        ({**DIMSE, "port": 0}, "port"),
        ({**DIMSE, "port": 70000}, "port"),
        ({**DIMSE, "ae_title": ""}, "ae_title"),
        ({**DIMSE, "ae_title": "SEVENTEEN-LETTERS"}, "ae_title"),
        ({**DIMSE, "ae_title": "A\\B"}, "ae_title"),
        ({**DIMSE, "own_ae_title": "ÄRZTE"}, "own_ae_title"),
        ({**DIMSE, "retrieve_by": "move"}, "receiver_host"),
        ({**DIMSE, "key_file": "key.pem"}, "key_file"),
        ({**WEB, "url": "ftp://pacs.example"}, "url"),
        ({**WEB, "url": "https://user:word@pacs.example"}, "url"),
        ({**WEB, "url": "https://pacs.example/?a=b"}, "url"),
        ({**WEB, "auth": "basic"}, "user"),
        ({**WEB, "auth": "bearer"}, "secret"),
        ({**WEB, "auth": "bearer", "secret": "a\r\nX: y"}, "secret"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(values: dict[str, object], field: str) -> None:
    node, problems = make_node(values)
    assert node is None
    assert field in problems
    assert problems[field].endswith(".") or "greater" in problems[field] or "less" in problems[field]


def test_good_nodes() -> None:
    assert make_node(DIMSE)[1] == {}
    node, problems = make_node(WEB)
    assert problems == {}
    assert node is not None
    assert (node.url, node.is_encrypted) == ("https://pacs.example/dicom-web", True)


def test_they_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    book = NodeBook(tmp_path / "home")
    assert book.nodes() == []
    web = Node(**WEB, auth="basic", user="reader", secret="Geheim")
    book.save(web)
    book.save(Node(**DIMSE))
    assert [node.name for node in book.nodes()] == ["PACS", "Web"]
    assert book.get("Web").secret.get_secret_value() == "Geheim"
    assert "Geheim" not in f"{web!r} {web} {book.nodes()}"
    if os.name != "nt":
        assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    assert {file.name for file in book.path.parent.iterdir()} == {"nodes.json", "nodes.json.lock"}


def test_change_rename_and_remove(tmp_path: Path) -> None:
    book = NodeBook(tmp_path)
    book.save(Node(**DIMSE))
    book.save(Node(**WEB))
    with pytest.raises(InputError, match="already"):
        book.save(Node(**{**DIMSE, "name": "web"}))
    book.save(Node(**{**DIMSE, "name": "New", "port": 4242}), replacing="PACS")
    assert [(node.name, node.port) for node in book.nodes()] == [("New", 4242), ("Web", 104)]
    book.remove("New")
    with pytest.raises(NotFoundError, match="set up are: Web"):
        book.remove("New")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9, "nodes": []}', '{"version": 1, "nodes": [{"secret": 7}]}']
)
def test_a_broken_file_is_told_and_left_alone(text: str, tmp_path: Path) -> None:
    book = NodeBook(tmp_path)
    book.path.write_text(text)
    for act in (book.nodes, lambda: book.save(Node(**DIMSE))):
        with pytest.raises(StoreError, match=r"nodes\.json"):
            act()
    assert book.path.read_text() == text


@pytest.mark.parametrize(
    "query",
    [
        Query(date_from="1.2.2020"),
        Query(date_from="2020-02-01", date_to="2020-01-01"),
        Query(name="a\\b"),
        Query(description="x" * 200),
        Query(study_uid="../1"),
    ],
)
def test_what_cannot_be_asked(query: Query) -> None:
    with pytest.raises(InputError):
        query.keys()


def test_keys_of_a_query() -> None:
    keys = Query("Muster, Eva", date_from="2020-01-02", modality="ct", description="head").keys()
    assert keys["PatientName"] == "Muster^Eva*"
    assert keys["StudyDate"] == "20200102-"
    assert (keys["ModalitiesInStudy"], keys["StudyDescription"]) == ("CT", "*head*")
    assert Query(date_to="2020-01-02").keys()["StudyDate"] == "-20200102"
    assert Query(date_from="2020-01-02", date_to="2020-01-03").keys()["StudyDate"] == "20200102-20200103"
    assert set(Query().keys().values()) == {""}
    assert Query().is_empty
