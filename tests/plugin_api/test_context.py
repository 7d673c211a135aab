"""Progress and cancelling, as a plugin sees them."""

from __future__ import annotations

import threading

import pytest

from medviewer.errors import JobCancelled
from medviewer.plugin_api import RunContext


def test_progress_is_reported_within_0_and_1() -> None:
    seen: list[tuple[float, str]] = []
    context = RunContext(report=lambda fraction, message: seen.append((fraction, message)))
    for fraction in (-1, 0.5, 7):
        context.progress(fraction, "now")
    assert seen == [(0, "now"), (0.5, "now"), (1, "now")]


def test_a_cancelled_run_stops_at_its_next_sign_of_life() -> None:
    context = RunContext(cancelled=threading.Event())
    context.check()
    context.cancelled.set()
    with pytest.raises(JobCancelled):
        context.check()
    with pytest.raises(JobCancelled):
        context.progress(0.5)
