"""The tour: offered once, never in the way, and going on as things are done."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer.app import settings
from medviewer.app.commands import masks, study, view
from medviewer.ui.main import Program
from medviewer.ui.widgets.callout import placed

from .conftest import SERIES, STUDY, ramp


def remembered(program: Program) -> bool:
    return settings.load(program.services.archive.home).toured


def test_it_is_offered_once_beside_the_demo_and_takes_no_focus(program: Program, qtbot: QtBot) -> None:
    tour, window = program.window.tour, program.window
    assert (tour.running, remembered(program)) == (True, False)
    assert tour.callout.isVisible()
    assert tour.callout.title.text() == "New here?"
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    QTest.keyClick(window.grid, Qt.Key.Key_Escape)
    assert (tour.running, tour.callout.isVisible(), remembered(program)) == (False, False, True)
    tour.offer()
    assert not tour.running, "it is not offered again"
    window.commands["help.tour"].trigger()
    assert tour.running
    assert tour.callout.count.text() == "Step 1 of 3"


def test_who_opens_something_is_left_alone(opened: Program) -> None:
    opened.window.tour.look()
    assert not opened.window.tour.running
    assert remembered(opened)


def test_each_step_goes_on_when_it_was_done(program: Program, qtbot: QtBot) -> None:
    tour, services, session = program.window.tour, program.services, program.services.session
    tour.start()
    session.studies = (STUDY,)
    study.present(session, SERIES, ramp())
    session.study = STUDY
    qtbot.waitUntil(lambda: tour.callout.count.text() == "Step 2 of 3")

    view.scroll(services, program.window.grid.controller.planes[0], 1)
    tour.look()
    assert [line.done for line in tour.callout.note.lines] == [True, False, False]
    view.drag_window(services, 0.1, 0.1)
    session.view.cursor = (session.view.cursor[0] - 1, *session.view.cursor[1:])
    tour.look()
    assert [line.done for line in tour.callout.note.lines] == [True, True, False], "what was done stays done"
    tour.next()

    assert tour.callout.count.text() == "Step 3 of 3"
    session.mode = "correct"
    store = masks.new(services)
    store.paint(np.array([4, 5]), 1)
    tour.look()
    assert [line.done for line in tour.callout.note.lines] == [True, True, False, False]
    session.queue_revision += 1
    session.mode = "review"
    tour.look()
    assert tour.callout.title.text() == "That was the tour"
    assert [button.text() for button in tour.callout.buttons] == ["Close"]
    tour.callout.buttons[0].click()
    assert not tour.running


def test_a_note_points_at_a_widget_that_is_seen(opened: Program, qtbot: QtBot) -> None:
    tour, window = opened.window.tour, opened.window
    tour.start()
    qtbot.waitUntil(lambda: tour.callout.count.text() == "Step 2 of 3")
    tour.look()
    viewport = window.grid.slices[0]
    ring = tour.callout._ring.geometry()
    assert ring.contains(QRect(viewport.mapTo(window, viewport.rect().topLeft()), viewport.size()).center())
    tour.end()


def test_it_stands_where_the_window_is_as_it_is(program: Program, qtbot: QtBot) -> None:
    tour, window = program.window.tour, program.window
    for size in ((1280, 800), (900, 600), (1600, 950)):
        window.resize(*size)
        qtbot.waitUntil(lambda size=size: window.size() == QSize(*size))
        tour.look()
        assert window.rect().contains(tour.callout.geometry())


@pytest.mark.parametrize(
    ("target", "beside"),
    [
        (QRect(10, 300, 100, 30), "right"),
        (QRect(1100, 300, 80, 60), "left"),
        (QRect(0, 0, 600, 40), "below"),
        (QRect(100, 760, 900, 30), "above"),
    ],
)
def test_a_note_lies_beside_what_it_points_at(target: QRect, beside: str) -> None:
    room, size = QRect(0, 0, 1200, 800), QSize(300, 160)
    place, tip = placed(size, target, room)
    box = QRect(place, size)
    assert room.contains(box)
    assert tip is not None
    assert not box.intersects(target)
    assert {
        "right": box.left() > target.right(),
        "left": box.right() < target.left(),
        "below": box.top() > target.bottom(),
        "above": box.bottom() < target.top(),
    }[beside]


def test_a_note_with_no_room_beside_lies_over_it() -> None:
    place, tip = placed(QSize(300, 160), QRect(0, 0, 1200, 800), QRect(0, 0, 1200, 800))
    assert tip is None
    assert QRect(0, 0, 1200, 800).contains(QRect(place, QSize(300, 160)))
