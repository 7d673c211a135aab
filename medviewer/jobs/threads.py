"""A few daemon threads that run functions in the order in which they came.

Not concurrent.futures: its threads are waited for when the interpreter ends, and one that hangs on a dead network drive
would keep the closed program alive.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

# Work here mostly waits for disks and networks, so more than there are cores.
MAX_THREADS = 8


class Threads:
    """Runs functions beside the home thread; a thread starts when it is needed and ends when nothing waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._running: set[threading.Thread] = set()

    def submit(self, work: Callable[[], None]) -> None:
        """Run a function that raises nothing."""
        with self._lock:
            self._waiting.append(work)
            if len(self._running) < MAX_THREADS:
                thread = threading.Thread(target=self._work, name="medviewer-job", daemon=True)
                self._running.add(thread)
                thread.start()

    def join(self, seconds: float) -> None:
        """Drop what waits, and give what runs that many seconds in all to end."""
        deadline = time.monotonic() + seconds
        with self._lock:
            self._waiting.clear()
            running = tuple(self._running)
        for thread in running:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running.discard(threading.current_thread())
                    return
                work = self._waiting.popleft()
            work()
            del work  # with it the function, and the arrays that it holds
