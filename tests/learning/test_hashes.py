"""Hashes of weights outlive the program, follow every change of the file, and are never needed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from medviewer.learning import hashes
from medviewer.learning.hashes import FileHashes
from medviewer.plugin_api.manifest import file_sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read to be hashed."""
    seen: list[Path] = []

    def counted(path: Path, each: Callable[[int], None]) -> str:
        seen.append(path)
        return file_sha256(path, each)

    monkeypatch.setattr(hashes, "file_sha256", counted)
    return seen


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once_for_all_programs(tmp_path: Path, reads: list[Path]) -> None:
    weights, kept = tmp_path / "weights", tmp_path / "home" / "hashes.json"
    weights.write_bytes(b"one")
    for _ in range(2):
        known = FileHashes(kept)
        assert [known.sha256(weights), known.sha256(weights)] == [sha256(b"one")] * 2
    assert reads == [weights]


def test_a_file_that_changed_is_read_again_whatever_time_it_claims(tmp_path: Path, reads: list[Path]) -> None:
    weights, kept = tmp_path / "weights", tmp_path / "hashes.json"
    weights.write_bytes(b"one")
    FileHashes(kept).sha256(weights)
    before = weights.stat()
    weights.write_bytes(b"longer")
    assert FileHashes(kept).sha256(weights) == sha256(b"longer")
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(weights)
    assert FileHashes(kept).sha256(weights) == sha256(b"two")


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"a": 3}', b'{"a": [["x"], "y"]}', b"\xff"])
def test_a_damaged_file_of_hashes_only_costs_time(tmp_path: Path, damage: bytes, reads: list[Path]) -> None:
    weights, kept = tmp_path / "weights", tmp_path / "hashes.json"
    weights.write_bytes(b"one")
    kept.write_bytes(damage)
    assert FileHashes(kept).sha256(weights) == sha256(b"one")
    assert FileHashes(kept).sha256(weights) == sha256(b"one")
    assert len(reads) == 1


def test_it_works_where_nothing_can_be_kept(tmp_path: Path) -> None:
    weights, blocked = tmp_path / "weights", tmp_path / "file"
    weights.write_bytes(b"one")
    blocked.write_bytes(b"")
    assert FileHashes(blocked / "hashes.json").sha256(weights) == sha256(b"one")
    with pytest.raises(FileNotFoundError):
        FileHashes(blocked / "hashes.json").sha256(tmp_path / "nothing")


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Path]) -> None:
    monkeypatch.setattr(hashes, "_MOST", 2)
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_bytes(b"one")
        FileHashes(tmp_path / "hashes.json").sha256(path)
    again = FileHashes(tmp_path / "hashes.json")
    again.sha256(files[2])
    assert len(reads) == 3
    again.sha256(files[0])
    assert len(reads) == 4
