"""The ledger of trusted plugins: the last word counts, and what cannot be read trusts nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from medviewer.errors import StoreError
from medviewer.trust import TrustLedger
from medviewer.trust.ledger import FILE


def test_the_last_word_counts_and_all_are_kept(tmp_path: Path) -> None:
    ledger = TrustLedger.open(tmp_path)
    assert ledger.trusted("a") == ""
    ledger.revoke("a")
    assert not (tmp_path / FILE).exists(), "what was never trusted needs no line"
    ledger.trust("a", "11", "reader")
    ledger.trust("b", "22")
    ledger.trust("a", "33")
    assert (ledger.trusted("a"), ledger.trusted("b")) == ("33", "22")
    ledger.revoke("a", "reader")
    again = TrustLedger.open(tmp_path)
    assert (again.trusted("a"), again.trusted("b")) == ("", "22")
    assert [(entry.id, entry.fingerprint) for entry in again.history()] == [
        ("a", "11"),
        ("b", "22"),
        ("a", "33"),
        ("a", ""),
    ]
    assert again.history()[0].author == "reader"
    assert again.history()[0].time.endswith("+00:00")
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "line",
    [b'{"id": "a", "finger', b"\xff\xfe\x00", b"[]", b"3", b'{"id": 3, "fingerprint": "x"}', b'{"id": "a"}', b"null"],
)
def test_a_torn_or_foreign_line_is_passed_by(tmp_path: Path, line: bytes) -> None:
    ledger = TrustLedger.open(tmp_path)
    ledger.trust("b", "22")
    with (tmp_path / FILE).open("ab") as stream:
        stream.write(line)  # without a newline, as a crash leaves it
    ledger.trust("c", "33")
    assert {key: entry.fingerprint for key, entry in ledger.entries().items()} == {"b": "22", "c": "33"}


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(name: str) -> None:
        for k in range(20):
            TrustLedger.open(tmp_path).trust(f"{name}{k}", "11")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TrustLedger.open(tmp_path).entries()) == 80


def test_a_folder_that_refuses_is_told_and_trusts_nothing(tmp_path: Path) -> None:
    ledger = TrustLedger.open(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="could not be written"):
        ledger.trust("a", "11")
    (tmp_path / FILE).mkdir()
    assert TrustLedger.open(tmp_path).trusted("a") == ""
