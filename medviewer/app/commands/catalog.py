"""The catalogue: note what was opened, and what a person says of studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.app.hanging import library
from medviewer.domain.study import ScanResult
from medviewer.errors import InputError, JobCancelled, JobError, NotFoundError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.archive.catalog import Added, StudyEntry


HURRY_S = 1.0
"""How long the window waits for another program that writes to the database."""


def register(services: Services, found: ScanResult) -> None:
    """Note by reference what a scan found, off the home thread, and after the series that is just being loaded."""
    if not found.studies:
        return
    if services.loading is not None:
        services.loading.finished.connect(lambda: _register(services, found))
    else:
        _register(services, found)


def chosen(services: Services) -> str:
    """UID of the study that is meant: the row that is chosen in the list, or else the open study; empty for none."""
    session = services.session
    return session.chosen_study or (session.study.uid if session.study is not None else "")


def choose(services: Services, study_uid: str) -> None:
    """Make a study the one that actions are about; an empty UID leaves the open one."""
    session = services.session
    session.chosen_study = study_uid
    session.chosen_state = _state_of(services, study_uid or chosen(services))


def entry_of_chosen(services: Services) -> StudyEntry:
    """What the catalogue knows of the chosen study. Raises InputError if there is none, NotFoundError if it is new."""
    uid = chosen(services)
    if not uid:
        raise InputError("An action about a study needs one; choose a study in the list, or open one.")
    return services.archive.catalog.get(uid)


def mark(services: Services, study_uid: str, state: str) -> None:
    """Say where a study stands: ``new``, ``read``, ``to-correct`` or ``approved``."""
    services.archive.catalog.set_state(study_uid, state, HURRY_S)
    _changed(services)


def approved(services: Services, study_uid: str) -> None:
    """A mask of a study was approved. One that is not in the catalogue is no error."""
    try:
        mark(services, study_uid, "approved")
    except NotFoundError:
        return


def set_tags(services: Services, study_uid: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Give a study these tags and no others."""
    kept = services.archive.catalog.set_tags(study_uid, tags, HURRY_S)
    _changed(services)
    return kept


def remove(services: Services, study_uid: str) -> None:
    """Forget a study; its files in the archive (copied, retrieved) are deleted, masks and corrections stay.

    The list changes at once; the files are deleted off the home thread, or at the next start.
    """
    has_files = services.archive.catalog.forget(study_uid, HURRY_S)
    session = services.session
    session.studies = tuple(study for study in session.studies if study.uid != study_uid)
    if session.chosen_study == study_uid:
        choose(services, "")
    _changed(services)
    if has_files:
        work = services.archive.catalog.sweep
        job = services.runner.submit(lambda _: work(), title="Removing the files of a study", must_finish=True)
        services.when_done(job, lambda _: None)


def find_folder(services: Services, study_uid: str, then: Callable[[Path], object]) -> Job[Path]:
    """Look for the folder in which a study's first file lies, off the home thread: it may be on a slow share."""

    def work(_: RunContext) -> Path:
        for path in services.archive.catalog.files_of_study(study_uid):
            if path.exists():
                return path.parent
        raise InputError("The files of this study are no longer where they were; open them from where they are now.")

    return services.when_done(services.runner.submit(work, title="Looking for the files of a study"), then)


def housekeep(services: Services) -> None:
    """Delete what an earlier start left: files of removed studies, and what it was sending.

    The user's hanging protocols, if there are any, are checked before somebody waits for them, and weights are read
    that are here for the first time.
    """
    plugins = tuple(services.plugins)

    def work(context: RunContext) -> None:
        library.own_rows(services.archive.home)
        from medviewer.archive.outgoing import tidy_sending  # brings the database

        services.archive.catalog.sweep()
        tidy_sending(services.archive.home)
        from medviewer.app.commands.weights import read_all  # brings what runs plugins

        read_all(services, plugins, context)

    services.when_done(services.runner.submit(work, title=""), lambda _: None)


def noted(services: Services) -> None:
    """Tell everybody that the catalogue has changed."""
    services.session.catalog_revision += 1


def _register(services: Services, found: ScanResult) -> None:
    def work(context: RunContext) -> Added:
        return services.archive.catalog.add(found, cancelled=context.cancelled)

    try:
        job: Job[Added] = services.runner.submit(work, title="")
    except JobError:  # the program is closing: what was opened is noted when it is opened again
        return

    def finished() -> None:
        if job.error is None:
            _changed(services)
        elif not isinstance(job.error, JobCancelled):
            services.session.say(str(job.error), "error", job.error.details)

    job.finished.connect(finished)


def _changed(services: Services) -> None:
    session = services.session
    session.chosen_state = _state_of(services, chosen(services))
    noted(services)


def _state_of(services: Services, study_uid: str) -> str:
    try:
        return services.archive.catalog.get(study_uid).state.value if study_uid else ""
    except NotFoundError:
        return ""
