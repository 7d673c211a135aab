"""Correct masks: new, paint, undo, save, approve, reject, export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.app.commands import catalog, kept_masks
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.strokes import StrokeJournal, left_strokes, set_aside, stroke_journal
from medviewer.app.commands.teaching import learner, taught
from medviewer.app.mask_store import MaskStore, is_segments
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Correction, Segmentation, empty
from medviewer.domain.provenance import Provenance, utc_now
from medviewer.domain.study import Attachment, Series, Study
from medviewer.errors import GridMismatchError, InputError, StoreError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Both load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session
    from medviewer.learning.queue import Verdict
    from medviewer.plugin_api import Manifest

ALGORITHM = "algorithm"
"""The author of masks that nobody touched."""


def restore(services: Services) -> None:
    """Bring back the newest mask of the open series, and the strokes that a crash left in its journal."""
    try:
        _restore(services)
    except StoreError as error:  # the image opens all the same
        _say_unrestored(services, str(error), error.details)


def adopt(services: Services, base: Segmentation | None, mask_id: str) -> MaskStore | None:
    """Make a segmentation, which the archive has under that id, the open, editable mask; None closes the mask."""
    session = services.session
    if session.series is None or session.image is None or base is None:
        session.mask = None
        return None
    store = MaskStore(base, stroke_journal(services.archive, session.series.uid, base.grid.shape, mask_id))
    session.hidden_labels = frozenset()
    session.active_label = store.segments[0].label if store.segments else 1
    session.mask = store
    return store


def new(services: Services) -> MaskStore:
    """Start an empty mask on the open image; the present one is kept first."""
    session = services.session
    if session.image is None or session.series is None:
        raise InputError("A mask needs an open image; open a study first.")
    check_complete(session)
    keep(services)
    store = adopt(services, empty(session.image.grid, series_uid=session.series.uid), "")
    assert store is not None  # there is an image
    return store


def replace_with(services: Services, segmentation: Segmentation) -> None:
    """Keep the present mask, keep the new one, and open it."""
    session = services.session
    if session.series is None or session.image is None:
        raise InputError("A mask needs an open image; open a study first.")
    check_complete(session)
    if not segmentation.grid.matches(session.image.grid):
        raise GridMismatchError(
            f"The mask should lie on the image's grid ({session.image.grid.describe()}), but lies on "
            f"{segmentation.grid.describe()}{_elsewhere(segmentation.grid, session.image.grid)}; "
            "choose the mask of this series."
        )
    keep(services)
    owned = replace(segmentation, series_uid=session.series.uid)
    adopt(services, owned, services.archive.masks.save_mask(session.series.uid, owned))


def keep(services: Services) -> str | None:
    """Save the open mask as a version of its own if it was changed; returns its id in the archive."""
    session = services.session
    store = session.mask
    if store is None or session.series is None:
        return None
    store.end()
    if not store.dirty:
        if isinstance(store.journal, StrokeJournal):
            store.journal.rest()
        return None
    mask_id = services.archive.masks.save_mask(session.series.uid, signed(services, store))
    if isinstance(store.journal, StrokeJournal):
        store.journal.rebase(mask_id)
    store.saved()
    return mask_id


def signed(services: Services, store: MaskStore) -> Segmentation:
    """The mask as it is, signed by the user if a stroke was made since the model."""
    mask = store.snapshot()
    if not store.dirty and not store.can_undo:
        return mask
    return replace(mask, provenance=replace(mask.provenance, author=services.author, created=utc_now()))


def approve(services: Services) -> Correction:
    """Approve the open mask: it is saved and enters the fine-tuning queue."""
    return _judge(services, "approved", "")


def learner_of(services: Services) -> Manifest:
    """The plugin that would learn from the open mask once it is approved; raises what `judge` raises."""
    session = services.session
    image = session.shown
    if session.mask is None or session.series is None or image is None:
        raise InputError("There is no mask to judge; run a segmentation or paint one first.")
    mask = session.mask.snapshot()
    _refuse_empty(mask)
    return learner(services, image, session.series, mask)


def _refuse_empty(mask: Segmentation) -> None:
    if not mask.labels.any():
        raise InputError("The mask is empty; paint what belongs to it, or reject it.")


def reject(services: Services, note: str = "") -> Correction:
    """Reject the open mask: the verdict is kept, and nothing is trained on it."""
    return _judge(services, "rejected", note)


def export(services: Services, path: Path) -> Job[None]:
    """Write the mask as it is now as DICOM SEG or NIfTI, by the name's ending, off the home thread."""
    session = services.session
    if session.mask is None:
        raise InputError("There is no mask to save; run a segmentation or paint one first.")
    keep(services)
    mask, series = signed(services, session.mask), session.series

    def work(_: RunContext) -> None:
        formats.save_segmentation(mask, path, series)

    job = services.runner.submit(work, title=f"Saving {path.name}", must_finish=True)
    return services.when_done(job, lambda _: session.say(f"Saved the mask to {path.name}.", "ok"))


def import_mask(services: Services, path: Path) -> Job[Segmentation]:
    """Read a mask from a file off the home thread, and open it on the present image."""
    session = services.session
    image, series = session.image, session.series
    if image is None or series is None:
        raise InputError("A mask needs an open image; open its study first.")

    def work(_: RunContext) -> Segmentation:
        return formats.load_segmentation(path, image.grid, series)

    def loaded(mask: Segmentation) -> None:
        if session.image is image:
            replace_with(services, mask)
            if mask.provenance.notes:
                session.say(f"{path.name}: {'; '.join(mask.provenance.notes)}.")
        else:
            session.say(f"Another series was opened before {path.name} was read; open the mask again there.", "warning")

    return services.when_done(services.runner.submit(work, title=f"Opening {path.name}"), loaded)


def open_attachment(services: Services, attachment: Attachment) -> None:
    """Open a mask of a study (SEG, RTSTRUCT) on the series that it refers to, which is shown first.

    Where that series is not listed, the mask is tried on the open one: it has to lie in the same place.

    Raises
    ------
    InputError
        If the series is not listed and none is open, or the open one is an image without a place in the patient.
    """
    from medviewer.app.commands import study  # it keeps masks by this module

    session = services.session
    series = _labelled_by(session, attachment)
    if series is None:
        raise InputError(
            f"The series that {attachment.file.name} was drawn on is not listed; open the folder that holds it too."
        )

    def shown() -> bool:
        is_open = session.series is not None and session.series.uid == series.uid
        return is_open and session.image is not None and session.arrival is None

    if shown():
        import_mask(services, attachment.file)
        return
    arriving = session.series is not None and session.series.uid == series.uid
    loading = services.loading if arriving else None
    if loading is None:
        loading = study.show(services, series)
    services.when_done(loading, lambda _: import_mask(services, attachment.file), wanted=shown)


def _labelled_by(session: Session, attachment: Attachment) -> Series | None:
    """The series that a mask is shown on: the open one if the mask refers to it, else the first listed one it names."""
    listed = [series for study in session.studies for series in study.series]
    named = [series for uid in attachment.of_series for series in listed if series.instance_uid == uid]
    if session.series is not None and any(series.uid == session.series.uid for series in named):
        return session.series
    if named:
        return named[0]
    # Of a radiograph only the number of pixels could tell that the mask is another one's.
    unplaced = session.series is not None and not session.series.frame_of_reference
    return None if unplaced and attachment.of_series else session.series


def model_mask(services: Services, series: Series, made: Provenance) -> Segmentation | None:
    """The mask of a series, untouched, that a corrected one began as; None if it was drawn by hand.

    Parameters
    ----------
    made
        The corrected mask's provenance: plugin and model version, which stay when a person takes over.
    """
    if not made.plugin_id:
        return None
    model = (made.plugin_id, made.plugin_version, made.model_version)
    for row in services.archive.masks.masks_for(series.uid, *kept_masks.former_uids(series)):
        theirs = row.provenance
        if theirs.author == ALGORITHM and (theirs.plugin_id, theirs.plugin_version, theirs.model_version) == model:
            mask, _ = kept_masks.brought_over(services.archive.masks.load_mask(row.id), series)
            if mask.grid.matches(series.grid):
                return mask
    return None


def _restore(services: Services) -> None:
    session = services.session
    if session.series is None or session.image is None:
        return
    kept = kept_masks.newest(services.archive, session.series)
    if kept is not None and not kept.mask.grid.matches(session.image.grid):
        _say_unrestored(services, "The mask that was kept for this series lies on another grid and is not shown.")
    elif kept is not None and kept.moved:
        _bring(services, kept)
    elif not _recover(services, kept.mask if kept is not None else None):
        adopt(services, kept.mask if kept is not None else None, kept.id if kept is not None else "")
        strokes = _set_aside_all(services, kept_masks.former_uids(session.series))
        if strokes:
            session.say(" ".join(strokes), "warning")


def _set_aside_all(services: Services, uids: Sequence[str]) -> list[str]:
    """Keep strokes that can no longer come back in files of their own; a sentence about each."""
    return [sentence for uid in uids if (sentence := set_aside(services.archive, uid))]


def _bring(services: Services, kept: kept_masks.Kept) -> None:
    """Open a mask that was kept elsewhere, as a version of this series; strokes that were made there stay in a file."""
    session = services.session
    assert session.series is not None  # restore looked
    strokes = _set_aside_all(services, (session.series.uid, *kept_masks.former_uids(session.series)))
    adopt(services, kept.noted, services.archive.masks.save_mask(session.series.uid, kept.noted))
    session.say(" ".join([f"The mask that is shown was {kept.moved}; look it over.", *strokes]), "warning")


def _recover(services: Services, newest: Segmentation | None) -> bool:
    """Open the mask that the series' journal was written for, with its strokes; False when it has none to give."""
    session = services.session
    assert session.series is not None  # restore looked
    assert session.image is not None
    uid, grid = session.series.uid, session.image.grid
    header, records = left_strokes(services.archive, uid)
    if header is None or header.shape != grid.shape:
        _say_unrestored(services)
        return False
    if not records:
        return False
    base = services.archive.masks.load_mask(header.base_mask) if header.base_mask else empty(grid, series_uid=uid)
    if not base.grid.matches(grid):  # painted when the slices were shown elsewhere
        _say_unrestored(services)
        return False
    journal = stroke_journal(services.archive, uid, grid.shape, header.base_mask)
    store = MaskStore(base, journal)
    count = store.replay(records)
    # The program may have ended between saving the mask and forgetting its strokes.
    if newest is not None and count == len(records) and _same(store, newest):
        journal.clear()
        return False
    if count < len(records):
        journal.restart(records[:count])  # what follows a record that cannot be read would never be found again
    else:
        journal.resume()
    session.hidden_labels = frozenset()
    session.active_label = store.segments[0].label if store.segments else 1
    session.mask = store
    strokes = sum(not is_segments(record) for record in records[:count])
    what = f"{strokes} strokes" if strokes else "Segments"
    more = "; the later ones cannot be read and are kept aside" if count < len(records) else ""
    session.say(f"{what} that were not saved before medviewer ended were brought back{more}.", "warning")
    return True


def _same(store: MaskStore, saved: Segmentation) -> bool:
    return store.segments == saved.segments and bool((store.labels == saved.labels).all())


def _say_unrestored(services: Services, text: str = "", details: str = "") -> None:
    """Tell why a mask did not come back; strokes that only its journal has are kept before anything is painted."""
    assert services.session.series is not None  # restore looked
    try:
        kept = set_aside(services.archive, services.session.series.uid)
    except StoreError as error:  # another window is painting: its strokes are safe with it
        text, kept = text or str(error), ""
    if text or kept:
        services.session.say(f"{text} {kept}".strip(), "warning", details)


def _elsewhere(grid: Grid, expected: Grid) -> str:
    """What sets two grids apart that read alike."""
    return " at another place or turned another way" if grid.describe() == expected.describe() else ""


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
) -> Correction:
    """Take a person's verdict on any mask of any image; what is open stays as it is.

    Parameters
    ----------
    model
        What the model gave before it was corrected, or None.
    plugin_id
        The plugin that learns from it; by default the mask's maker, or else the only one that could learn it.

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
    services.session.queue_revision += 1
    if verdict == "approved" and study is not None:
        catalog.approved(services, study.uid)
    return correction


def _judge(services: Services, verdict: Verdict, note: str) -> Correction:
    session = services.session
    store, series, image = session.mask, session.series, session.shown
    if store is None or series is None or image is None:
        raise InputError("There is no mask to judge; run a segmentation or paint one first.")
    store.end()
    store.claim()
    asked, mask = utc_now(), signed(services, store)
    model = model_mask(services, series, mask.provenance)
    keep(services)  # before the verdict, so that a mask which is newer than its verdict is one that was changed since
    correction = judge(services, image, series, session.study, mask, verdict, model=model, note=note)
    session.say(_verdict_text(correction, again=correction.created < asked), "ok")
    return correction


def _verdict_text(correction: Correction, again: bool) -> str:
    if again:
        return f"This mask was {correction.verdict} before, on {correction.created[:10]}; the queue stays as it is."
    if correction.verdict == "rejected":
        return "Rejected: the verdict is kept, and nothing is trained on this mask."
    against = f" (Dice against the model {correction.dice_text})" if correction.dice_before is not None else ""
    return f"Approved: the case is in the fine-tuning queue of {correction.plugin_id}{against}."
