from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.archive import Archive, Journal, JournalHeader
from medviewer.archive.journal import read, read_header
from medviewer.errors import StoreError

HEADER = JournalHeader("1.2.3", (3, 4, 5), "mask-1")


@given(records=st.lists(st.binary(max_size=300), max_size=8), cut=st.integers(0, 400), data=st.data())
def test_a_cut_file_gives_back_a_prefix(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], cut: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    with Journal(path) as journal:
        journal.begin(HEADER)
        start = path.stat().st_size
        for record in records:
            journal.append(record, sync=False)
    assert read(path) == records
    whole = path.read_bytes()
    kept = max(start, len(whole) - cut)
    path.write_bytes(whole[:kept])
    back = read(path)
    assert back == records[: len(back)]
    assert read_header(path) == HEADER
    with Journal(path) as journal:
        assert journal.resume() == HEADER
        journal.append(b"next", sync=False)
    assert read(path) == [*back, b"next"]


def test_a_flipped_bit_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        journal.begin(HEADER)
        journal.append(b"good")
        end = path.stat().st_size
        journal.append(b"spoilt")
        journal.append(b"after")
    content = bytearray(path.read_bytes())
    content[end + 9] ^= 1
    path.write_bytes(content)
    assert read(path) == [b"good"]


def test_begin_sets_records_aside_and_throws_none_away(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        journal.begin(HEADER)
        journal.begin(HEADER)
        assert list(tmp_path.iterdir()) == [path], "a header alone is nothing to keep"
        journal.append(b"old")
        whole = path.read_bytes()
    with Journal(path) as journal:
        journal.begin(JournalHeader("1.2.3", (3, 4, 5), "mask-2"))
        assert read(path) == []
    (kept,) = tmp_path.glob("a.journal.*.kept")
    assert kept.read_bytes() == whole
    assert (read(kept), read_header(kept)) == ([b"old"], HEADER)


def test_what_another_window_writes_is_not_set_aside(archive: Archive) -> None:
    with archive.journal_for("1.2.3") as first, archive.journal_for("1.2.3") as second:
        first.begin(HEADER)
        first.append(b"stroke")
        with pytest.raises(StoreError, match="Another medviewer window"):
            second.set_aside()
        assert read(first.path) == [b"stroke"]


def test_clear_forgets(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path) as journal:
        journal.begin(HEADER)
        journal.append(b"new")
        assert read(path) == [b"new"]
        journal.clear()
        assert not path.exists()
        with pytest.raises(StoreError, match="begin it first"):
            journal.append(b"late")


def test_nothing_to_resume_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="begin a new one"):
        Journal(tmp_path / "none.journal").resume()
    assert list(tmp_path.iterdir()) == []
    assert read(tmp_path / "none.journal") == []


@pytest.mark.parametrize("content", [b"", b"some text", b"medviewer journal 1\n\x09\x00"])
def test_a_file_that_is_no_journal_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    assert read(path) == []
    assert read_header(path) is None


def test_one_window_corrects_a_series_at_a_time(archive: Archive) -> None:
    with archive.journal_for("1.2.3") as first, archive.journal_for("1.2.3") as second:
        first.begin(HEADER)
        first.append(b"mine")
        for attempt in (lambda: second.begin(HEADER), second.resume, second.clear):
            with pytest.raises(StoreError, match="Another medviewer window"):
                attempt()
        assert archive.abandoned_journals() == []
        assert read(first.path) == [b"mine"]
    [(header, journal)] = archive.abandoned_journals()
    assert header == HEADER
    journal.clear()
    assert archive.abandoned_journals() == []
