"""What is on the screen is the grey of the pipeline, and what the file draws over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PySide6.QtGui import QColor

from medviewer.domain.image import GraphicOverlay, Lut, Window
from medviewer.ui.main import Program
from medviewer.ui.theme import COLOURS

from .conftest import GRID

STEEP = np.round(255 * np.linspace(0, 1, 41) ** 3).astype(np.uint8)
"""Grey of a table over 40 values, dark for long and then steep."""


@pytest.fixture
def opened(opened_again: Program) -> Program:
    """One window serves all of these tests."""
    return opened_again


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def pixel(program: Program) -> Callable[[int, int], QColor]:
    """The colour at a row and column of the axial slice, as it is drawn."""
    settle(program)
    view = program.window.grid.slices[0]
    picture = view.canvas.native.grabFramebuffer()
    ratio = picture.width() / view.canvas.native.width()

    def at(row: int, column: int) -> QColor:
        point = view.to_pixel(row, column) * ratio
        return picture.pixelColor(point.toPoint())

    return at


WINDOWS = (
    Window(0, 30, "Linear"),
    Window(0, 21, "Threshold", "LINEAR"),
    Window(2, 8, "Soft", "SIGMOID"),
    Window(-5, 40, "Steep", lut=Lut(-25, STEEP, 8)),
    Window(-5, 40, "Falling", lut=Lut(-25, STEEP[::-1].copy(), 8)),
)


def test_a_window_is_drawn_as_its_formula_says(opened: Program) -> None:
    view = opened.services.session.view
    view.cursor = (10, 15, 20)  # this slice has the values 0 to 29, one a row
    for window, inverted in product(WINDOWS, (False, True)):
        view.window, view.inverted = window, inverted
        at = pixel(opened)
        for row in (1, 4, 9, 14, 20, 28):
            grey = float(window.apply(row))
            expected = 255 * (1 - grey if inverted else grey)
            near = [255 * abs(float(window.apply(row + step)) - grey) for step in (-0.1, 0.1)]  # where a pixel may lie
            assert at(row, 5).red() == pytest.approx(expected, abs=3 + max(near)), (window.name, inverted, row)
            assert at(row, 5).red() == at(row, 5).blue()


def test_going_back_to_a_linear_window_forgets_the_curve(opened: Program) -> None:
    session = opened.services.session
    session.view.cursor = (10, 15, 20)
    session.view.window = Window(2, 8, "Soft", "SIGMOID")
    settle(opened)
    session.view.window = Window(15, 30)
    assert pixel(opened)(15, 5).red() == pytest.approx(127, abs=3)
    assert opened.window.grid.slices[0].picture.image.colormap.name == "gray"


def test_padding_is_black_inverted_or_not(opened: Program) -> None:
    session = opened.services.session
    session.image = replace(session.image, padding=(1010, 1012))  # HU 10 to 12 of the slice with 0 to 29
    session.view.cursor = (10, 15, 20)
    session.view.window = Window(5, 4)
    for inverted in (False, True):
        session.view.inverted = inverted
        at = pixel(opened)
        assert at(11, 5).red() <= 3
        assert (at(20, 5).red() >= 252) != inverted


def test_what_the_file_draws_is_seen_until_it_is_hidden(opened: Program) -> None:
    session = opened.services.session
    drawn = np.zeros(GRID.shape[1:], bool)
    drawn[8:12, 4:12] = True
    session.image = replace(session.image, overlays=(GraphicOverlay("Text", {10: drawn}),))
    session.view.window = Window(5000, 10)  # all black
    session.view.cursor = (10, 15, 20)
    assert pixel(opened)(10, 8) == QColor(COLOURS["graphics"])
    assert pixel(opened)(20, 8) == QColor("black")
    session.view.cursor = (11, 15, 20)
    assert pixel(opened)(10, 8) == QColor("black"), "the next slice has none"
    session.view.cursor = (10, 15, 20)
    opened.window.commands["view.graphics"].trigger()
    assert pixel(opened)(10, 8) == QColor("black")
    opened.window.commands["view.graphics"].trigger()
    assert pixel(opened)(10, 8) == QColor(COLOURS["graphics"])
