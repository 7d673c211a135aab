"""File > Open recent: filled when it is opened."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QMenu, QWidget

from medviewer.app.commands import recent, study
from medviewer.app.services import Services
from medviewer.jobs import Job
from medviewer.ui.translate import tr

_LONGEST = 70
"""Letters of a path that are shown; the tool tip has all of them."""


class RecentMenu(QMenu):
    """The paths that were opened last; those that are gone are greyed.

    Parameters
    ----------
    services
        What opens and remembers them.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(tr("Open &recent"), parent)
        self._services = services
        self._job: Job[list[Path]] | None = None
        self.setToolTipsVisible(True)
        self.menuAction().setStatusTip(tr("Open again what was opened before"))
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what is remembered now."""
        self.clear()
        paths = recent.recent(self._services)
        for path in paths:
            action = self.addAction(_shown(path))
            action.setToolTip(str(path))
            action.setData(path)
            action.triggered.connect(lambda _=False, path=path: self._open(path))
        if not paths:
            self.addAction(tr("Nothing was opened yet")).setEnabled(False)
            return
        self.addSeparator()
        self.addAction(tr("&Clear list")).triggered.connect(
            lambda: self._services.attempt(lambda: recent.clear(self._services))
        )
        # Not here: a network drive that does not answer would hold up the window.
        self._job = self._services.runner.submit(lambda _: [path for path in paths if not _there(path)], title="")
        self._job.finished.connect(self._looked)

    def _open(self, path: Path) -> None:
        self._services.attempt(lambda: study.open_paths(self._services, [path]))

    def _looked(self) -> None:
        job, self._job = self._job, None
        if job is None or job.error is not None:
            return
        gone = set(job.result())
        for action in self.actions():
            if action.data() in gone:
                action.setEnabled(False)
                action.setText(f"{action.text()} {tr('(not there)')}")


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _shown(path: Path) -> str:
    text = str(path)
    short = text if len(text) <= _LONGEST else f"…{text[-_LONGEST:]}"
    return short.replace("&", "&&")
