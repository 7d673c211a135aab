"""The lens, true size, pixel for pixel, and turned pictures on the screen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from medviewer.app.commands import looks, panes
from medviewer.domain.image import Window
from medviewer.ui.main import Program
from medviewer.ui.viewport.slice_view import SliceView


@pytest.fixture
def opened(opened_again: Program) -> Program:
    """One window serves all of these tests."""
    return opened_again


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def hover(view: SliceView, row: float, column: float) -> QPointF:
    at = view.to_pixel(row, column)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(QEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view.canvas.native, event)
    return at


def test_the_lens_shows_the_pixels_under_the_pointer_in_their_grey(opened: Program) -> None:
    session = opened.services.session
    session.view.cursor = (10, 15, 20)  # the values are 0 to 29, one a row
    session.view.window = Window(15, 30)
    view = opened.window.grid.slices[0]
    settle(opened)
    assert view.overlay.state.lens is None
    opened.window.commands["image.magnifier"].trigger()
    settle(opened)
    for inverted in (False, True):
        session.view.inverted = inverted
        settle(opened)
        at = hover(view, 12, 18)
        lens = view.overlay.state.lens
        assert lens is not None
        zoom = lens.place.width() / lens.picture.width()  # columns are 1 mm apart
        assert zoom == pytest.approx(2.5 * view.canvas.camera.zoom)
        assert lens.place.height() / lens.picture.height() == pytest.approx(1.5 * zoom)
        row = int((at.y() - lens.place.top()) / (1.5 * zoom))
        grey = 255 * (1 - 12 / 30 if inverted else 12 / 30)
        assert lens.picture.pixelColor(2, row).red() == pytest.approx(grey, abs=1)
    looks.set_colours(opened.services, "hot-iron")
    settle(opened)
    hover(view, 12, 18)
    middle = view.overlay.state.lens.picture.pixelColor(2, row)
    assert middle.red() > middle.blue()
    hover(view, -4, 18)
    assert view.overlay.state.lens is None, "beside the picture there is nothing to enlarge"
    hover(view, 12, 18)
    opened.window.commands["image.magnifier"].trigger()
    settle(opened)
    assert view.overlay.state.lens is None


def test_true_size_goes_by_the_screen_and_says_when_it_cannot(opened: Program) -> None:
    session, view = opened.services.session, opened.window.grid.slices[0]
    opened.window.commands["image.true_size"].trigger()
    screen = view.screen()
    assert view.canvas.camera.zoom == pytest.approx(screen.size().width() / screen.physicalSize().width(), rel=0.02)
    opened.window.commands["image.pixel_size"].trigger()
    assert view.canvas.camera.zoom * view.devicePixelRatioF() == pytest.approx(1), "columns are 1 mm apart, rows 1.5"
    session.image = replace(session.image, calibrated=False)
    settle(opened)
    session.message = None
    opened.window.commands["image.true_size"].trigger()
    assert "does not give" in session.message.text
    opened.window.commands["view.fit"].trigger()
    assert view.canvas.camera.zoom != pytest.approx(1)


def test_a_screen_that_does_not_know_its_size_is_said(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    session, view = opened.services.session, opened.window.grid.slices[0]

    class Nameless:
        def physicalDotsPerInch(self) -> float:
            return 0.0

    monkeypatch.setattr(view, "screen", Nameless, raising=False)
    session.message = None
    opened.window.commands["image.true_size"].trigger()
    assert "how large the screen is" in session.message.text


@pytest.mark.parametrize("step", ["flip", "upend", "rotate"])
def test_a_turned_slice_is_drawn_turned_and_fitted(opened: Program, step: str) -> None:
    session, view = opened.services.session, opened.window.grid.slices[0]
    session.view.cursor = (10, 15, 20)
    before = np.array(view.picture.image.data)
    panes.turn(session, step)
    settle(opened)
    turned = {"flip": np.fliplr, "upend": np.flipud, "rotate": lambda shown: np.rot90(shown, -1)}[step](before)
    np.testing.assert_array_equal(view.picture.image.data, turned)
    rows, columns = turned.shape
    first, last = view.to_pixel(0, 0), view.to_pixel(rows - 1, columns - 1)
    size = view.canvas.native.size()
    assert min(first.x(), first.y()) >= 0
    assert last.x() <= size.width()
    assert last.y() <= size.height()
    assert max((last.x() - first.x()) / size.width(), (last.y() - first.y()) / size.height()) > 0.8
