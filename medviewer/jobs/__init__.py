"""Work off the home thread: in a thread, or in a child process that stays warm."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from medviewer.jobs.exchange import WorkerReply, WorkerRequest
from medviewer.jobs.state import FinishReason, JobState

if TYPE_CHECKING:
    from medviewer.jobs.job import Job
    from medviewer.jobs.lane import Lane
    from medviewer.jobs.runner import Runner
    from medviewer.jobs.turnstile import Place

__all__ = ["FinishReason", "Job", "JobState", "Lane", "Place", "Runner", "WorkerReply", "WorkerRequest"]

_HOST = {"Job": "job", "Lane": "lane", "Runner": "runner", "Place": "turnstile"}


def __getattr__(name: str) -> Any:
    """Import the host's half on first use: the child process needs only the other half, and starts faster so."""
    if name not in _HOST:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOST[name]}"), name)
