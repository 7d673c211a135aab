"""Questions that are answered off the home thread, of which only the newest counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from medviewer.app.services import Services
from medviewer.errors import JobCancelled, JobError
from medviewer.jobs import Job

Work = Callable[[], Any]
Then = Callable[[Any], None]


class Latest(QObject):
    """Asks one question at a time; of those that come meanwhile only the last one is asked, and only it is answered.

    Parameters
    ----------
    services
        Whose runner works, and whose user is told of a failure.
    """

    def __init__(self, services: Services, parent: QObject) -> None:
        super().__init__(parent)
        self._services = services
        self._job: Job[Any] | None = None
        self._then: Then | None = None
        self._waiting: tuple[Work, Then] | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._job is not None

    def ask(self, work: Work, then: Then) -> None:
        """Answer `then` with what `work` returns, unless something else is asked before."""
        self._waiting = (work, then)
        if self._job is None:
            self._start()
        else:
            self._then = None

    def drop(self) -> None:
        """Nobody waits any more."""
        self._waiting = self._then = None

    def _start(self) -> None:
        if self._waiting is None:
            return
        (work, self._then), self._waiting = self._waiting, None
        try:
            job: Job[Any] = self._services.runner.submit(lambda _: work(), title="")
        except JobError:  # the program is closing
            return
        self._job = job
        job.finished.connect(self._finished)

    def _finished(self) -> None:
        job, then = self._job, self._then
        self._job = self._then = None
        if job is None or isinstance(job.error, JobCancelled):
            return
        if then is not None:
            if job.error is None:
                then(job.result())
            else:
                self._services.session.say(str(job.error), "error", job.error.details)
        if self._job is None:
            self._start()
