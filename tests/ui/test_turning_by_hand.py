"""Large turned planes under a hand: coarse while it moves, in full when it rests, and always in the same place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, study
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.reslice import reslice
from medviewer.ui.main import Program
from medviewer.ui.viewport import turned
from medviewer.ui.viewport.slice_view import SliceView
from medviewer.ui.viewport.turned import block_of

from .conftest import SERIES, STUDY

LARGE = Grid((8, 400, 400), (2.0, 1.0, 1.0), (-200.0, -200.0, 0.0))
"""A turned plane of it has a third of a million pixels."""


def settle(program: Program) -> None:
    for _ in range(4):
        program.app.processEvents()


@pytest.fixture
def large(program: Program, qtbot: QtBot) -> Program:
    """The real window over a bright ball, away from the middle, with a mask of it."""
    session = program.services.session
    z, y, x = np.ogrid[:8, :400, :400]
    ball = 1000 * np.exp(-((y - 150) ** 2 + (x - 230) ** 2 + (10 * (z - 4)) ** 2) / (2 * 20.0**2))
    image = Image(ball.astype(np.int16), LARGE, "CT", Rescale(1.0, 0.0, "HU"), (Window(500, 1000, "Wide"),))
    series = replace(SERIES, grid=LARGE)
    session.studies = (replace(STUDY, series=(series,)),)
    assert program.window.grid.slices
    study.present(session, series, image)
    qtbot.waitUntil(lambda: program.window.grid.has_picture)
    session.view.cursor = (4, 150, 230)
    masks.new(program.services).paint(np.flatnonzero(ball > 500), 1)
    settle(program)
    program.window.grid._rest.setInterval(1_000_000)  # the hand rests when the test says so
    return program


def middle_of(values: np.ndarray) -> tuple[float, float]:
    """Row and column of the centre of mass."""
    weight = values - values.min()
    rows, columns = np.indices(values.shape)
    return float((rows * weight).sum() / weight.sum()), float((columns * weight).sum() / weight.sum())


def in_blocks(values: np.ndarray) -> np.ndarray:
    """Three rows and columns each with the value in their middle."""
    return np.repeat(np.repeat(values[1::3, 1::3], 3, axis=0), 3, axis=1)


def test_a_hand_turns_coarsely_and_nothing_moves_when_it_rests(large: Program, qtbot: QtBot) -> None:
    grid, session = large.window.grid, large.services.session
    grid.turn(0, 0.3)
    settle(large)
    views = grid.slices[:3]
    assert [block_of(view.shown) for view in views] == [3, 3, 3]
    assert grid._rest.isActive()
    before = [(view.picture.image.data.copy(), view.picture.mask.data.copy()) for view in views]
    looks = [(view.looking_at, view.overlay.state.crosshair, view.overlay.state.letters) for view in views]
    grid._rest.timeout.emit()
    qtbot.waitUntil(lambda: all(block_of(view.shown) == 1 for view in views))
    settle(large)
    for view, (coarse, labels), look in zip(views, before, looks, strict=True):
        shown, full = view.shown, view.picture.image.data
        values, inside = reslice(session.image.voxels, LARGE, shown.plane.grid, shown.k)
        np.testing.assert_array_equal(full[inside], values[inside])
        assert not np.array_equal(coarse, full)
        np.testing.assert_allclose(middle_of(coarse), middle_of(full), atol=0.3)
        np.testing.assert_allclose(coarse, in_blocks(full), atol=0.01)
        np.testing.assert_array_equal(labels, in_blocks(view.picture.mask.data))
        assert labels.any()
        assert (view.looking_at, view.overlay.state.crosshair, view.overlay.state.letters) == look


def test_the_plane_that_the_others_are_turned_in_is_not_sampled_again(
    large: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = large.window.grid
    grid.turn(0, 0.3)
    grid.come_to_rest()
    qtbot.waitUntil(lambda: all(view.shown.turned and block_of(view.shown) == 1 for view in grid.slices[:3]))
    sampled: list[tuple[Any, int]] = []
    really = turned.reslice

    def noted(voxels: Any, at: Grid, lattice: Grid, k: int, block: int = 1) -> Any:
        sampled.append((lattice, block))
        return really(voxels, at, lattice, k, block)

    monkeypatch.setattr(turned, "reslice", noted)
    full = grid.slices[0].picture.image.data.copy()
    for _ in range(3):
        grid.turn(0, 0.02)
        settle(large)
    assert [block for _, block in sampled] == [3] * 6
    assert block_of(grid.slices[0].shown) == 1
    np.testing.assert_array_equal(grid.slices[0].picture.image.data, full)
    grid.come_to_rest()
    qtbot.waitUntil(lambda: all(block_of(view.shown) == 1 for view in grid.slices[:3]))
    assert [block for _, block in sampled] == [3] * 6 + [1] * 2


class Later:
    """Does what it is given when it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []

    def __call__(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.given.append((work, done))

    def finish(self, number: int) -> None:
        work, done = self.given[number]
        done(work())


def rest(program: Program, view: SliceView) -> Later:
    """The planes were turned by a hand, which rests; what follows in that viewport is done later."""
    grid, later = program.window.grid, Later()
    grid.turn(0, 0.3)
    settle(program)
    view._refining._background = later
    grid.come_to_rest()
    settle(program)
    return later


def test_what_changes_while_pixels_are_worked_out_is_followed(large: Program) -> None:
    grid, session = large.window.grid, large.services.session
    view = grid.slices[1]
    later = rest(large, view)
    assert len(later.given) == 1
    session.view.window = Window(300, 600)
    settle(large)
    assert len(later.given) == 1, "it is about the same pixels"
    assert block_of(view.shown) == 3
    assert view.shown.limits == (0, 600)
    later.finish(0)
    assert block_of(view.shown) == 1
    assert view.shown.limits == (0, 600)


def test_pixels_that_come_too_late_are_not_shown(large: Program) -> None:
    grid = large.window.grid
    view = grid.slices[1]
    later = rest(large, view)
    grid.turn(0, 0.2)
    settle(large)
    data = view.picture.image.data.copy()
    later.finish(0)
    np.testing.assert_array_equal(view.picture.image.data, data)
    assert block_of(view.shown) == 3
    grid.come_to_rest()
    settle(large)
    grid.settle()
    assert block_of(view.shown) == 1, "pictures wait for nothing"
    full = view.picture.image.data.copy()
    later.finish(1)
    np.testing.assert_array_equal(view.picture.image.data, full)
