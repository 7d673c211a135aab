"""Save the open mask off the home thread, while it stays open and may be painted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from medviewer.app.commands import masks
from medviewer.app.mask_store import Frozen, MaskStore
from medviewer.app.saves import Saving
from medviewer.domain.mask import Segmentation
from medviewer.errors import InputError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services

T = TypeVar("T")


def keep_soon(services: Services) -> None:
    """Save the open mask as `masks.keep` does, but copy, pack and write it off the home thread.

    What is painted meanwhile stays in the mask and in its journal, and is saved the next time.
    """
    store = services.session.mask
    if store is None:
        return
    store.end()
    under_way = services.saves.of(store)
    if under_way is not None and store.is_as(under_way.frozen) and under_way.frozen.dirty:
        return  # that is what is being saved
    if not store.dirty:
        masks.keep(services)
        return
    services.when_done(save_soon(services, lambda _: None), lambda _: None)


def once_kept(services: Services, then: Callable[[], object]) -> None:
    """Do what puts another mask in the place of the open one, once that is saved off the home thread.

    At once where nothing was changed. What is changed meanwhile is saved in the same way, until nothing was; what could
    not be saved is left to `then`.
    """
    store = services.session.mask
    if store is not None:
        store.end()
    if store is None or not store.dirty:
        then()
        return
    before = store.revision, store.segments
    job = save_soon(services, lambda _: None)

    def over() -> None:
        changed = services.session.mask is store and (store.revision, store.segments) != before
        services.attempt((lambda: once_kept(services, then)) if changed and job.error is None else then)

    services.when_done(job, lambda _: None, over)


def new_soon(services: Services) -> None:
    """Start an empty mask on the open image once the present one is saved, if the image is still open then."""
    session, image = services.session, services.session.image

    def begin() -> None:
        if session.image is image:
            masks.new(services)

    once_kept(services, begin)


def with_mask(
    services: Services, work: Callable[[Segmentation, RunContext], T], *, title: str, must_finish: bool = False
) -> Job[T]:
    """Do something with the open mask as it is now, and save it beside that, all off the home thread.

    Parameters
    ----------
    work
        Called in the thread, with the mask of the moment at which this was called, signed by who made it.
    title, must_finish
        As in `Runner.submit`.

    Raises
    ------
    InputError
        If there is no mask.
    JobError
        If the program is closing.
    """
    store = services.session.mask
    if store is None:
        raise InputError("There is no mask; run a segmentation or paint one first.")
    store.end()
    made, frozen = masks.signature(services, store), store.freeze()

    def copied(context: RunContext) -> T:
        return work(replace(frozen.take(), provenance=made), context)

    with _thawed_unless_begun(store, frozen):
        keep_soon(services)
        return _thawed_after(services.runner.submit(copied, title=title, must_finish=must_finish), store, frozen)


def copy_soon(services: Services, *, title: str) -> Job[Segmentation]:
    """A copy of the open mask as it is now, made off the home thread.

    Raises
    ------
    InputError
        If there is no mask.
    JobError
        If the program is closing.
    """
    store = services.session.mask
    if store is None:
        raise InputError("There is no mask to copy; run a segmentation or paint one first.")
    frozen = store.freeze()
    with _thawed_unless_begun(store, frozen):
        return _thawed_after(services.runner.submit(lambda _: frozen.take(), title=title), store, frozen)


def save_soon(services: Services, then: Callable[[Segmentation], T], *, verdict: bool = False) -> Job[T]:
    """Save the open mask as it is now if it was changed, and then do something with it, all off the home thread.

    Nothing of it is lost: the journal keeps its strokes until it is on disk, closing the program waits for it, and
    what fails leaves it as changed as it was. A save of the same mask that is under way is not done twice.

    Parameters
    ----------
    then
        Called in the thread, with the mask of the moment at which this was called.
    verdict
        Whether a verdict on the mask is kept too.

    Raises
    ------
    InputError
        If there is no mask.
    JobError
        If the program is closing.
    """
    session, saves = services.session, services.saves
    store, series = session.mask, session.series
    if store is None or series is None:
        raise InputError("There is no mask to save; run a segmentation or paint one first.")
    store.end()
    former, made, frozen = saves.of(store), masks.signature(services, store), store.freeze()
    saving = Saving(store, frozen, verdict)

    def work() -> T:
        mask = replace(frozen.take(), provenance=made)
        if former is not None and former.frozen.state == frozen.state:
            saving.mask_id = former.mask_id
        if frozen.dirty and not saving.mask_id:
            saving.mask_id = services.archive.masks.save_mask(series.uid, mask)
        return then(mask)

    def over() -> None:
        store.thaw(frozen)
        if saves.saving is saving:
            saves.saving = None
        left = session.mask is not store  # then whoever left it has handed its strokes on to be saved
        if store.is_as(frozen) and not (left and store.dirty):
            services.attempt(lambda: masks.settled(store, saving.mask_id))

    with _thawed_unless_begun(store, frozen):
        saving.job = job = saves.run(series.uid, work)
    saves.saving = saving
    job.finished.connect(over)
    return job


def _thawed_after(job: Job[T], store: MaskStore, frozen: Frozen) -> Job[T]:
    """Let go of a mask's frozen state when the job is over that copies it."""
    job.finished.connect(lambda: store.thaw(frozen))
    return job


@contextmanager
def _thawed_unless_begun(store: MaskStore, frozen: Frozen) -> Iterator[None]:
    """Let go of a mask's frozen state where the job that was to thaw it could not begin."""
    try:
        yield
    except BaseException:
        store.thaw(frozen)
        raise
