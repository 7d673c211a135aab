"""The editable mask against a plain copy, and against a crash at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.app import mask_store
from medviewer.app.mask_store import MaskStore
from medviewer.domain.geometry import Grid
from medviewer.domain.mask import Segment, Segmentation, empty
from medviewer.domain.strokes import Delta
from medviewer.errors import InputError, StoreError

GRID = Grid((2, 4, 5))
SIZE = 40


class Records:
    """A journal in memory."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.full = False

    def ready(self) -> None:
        pass

    def append(self, record: bytes, *, sync: bool = True) -> None:
        if self.full:
            raise StoreError("The disk should take the stroke, but is full; free some space.")
        self.kept.append(record)

    def clear(self) -> None:
        self.kept.clear()


class Model:
    """What the store should be: whole copies of the mask, one a step of undo."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels.copy()
        self.saved = labels.copy()
        self.done: list[np.ndarray] = []
        self.undone: list[np.ndarray] = []

    def step(self, parts: list[tuple[list[int], int]]) -> None:
        before = self.labels.copy()
        for where, label in parts:
            self.labels.reshape(-1)[where] = label
        if not np.array_equal(before, self.labels):
            self.done.append(before)
            self.undone.clear()

    def undo(self) -> None:
        if self.done:
            self.undone.append(self.labels)
            self.labels = self.done.pop()

    def redo(self) -> None:
        if self.undone:
            self.done.append(self.labels)
            self.labels = self.undone.pop()


dabs = st.tuples(st.lists(st.integers(0, SIZE - 1), max_size=6), st.integers(0, 3))
actions = st.one_of(
    st.tuples(st.just("stroke"), st.lists(dabs, min_size=1, max_size=3)),
    st.tuples(st.just("dab"), st.tuples(dabs).map(list)),
    st.sampled_from([("undo", []), ("undo", []), ("redo", []), ("save", [])]),
)
starts = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 3, GRID.shape).astype(np.uint8)
)


def perform(store: MaskStore, model: Model, action: str, parts: list[tuple[list[int], int]]) -> None:
    if action in ("stroke", "dab"):
        if action == "stroke":
            store.begin()
        for where, label in parts:
            store.paint(np.array(where, np.int64), label)
        if action == "stroke":
            store.end()
        model.step(parts)
    elif action == "save":
        model.saved = store.snapshot().labels
        store.saved()
    else:
        getattr(store, action)()
        getattr(model, action)()


@settings(max_examples=60)
@given(starts, st.lists(actions, max_size=15))
def test_the_store_is_the_model_and_its_journal_brings_it_back(start: np.ndarray, script: list[Any]) -> None:
    journal = Records()
    store, model = MaskStore(Segmentation(start, GRID, ()), journal), Model(start)
    seen = start.copy()

    def look(box: tuple[slice, slice, slice]) -> None:
        seen[box] = store.labels[box]

    store.changed.connect(look)
    for action, parts in script:
        perform(store, model, action, parts)
        np.testing.assert_array_equal(store.labels, model.labels)
        np.testing.assert_array_equal(seen, store.labels, err_msg="a view that redraws the boxes only is up to date")
        assert (store.can_undo, store.can_redo) == (bool(model.done), bool(model.undone))
        if action == "save":
            assert not store.dirty
        assert store.dirty or np.array_equal(store.labels, model.saved), "what is not saved is dirty"
        again = MaskStore(Segmentation(model.saved, GRID, ()))
        assert again.replay(list(journal.kept)) == len(journal.kept)
        np.testing.assert_array_equal(again.labels, store.labels, err_msg="after a crash at this moment")
        assert again.dirty == bool(journal.kept)
    np.testing.assert_array_equal(store.base.labels, start, err_msg="the base is never written to")


@pytest.fixture
def store() -> MaskStore:
    """An empty mask with a journal."""
    return MaskStore(empty(GRID), Records())


def dab(store: MaskStore, *where: int, label: int = 1) -> None:
    store.paint(np.array(where, np.int64), label)


def test_a_stroke_is_one_step_and_one_record(store: MaskStore) -> None:
    edits: list[None] = []
    store.edited.connect(lambda: edits.append(None))
    store.begin()
    for where in ((0, 1), (1, 2), (2, 3)):
        dab(store, *where)
    assert (store.journal.kept, store.can_undo, edits) == ([], False, [])
    store.end()
    (record,) = store.journal.kept
    np.testing.assert_array_equal(Delta.from_bytes(record).where, [0, 1, 2, 3])
    assert len(edits) == 1
    store.undo()
    assert not store.labels.any()
    assert not store.can_undo


def test_a_stroke_that_changes_nothing_in_the_end_is_no_step(store: MaskStore) -> None:
    store.begin()
    dab(store, 5)
    dab(store, 5, label=0)
    store.end()
    dab(store, 6, label=0)
    assert (store.can_undo, store.journal.kept) == (False, [])


def test_a_new_stroke_ends_the_open_one_and_forgets_what_was_undone(store: MaskStore) -> None:
    dab(store, 1)
    store.undo()
    store.begin()
    dab(store, 2)
    store.begin()
    assert len(store.journal.kept) == 3
    assert not store.can_redo
    store.end()
    store.end()
    assert np.flatnonzero(store.labels).tolist() == [2]


def test_undo_takes_an_open_stroke_back_whole(store: MaskStore) -> None:
    store.begin()
    dab(store, 1)
    dab(store, 2)
    store.undo()
    assert not store.labels.any()
    store.redo()
    assert np.flatnonzero(store.labels).tolist() == [1, 2]


def test_a_snapshot_holds_an_open_stroke_and_is_not_painted_on(store: MaskStore) -> None:
    store.begin()
    dab(store, 1)
    snapshot = store.snapshot()
    dab(store, 2)
    assert np.flatnonzero(snapshot.labels).tolist() == [1]
    assert not np.shares_memory(snapshot.labels, store.labels)


def test_saving_in_the_middle_of_a_stroke_loses_nothing(store: MaskStore) -> None:
    store.begin()
    dab(store, 1)
    saved = store.snapshot()
    store.saved()
    dab(store, 2)
    store.end()
    assert store.dirty
    again = MaskStore(saved)
    again.replay(store.journal.kept)
    np.testing.assert_array_equal(again.labels, store.labels)


def test_the_oldest_steps_stay_in_the_mask(store: MaskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_store, "UNDO_LIMIT", 3)
    for where in range(5):
        dab(store, where)
    while store.can_undo:
        store.undo()
    assert np.flatnonzero(store.labels).tolist() == [0, 1]
    assert len(store.journal.kept) == 8


def test_the_revision_grows_with_every_change(store: MaskStore) -> None:
    seen = [store.revision]
    for act in (lambda: dab(store, 1), lambda: dab(store, 2), store.undo, store.redo):
        act()
        seen.append(store.revision)
    assert seen == sorted(set(seen))


def fails(act: Callable[[], None]) -> None:
    with pytest.raises(StoreError, match="full"):
        act()


def test_a_stroke_that_the_journal_refused_can_still_be_saved_and_undone(store: MaskStore) -> None:
    edits: list[None] = []
    store.edited.connect(lambda: edits.append(None))
    store.journal.full = True
    store.begin()
    dab(store, 1)
    fails(store.end)
    assert store.dirty, "the mask is kept when it is closed"
    assert store.labels.any()
    assert store.can_undo
    store.dirty = False
    fails(store.undo)
    assert store.dirty
    assert not store.labels.any()
    assert len(edits) == 2


def test_replay_stops_at_what_cannot_be_read(store: MaskStore) -> None:
    for where in (1, 2, 3):
        dab(store, where)
    first, _, last = store.journal.kept
    again = MaskStore(empty(GRID))
    assert again.replay([first, b"torn", last]) == 1
    assert np.flatnonzero(again.labels).tolist() == [1]
    assert again.dirty


def test_replay_leaves_records_of_a_larger_mask_out() -> None:
    journal = Records()
    larger = MaskStore(empty(Grid((9, 9, 9))), journal)
    dab(larger, 700)
    again = MaskStore(empty(GRID))
    assert again.replay(journal.kept) == 0
    assert not again.labels.any()
    assert not again.dirty


def test_added_and_renamed_segments_come_back_without_a_stroke(store: MaskStore) -> None:
    store.add_segment("Lesion")
    store.segments = (replace(store.segments[0], name="Brain"), *store.segments[1:])
    again = MaskStore(store.base)
    assert again.replay(store.journal.kept) == 2
    assert again.segments == store.segments
    assert [s.name for s in again.segments] == ["Brain", "Lesion"]
    assert again.dirty
    assert not again.can_undo


def test_replay_stops_at_segments_that_cannot_be_read(store: MaskStore) -> None:
    store.add_segment("Lesion")
    (record,) = store.journal.kept
    again = MaskStore(store.base)
    assert again.replay([record[:4] + b"[{}]", record]) == 0
    assert again.segments == store.base.segments


def test_replayed_strokes_of_an_undeclared_label_are_seen(store: MaskStore) -> None:
    """Views draw declared segments only."""
    dab(store, 7, label=2)
    told: list[None] = []
    again = MaskStore(store.base)
    again.segments_changed.connect(lambda: told.append(None))
    again.replay(store.journal.kept)
    assert [(s.label, s.name) for s in again.segments] == [(1, "Segment 1"), (2, "Label 2")]
    assert len(told) == 1
    assert again.snapshot().segments == again.segments


def test_a_new_segment_has_a_free_label_and_is_kept(store: MaskStore) -> None:
    first, second = store.add_segment("Liver"), store.add_segment("Spleen")
    assert (first.label, second.label) == (2, 3)
    assert first.colour != second.colour
    assert store.dirty, "a segment without voxels is work too"
    assert [s.name for s in store.snapshot().segments] == ["Segment 1", "Liver", "Spleen"]


def test_a_new_segment_beside_255_can_be_painted() -> None:
    """Masks of other programs are often written as 0 and 255."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 0, 0], labels[0, 0, 1] = 255, 1
    store = MaskStore(Segmentation(labels, GRID, (Segment(255, "Brain"),)))
    added = store.add_segment("Lesion")
    assert added.label == 2, "1 is in use, though nobody named it"
    dab(store, 9, label=added.label)
    assert store.labels.reshape(-1)[9] == 2
    assert [s.label for s in store.segments] == [2, 255]


def test_a_full_label_map_says_so() -> None:
    segments = tuple(Segment(label, str(label)) for label in range(1, 256))
    store = MaskStore(empty(GRID, segments))
    with pytest.raises(InputError, match="at most 255 segments"):
        store.add_segment("One more")
