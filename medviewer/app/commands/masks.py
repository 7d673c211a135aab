"""Correct masks: new, paint, undo, save, approve, reject, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medviewer import formats
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.domain.mask import Correction, Segmentation, empty
from medviewer.domain.provenance import utc_now
from medviewer.errors import InputError

ALGORITHM = "algorithm"
"""The author of masks that nobody touched."""


def restore(services: Services) -> None:
    """Bring back the newest mask of the open series, and the strokes that a crash left in its journal."""
    series = services.session.series
    if series is None:
        return
    kept = services.archive.masks.masks_for(series.uid)
    base = services.archive.masks.load_mask(kept[0].mask_id) if kept else None
    if base is not None and services.session.image is not None and not base.grid.matches(services.session.image.grid):
        services.session.say("The mask that was kept for this series lies on another grid and is not shown.", "warning")
        return
    adopt(services, base)


def adopt(services: Services, base: Segmentation | None) -> None:
    """Make a segmentation the open, editable mask; None starts from nothing if a journal has strokes for it."""
    session = services.session
    if session.series is None or session.image is None:
        return
    journal = services.archive.journal_for(session.series.uid)
    records = journal.records()
    if base is None and not records:
        session.mask = None
        return
    store = MaskStore(base or empty(session.image.grid, series_uid=session.series.uid), journal)
    count = store.replay(records)
    session.hidden_labels = frozenset()
    session.active_label = store.segments[0].label if store.segments else 1
    session.mask = store
    if count:
        session.say(f"{count} strokes that were not saved before medviewer ended were brought back.", "warning")


def new(services: Services) -> MaskStore:
    """Start an empty mask on the open image; the present one is kept first."""
    session = services.session
    if session.image is None or session.series is None:
        raise InputError("A mask needs an open image; open a study first.")
    keep(services)
    store = MaskStore(
        empty(session.image.grid, series_uid=session.series.uid), services.archive.journal_for(session.series.uid)
    )
    session.active_label = 1
    session.hidden_labels = frozenset()
    session.mask = store
    return store


def replace_with(services: Services, segmentation: Segmentation) -> None:
    """Keep the present mask, keep the new one, and open it."""
    session = services.session
    if session.series is None or session.image is None:
        raise InputError("A mask needs an open image; open a study first.")
    if not segmentation.grid.matches(session.image.grid):
        raise InputError(
            f"The mask should lie on the image's grid ({session.image.grid.describe()}), but lies on "
            f"{segmentation.grid.describe()}; choose the mask of this series."
        )
    keep(services)
    owned = replace(segmentation, series_uid=session.series.uid)
    services.archive.masks.save_mask(session.series.uid, owned)
    adopt(services, owned)


def keep(services: Services) -> str | None:
    """Save the open mask as a version of its own if it was changed; returns its id in the archive."""
    session = services.session
    store = session.mask
    if store is None or session.series is None:
        return None
    store.end()
    if not store.dirty:
        return None
    mask_id = services.archive.masks.save_mask(session.series.uid, _authored(services, store))
    store.saved()
    return mask_id


def approve(services: Services) -> Correction:
    """Approve the open mask: it is saved and enters the fine-tuning queue."""
    return _judge(services, "approved", "")


def reject(services: Services, note: str = "") -> Correction:
    """Reject the open mask: the verdict is kept, and nothing is trained on it."""
    return _judge(services, "rejected", note)


def export(services: Services, path: Path) -> None:
    """Write the open mask as DICOM SEG or NIfTI, by the name's ending."""
    session = services.session
    if session.mask is None:
        raise InputError("There is no mask to save; run a segmentation or paint one first.")
    keep(services)
    formats.save_segmentation(_authored(services, session.mask), path, session.series)
    session.say(f"Saved the mask to {path.name}.", "ok")


def import_mask(services: Services, path: Path) -> None:
    """Read a mask from a file and open it on the present image."""
    session = services.session
    if session.image is None:
        raise InputError("A mask needs an open image; open its study first.")
    replace_with(services, formats.load_segmentation(path, session.image.grid))


def model_mask(services: Services, series_uid: str) -> Segmentation | None:
    """The newest mask of a series that a model made and nobody touched."""
    for row in services.archive.masks.masks_for(series_uid):
        if row.provenance.author == ALGORITHM:
            return services.archive.masks.load_mask(row.mask_id)
    return None


def _authored(services: Services, store: MaskStore) -> Segmentation:
    """The mask as it is, signed by the user if a stroke was made since the model."""
    mask = store.snapshot()
    if not store.dirty and not store.can_undo:
        return mask
    return replace(mask, provenance=replace(mask.provenance, author=services.author, created=utc_now()))


def _judge(services: Services, verdict: str, note: str) -> Correction:
    session = services.session
    store, series, image = session.mask, session.series, session.image
    if store is None or series is None or image is None:
        raise InputError("There is no mask to judge; run a segmentation or paint one first.")
    store.end()
    mask = _authored(services, store)
    if verdict == "approved" and not mask.labels.any():
        raise InputError("The mask is empty; paint what belongs to it, or reject it.")
    keep(services)
    patient = session.study.patient.id if session.study else ""
    study_uid = session.study.uid if session.study else series.uid
    model = model_mask(services, series.uid)
    correction = services.queue.add(
        image, series, patient or study_uid, mask, model, verdict=verdict, author=services.author, note=note
    )
    session.queue_revision += 1
    if verdict == "approved":
        text = f"Approved: the case is in the fine-tuning queue (Dice against the model {correction.dice_before:.3f})."
    else:
        text = "Rejected: the verdict is kept, and nothing is trained on this mask."
    session.say(text, "ok")
    return correction
