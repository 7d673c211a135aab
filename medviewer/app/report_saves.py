"""Drafts on their way to the disk: the newest text is always being written, and the window never waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from medviewer.errors import JobError, MedviewerError
from medviewer.jobs import Job, Runner

if TYPE_CHECKING:
    from medviewer.archive import ReportStore
    from medviewer.domain.report import Report

_HURRY_S = 2.0


class ReportSaves:
    """Writes a draft as soon as it changes; what changes meanwhile is written next, so nothing piles up.

    Parameters
    ----------
    store
        Tells where it is written, once something is.
    runner
        Who writes it.
    told
        Called on the home thread when all of it is on the disk (with an empty text), or with what went wrong.
    """

    def __init__(self, store: Callable[[], ReportStore], runner: Runner, told: Callable[[str], None]) -> None:
        self._store, self._runner, self._told = store, runner, told
        self._waiting: Report | None = None
        self._failed: Report | None = None
        self._job: Job[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether something that was written is not on the disk yet."""
        return self._waiting is not None or self._job is not None or self._failed is not None

    def put(self, report: Report) -> None:
        """A draft changed."""
        self._waiting, self._failed = report, None
        self._next()

    def flush(self) -> None:
        """Have all of it on the disk when this returns; nothing else comes home meanwhile. Raises StoreError if not."""
        while self._job is not None:
            self._runner.wait(self._job, alone=True)
        last, self._waiting, self._failed = self._waiting or self._failed, None, None
        if last is not None:
            try:
                self._store().save(last, _HURRY_S)
            except MedviewerError:
                self._failed = last
                raise
            self._told("")

    def _next(self) -> None:
        if self._job is not None or self._waiting is None:
            return
        report, self._waiting = self._waiting, None
        try:
            job = self._job = self._runner.submit(lambda _: self._store().save(report), title="", must_finish=True)
        except JobError:  # the program is closing, and flushes
            self._waiting = report
            return

        def finished() -> None:
            self._job = None
            if job.error is not None and self._waiting is None:
                self._failed = report
                self._told(str(job.error))
            elif self._waiting is not None:
                self._next()
            else:
                self._told("")

        job.finished.connect(finished)
