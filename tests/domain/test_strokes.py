"""Strokes as differences: kept, taken back, joined, and read again from a journal."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medviewer.domain.indices import ascending
from medviewer.domain.strokes import Delta, change, merge

SHAPE = (3, 4, 5)
SIZE = 60
dtypes = st.sampled_from([np.uint8, np.uint16])


@st.composite
def runs(draw: st.DrawFn) -> list[int]:
    """Rows of voxels, some of them over the ends of rows and slices."""
    rows = draw(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 25)), max_size=4))
    return [one for start, length in rows for one in range(start, min(start + length, SIZE))]


@st.composite
def painted(draw: st.DrawFn, strokes: int = 1) -> tuple[np.ndarray, list[Delta], np.ndarray]:
    """A label map, some strokes on it one after the other, and what it looks like after them."""
    dtype = draw(dtypes)
    plain = hnp.arrays(dtype, SHAPE, elements=st.just(draw(st.integers(0, 3))))  # in which strokes are runs of voxels
    start = draw(plain | hnp.arrays(dtype, SHAPE, elements=st.integers(0, np.iinfo(dtype).max)))
    labels, deltas = start.copy(), []
    for _ in range(strokes):
        where = draw(st.lists(st.integers(0, SIZE - 1), max_size=25) | runs())
        label = draw(st.integers(0, np.iinfo(dtype).max))
        deltas.append(change(labels, np.array(where, np.int64), label))
        labels.reshape(-1)[where] = label
    return start, deltas, labels


@given(painted())
def test_a_change_holds_what_differs_and_nothing_else(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    start, (delta,), labels = case
    np.testing.assert_array_equal(delta.where, np.flatnonzero(start != labels))
    np.testing.assert_array_equal(delta.before, start.reshape(-1)[delta.where])
    assert delta.before.dtype == delta.after.dtype == start.dtype


@given(painted())
def test_apply_and_its_reverse(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    start, (delta,), labels = case
    work = start.copy()
    delta.apply(work)
    np.testing.assert_array_equal(work, labels)
    delta.reversed.apply(work)
    np.testing.assert_array_equal(work, start)


@given(painted())
def test_apply_writes_into_a_map_of_any_memory_layout(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    start, (delta,), labels = case
    for work in (np.asfortranarray(start), np.repeat(start, 2, axis=2)[:, :, ::2]):
        delta.apply(work)
        np.testing.assert_array_equal(work, labels)


@given(painted())
def test_the_box_is_tight(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    start, (delta,), labels = case
    box = delta.apply(start.copy())
    changed = start != labels
    outside = changed.copy()
    outside[box] = False
    assert not outside.any()
    if changed.any():
        for axis in range(3):
            inside = np.moveaxis(changed[box], axis, 0)
            assert inside[0].any()
            assert inside[-1].any()
    else:
        assert start[box].size == 0


@given(painted(strokes=4))
def test_merged_strokes_do_what_they_did_one_by_one(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    start, deltas, labels = case
    delta = merge(deltas)
    work = start.copy()
    delta.apply(work)
    np.testing.assert_array_equal(work, labels)
    np.testing.assert_array_equal(delta.where, np.flatnonzero(start != labels))
    delta.reversed.apply(work)
    np.testing.assert_array_equal(work, start)


@given(painted())
def test_a_record_reads_back_identical(case: tuple[np.ndarray, list[Delta], np.ndarray]) -> None:
    delta = case[1][0]
    again = Delta.from_bytes(delta.to_bytes())
    for name in ("where", "before", "after"):
        mine, theirs = getattr(delta, name), getattr(again, name)
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize("where", [[0, 7, 5_000_000_000], range(5_000_000_000, 5_000_000_003)])
def test_a_record_holds_places_beyond_32_bits(where: Sequence[int]) -> None:
    delta = Delta(np.array(where, np.int64), np.array([0, 1, 2], np.uint8), np.array([1, 2, 3], np.uint8))
    np.testing.assert_array_equal(Delta.from_bytes(delta.to_bytes()).where, where)


def test_a_large_structure_has_a_small_record() -> None:
    labels = np.zeros((20, 60, 60), np.uint8)
    ball = sum((axis - 30 * (n > 0) - 10 * (n == 0)) ** 2 for n, axis in enumerate(np.ogrid[:20, :60, :60])) < 90
    delta = change(labels, np.flatnonzero(ball), 1)
    assert delta.where.size > 3000
    assert len(delta.to_bytes()) < delta.where.size / 4
    np.testing.assert_array_equal(Delta.from_bytes(delta.to_bytes()).where, delta.where)


def test_a_record_of_the_first_version_is_read() -> None:
    """Journals that an older medviewer left behind come back: gaps between voxels, and the labels of each."""
    body = np.array([5, 1, 1, 1, 10], "<i8").tobytes() + bytes([0, 0, 1, 1, 0]) + bytes([2] * 5)
    record = struct.pack("<4sBBQ", b"MVS1", 1, 1, 5) + zlib.compress(body)
    delta = Delta.from_bytes(record)
    assert delta.where.tolist() == [5, 6, 7, 8, 18]
    assert (delta.before.tolist(), delta.after.tolist()) == ([0, 0, 1, 1, 0], [2] * 5)


@given(painted(), st.data())
def test_a_cut_record_is_refused(case: tuple[np.ndarray, list[Delta], np.ndarray], data: st.DataObject) -> None:
    record = case[1][0].to_bytes()
    cut = data.draw(st.integers(0, len(record) - 1))
    with pytest.raises(ValueError, match="stroke record"):
        Delta.from_bytes(record[:cut])


@given(painted(), st.data())
def test_a_damaged_record_is_refused_or_means_the_same(
    case: tuple[np.ndarray, list[Delta], np.ndarray], data: st.DataObject
) -> None:
    delta = case[1][0]
    record = bytearray(delta.to_bytes())
    record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    again = None
    with contextlib.suppress(ValueError):
        again = Delta.from_bytes(bytes(record))
    if again is not None:
        np.testing.assert_array_equal(again.where, delta.where)
        np.testing.assert_array_equal(again.after, delta.after)


def test_other_files_are_refused() -> None:
    for text in (b"", b"MVS1", b"PK\x03\x04" + bytes(40)):
        with pytest.raises(ValueError, match="stroke record"):
            Delta.from_bytes(text)


@given(st.lists(st.integers(0, 2**62), max_size=40))
def test_indices_are_put_in_order_and_are_there_once(where: list[int]) -> None:
    got = ascending(np.array(where, np.int64))
    assert got.tolist() == sorted(set(where))
    assert ascending(got) is got, "what is in order is not gone through again"
