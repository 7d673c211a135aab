"""Bring back the mask of a series that is opened, and the strokes that a crash left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medviewer.app.commands import kept_masks
from medviewer.app.commands.masks import adopt
from medviewer.app.commands.strokes import StrokeJournal, left_strokes, set_aside, stroke_journal
from medviewer.app.mask_store import MaskStore, is_stroke
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation, empty
from medviewer.domain.study import Series
from medviewer.errors import StoreError

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services


def restore(services: Services) -> None:
    """Bring back the newest mask of the open series, and the strokes that a crash left in its journal."""
    try:
        _restore(services)
    except StoreError as error:  # the image opens all the same
        _say_unrestored(services, str(error), error.details)


def is_kept(services: Services, series: Series) -> bool:
    """Whether `restore` would read a mask, or wait for one that is being saved."""
    return services.saves.is_busy(series.uid) or kept_masks.are_kept(services.archive, series)


def read_ahead(services: Services, series: Series) -> None:
    """Read the mask that `restore` will open in a moment, off the home thread, once all saves of it are over."""
    services.saves.wait(series.uid)
    labels = kept_masks.read_ahead(services.archive, series)
    if labels is not None:
        services.masks_ahead.make(labels)


def _restore(services: Services) -> None:
    session = services.session
    if session.series is None or session.image is None or _reopen(services, session.series, session.image):
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


def _reopen(services: Services, series: Series, image: Image) -> bool:
    """Wait for a save of the series that is under way; open again, as it was, a mask that could not be saved."""
    store = services.saves.settle(series.uid)
    if store is None:
        return False
    if not store.base.grid.matches(image.grid):
        if isinstance(store.journal, StrokeJournal):
            store.journal.close()
        return False
    _open(services, store)
    services.session.say("The mask could not be saved when its series was left; keep it now.", "warning")
    return True


def _open(services: Services, store: MaskStore) -> None:
    session = services.session
    session.hidden_labels = frozenset()
    session.active_label = store.segments[0].label if store.segments else 1
    session.mask = store


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
    store = MaskStore(base, journal, services.masks_ahead.copy(base.labels))
    count = store.replay(records)
    # The program may have ended between saving the mask and forgetting its strokes.
    if newest is not None and count == len(records) and _same(store, newest):
        journal.clear()
        return False
    if count < len(records):
        journal.restart(records[:count])  # what follows a record that cannot be read would never be found again
    else:
        journal.resume()
    _open(services, store)
    strokes = sum(is_stroke(record) for record in records[:count])
    what = f"{strokes} {'stroke' if strokes == 1 else 'strokes'}" if strokes else "Segments"
    verb = "was" if strokes == 1 else "were"
    more = "; the later ones cannot be read and are kept aside" if count < len(records) else ""
    session.say(f"{what} that {verb} not saved before medviewer ended {verb} brought back{more}.", "warning")
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
