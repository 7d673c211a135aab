"""A reader that crashes or hangs costs its file."""

from __future__ import annotations

import threading

import pytest

from medviewer.errors import JobCancelled, UnreadableError
from medviewer.formats import apart


def test_a_crash_and_a_hang_are_told_of_the_file(monkeypatch):
    with pytest.raises(UnreadableError, match=r"a\.png makes its reader crash"):
        apart.ask("a.png", "os:_exit", 3)
    monkeypatch.setattr(apart, "HEADER_S", 0.2)
    with pytest.raises(UnreadableError, match=r"a\.png keeps its reader busy"):
        apart.ask("a.png", "time:sleep", 60)
    monkeypatch.undo()
    assert apart.ask("a.png", "os:getpid") > 0, "the next file finds a reader"


def test_large_files_have_more_time(monkeypatch):
    monkeypatch.setattr(apart, "HEADER_S", 0.0)
    assert apart.ask("a.nrrd", "time:sleep", 0.5, size=10**9) is None


def test_stopping(monkeypatch):
    stop = threading.Event()
    apart.stop_if(stop)
    apart.stop_if(None)
    stop.set()
    with pytest.raises(JobCancelled):
        apart.stop_if(stop)
    with pytest.raises(JobCancelled):
        apart.ask("a.png", "time:sleep", 60, cancelled=stop)
