"""How far a sweep is, and how long it still takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import ceil

from medviewer.plugin_api import RunContext

_EVERY = 0.1
"""Seconds between two reports: more often is more than eyes see, and each goes to another process."""
_ENOUGH = 0.5
"""Seconds that have to be seen before the rest is guessed."""


@dataclass
class Watch:
    """Tells of windows as they are done.

    Parameters
    ----------
    context
        Who is told.
    total
        How many windows the sweep has.
    fallen
        Whether it runs on the CPU because the GPU's memory ran out, where people have to know that it takes long.
    """

    context: RunContext
    total: int
    fallen: bool = False
    done: int = 0
    _measured: int = 0
    _began: float = field(default_factory=time.monotonic)
    _told: float = 0.0

    def skip(self, windows: int) -> None:
        """Windows that need not be done."""
        self.done += windows

    def add(self, windows: int) -> None:
        """Windows that were done."""
        self.done += windows
        self._measured += windows

    def tell(self) -> None:
        """Report, unless that was a moment ago.

        Raises
        ------
        JobCancelled
            If the run was cancelled.
        """
        self.context.check()
        now = time.monotonic()
        if self._told and now - self._told < _EVERY:
            return
        self._told = now
        where = " on the CPU" if self.fallen else ""
        words = f"Window {min(self.done + 1, self.total)} of {self.total}{where}{self._left(now - self._began)}"
        self.context.progress(self.done / self.total, words)

    def _left(self, seconds: float) -> str:
        if not self._measured or seconds < _ENOUGH:
            return ""
        return f", {time_left(seconds / self._measured * (self.total - self.done), rough=self.fallen)} left"


def time_left(seconds: float, *, rough: bool = False) -> str:
    """A duration for people: ``0:40``, or ``about 3 min``."""
    if rough:
        return f"about {max(1, ceil(seconds / 60))} min"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
