"""Slabs in the real window: what is drawn, and the controls of the tool bar."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks
from medviewer.app.ports.display import Display
from medviewer.domain.image import Rescale
from medviewer.domain.slab import WHOLE_MM, slab_slices
from medviewer.ui.main import Program
from medviewer.ui.viewport import slabs
from medviewer.ui.widgets.slab_box import SlabBox

from .conftest import GRID

REDUCE = {"mip": np.max, "minip": np.min, "mean": np.mean}


@pytest.fixture
def opened(opened_again: Program) -> Program:
    """One window serves all of these tests."""
    return opened_again


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def expected(program: Program, number: int) -> np.ndarray:
    """The real values of a viewport's slab, the long way round."""
    session = program.services.session
    plane = program.window.grid.plane(number)
    slices = slab_slices(session.view.cursor[plane.axis], plane.count, GRID.spacing[plane.axis], session.view.slab_mm)
    real = np.moveaxis(session.image.real(), plane.axis, 0)[slices].astype(float)
    return plane.turn(REDUCE[session.view.slab_mode](real, axis=0))


def test_every_plane_shows_its_slab_at_every_step(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    random = np.random.default_rng(1).integers(-500, 500, GRID.shape).astype(np.int16)
    session.image = replace(session.image, voxels=random, rescale=Rescale(-2.0, 7.0, "HU"))
    for mode in REDUCE:
        session.view.slab_mode, session.view.slab_mm = mode, 9.0
        for cursor in (
            (5, 7, 9),
            (6, 8, 10),
            (7, 9, 11),
            (7, 9, 9),
            (0, 0, 0),
            (19, 29, 39),
            (10, 15, 22),
            (10, 15, 21),
        ):
            session.view.cursor = cursor
            settle(opened)
            for number, slice_view in enumerate(grid.slices):
                np.testing.assert_allclose(slice_view.picture.image.data, expected(opened, number), atol=0.01)
        session.view.slab_mm = 4.0
        settle(opened)
        for number, slice_view in enumerate(grid.slices):
            np.testing.assert_allclose(slice_view.picture.image.data, expected(opened, number), atol=0.01)
        session.view.slab_mode = "none"
        settle(opened)
        real = session.image.real()
        for number, slice_view in enumerate(grid.slices):
            plane = grid.plane(number)
            np.testing.assert_array_equal(
                slice_view.picture.image.data, plane.take(real, session.view.cursor[plane.axis])
            )


def test_padding_stays_background_and_the_mask_is_of_the_middle_slice(opened: Program) -> None:
    session, grid = opened.services.session, opened.window.grid
    voxels = session.image.voxels.copy()
    voxels[:, :4] = 30000
    voxels[5, 10, 10] = 30000
    session.image = replace(session.image, voxels=voxels, padding=(30000, 30000))
    store = masks.new(opened.services)
    store.paint(np.array([np.ravel_multi_index((6, 20, 20), GRID.shape)]), 1)
    session.view.slab_mode, session.view.slab_mm = "mip", 9.0
    session.view.cursor = (5, 15, 15)
    settle(opened)
    drawn, plane = grid.slices[0].picture.image.data, grid.plane(0)
    row, column = (int(v) for v in plane.to_screen((5, 10, 10)))
    assert drawn[row, column] == 100 * 6 + 10 - 1000, "of three slices, one is padding there"
    row, column = (int(v) for v in plane.to_screen((5, 2, 10)))
    assert drawn[row, column] == grid.slices[0].shown.padding.value
    assert drawn.max() < 29000
    assert not grid.slices[0].picture.mask.data.any()
    session.view.cursor = (6, 15, 15)
    settle(opened)
    assert grid.slices[0].picture.mask.data.any()


def test_the_tool_bar_has_mode_and_thickness(opened: Program) -> None:
    view = opened.services.session.view
    box = opened.window.findChild(SlabBox)
    assert (box.mode.currentText(), box.thickness.isEnabled()) == ("No slab", False)
    opened.window.commands["view.slab_next"].trigger()
    settle(opened)
    assert (box.mode.currentText(), box.thickness.isEnabled()) == ("MIP", True)
    assert opened.window.commands["view.slab_mip"].isChecked()
    box.thickness.setValue(15.0)
    box.mode.setCurrentIndex(3)
    box.mode.activated.emit(3)
    assert (view.slab_mode, view.slab_mm) == ("mean", 15.0)
    opened.window.commands["view.slab_thicker"].trigger()
    assert box.thickness.value() == pytest.approx(18.8)
    opened.window.commands["file.close"].trigger()
    settle(opened)
    assert not box.mode.isEnabled()


def test_the_last_value_of_the_field_is_the_whole_volume(opened: Program) -> None:
    session, view = opened.services.session, opened.services.session.view
    box = opened.window.findChild(SlabBox)
    opened.window.commands["view.slab_mip"].trigger()
    box.thickness.setValue(195.0)
    seen = []
    for steps in (1, 1, 1, -1):
        box.thickness.stepBy(steps)
        seen.append((view.slab_mm, box.thickness.text()))
    assert seen == [(200, "200.0 mm"), (WHOLE_MM, "Whole volume"), (WHOLE_MM, "Whole volume"), (200, "200.0 mm")]
    box.thickness.lineEdit().setText("whole volume")
    box.thickness.interpretText()
    assert (view.slab_mm, box.thickness.text()) == (WHOLE_MM, "Whole volume")
    for cursor in ((0, 0, 0), (10, 15, 20)):
        view.cursor = cursor
        settle(opened)
        for number, axis in ((0, 0), (1, 2), (2, 1)):
            shown = opened.window.grid.slices[number]
            highest = shown.shown.plane.turn(session.image.voxels.max(axis=axis))
            slope, intercept = shown.shown.slope, shown.shown.intercept
            np.testing.assert_allclose(shown.picture.image.data, highest * slope + intercept)
    box.thickness.setValue(15.0)
    assert (view.slab_mm, box.thickness.text()) == (15, "15.0 mm")


def test_the_slab_through_a_large_volume_is_worked_out_while_the_window_answers(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, grid = opened.services.session, opened.window.grid
    view, first, go, threads = session.view, grid.slices[0], threading.Event(), []
    really = slabs.reduced

    def gated(display: Display, ring: slabs.Ring | None = None) -> slabs.Reduced:
        threads.append(threading.get_ident())
        assert go.wait(60)
        return really(display, ring)

    def highest(number: int, axis: int) -> np.ndarray:
        shown = grid.slices[number].shown
        return shown.plane.turn(session.image.real().max(axis=axis))

    monkeypatch.setattr(slabs, "LONG", 0)
    monkeypatch.setattr(slabs, "reduced", gated)
    view.cursor = (5, 15, 15)
    settle(opened)
    single = first.picture.image.data.copy()
    view.slab_mode, view.slab_mm = "mip", WHOLE_MM
    settle(opened)
    assert first.shown.slab is None
    np.testing.assert_array_equal(first.picture.image.data, single)
    session.image = replace(session.image)  # another picture: nothing of the slab can stay
    settle(opened)
    assert "MIP, whole volume …" in first.shown.corners.top_right.split("\n"), "it is not there yet"
    view.cursor = (9, 15, 15)  # while it is worked out
    settle(opened)
    go.set()
    qtbot.waitUntil(lambda: all(one.shown.slab is not None for one in grid.slices))
    for number, axis in ((0, 0), (1, 2), (2, 1)):
        np.testing.assert_allclose(grid.slices[number].picture.image.data, highest(number, axis))
    assert first.shown.k == 9
    assert "MIP, whole volume" in first.shown.corners.top_right.split("\n")
    assert threading.get_ident() not in threads
    made = len(threads)
    assert made == 3
    view.cursor = (3, 4, 5)  # the same slab
    settle(opened)
    assert (first.shown.k, len(threads)) == (3, made)

    go.clear()
    session.image = replace(session.image, voxels=session.image.voxels[::-1].copy() + 7)
    qtbot.waitUntil(lambda: len(threads) > made)
    view.slab_mode = "none"  # nobody wants it any more
    settle(opened)
    go.set()
    while opened.services.runner.jobs:
        opened.services.runner.wait(opened.services.runner.jobs[0])
    settle(opened)
    assert first.shown.slab is None
    view.slab_mode = "mip"
    grid.settle()  # for a picture: at once
    np.testing.assert_allclose(first.picture.image.data, highest(0, 0))


def test_single_slices_stand_for_a_thick_slab_that_moves_and_one_is_worked_out_at_a_time(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, grid = opened.services.session, opened.window.grid
    view, sagittal = session.view, grid.slices[1]
    begun, turns, places, really = [], threading.Semaphore(0), [], slabs.reduced
    assert grid.plane(1).axis == 2, "its slices are spread over memory"

    def gated(display: Display, ring: slabs.Ring | None = None) -> slabs.Reduced:
        if display.plane.axis == 2:
            begun.append(threading.get_ident())
            places.append(display.k)
            assert turns.acquire(timeout=60)
        return really(display, ring)

    rows, columns = GRID.shape[0], GRID.shape[1]
    view.cursor = (5, 15, 20)
    settle(opened)
    monkeypatch.setattr(slabs, "reduced", gated)
    monkeypatch.setattr(slabs, "LONG", 8 * slabs._SPREAD * rows * columns)  # eight new slices are too many
    view.slab_mode, view.slab_mm = "mip", 12.0
    qtbot.waitUntil(lambda: places == [20])
    assert grid.slices[0].shown.slab is not None, "the others were not waited for"
    for x in (24, 28, 32):
        view.cursor = (5, 15, x)
        view.inverted = x == 28
        settle(opened)
        assert places == [20], "one at a time"
        assert (sagittal.shown.k, sagittal.shown.slab) == (x, None), "what is seen is where the crosshair is"
        assert "MIP 12.0 mm …" in sagittal.shown.corners.top_right.split("\n")
        single = grid.plane(1).take(session.image.real(), x)
        np.testing.assert_allclose(sagittal.picture.image.data, single)
    turns.release()
    qtbot.waitUntil(lambda: places == [20, 32])
    assert (sagittal.shown.k, sagittal.shown.slab) == (32, None), "nothing goes back to where it was"
    turns.release()
    qtbot.waitUntil(lambda: sagittal.shown.slab is not None)
    assert sagittal.shown.k == 32
    np.testing.assert_allclose(sagittal.picture.image.data, expected(opened, 1))
    assert threading.get_ident() not in begun
    for _ in range(3):
        turns.release()
    for x in (33, 35, 34):  # from here on a step gathers no more than what is new
        view.cursor = (5, 15, x)
        settle(opened)
        assert sagittal.shown.k == x
        np.testing.assert_allclose(sagittal.picture.image.data, expected(opened, 1))
    assert set(begun[2:]) == {threading.get_ident()}


def test_a_slab_that_cannot_be_worked_out_is_tried_once_until_another_was_wanted(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, first, really = opened.services.session, opened.window.grid.slices[0], slabs.reduced
    tried: list[str] = []
    fails = True

    def failing(display: Display, ring: slabs.Ring | None = None) -> slabs.Reduced:
        if fails:
            tried.append(display.plane.name)
            raise MemoryError(f"no room for {display.plane.shape}, {len(tried)}")  # another text each time
        return really(display, ring)

    monkeypatch.setattr(slabs, "LONG", 0)
    monkeypatch.setattr(slabs, "reduced", failing)
    session.view.slab_mode, session.view.slab_mm = "mip", WHOLE_MM
    qtbot.waitUntil(lambda: len(tried) == 3)
    for k in range(6):
        session.view.cursor = (k, 4, 5)
        while opened.services.runner.jobs:
            opened.services.runner.wait(opened.services.runner.jobs[0])
        settle(opened)
    assert sorted(tried) == ["Axial", "Coronal", "Sagittal"]
    assert session.message.level == "error"
    assert (first.shown.k, first.shown.slab) == (5, None)
    fails = False
    session.view.slab_mode = "mean"
    qtbot.waitUntil(lambda: first.shown.slab is not None)


def test_a_film_with_thick_slabs_goes_on_in_single_slices(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, grid = opened.services.session, opened.window.grid
    at_once, most, go, really = [0], [0], threading.Event(), slabs.reduced
    lock = threading.Lock()

    def slow(display: Display, ring: slabs.Ring | None = None) -> slabs.Reduced:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        assert go.wait(60)
        with lock:
            at_once[0] -= 1
        return really(display, ring)

    monkeypatch.setattr(slabs, "LONG", 0)
    monkeypatch.setattr(slabs, "reduced", slow)
    session.view.slab_mode, session.view.slab_mm = "mip", 9.0
    settle(opened)
    for phase in range(5):  # each has voxels of its own
        session.image = replace(session.image, voxels=np.full(GRID.shape, phase, np.int16), rescale=Rescale())
        settle(opened)
        assert {float(one.picture.image.data.max()) for one in grid.slices} == {float(phase)}
    go.set()
    qtbot.waitUntil(lambda: all(one.shown.slab is not None for one in grid.slices))
    assert {float(one.picture.image.data.max()) for one in grid.slices} == {4.0}
    assert most[0] <= 3, "one for each viewport"


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), min_size=1, max_size=12))
def test_a_ring_holds_the_slices_that_are_wanted_however_the_slab_moves(moves: list[tuple[int, int]]) -> None:
    voxels = np.random.default_rng(2).integers(0, 1000, (3, 4, 31), np.int16)
    ring = slabs.Ring(voxels, 2)
    for start, count in moves:
        wanted = range(start, min(start + count, 31))
        rows = ring.take(wanted)
        assert ring.lacks(wanted) == 0
        got = sorted(row.tobytes() for row in rows)
        assert got == sorted(np.ascontiguousarray(voxels[:, :, k]).tobytes() for k in wanted)
