"""The hospital's archive: set it up, search it, retrieve from it, send to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medviewer import formats
from medviewer.app.commands import catalog, keeping, study
from medviewer.archive.outgoing import sending
from medviewer.archive.remote import (
    Node,
    NodeBook,
    Outcome,
    Progress,
    Query,
    SeriesFound,
    Stop,
    StudyFound,
    Wanted,
    connect,
)
from medviewer.archive.remote import retrieve as retrieve_study
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Attachment
from medviewer.errors import InputError, RemoteError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database.
    from medviewer.app.services import Services

What = Literal["mask", "series"] | Attachment
"""The open mask, the open series, or a report of a study."""

_turns: dict[str, threading.Lock] = {}


def book(services: Services) -> NodeBook:
    """The archives that were set up on this machine."""
    return NodeBook(services.archive.home)


def ping(services: Services, node: Node) -> Job[float]:
    """Ask an archive whether it is there (C-ECHO, or a search over DICOMweb); the result is the time in s.

    Nobody is told: the dialog or command that asks shows the answer.
    """

    def work(context: RunContext) -> float:
        began = time.monotonic()
        connect(node).ping(Stop(context.cancelled))
        return time.monotonic() - began

    return services.runner.submit(work, title=f"Testing {node.name}")


def query(services: Services, node: Node, asked: Query) -> Job[list[StudyFound]]:
    """Search an archive for studies; who asks shows the answer.

    Raises
    ------
    InputError
        If a date or a text of the query cannot be asked for.
    """
    asked.keys()

    def work(context: RunContext) -> list[StudyFound]:
        return connect(node).studies(asked, Stop(context.cancelled))

    return services.runner.submit(work, title=f"Searching {node.name}")


def series(services: Services, node: Node, study_uid: str) -> Job[list[SeriesFound]]:
    """List the series of a study; who asks shows the answer."""

    def work(context: RunContext) -> list[SeriesFound]:
        return connect(node).series(study_uid, Stop(context.cancelled))

    return services.runner.submit(work, title=f"Listing series on {node.name}")


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Studies on their way.

    Parameters
    ----------
    job
        The work; its result is what became of each study.
    progress
        How far each study is, by its UID; filled by the job's thread, to be read whenever the job tells progress.
    """

    job: Job[list[Outcome]]
    progress: dict[str, Progress] = field(default_factory=dict)


def retrieve(services: Services, node: Node, wanted: Sequence[Wanted], show: bool = False) -> Retrieval:
    """Retrieve studies, list what arrived, and say what did not.

    Parameters
    ----------
    show
        Whether the largest series of it is opened too.
    """
    if not wanted:
        raise InputError("There is nothing to retrieve; choose a study first.")
    progress: dict[str, Progress] = {}
    home = services.archive.home

    def work(context: RunContext) -> list[Outcome]:
        stop = Stop(context.cancelled)
        with _turn(node, context):
            return [one(context, stop, k) for k in range(len(wanted))]

    def one(context: RunContext, stop: Stop, k: int) -> Outcome:
        def tell(state: Progress) -> None:
            progress[state.study_uid] = state
            share = state.present / state.total if state.total else 0.0
            context.report((k + share) / len(wanted), counted(state.present, state.total))

        return retrieve_study(connect(node), home, wanted[k], tell, stop)

    what = "1 study" if len(wanted) == 1 else f"{len(wanted)} studies"
    job = services.runner.submit(work, title=f"Retrieving {what} from {node.name}")

    def arrived(outcomes: list[Outcome]) -> None:
        folders = [outcome.folder for outcome in outcomes if outcome.present]
        services.session.say(*told(node, outcomes))
        if folders:
            opening = "Opening the retrieved study" if len(folders) == 1 else "Opening the retrieved studies"
            study.open_paths(services, folders, show_first=show, title=opening)

    services.when_done(job, arrived)
    return Retrieval(job, progress)


def counted(present: int, total: int | None) -> str:
    """How far a retrieval is, for a list."""
    return f"{present} of {total} images" if total is not None else f"{present} images"


def told(node: Node, outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """What became of a retrieval: a sentence, and its level."""
    present, total = sum(o.present for o in outcomes), sum(o.total for o in outcomes)
    problem = next((o.problem for o in outcomes if o.problem), "")
    if all(outcome.complete for outcome in outcomes):
        return f"Retrieved {present} images from {node.name}.", "ok"
    return f"Only {present} of {total} images came from {node.name}; retrieve again for the rest. {problem}", "warning"


def reports(services: Services) -> list[Attachment]:
    """Reports and documents of the study that is chosen in the list, or else of the open one; a chosen one first."""
    session, uid = services.session, catalog.chosen(services)
    known = next((one.attachments for one in session.studies if one.uid == uid), None)
    attachments = services.archive.catalog.attachments_of(uid) if known is None else known
    return sorted((a for a in attachments if not a.is_mask), key=lambda a: a.uid != session.chosen_attachment)


def send(services: Services, node: Node, what: What) -> Job[int]:
    """Send the open mask as a DICOM SEG, or the files of the open series or of a report as they are.

    Raises
    ------
    InputError
        If there is no such thing open, or it is no DICOM.
    """
    session = services.session
    if isinstance(what, Attachment):
        return send_files(services, node, [what.file], "the report")
    if session.series is None:
        raise InputError("There is nothing to send; open a study first.")
    if session.series.reader != "dicom":
        raise InputError("An archive takes DICOM only, and the open series is none; open a DICOM study.")
    if what == "series":
        return send_files(services, node, list(dict.fromkeys(session.series.files)))
    if session.mask is None:
        raise InputError("There is no mask to send; run a segmentation or paint one first.")
    series = session.series

    def work(mask: Segmentation, context: RunContext) -> int:
        with sending(services.archive.home) as folder:
            file = folder / "mask.dcm"
            formats.save_segmentation(mask, file, series)
            return _send(node, [file], context)

    job = keeping.with_mask(services, work, title=f"Sending the mask to {node.name}")
    return services.when_done(job, lambda _: session.say(f"Sent the mask to {node.name}.", "ok"))


def send_files(services: Services, node: Node, files: Sequence[Path], what: str = "") -> Job[int]:
    """Send DICOM files as they are, byte for byte; the result is how many. `what` names them for the user."""
    if not files:
        raise InputError("There is no file to send; name DICOM files.")
    what = what or ("1 file" if len(files) == 1 else f"{len(files)} files")
    job = services.runner.submit(lambda context: _send(node, files, context), title=f"Sending {what} to {node.name}")
    return services.when_done(job, lambda _: services.session.say(f"Sent {what} to {node.name}.", "ok"))


def _send(node: Node, files: Sequence[Path], context: RunContext) -> int:
    done = 0

    def sent() -> None:
        nonlocal done
        done += 1
        context.report(done / len(files), f"{done} of {len(files)}")

    try:
        connect(node).send(files, sent, Stop(context.cancelled))
    except RemoteError as error:
        if not done:
            raise
        raise RemoteError(f"{error} {done} of {len(files)} files were taken before that.", error.details) from error
    return done


@contextmanager
def _turn(node: Node, context: RunContext) -> Iterator[None]:
    """One retrieval from a node at a time: archives allow few connections, and our receiver has one port."""
    lock = _turns.setdefault(
        f"{node.receiver_host}:{node.receiver_port}" if node.kind == "dimse" else node.url, threading.Lock()
    )
    while not lock.acquire(timeout=0.2):
        context.progress(0.0, "waits for another retrieval")
    try:
        yield
    finally:
        lock.release()
