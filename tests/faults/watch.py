"""How long the window stood still, and what a job left behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

TICK_MS = 5
NOTED_S = 0.02


@dataclass(frozen=True)
class Gap:
    """One gap: when it began, how long it was and how long the thread waited for a processor in it, in seconds."""

    start: float
    seconds: float
    in_line: float


class LoopWatch(QObject):
    """Notes every gap between two turns of Qt's event loop, and how long its thread waited for a processor in it.

    The latter is the machine's: other programs had the processor. Linux counts it for each thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[Gap] = []
        self._waited = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._last, self._in_line = time.monotonic(), self._line_s()
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def worst(self, since: float) -> tuple[float, float]:
        """The longest gap that began since a moment, and the longest without the time in line, both in ms."""
        gaps = [gap for gap in self.gaps if gap.start >= since]
        longest = max((gap.seconds for gap in gaps), default=0.0)
        own = max((gap.seconds - gap.in_line for gap in gaps), default=0.0)
        return longest * 1000, own * 1000

    def close(self) -> None:
        """Watch no more."""
        self._timer.stop()

    def _tick(self) -> None:
        now, in_line = time.monotonic(), self._line_s()
        if now - self._last > NOTED_S:
            self.gaps.append(Gap(self._last, now - self._last, in_line - self._in_line))
        self._last, self._in_line = now, in_line

    def _line_s(self) -> float:
        """Seconds that this thread has waited for a processor so far."""
        return int(self._waited.read_text().split()[1]) / 1e9


@dataclass(frozen=True)
class Left:
    """What there is at one moment: processes of ours, files of jobs, mapped files of jobs, shared memory."""

    processes: frozenset[int]
    files: frozenset[str]
    maps: frozenset[str]
    shared: frozenset[str]

    @classmethod
    def now(cls, scratch: Path, spare: Callable[[int], bool], running: Collection[str] = ()) -> Left:
        """Look; `spare` tells which child processes belong here, and `running` names folders of jobs that do."""
        mapped = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
        return cls(
            frozenset(child for child in _children(os.getpid()) if not spare(child)),
            # Images that are kept for the next job go with the image.
            frozenset(
                str(path)
                for path in scratch.glob("run-*/*")
                if not path.name.startswith("kept-") and path.name not in running
            ),
            frozenset(path for path in mapped if str(scratch) in path),
            frozenset(path.name for path in Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else frozenset(),
        )

    def beyond(self, before: Left) -> tuple[int, int, int, int]:
        """How much more there is than before: processes, files, maps, shared memory."""
        return (
            len(self.processes - before.processes),
            len(self.files - before.files),
            len(self.maps - before.maps),
            len(self.shared - before.shared),
        )


def _children(parent: int) -> set[int]:
    """All descendants of a process, those that ended and were not waited for too."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # gone meanwhile
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    grew = True
    while grew:
        more = {pid for pid, above in parents.items() if above == parent or above in found} - found
        found |= more
        grew = bool(more)
    return found
