"""The open mask and a verdict on it, saved while it may be painted on: whole, in order, told, never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.app.commands import keeping, masks, study, verdicts
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.archive import journal
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import InputError, JobError, StoreError

from .conftest import SERIES

UID = SERIES.uid
NEXT = replace(SERIES, uid="1.2.826.0.1.78")
FULL = "The disk should take the mask, but is full; make room."


class Gate:
    """Holds what it stands before until it is opened, and notes the threads that came by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        self.threads: list[int] = []
        really: Callable[..., Any] = getattr(owner, name)

        def through(*args: Any, **options: Any) -> Any:
            self.threads.append(threading.get_ident())
            self.reached.set()
            assert self._open.wait(60)
            return really(*args, **options)

        monkeypatch.setattr(owner, name, through)

    def open(self) -> None:
        self._open.set()


def paint(services: Services, *where: int, label: int = 1) -> np.ndarray:
    """One stroke; returns the labels after it."""
    store = services.session.mask or masks.new(services)
    store.paint(np.array(where, np.int64), label)
    return store.labels.copy()


def from_model(services: Services, *where: int) -> MaskStore:
    """A mask of a plugin that learns is open."""
    session = services.session
    session.image = replace(session.image, modality="MR")
    session.series = replace(session.series, modality="MR")
    labels = np.zeros(session.image.grid.shape, np.uint8)
    labels.reshape(-1)[list(where)] = 1
    made = Provenance("brain-extraction", "1.0.0", "1.2.0", author=masks.ALGORITHM)
    masks.replace_with(services, Segmentation(labels, session.image.grid, (Segment(1, "Brain"),), made))
    return session.mask


def finish(services: Services) -> None:
    for job in services.runner.jobs:
        services.runner.wait(job, 60)


def kept(services: Services) -> list[np.ndarray]:
    """Every version of the mask in the archive, newest first."""
    return [services.archive.masks.load_mask(row.id).labels for row in services.archive.masks.masks_for(UID)]


def judged(services: Services) -> np.ndarray:
    """The mask of the only case in the queue."""
    (case,) = services.queue.list()
    return services.queue.load_case(case.id)[1].labels


def records(services: Services) -> int:
    return len(journal.read(services.archive.journal_for(UID).path))


def test_a_verdict_is_copied_packed_and_written_off_the_home_thread(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = from_model(services, *range(10))
    labels = paint(services, *range(10, 20))
    saved = Gate(monkeypatch, services.archive.masks, "save_mask")
    filed = Gate(monkeypatch, services.queue, "add")
    saved.open()
    filed.open()
    before = services.session.queue_revision
    job = verdicts.approve_soon(services)
    finish(services)
    correction = job.result()
    assert threading.get_ident() not in (*saved.threads, *filed.threads)
    assert (correction.verdict, correction.author, correction.plugin_id) == ("approved", "reader", "brain-extraction")
    assert correction.dice_before == pytest.approx(2 * 10 / 30)
    assert services.session.queue_revision == before + 1
    assert services.session.message.text.endswith("(Dice against the model 0.667).")
    np.testing.assert_array_equal(judged(services), labels)
    np.testing.assert_array_equal(kept(services)[0], labels)
    assert len(kept(services)) == 2
    assert not store.dirty
    assert services.saves.saving is None
    paint(services, 30)
    assert records(services) == 1, "the journal begins anew on the saved mask"


def test_a_stroke_made_meanwhile_is_no_part_of_the_verdict_and_not_lost(
    launch: Callable[..., Services], image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = launch(opened=image)
    store = from_model(services, *range(10))
    at_the_click = paint(services, 10)
    gate = Gate(monkeypatch, services.archive.masks, "save_mask")
    verdicts.approve_soon(services)
    assert gate.reached.wait(60)
    labels = paint(services, 11)
    gate.open()
    finish(services)
    np.testing.assert_array_equal(judged(services), at_the_click)
    np.testing.assert_array_equal(kept(services)[0], at_the_click)
    np.testing.assert_array_equal(store.labels, labels)
    assert store.dirty
    store.journal.close()  # the program is killed here
    services.session.mask = None
    again = launch(opened=image)
    np.testing.assert_array_equal(again.session.mask.labels, labels)


def test_another_click_is_refused_while_a_verdict_is_saved(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    from_model(services, 1, 2)
    gate = Gate(monkeypatch, services.queue, "add")
    verdicts.approve_soon(services)
    assert services.session.message.text == "Saving the verdict…"
    assert gate.reached.wait(60)
    assert verdicts.reject_soon(services) is None
    assert services.session.message.text.startswith("The verdict on this mask is being saved")
    gate.open()
    finish(services)
    (case,) = services.queue.list()
    assert case.correction.verdict == "approved"
    verdicts.reject_soon(services)
    finish(services)
    assert services.queue.list()[-1].correction.verdict == "rejected"


def test_a_full_disk_is_told_and_leaves_mask_and_verdict_open(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise StoreError(FULL)

    store = from_model(services, 1, 2)
    labels = paint(services, 3)
    for owner, name, saved in ((services.archive.masks, "save_mask", False), (services.queue, "add", True)):
        with monkeypatch.context() as broken:
            broken.setattr(owner, name, refuse)
            verdicts.approve_soon(services)
            finish(services)
        assert services.session.message.text == FULL
        assert services.session.message.level == "error"
        assert services.queue.list() == []
        assert store.dirty is not saved
        assert records(services) == (0 if saved else 1)
    verdicts.approve_soon(services)
    finish(services)
    np.testing.assert_array_equal(judged(services), labels)
    assert len(kept(services)) == 2


def test_what_is_wrong_with_a_mask_is_told(services: Services) -> None:
    with pytest.raises(InputError, match="no mask to judge"):
        verdicts.approve_soon(services)
    from_model(services)
    verdicts.approve_soon(services)
    finish(services)
    assert services.session.message.text == "The mask is empty; paint what belongs to it, or reject it."
    verdicts.reject_soon(services, "not a brain")
    finish(services)
    (case,) = services.queue.list()
    assert (case.correction.verdict, case.note) == ("rejected", "not a brain")


def test_what_is_painted_while_a_mask_makes_room_for_another_is_saved_off_the_home_thread_too(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = from_model(services, 1, 2)
    paint(services, 3)
    gate, seen = Gate(monkeypatch, services.archive.masks, "save_mask"), []
    keeping.once_kept(services, lambda: seen.append((store.dirty, len(gate.threads))))
    assert gate.reached.wait(60)
    labels = paint(services, 4, 5)
    store.begin()
    store.paint(np.array([6]), 1)  # the pointer is down still
    gate.open()
    while not seen:
        finish(services)
    labels.reshape(-1)[6] = 1
    assert seen == [(False, 2)], "nothing is left to be saved"
    np.testing.assert_array_equal(kept(services)[0], labels)
    assert threading.get_ident() not in gate.threads


def test_closing_at_once_loses_neither_mask_nor_verdict(launch: Callable[..., Services], image: Image) -> None:
    services = launch(opened=image)
    from_model(services, 1, 2)
    labels = paint(services, 3)
    verdicts.approve_soon(services)
    services.close()
    again = launch(opened=image)
    np.testing.assert_array_equal(again.session.mask.labels, labels)
    assert not again.session.mask.dirty
    np.testing.assert_array_equal(judged(again), labels)


def test_closing_tells_of_a_verdict_that_could_not_be_saved(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise StoreError(FULL)

    from_model(services, 1, 2)
    verdicts.settle(services)  # there is none
    monkeypatch.setattr(services.queue, "add", refuse)
    verdicts.approve_soon(services)
    with pytest.raises(StoreError, match="make room"):
        verdicts.settle(services)
    verdicts.settle(services)


def test_what_comes_too_late_holds_up_nobody(services: Services) -> None:
    labels = paint(services, 1, 2)
    services.runner.shutdown()
    with pytest.raises(JobError, match=r"^Work in the background needs a running program"):
        keeping.keep_soon(services)
    services.saves.settle_all()
    masks.keep(services)
    np.testing.assert_array_equal(kept(services)[0], labels)


@pytest.mark.parametrize("more", [False, True])
def test_a_series_that_is_left_while_a_verdict_is_saved(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch, more: bool
) -> None:
    from_model(services, 1, 2)
    at_the_click = paint(services, 3)
    gate = Gate(monkeypatch, services.archive.masks, "save_mask")
    verdicts.approve_soon(services)
    assert gate.reached.wait(60)
    labels = paint(services, 4) if more else at_the_click
    study._present(services, NEXT, image)
    gate.open()
    finish(services)
    np.testing.assert_array_equal(judged(services), at_the_click)
    assert len(kept(services)) == (3 if more else 2), "nothing is saved twice"
    assert not services.archive.journal_for(UID).path.exists()
    study._present(services, SERIES, image)
    np.testing.assert_array_equal(services.session.mask.labels, labels)
    assert not services.session.mask.dirty


def test_keep_and_approve_one_after_the_other_save_one_version(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = from_model(services, 1, 2)
    labels = paint(services, 3)
    gate = Gate(monkeypatch, services.archive.masks, "save_mask")
    keeping.keep_soon(services)
    keeping.keep_soon(services)
    verdicts.approve_soon(services)
    assert gate.reached.wait(60)
    gate.open()
    finish(services)
    assert len(kept(services)) == 2
    np.testing.assert_array_equal(judged(services), labels)
    assert not store.dirty


def test_keep_waits_for_what_is_under_way_and_saves_what_came_after(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = from_model(services, 1, 2)
    paint(services, 3)
    gate = Gate(monkeypatch, services.archive.masks, "save_mask")
    keeping.keep_soon(services)
    assert gate.reached.wait(60)
    labels = paint(services, 4)
    gate.open()
    masks.keep(services)
    assert [int(one.sum()) for one in kept(services)] == [4, 3, 2]
    np.testing.assert_array_equal(kept(services)[0], labels)
    assert not store.dirty


def test_a_series_that_was_read_meanwhile_waits_until_the_mask_is_kept(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_model(services, 1, 2)
    paint(services, 3)
    gate = Gate(monkeypatch, services.archive.masks, "save_mask")
    keeping.keep_soon(services)
    assert gate.reached.wait(60)
    labels, read = paint(services, 4), threading.Event()
    job = services.runner.submit(lambda _: read.set(), title="Loading")
    services.when_done(job, lambda _: study._present(services, NEXT, image))
    assert read.wait(60)
    gate.open()
    services.runner._threads.join(60)  # both are over, and nobody has pumped
    masks.keep(services)
    assert services.session.series.uid == UID
    np.testing.assert_array_equal(kept(services)[0], labels)
    finish(services)
    assert services.session.series.uid == NEXT.uid
    assert services.archive.masks.masks_for(NEXT.uid) == [], "no mask of another series"


def test_a_mask_that_is_as_it_was_is_not_kept_again(services: Services) -> None:
    keeping.keep_soon(services)
    from_model(services, 1)
    keeping.keep_soon(services)
    assert services.runner.jobs == ()
    assert len(kept(services)) == 1


STROKES = st.lists(
    st.tuples(st.lists(st.integers(0, 23), min_size=1, max_size=6), st.integers(0, 3), st.booleans()), max_size=8
)


@given(before=STROKES, after=STROKES)
def test_a_frozen_mask_is_that_of_its_moment_whatever_is_painted_before_it_is_copied(
    before: list[tuple[list[int], int, bool]], after: list[tuple[list[int], int, bool]]
) -> None:
    grid = Grid((2, 3, 4))
    store = MaskStore(Segmentation(np.zeros(grid.shape, np.uint8), grid, (Segment(1, "A"),)))

    def make(strokes: list[tuple[list[int], int, bool]]) -> None:
        for where, label, back in strokes:
            store.paint(np.array(where, np.int64), label)
            if back:
                store.undo()

    make(before)
    expected = store.labels.copy()
    frozen = store.freeze()
    assert store.is_as(frozen)
    make(after)
    np.testing.assert_array_equal(frozen.take().labels, expected)
    store.thaw(frozen)
    np.testing.assert_array_equal(store.snapshot().labels, store.labels)
