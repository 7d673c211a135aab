"""The composition root: everything that lives as long as the program, built once."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from medviewer.app import settings
from medviewer.app.clicks import Clicks
from medviewer.app.commands.strokes import StrokeJournal
from medviewer.app.masks_ahead import MasksAhead
from medviewer.app.plugin_rows import adapter_rows, plugin_rows
from medviewer.app.report_saves import ReportSaves
from medviewer.app.run_choice import RunChoice
from medviewer.app.saves import MaskSaves
from medviewer.app.state import Session
from medviewer.archive import Archive
from medviewer.domain.image import Image
from medviewer.domain.study import Series, Study
from medviewer.errors import JobCancelled, MedviewerError, PluginError
from medviewer.jobs import Job, Runner
from medviewer.plugin_api.discovery import AdapterResult, DiscoverResult, find
from medviewer.trust import TrustLedger

if TYPE_CHECKING:
    from medviewer.app.commands.hanging_plan import Plan
    from medviewer.learning.queue import CorrectionQueue
    from medviewer.learning.registry import ModelRegistry

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Services:
    """What commands work with.

    Parameters
    ----------
    archive
        What is kept: studies, masks, results, reports.
    runner
        The one way to run work off the home thread.
    plugins
        Every plugin that was found, good or bad, with whether it is trusted and enabled; always the same list.
    session
        What is open now.
    author
        The user's name on this machine; goes into provenance.
    folders
        More folders in which plugins are searched.
    """

    archive: Archive
    runner: Runner
    plugins: list[DiscoverResult]
    session: Session = field(default_factory=Session)
    author: str = ""
    folders: tuple[Path, ...] = ()
    generation: int = 0
    """Grows with every series that is asked for; an answer with an older number is dropped."""
    choices: dict[str, RunChoice] = field(default_factory=dict)
    """How each plugin is to run, by its id; those that are not here run as they come."""
    loading: Job[Any] | None = None
    """What is being read of the series that will be shown: all of it, or what was kept of one that is at hand."""
    stepping: Plan | None = None
    """The step of a hanging protocol that is hung once that is read."""
    fusing: str = ""
    """UID of the series that was asked for last to be laid over the open one."""
    hung_images: dict[str, tuple[Study | None, Series, Image]] = field(default_factory=dict)
    """What the open study's hanging protocol has shown, by series UID: its steps go back and forth without reading."""
    bringing: Job[Any] | None = None
    """What is being compared with the mask, to become its content."""
    hung_jobs: list[Job[Any]] = field(default_factory=list)
    """What is being read to hang beside the open series."""

    def __post_init__(self) -> None:
        self.saves = MaskSaves(self.archive, self.runner, self.session.say, lambda uid: self.queue.judged(uid))
        """Masks that are saved while something else is on the screen."""
        self.masks_ahead = MasksAhead()
        """What masks that will be opened in a moment need, made off the home thread."""
        self.report_saves = ReportSaves(lambda: self.archive.reports, self.runner, self._tell_saved)
        """The report on its way to the disk."""
        self.session.events.study.connect(self._leave_report)
        self.clicks = Clicks()
        """What was pointed at for the structure that is being segmented by clicks."""
        self.trust = TrustLedger.open(self.archive.home)
        """Whose code the user lets run."""
        self._name_plugins()
        kept = settings.load(self.archive.home)
        self.session.own_windows, self.session.line_places = kept.windows, kept.lines
        self.session.solid_looks = kept.solid_looks
        self.session.hang_automatic = kept.hang

    @classmethod
    def open(cls, home: Path | None = None, folders: Iterable[Path] = ()) -> Services:
        """Open the archive and find the plugins.

        Parameters
        ----------
        home
            Folder of the archive; by default ``MEDVIEWER_HOME`` or the user's data folder.
        folders
            More folders to search for plugins, beside the first-party ones and ``<home>/plugins``.
        """
        archive, named = Archive.open(home), tuple(folders)
        return cls(
            archive=archive,
            runner=Runner(archive.home / "scratch"),
            plugins=_rows(archive.home, named, TrustLedger.open(archive.home)),
            author=_user(),
            folders=named,
        )

    @cached_property
    def queue(self) -> CorrectionQueue:
        """The fine-tuning queue: what people said of masks. It imports SQLAlchemy with the first question."""
        from medviewer.learning.queue import CorrectionQueue

        return CorrectionQueue(self.archive)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The versions of models; as `queue`."""
        from medviewer.learning.registry import ModelRegistry

        return ModelRegistry(self.archive)

    def close(self) -> None:
        """Stop all work and close the archive; what was acknowledged is on disk."""
        try:
            self.report_saves.flush()
        except MedviewerError as error:  # the window has asked already; nothing else may stay open for it
            log.warning("a report could not be kept at the end (%s)", type(error).__name__)
        self.runner.shutdown()
        journal = self.session.mask.journal if self.session.mask is not None else None
        if isinstance(journal, StrokeJournal):
            journal.close()
        self.saves.close()
        self.archive.close()

    def _tell_saved(self, wrong: str) -> None:
        self.session.report_saved = wrong
        self.session.report_revision += 1

    def _leave_report(self, study: Study | None) -> None:
        """Another study is open, or none: nothing is written in the report of the former one, or made of it.

        All of it is on its way to the disk. What cannot be kept there stays open, until it can be.
        """
        session = self.session
        left = session.report is not None and (study is None or session.report.study_uid != study.uid)
        if left and not session.report_saved:
            session.report, session.report_versions = None, ()

    def overtake(self) -> int:
        """Another series is wanted, or none: what is still being read is dropped. Returns the new generation."""
        self.generation += 1
        former, self.loading = self.loading, None
        self.stepping = None
        if former is not None:
            former.cancel()
        return self.generation

    def plugin(self, plugin_id: str) -> DiscoverResult:
        """The healthy plugin of that id, to be used.

        Raises
        ------
        NotFoundError, ManifestError
            If there is none of that id, or it is broken.
        PluginError
            If the user switched it off.
        """
        found = find(plugin_id, self.plugins)
        if not found.enabled:
            raise PluginError(
                f"{plugin_id} is switched off; switch it on in Plugins or with: medviewer plugin enable {plugin_id}"
            )
        return found

    def refresh(self) -> None:
        """Look for plugins anew, after one was installed, removed, trusted, enabled or disabled."""
        self.plugins[:] = _rows(self.archive.home, self.folders, self.trust)
        self._name_plugins()
        self.session.plugins_revision += 1

    def _name_plugins(self) -> None:
        self.session.plugin_names = {row.id: row.manifest.name for row in self.plugins if row.manifest is not None}

    def adapters(self) -> list[AdapterResult]:
        """Every adapter that was found, good or bad."""
        return adapter_rows(self.folders)

    def attempt(self, function: Callable[[], T]) -> T | None:
        """Call a command for the user: what it raises on purpose becomes a message, and the answer is None."""
        try:
            return function()
        except MedviewerError as error:
            self.session.say(str(error), "error", error.details)
            return None

    def when_done(
        self,
        job: Job[T],
        then: Callable[[T], Any],
        always: Callable[[], Any] | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Job[T]:
        """Call `then` with the job's result on the home thread, or tell the user why there is none.

        Parameters
        ----------
        always
            Called first, however the job ended.
        wanted
            Whether anybody still waits for the answer; if not, neither it nor its failure is told.
        """

        def finished() -> None:
            if always is not None:
                always()
            if not wanted():
                return
            if job.error is None:
                self.attempt(lambda: then(job.result()))
            elif isinstance(job.error, JobCancelled):
                self.session.say(f"{job.name} was cancelled.")
            else:
                self.session.say(str(job.error), "error", job.error.details)

        job.finished.connect(finished)
        return job


def _rows(home: Path, folders: tuple[Path, ...], ledger: TrustLedger) -> list[DiscoverResult]:
    return plugin_rows(home, folders, ledger, settings.load(home).disabled)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"
