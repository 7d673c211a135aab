"""What was opened last, to be opened again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.app.resources import resource
from medviewer.domain.study import ScanResult
from medviewer.jobs import Job

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services


def recent(services: Services) -> tuple[Path, ...]:
    """The paths that were opened last, newest first; some may be gone by now."""
    from medviewer.app import settings

    return settings.load(services.archive.home).recent


def follow(services: Services, paths: Sequence[Path], job: Job[ScanResult]) -> None:
    """Remember paths once a scan found a study in them.

    The demo has a command of its own, and what was retrieved lies in the archive under names that tell nobody anything:
    the list of studies has it. Neither is remembered.
    """
    own = services.archive.home
    named = [path for path in paths if path != resource("demo") and not path.is_relative_to(own)]

    def finished() -> None:
        if job.error is None and job.result().studies:
            services.attempt(lambda: _remember(services, named))

    job.finished.connect(finished)


def clear(services: Services) -> None:
    """Forget all of them."""
    from medviewer.app import settings

    home = services.archive.home
    settings.save(home, settings.load(home).model_copy(update={"recent": ()}))


def _remember(services: Services, paths: Sequence[Path]) -> None:
    from medviewer.app import settings

    home = services.archive.home
    before = settings.load(home)
    after = before.opened(paths)
    if after != before:
        settings.save(home, after)
