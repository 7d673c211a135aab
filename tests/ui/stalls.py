"""What holds up the window: turns of Qt's event loop that take too much of the processor, and the code that took it."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from types import FrameType

from PySide6.QtCore import QObject, Qt, QTimer

SAMPLE_S = 0.004
_SHORT_S = 0.005
"""Turns that are shorter are forgotten."""
_DRAWING = ("paintGL", "grabFramebuffer")
_SHOWING = (".setVisible(", "._grid.activate(")
_LOOP_REFERENCE_S = 0.030
"""Processor time of `_loop` on the machine that the figures of the project were taken on, with nothing beside it."""


@dataclass
class Turn:
    """One turn of the event loop: processor time of the window's thread in it, and where it went, in seconds.

    Drawing is apart: on a machine without a graphics card the processor draws, as long as that takes. So is the showing
    and sizing of widgets, in which Qt makes the contexts of those that OpenGL draws, and draws them at once.
    """

    seconds: float = 0.0
    drawing: float = 0.0
    places: Counter[str] = field(default_factory=Counter)

    @property
    def own(self) -> float:
        return self.seconds - self.drawing

    def __str__(self) -> str:
        places = "; ".join(f"{seconds * 1000:.0f} ms in {place}" for place, seconds in self.places.most_common(4))
        return f"{self.own * 1000:.0f} ms (and {self.drawing * 1000:.0f} ms of drawing): {places}"


class Stalls(QObject):
    """Watches the thread that it is made on.

    Processor time, not the clock: what other programs do on the machine changes nothing. A thread beside it looks every
    few milliseconds at what the window's thread is doing, and books the processor time since the last look there. What
    the window's thread waits for (a lock, a disk, another process) does not show.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []
        self._turn = Turn()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._ident = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._ident)
        self._last = time.clock_gettime(self._clock)
        self._timer = QTimer(self, interval=0, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._next)
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._timer.start()
        self._sampler.start()

    def close(self) -> None:
        """Watch no more."""
        self._timer.stop()
        self._over.set()
        self._sampler.join()
        self._next()

    def longest(self) -> Turn:
        """The turn that took most of the processor, drawing aside."""
        return max(self.turns, key=lambda turn: turn.own, default=Turn())

    def _next(self) -> None:
        with self._lock:
            self._book(None)
            if self._turn.seconds >= _SHORT_S:
                self.turns.append(self._turn)
                self._turn = Turn()
            else:  # millions of objects, one a turn, would be what the garbage collector goes through in a long one
                self._turn.seconds = self._turn.drawing = 0.0
                self._turn.places.clear()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            frame = sys._current_frames().get(self._ident)
            with self._lock:
                self._book(frame)

    def _book(self, frame: FrameType | None) -> None:
        now = time.clock_gettime(self._clock)
        spent, self._last = now - self._last, now
        self._turn.seconds += spent
        if frame is None:
            return
        stack = traceback.extract_stack(frame)
        if any(one.name in _DRAWING or any(call in (one.line or "") for call in _SHOWING) for one in stack):
            self._turn.drawing += spent
        ours = [one for one in stack if "medviewer" in one.filename]
        place = ours[-1] if ours else stack[-1]
        self._turn.places[f"{place.name} ({place.filename.rpartition('medviewer/')[2]}:{place.lineno})"] += spent


def slowness() -> float:
    """How many times slower than the project's machine this one is now; at least 1."""
    return max(1.0, min(_loop() for _ in range(3)) / _LOOP_REFERENCE_S)


def _loop() -> float:
    start, total = time.thread_time(), 0
    for k in range(600_000):
        total += k & 7
    return time.thread_time() - start
