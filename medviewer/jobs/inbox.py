"""Calls on their way from any thread to the home thread."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

# News of one job that wait for the next pump. A plugin that reports faster than the window pumps loses its oldest ones,
# and never fills the memory.
MAX_NEWS = 1000

_log = logging.getLogger("medviewer.jobs")

Call = Callable[[], None]


class Inbox:
    """A queue of calls that any thread may fill and one thread empties, in order.

    Parameters
    ----------
    wake
        Called, from the thread that posts, when there is something to pump.
    """

    def __init__(self, wake: Call | None = None) -> None:
        self.wake = wake
        self._filled = threading.Condition()
        self._calls: deque[tuple[str, Call]] = deque()  # of which job, and the call
        self._news: dict[str, deque[Call]] = {}
        self._deadline = math.inf

    def set_wake(self, wake: Call | None) -> None:
        """Set `wake`, and call it if something waits already."""
        with self._filled:
            self.wake = wake
            waiting = bool(self._calls)
        if waiting:
            self._call_wake()

    def post(self, call: Call, job: str = "") -> None:
        """Add a call, which is about a job or about none."""
        with self._filled:
            self._calls.append((job, call))
            self._filled.notify_all()
        self._call_wake()

    def post_news(self, job: str, call: Call) -> None:
        """Add a call that may be dropped when very many of the same job wait."""
        with self._filled:
            news = self._news.get(job)
            if news is not None:
                news.append(call)
                return
            # One call delivers all that has come until its turn; order among the job's own calls stays.
            self._news[job] = deque([call], maxlen=MAX_NEWS)
        self.post(lambda: self._deliver(job), job)

    def pump(self, seconds: float = math.inf) -> None:
        """Make the calls that wait now; those that they cause wait for the next time.

        An exception of a call is the caller's; the calls after it stay in the queue, and `wake` is called for them.

        Parameters
        ----------
        seconds
            After which no further call is begun: the rest stays in the queue, and `wake` is called for it.
        """
        count, self._deadline = len(self._calls), time.monotonic() + seconds
        try:
            while count and self._calls:
                count -= 1
                self._calls.popleft()[1]()
                if time.monotonic() >= self._deadline:
                    break
        finally:
            if self._calls:
                self._call_wake()

    def pump_only(self, job: str) -> None:
        """Make the calls of one job that wait now; those of others stay, as does what an exception cut short."""
        with self._filled:
            mine = deque(one for one in self._calls if one[0] == job)
            self._calls = deque(one for one in self._calls if one[0] != job)
        former, self._deadline = self._deadline, math.inf
        try:
            while mine:
                mine.popleft()[1]()
        finally:
            self._deadline = former
            with self._filled:
                self._calls.extendleft(reversed(mine))
            if self._calls:
                self._call_wake()

    def wait(self, seconds: float | None, job: str | None = None) -> None:
        """Sleep until something waits, of that job where one is named, at most that long."""
        with self._filled:
            self._filled.wait_for(lambda: any(job in (None, whose) for whose, _ in self._calls), seconds)

    def _deliver(self, job: str) -> None:
        with self._filled:
            news = self._news.pop(job)
        self._make(news, job)

    def _make(self, calls: deque[Call], job: str) -> None:
        try:
            while calls:
                calls.popleft()()
                if time.monotonic() >= self._deadline:
                    break
        finally:
            if calls:  # a listener raised, or time is over: the rest comes next, before what was posted later
                self._calls.appendleft((job, lambda: self._make(calls, job)))

    def _call_wake(self) -> None:
        wake = self.wake
        if wake is None:
            return
        try:
            wake()
        except Exception:  # a window that is being closed must not end a worker's thread
            _log.exception("The wake callback of the job runner failed")
