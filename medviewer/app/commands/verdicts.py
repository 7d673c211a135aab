"""A person's verdict on a mask: it enters the fine-tuning queue, or is kept out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.commands import catalog, kept_masks
from medviewer.app.commands.keeping import save_soon
from medviewer.app.commands.masks import ALGORITHM, keep, signed
from medviewer.app.commands.teaching import learner, taught
from medviewer.app.mask_store import PHASE
from medviewer.domain.image import Image
from medviewer.domain.mask import Correction, Segmentation
from medviewer.domain.provenance import Provenance, utc_now
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError, MedviewerError
from medviewer.jobs import Job

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.mask_store import MaskStore
    from medviewer.app.services import Services
    from medviewer.app.state import Session
    from medviewer.learning.queue import Verdict
    from medviewer.plugin_api import Manifest


_UNMARKED = "The worklist could not note it; mark the study as approved there."


def approve(services: Services) -> Correction:
    """Approve the open mask: it is saved and enters the fine-tuning queue."""
    return _judge(services, "approved", "")


def reject(services: Services, note: str = "") -> Correction:
    """Reject the open mask: the verdict is kept, and nothing is trained on it."""
    return _judge(services, "rejected", note)


def approve_soon(services: Services) -> Job[Correction] | None:
    """Approve the open mask as `approve` does, but pack and write it off the home thread; see `_judge_soon`."""
    return _judge_soon(services, "approved", "")


def reject_soon(services: Services, note: str = "") -> Job[Correction] | None:
    """Reject the open mask as `reject` does, but pack and write it off the home thread; see `_judge_soon`."""
    return _judge_soon(services, "rejected", note)


def settle(services: Services) -> None:
    """Wait for a verdict that is being saved. Raises what kept it from being saved: the verdict is open then."""
    saving = services.saves.saving
    if saving is not None and saving.verdict and saving.job is not None:
        services.runner.wait(saving.job, alone=True)
        saving.job.result()


def judged_image(session: Session) -> Image | None:
    """The image that the open mask is of: the phase that it was made on, or the shown one where nobody noted that."""
    image, store = session.image, session.mask
    phase = store.phase if store is not None else None
    if image is None or image.dynamic is None or phase is None or not 0 <= phase < len(image.dynamic.axis):
        return session.shown
    return image.at_phase(phase)


def learner_of(services: Services) -> Manifest:
    """The plugin that would learn from the open mask once it is approved; raises what `judge` raises."""
    session = services.session
    image = judged_image(session)
    if session.mask is None or session.series is None or image is None:
        raise InputError("There is no mask to judge; run a segmentation or paint one first.")
    mask = session.mask.handed_over()  # looked at, and let go of
    _refuse_empty(mask)
    return learner(services, image, session.series, mask)


def judge(
    services: Services,
    image: Image,
    series: Series,
    study: Study | None,
    mask: Segmentation,
    verdict: Verdict,
    *,
    model: Segmentation | None,
    plugin_id: str = "",
    note: str = "",
    told: bool = True,
) -> Correction:
    """Take a person's verdict on any mask of any image; what is open stays as it is.

    Parameters
    ----------
    model
        What the model gave before it was corrected, or None.
    plugin_id
        The plugin that learns from it; by default the mask's maker, or else the only one that could learn it.
    told
        Whether window and worklist are let know. Any thread may do without; then `_note` has to follow on the home one.

    Raises
    ------
    InputError
        If an empty mask is approved, no plugin learns from it, or its segments are not that plugin's labels.
    UnsuitableImageError
        If the image is not one for the plugin.
    NotFoundError
        If the plugin is not installed.
    GridMismatchError
        If the mask does not lie on the image's grid.
    """
    if verdict == "approved":
        _refuse_empty(mask)
    manifest = learner(services, image, series, mask, plugin_id)
    correction = services.queue.add(
        image,
        series,
        study.patient.id if study else "",
        taught(manifest, mask),
        model,
        verdict=verdict,
        author=services.author,
        note=note,
        study_uid=study.uid if study else series.uid,
        plugin_id=manifest.id,
    )
    if told:
        _note(services, study, verdict)
    return correction


def _note(services: Services, study: Study | None, verdict: Verdict) -> None:
    """A verdict is in the queue: let the window and the worklist know."""
    services.session.queue_revision += 1
    if verdict == "approved" and study is not None:
        _mark_study(services, study)


def _mark_study(services: Services, study: Study) -> None:
    """Note the verdict in the catalogue. The case is in the queue whatever comes of it, so a failure is a warning."""
    try:
        catalog.approved(services, study.uid)
    except MedviewerError as error:
        services.session.say(_UNMARKED, "warning", str(error))


def model_mask(services: Services, series: Series, made: Provenance) -> Segmentation | None:
    """The mask of a series, untouched, that a corrected one began as; None if it was drawn by hand.

    Parameters
    ----------
    made
        The corrected mask's provenance: plugin, model version and phase, which stay when a person takes over.
    """
    if not made.plugin_id:
        return None
    phases = (None, made.parameters.get(PHASE))  # masks of former times name none
    for row in services.archive.masks.masks_for(series.uid, *kept_masks.former_uids(series)):
        theirs = row.provenance
        same = theirs.parameters.get(PHASE) in phases and _model(theirs) == _model(made)
        if theirs.author == ALGORITHM and same:
            mask, _ = kept_masks.brought_over(services.archive.masks.load_mask(row.id), series)
            if mask.grid.matches(series.grid):
                return mask
    return None


def _judge(services: Services, verdict: Verdict, note: str) -> Correction:
    session = services.session
    store, series, image = _judged(session)
    store.end()
    store.claim()
    asked, mask = utc_now(), signed(services, store)
    model = model_mask(services, series, mask.provenance)
    keep(services)  # before the verdict, so that a mask which is newer than its verdict is one that was changed since
    session.message = None  # what stands there afterwards is about this verdict
    correction = judge(services, image, series, session.study, mask, verdict, model=model, note=note)
    _tell(session, correction, asked)
    return correction


def _judge_soon(services: Services, verdict: Verdict, note: str) -> Job[Correction] | None:
    """Take a verdict on the open mask as it is now; None, and the user is told, while another one is being saved.

    What is painted meanwhile is no part of the verdict, and is not lost. Where anything fails the verdict stays open.

    Raises
    ------
    InputError
        If there is no mask.
    StoreError
        If another window works on it.
    """
    session = services.session
    store, series, image = _judged(session)
    under_way = services.saves.of(store)
    if under_way is not None and under_way.verdict:
        session.say("The verdict on this mask is being saved; give another one once it is.")
        return None
    store.end()
    store.claim()
    asked, study = utc_now(), session.study

    def file(mask: Segmentation) -> Correction:
        model = model_mask(services, series, mask.provenance)
        return judge(services, image, series, study, mask, verdict, model=model, note=note, told=False)

    def filed(correction: Correction) -> None:
        session.message = None
        _note(services, study, verdict)
        _tell(session, correction, asked)

    session.say("Saving the verdict…")
    return services.when_done(save_soon(services, file, verdict=True), filed)


def _judged(session: Session) -> tuple[MaskStore, Series, Image]:
    store, series, image = session.mask, session.series, judged_image(session)
    if store is None or series is None or image is None:
        raise InputError("There is no mask to judge; run a segmentation or paint one first.")
    return store, series, image


def _tell(session: Session, correction: Correction, asked: str) -> None:
    """Say what came of a verdict that was asked for at a time; what stands there already is added."""
    text, failed = _verdict_text(correction, again=correction.created < asked), session.message
    session.say(*((f"{text} {failed.text}", "warning", failed.details) if failed else (text, "ok")))


def _refuse_empty(mask: Segmentation) -> None:
    if not mask.labels.any():
        raise InputError("The mask is empty; paint what belongs to it, or reject it.")


def _model(made: Provenance) -> tuple[str, str, str]:
    return made.plugin_id, made.plugin_version, made.model_version


def _verdict_text(correction: Correction, again: bool) -> str:
    if again:
        return f"This mask was {correction.verdict} before, on {correction.created[:10]}; the queue stays as it is."
    if correction.verdict == "rejected":
        return "Rejected: the verdict is kept, and nothing is trained on this mask."
    against = f" (Dice against the model {correction.dice_text})" if correction.dice_before is not None else ""
    return f"Approved: the case is in the fine-tuning queue of {correction.plugin_id}{against}."
