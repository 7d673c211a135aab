"""Correct masks: new, kept, signed, written to files and read from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medviewer import formats
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.strokes import StrokeJournal, stroke_journal
from medviewer.app.mask_store import MaskStore
from medviewer.domain.geometry import Grid
from medviewer.domain.mask import Segmentation, empty
from medviewer.domain.provenance import Provenance, utc_now
from medviewer.domain.strokes import Labels
from medviewer.domain.study import Attachment, Series
from medviewer.errors import GridMismatchError, InputError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session

ALGORITHM = "algorithm"
"""The author of masks that nobody touched."""


def adopt(
    services: Services, base: Segmentation | None, mask_id: str, labels: Labels | None = None
) -> MaskStore | None:
    """Make a segmentation, which the archive has under that id, the open, editable mask; None closes the mask.

    Parameters
    ----------
    labels
        A copy of its label map to paint on; by default one is made, or was made ahead.
    """
    session = services.session
    if session.series is None or session.image is None or base is None:
        session.mask = None
        return None
    journal = stroke_journal(services.archive, session.series.uid, base.grid.shape, mask_id)
    store = MaskStore(base, journal, services.masks_ahead.copy(base.labels) if labels is None else labels)
    session.hidden_labels = frozenset()
    session.active_label = store.segments[0].label if store.segments else 1
    session.mask = store
    return store


def make_ready(services: Services, mask: Segmentation) -> None:
    """Do now what keeping and opening a mask would else do on the home thread; any thread may call it."""
    services.archive.masks.write_ahead(mask.labels)
    services.masks_ahead.make(mask.labels)


def new(services: Services) -> MaskStore:
    """Start an empty mask on the open image; the present one is kept first."""
    session = services.session
    if session.image is None or session.series is None:
        raise InputError("A mask needs an open image; open a study first.")
    check_complete(session)
    keep(services)
    base = empty(session.image.grid, series_uid=session.series.uid)
    # zeros take no time before they are painted on; a copy of them would be written in full
    store = adopt(services, base, "", np.zeros(base.labels.shape, base.labels.dtype))
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
    """Save the open mask as a version of its own if it was changed; returns its id in the archive.

    A save of it that is under way is waited for.
    """
    session = services.session
    store = session.mask
    if store is None or session.series is None:
        return None
    store.end()
    under_way = services.saves.of(store)
    if under_way is not None and under_way.job is not None and store.dirty:
        services.runner.wait(under_way.job, alone=True)  # or a series that was read might take its place
    if not store.dirty:
        if services.saves.of(store) is None:
            _rest(store)
        return None
    mask_id = services.archive.masks.save_mask(session.series.uid, signed(services, store))
    settled(store, mask_id)
    return mask_id


def settled(store: MaskStore, mask_id: str) -> None:
    """Note that a mask is saved as it is, under that id; where nothing was changed, another window may have it."""
    if not mask_id or not store.dirty:
        _rest(store)
        return
    if isinstance(store.journal, StrokeJournal):
        store.journal.rebase(mask_id)
    store.saved()


def _rest(store: MaskStore) -> None:
    if not store.dirty and isinstance(store.journal, StrokeJournal):
        store.journal.rest()


def leave(services: Services) -> None:
    """Let go of the open mask, for another series takes its place; what was changed is saved off the home thread.

    Raises
    ------
    StoreError
        If the last stroke cannot be kept safe, or some stroke was not and the mask cannot be saved: it stays open.
    """
    session = services.session
    store = session.mask
    if store is None or session.series is None:
        return
    store.end()
    if store.dirty and store.journaled:
        under_way = services.saves.of(store)
        same = under_way is not None and store.is_as(under_way.frozen)
        mask = _signed(services, store, store.handed_over())
        services.saves.submit(session.series.uid, mask, store, under_way=under_way if same else None)
        session.mask = None
    else:  # only this copy has a stroke that its journal has not
        keep(services)


def signed(services: Services, store: MaskStore) -> Segmentation:
    """The mask as it is, signed by the user if a stroke was made since the model."""
    return _signed(services, store, store.snapshot())


def signature(services: Services, store: MaskStore) -> Provenance:
    """Who made the mask as it is: the user if a stroke was made since the model."""
    made = store.base.provenance
    return replace(made, author=services.author, created=utc_now()) if store.dirty or store.can_undo else made


def _signed(services: Services, store: MaskStore, mask: Segmentation) -> Segmentation:
    return replace(mask, provenance=signature(services, store))


def export(services: Services, path: Path) -> Job[None]:
    """Write the mask as it is now as DICOM SEG or NIfTI, by the name's ending, off the home thread."""
    from medviewer.app.commands import keeping  # it keeps masks by this module

    session = services.session
    if session.mask is None:
        raise InputError("There is no mask to save; run a segmentation or paint one first.")
    series = session.series

    def work(mask: Segmentation, _: RunContext) -> None:
        formats.save_segmentation(mask, path, series)

    job = keeping.with_mask(services, work, title=f"Saving {path.name}", must_finish=True)
    return services.when_done(job, lambda _: session.say(f"Saved the mask to {path.name}.", "ok"))


def import_mask(services: Services, path: Path) -> Job[Segmentation]:
    """Read a mask from a file off the home thread, and open it on the present image."""
    from medviewer.app.commands import keeping  # it keeps masks by this module

    session = services.session
    image, series = session.image, session.series
    if image is None or series is None:
        raise InputError("A mask needs an open image; open its study first.")

    def work(_: RunContext) -> Segmentation:
        mask = formats.load_segmentation(path, image.grid, series)
        make_ready(services, mask)
        return mask

    def loaded(mask: Segmentation) -> None:
        keeping.once_kept(services, lambda: shown(mask))

    def shown(mask: Segmentation) -> None:
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


def _elsewhere(grid: Grid, expected: Grid) -> str:
    """What sets two grids apart that read alike."""
    return " at another place or turned another way" if grid.describe() == expected.describe() else ""
