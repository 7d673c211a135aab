"""What runs beside the reader: how far it is, how long still or what it waits for, and a way to stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from medviewer.app.services import Services
from medviewer.inference.device import GPU, has_gpu
from medviewer.jobs import Job, JobState, Place, Runner
from medviewer.ui.translate import tr
from medviewer.ui.widgets.elided import ElidedLabel
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.numbers import clock
from medviewer.ui.widgets.parts import MARGIN, explain, label, push, tool

SHOWN = 2
"""Jobs that have a place in the bar; the rest is in the list behind it."""

QUIET_S = 0.3
"""A job that is over sooner never shows: flicker tells nothing."""

ESTIMATE_S = 2.0
"""Before that, a guess at the time left is noise."""

TITLE_PX = 190
TICK_MS = 250


def time_left(job: Job[Any], now: float) -> str:
    """What is still to go, guessed from what is done, for example ``2:10 left``; empty where no guess is fair."""
    if job.started is None or now - job.started < ESTIMATE_S or not 0.02 < job.fraction < 1:
        return ""
    return f"{clock((now - job.started) * (1 - job.fraction) / job.fraction)} left"


def in_turn(jobs: list[Job[Any]], runner: Runner) -> list[Job[Any]]:
    """Jobs in the order in which their turn comes: what runs first, then what waits."""

    def turn(job: Job[Any]) -> int:
        place = runner.place(job)
        return place.before if place else 0

    return sorted(jobs, key=turn)


def _cancel_button(title: str, cancel: Callable[[], object]) -> QToolButton:
    button = tool("cancel", title, cancel)
    button.setIconSize(button.iconSize() * 0.7)
    return button


class JobRow(QWidget):
    """One job in one line.

    Parameters
    ----------
    place
        Tells where the job stands in a queue.
    """

    def __init__(self, job: Job[Any], place: Callable[[Job[Any]], Place | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self._place = place
        self.title = ElidedLabel(tr(job.title))
        self.title.setFixedWidth(min(TITLE_PX, self.title.fontMetrics().horizontalAdvance(job.title) + 6))
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedSize(84, 4)
        explain(self.bar, job.title, f"Progress of {job.title}")
        self.figures = label(role="quiet")
        self.figures.setMinimumWidth(self.figures.fontMetrics().horizontalAdvance("100%  0:00 left") + 4)
        self.cancel_button = _cancel_button(f"Cancel: {job.title}", job.cancel)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        for part in (self.title, self.bar, self.figures, self.cancel_button):
            box.addWidget(part)
        box.addStretch(1)
        self.refresh()

    def refresh(self) -> None:
        """Show how far the job is now."""
        job = self.job
        known = job.fraction > 0
        self.bar.setRange(0, 100 if known or job.state is JobState.QUEUED else 0)
        self.bar.setValue(round(job.fraction * 100))
        self.cancel_button.setEnabled(job.state in (JobState.QUEUED, JobState.RUNNING))
        place = self._place(job)
        if job.state is JobState.QUEUED:
            text = place.text if place else "Waiting"
        elif job.state is JobState.CANCELLING:
            text = "stopping"
        else:
            text = "  ".join(part for part in (f"{job.fraction:.0%}" if known else "", self._left()) if part)
        self.bar.setVisible(job.state is not JobState.QUEUED)
        self.figures.setText(tr(text))
        self.setToolTip(tr("\n".join(part for part in (job.title, job.message) if part)))

    def _left(self) -> str:
        return time_left(self.job, time.monotonic())


class JobBar(QWidget):
    """Up to two jobs, those that run first, and all in the order of their turn in a list. Hidden while nothing runs.

    A job without a title is housekeeping and is not shown.

    Attributes
    ----------
    gpu
        A label for the status bar: whether there is a GPU, and whether a job has it.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = services.runner
        self._links = Links(self)
        self._rows: list[JobRow] = []
        self._listed: list[JobRow] = []
        self._box = QHBoxLayout(self)
        self._box.setContentsMargins(4, 0, 4, 0)
        self._box.setSpacing(16)
        self.more_button = push("", "Show every job that runs or waits", self.show_list)
        self.more_button.setFlat(True)
        self.more_button.hide()
        self._box.addWidget(self.more_button)
        self._box.addStretch(1)
        self.gpu = label(role="quiet")
        self.gpu.setObjectName("gpu")
        self.gpu.setContentsMargins(0, 0, MARGIN, 0)  # it stands at the window's edge
        self.gpu.setParent(self)  # until the status bar takes it
        # As high as a job: else every viewport had another size, and was drawn anew, when one begins and ends.
        spare = _cancel_button("", lambda: None)
        self.gpu.setMinimumHeight(spare.sizeHint().height())
        spare.deleteLater()
        self._list = QFrame(self, Qt.WindowType.Popup)
        self._list.setProperty("popup", True)
        self._list_box = QVBoxLayout(self._list)
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self.refresh)
        self._links.add(self._runner.started, self._on_started)
        self.hide()
        self._show_gpu()
        if self.live_jobs():
            self._timer.start()

    def live_jobs(self) -> list[Job[Any]]:
        """Jobs with a title that are not over, in the order of their turn, then of their age."""
        return in_turn([job for job in self._runner.jobs if job.title and not job.done], self._runner)

    def refresh(self) -> None:
        """Bring the rows up to date; done by itself four times a second while anything runs."""
        live = self.live_jobs()
        now = time.monotonic()
        lasting = [job for job in live if job.started is None or now - job.started >= QUIET_S]
        shown = lasting[:SHOWN]
        if [row.job for row in self._rows] != shown:
            self._replace(shown)
        for row in self._rows:
            row.refresh()
        more = len(lasting) - len(shown)
        self.more_button.setVisible(more > 0)
        self.more_button.setText(tr(f"{len(lasting)} jobs"))
        self.setVisible(bool(shown))
        if self._list.isVisible():
            self._fill_list(lasting)
        self._show_gpu()
        if not live:
            self._timer.stop()
            self._list.hide()

    def show_list(self) -> None:
        """Open the list of all jobs above the bar."""
        self._fill_list(self.live_jobs())
        self._list.adjustSize()
        corner = self.more_button.mapToGlobal(QPoint(0, 0))
        self._list.move(corner - QPoint(0, self._list.height() + 4))
        self._list.show()

    def _on_started(self, _: Job[Any]) -> None:
        self._timer.start()

    def _show_gpu(self) -> None:
        if not has_gpu():
            text, tip = "No GPU", "medviewer found no GPU that it can use: plugins run on the CPU"
        elif self._runner.busy(GPU):
            text, tip = "GPU busy", "A job uses the GPU; further ones wait for it"
        else:
            text, tip = "GPU idle", "No job of medviewer uses the GPU"
        self.gpu.setText(tr(text))
        explain(self.gpu, tip, text)

    def _replace(self, jobs: list[Job[Any]]) -> None:
        for row in self._rows:
            self._box.removeWidget(row)
            row.deleteLater()
        self._rows = [JobRow(job, self._runner.place) for job in jobs]
        for position, row in enumerate(self._rows):
            self._box.insertWidget(position, row)

    def _fill_list(self, jobs: list[Job[Any]]) -> None:
        if [row.job for row in self._listed] == jobs:
            for row in self._listed:
                row.refresh()
            return
        for row in self._listed:
            self._list_box.removeWidget(row)
            row.deleteLater()
        self._listed = [JobRow(job, self._runner.place) for job in jobs]
        for row in self._listed:
            self._list_box.addWidget(row)
