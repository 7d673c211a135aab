"""Kept memory is given back."""

from __future__ import annotations

import contextlib

import pytest

from medviewer.inference.windows import heap
from medviewer.inference.windows.heap import kept_memory


class Libc:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def mallopt(self, what: int, value: int) -> int:
        self.told.append((f"mallopt {what}", value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.told.append(("trim", pad))
        return 1


def test_thresholds_are_put_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc()
    monkeypatch.setattr(heap, "_glibc", lambda: libc)
    with contextlib.suppress(RuntimeError), kept_memory():
        assert [name for name, _ in libc.told] == ["mallopt -3", "mallopt -1"]
        raise RuntimeError
    assert libc.told[2:] == [("mallopt -3", 2**25), ("mallopt -1", 2**26), ("trim", 0)]


def test_nothing_is_touched_where_it_is_not_wanted_or_no_glibc_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    with kept_memory():
        pass
    monkeypatch.setattr(heap, "_glibc", Libc)
    with kept_memory(wanted=False):
        pass
