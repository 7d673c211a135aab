"""Where the open mask stands, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from medviewer.app.services import Services
from medviewer.learning.queue import QueueCase, Status

_MEANING = {
    Status.WAITING: "waits in the fine-tuning queue",
    Status.USED: "has trained a version",
    Status.REJECTED: "nothing is trained on it",
}


@dataclass(frozen=True)
class MaskState:
    """A sentence, and the role it is shown in (``quiet``, ``ok`` or ``warning``)."""

    text: str
    role: str = "quiet"


def last_verdict(services: Services) -> QueueCase | None:
    """The verdict on the open series that counts, or None. Reads the queue."""
    series = services.session.series
    if series is None:
        return None
    cases = [case for case in services.queue.list() if case.correction.series_uid == series.uid]
    return next((case for case in reversed(cases) if case.status is not Status.SUPERSEDED), None)


def state_of(services: Services, verdict: QueueCase | None) -> MaskState:
    """What to say of the open mask.

    Parameters
    ----------
    verdict
        As `last_verdict` gave it.
    """
    session = services.session
    store = session.mask
    if session.image is None:
        return MaskState("Open a study first.")
    if store is None:
        return MaskState("There is no mask yet: run a segmentation, or start a new mask and paint.")
    if store.dirty:
        since = f" since it was {verdict.correction.verdict}" if verdict is not None else ""
        return MaskState(f"Changed{since}. Unsaved strokes are kept in the journal.", "warning" if since else "quiet")
    if verdict is not None and _changed_since(services, verdict):
        return MaskState(f"Changed since it was {verdict.correction.verdict}; judge it again.", "warning")
    if verdict is None:
        return MaskState("Nobody has judged this mask yet.")
    what = verdict.correction.verdict.capitalize()
    sentence = f"{what} {verdict.correction.created[:10]} by {verdict.correction.author}; {_MEANING[verdict.status]}."
    return MaskState(sentence, "ok" if verdict.correction.verdict == "approved" else "quiet")


def _changed_since(services: Services, verdict: QueueCase) -> bool:
    """Whether a version of the mask was kept after the verdict."""
    kept = services.archive.masks.masks_for(verdict.correction.series_uid)
    return bool(kept) and kept[0].provenance.created > verdict.correction.created
