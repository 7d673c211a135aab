"""Masks that are saved off the home thread, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from medviewer.app.commands.masks import ALGORITHM
from medviewer.app.commands.strokes import StrokeJournal
from medviewer.app.mask_store import Frozen, MaskStore
from medviewer.domain.mask import Segmentation
from medviewer.errors import JobError, MedviewerError
from medviewer.jobs import Job, Runner
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.archive import Archive

T = TypeVar("T")

_COMES_BACK = "Nothing of it is lost: it comes back with its series."


@dataclass(eq=False)
class Saving:
    """The open mask on its way to the archive, while it is painted on.

    Parameters
    ----------
    store, frozen
        The mask, and what of it is saved.
    verdict
        Whether a verdict on it is kept too.
    job
        Over once all of it is on disk, or cannot be brought there.
    mask_id
        Of the version that was saved; empty before that, and where there was nothing to save.
    """

    store: MaskStore
    frozen: Frozen
    verdict: bool = False
    job: Job[Any] | None = None
    mask_id: str = ""


@dataclass(eq=False)
class _Save:
    """One save on its way; `over` is set once the mask is on disk, or cannot be brought there."""

    over: threading.Event = field(default_factory=threading.Event)
    job: Job[Any] | None = None

    def wait(self) -> None:
        if self.job is None or not self.job.done:  # a job that was cancelled before its turn never sets it
            self.over.wait()


class MaskSaves:
    """Saves masks in the order in which they came, series by series.

    Parameters
    ----------
    archive, runner
        Where masks are kept, and what works beside the home thread.
    say
        Tells the user something, as `Session.say` does.
    judged
        Whether a person gave a verdict on a mask of that series, by its UID; asked off the home thread.
    """

    def __init__(
        self,
        archive: Archive,
        runner: Runner,
        say: Callable[[str, str, str], None],
        judged: Callable[[str], bool],
    ) -> None:
        self._archive, self._runner, self._say, self._judged = archive, runner, say, judged
        self._latest: dict[str, _Save] = {}
        self._failed: dict[str, MaskStore] = {}
        self.saving: Saving | None = None
        """The open mask that is being saved, the newest of several."""

    def submit(
        self,
        series_uid: str,
        mask: Segmentation,
        store: MaskStore | None = None,
        *,
        over_work: bool = True,
        under_way: Saving | None = None,
    ) -> None:
        """Save a mask as the newest of its series. Closing the program waits for it.

        Parameters
        ----------
        mask
            Nobody may paint on its labels any more.
        store
            What it was painted in; its journal is forgotten only when the mask is on disk, and if that fails the store
            stays here until `settle` gives it back. None for a mask that has no journal.
        over_work
            Whether it becomes the newest where a person made the mask or judged it; if not, that one stays the newest.
        under_way
            A save of this very mask that was begun before: where it succeeds, nothing more is written.
        """

        def work(_: RunContext) -> str:
            return self._write(series_uid, mask, store, over_work, under_way)

        save = _Save()
        in_turn = self._in_turn(series_uid, save, work)
        try:
            save.job = self._runner.submit(in_turn, title="", must_finish=True)
        except JobError:  # the program is closing, and only this thread is left
            try:
                in_turn(RunContext())
            except MedviewerError as error:
                self._tell(error)
            return
        save.job.finished.connect(lambda: self._finished(series_uid, save))

    def run(self, series_uid: str, work: Callable[[], T]) -> Job[T]:
        """Do something with a series' masks off the home thread, once those are saved that came before.

        Closing the program waits for it. Whoever calls this tells the user of what went wrong.

        Raises
        ------
        JobError
            If the program is closing.
        """
        save, former = _Save(), self._latest.get(series_uid)
        in_turn = self._in_turn(series_uid, save, lambda _: work())
        try:
            job = self._runner.submit(in_turn, title="", must_finish=True)
        except BaseException:
            save.over.set()  # it never begins: who comes next waits for what came before
            if former is not None:
                self._latest[series_uid] = former
            else:
                del self._latest[series_uid]
            raise
        save.job = job
        job.finished.connect(lambda: self._over(series_uid, save))
        return job

    def of(self, store: MaskStore) -> Saving | None:
        """The save of an open mask that is under way, the newest of several."""
        return self.saving if self.saving is not None and self.saving.store is store else None

    def _in_turn(self, series_uid: str, save: _Save, work: Callable[[RunContext], T]) -> Callable[[RunContext], T]:
        """That work, done when all saves of the series that came before are over."""
        former = self._latest.get(series_uid)
        self._latest[series_uid] = save

        def done(context: RunContext) -> T:
            try:
                if former is not None:
                    former.wait()
                return work(context)
            finally:
                save.over.set()

        return done

    def settle(self, series_uid: str) -> MaskStore | None:
        """Wait until a series' masks are saved; returns the one that could not be, with its strokes and journal."""
        save = self._latest.pop(series_uid, None)
        if save is not None:
            save.wait()
        return self._failed.pop(series_uid, None)

    def is_busy(self, series_uid: str) -> bool:
        """Whether masks of a series are on their way to the archive, or could not be brought there."""
        return series_uid in self._latest or series_uid in self._failed

    def wait(self, series_uid: str) -> None:
        """Wait until a series' masks are saved, or cannot be; for threads other than the home thread."""
        save = self._latest.get(series_uid)
        if save is not None:
            save.wait()

    def settle_all(self) -> None:
        """Wait for every save; what failed stays here, and in its journal."""
        for save in tuple(self._latest.values()):
            save.wait()

    def close(self) -> None:
        """Let go of the journals of masks that could not be saved; their strokes stay in them."""
        for store in self._failed.values():
            if isinstance(store.journal, StrokeJournal):
                store.journal.close()

    def _write(
        self, series_uid: str, mask: Segmentation, store: MaskStore | None, over_work: bool, under_way: Saving | None
    ) -> str:
        mask_id = under_way.mask_id if under_way is not None else ""
        try:
            below = "" if over_work else self._work_of_a_person(series_uid)
            save = self._archive.masks.save_mask
            if not mask_id:
                mask_id = save(series_uid, mask, below=below) if below else save(series_uid, mask)
        except BaseException:  # whatever it was, the strokes are here and in the journal
            if store is not None:
                self._failed[series_uid] = store
            raise
        if store is not None and store.journal is not None:
            store.journal.clear()
        return mask_id

    def _work_of_a_person(self, series_uid: str) -> str:
        """Id of the series' newest mask if a person drew, corrected or judged it; empty if not."""
        kept = self._archive.masks.masks_for(series_uid)
        if not kept:
            return ""
        # A model's mask that was approved as it is still names the model as its author; the queue knows of the verdict.
        return kept[0].id if kept[0].provenance.author != ALGORITHM or self._judged(series_uid) else ""

    def _over(self, series_uid: str, save: _Save) -> None:
        if self._latest.get(series_uid) is save:
            del self._latest[series_uid]

    def _finished(self, series_uid: str, save: _Save) -> None:
        self._over(series_uid, save)
        if save.job is not None and save.job.error is not None:
            self._tell(save.job.error, f" {_COMES_BACK}" if series_uid in self._failed else "")

    def _tell(self, error: MedviewerError, more: str = "") -> None:
        self._say(f"{error}{more}", "error", error.details)
