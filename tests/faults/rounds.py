"""Let faulty plugins run in the real window, and note how each of their jobs ended and what it left."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from PySide6.QtTest import QTest

from medviewer.app.commands import predict, study
from medviewer.inference import client
from medviewer.jobs import Job
from medviewer.ui.main import Program
from tests.faults.injected import INJECTED
from tests.faults.watch import Left, LoopWatch

PATIENCE_S = 300.0
GONE_S = 20.0


@dataclass
class Row:
    """What was seen of one fault, over all rounds."""

    fault: str
    rounds: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stall_ms: float = 0.0
    own_stall_ms: float = 0.0
    left: tuple[int, int, int, int] = (0, 0, 0, 0)
    seconds: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether every job ended as it should and nothing is left."""
        return not self.wrong and not any(self.left)


def write_image(path: Path) -> Path:
    """A small volume with a bright box, as a NIfTI file."""
    voxels = np.zeros((18, 26, 22), np.int16)
    voxels[4:10, 8:20, 6:14] = 3
    nib.save(nib.Nifti1Image(voxels, np.diag([1.5, 1.0, 2.0, 1.0])), path)  # type: ignore[no-untyped-call]
    return path


class Rounds:
    """Runs plugins in one window.

    Parameters
    ----------
    program
        The window, with the plugins of `write_injected`.
    image
        The file that they run on.
    watch
        Of its event loop.
    """

    def __init__(self, program: Program, image: Path, watch: LoopWatch) -> None:
        self._services, self._watch = program.services, watch
        self._scratch = program.services.archive.home / "scratch"
        self._beside: list[Job[predict.Prediction]] = []
        self._before = self._left()
        # Small: without a GPU a processor draws the pixels, and that is not what is looked for.
        program.window.resize(1000, 640)
        study.open_paths(self._services, [image])
        self._until(lambda: self._services.session.image is not None and self._services.session.arrival is None)
        self._services.session.view.layout = "single"
        # The viewports come after the window; what making them takes is no matter of a fault.
        self._until(lambda: len(program.window.grid.slices) > 0 and program.window.grid.has_picture)
        for plugin in ("healthy", "exception"):  # what a mask and a message take when they are first drawn
            self._run(plugin)
        self._settle()

    def go(self, fault: str, count: int, minutes: float = 1e6) -> Row:
        """Run one faulty plugin so many times, or until time is over, then a healthy one."""
        row, since = Row(fault), time.monotonic()
        self._before = self._left()
        for _ in range(count):
            if time.monotonic() - since > minutes * 60:
                break
            self._note(fault, row)
        row.seconds = time.monotonic() - since
        row.stall_ms, row.own_stall_ms = self._watch.worst(since)
        self._note("healthy", row)
        row.left = self.left()
        return row

    def _note(self, fault: str, row: Row) -> None:
        """Run a plugin once and note how its job ended; nobody holds the job, and its result, afterwards."""
        job = self._run(fault)
        if fault == row.fault:
            row.rounds += 1
            row.reasons[str(job.reason)] += 1
        if wrong := self.wrong(fault, job):
            row.wrong.append(f"{fault}: {wrong}")

    def start(self, plugin: str) -> Job[predict.Prediction]:
        """Run a plugin on the open image, as its button does."""
        return predict.run(self._services, plugin.replace("_", "-"))

    def start_beside(self, plugin: str) -> Job[predict.Prediction]:
        """Run a plugin while others are looked at: it may take long."""
        self._beside.append(self.start(plugin))
        return self._beside[-1]

    def ended(self, job: Job[predict.Prediction]) -> Job[predict.Prediction]:
        """The same job once it is over."""
        self._until(lambda: job.done)
        return job

    def wrong(self, fault: str, job: Job[predict.Prediction]) -> str:
        """How a job ended, if that is not as it should be."""
        expected, text = INJECTED.get(fault, INJECTED["nothing"]), str(job.error)
        one_sentence = job.error is None or (text.endswith(".") and "\n" not in text)
        fine = job.reason is expected.reason and expected.words in text and one_sentence
        return "" if fine else f"{job.reason}: {text}"

    def left(self) -> tuple[int, int, int, int]:
        """How many processes, files, maps and pieces of shared memory there are more than before the last fault."""
        deadline = time.monotonic() + GONE_S
        while True:  # the window lets go of a result when it has drawn without it
            self._settle()
            found = self._left().beyond(self._before)
            if not any(found) or time.monotonic() > deadline:
                return found

    def _run(self, plugin: str) -> Job[predict.Prediction]:
        return self.ended(self.start(plugin))

    def _left(self) -> Left:
        # Two warm workers stay, as they should.
        warm = {lane.pid for lane in self._services.runner._lanes.values()}
        beside = [job.id for job in self._beside if not job.done]
        return Left.now(self._scratch, lambda pid: pid in warm, beside)

    def _settle(self) -> None:
        """Wait until nothing runs any more, the removal of files included."""
        self._until(lambda: all(job in self._beside for job in self._services.runner.jobs))
        self._services.session.mask = None  # a healthy result is mapped as long as it is shown
        self._until(lambda: not self._left().files)
        QTest.qWait(100)
        gc.collect()

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "a fault keeps the window waiting"
            QTest.qWait(10)


@contextmanager
def silence(seconds: float) -> Iterator[None]:
    """Let a silent plugin count as hung after that time."""
    usual, client.SILENCE_S = client.SILENCE_S, seconds
    try:
        yield
    finally:
        client.SILENCE_S = usual
