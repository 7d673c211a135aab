"""Right clicks in the real window: a menu where there was no drag, made of actions, with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import looks, masks, measuring, panes, planes, study, view
from medviewer.app.state import Companion
from medviewer.domain.measure.measurement import Measurement
from medviewer.ui.main import Program

from .conftest import SERIES, STUDY, ramp


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One window for all of these tests: they are many, and each of them is short."""
    made = Program(home=tmp_path_factory.mktemp("home"))
    made.window.tour.end()
    study.present(made.services.session, SERIES, ramp())
    made.window.grid.settle()
    made.app.processEvents()  # what napari makes with the first picture stays as long as the window
    yield made
    made.close()


@pytest.fixture
def opened(window: Program, qtbot: QtBot) -> Iterator[Program]:
    """The ramp is open as if it were for the first time; menus are closed in the end."""
    qtbot.waitExposed(window.window)
    session = window.services.session
    session.studies, session.study = (STUDY,), STUDY
    session.mode, session.view.tool, session.hidden_labels = "read", "crosshair", frozenset()
    masks.keep(window.services)  # closes its journal
    study.present(session, SERIES, ramp())
    panes.arrange(session, "mpr")
    session.view.panes = session.view.arranged.panes
    for m in session.measurements:
        measuring.remove(window.services, m.uid)
    window.window.grid.settle()
    yield window
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()
    for section in window.window.panels.values():
        section.expanded = True


def right_click(qtbot: QtBot, widget: QWidget, place: QPoint) -> QMenu:
    QTest.mouseClick(widget, Qt.MouseButton.RightButton, pos=place)
    return opened_menu(qtbot)


def opened_menu(qtbot: QtBot) -> QMenu:
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def ask_menu(qtbot: QtBot, widget: QWidget, place: QPoint) -> QMenu:
    """What the system sends for a right click on a plain widget."""
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, widget.mapToGlobal(place))
    QApplication.sendEvent(widget, event)
    return opened_menu(qtbot)


def entry(menu: QMenu, start: str) -> object:
    return next(one for one in menu.actions() if one.text().replace("&", "").startswith(start))


def choose(menu: QMenu, *path: str) -> None:
    for part in path[:-1]:
        below = entry(menu, part).menu()
        assert isinstance(below, QMenu)
        menu = below
    entry(menu, path[-1]).trigger()


def texts(menu: QMenu) -> list[str]:
    return [one.text().replace("&", "") for one in menu.actions() if not one.isSeparator()]


def test_a_click_opens_the_menu_and_a_drag_changes_the_window(opened: Program, qtbot: QtBot) -> None:
    native, state = opened.window.grid.slices[1].canvas.native, opened.services.session.view
    before = state.window
    menu = right_click(qtbot, native, QPoint(60, 60))
    assert state.active == 1
    assert state.window == before, "a click changes nothing"
    menu.close()
    QTest.mousePress(native, Qt.MouseButton.RightButton, pos=QPoint(60, 60))
    QTest.mouseMove(native, QPoint(62, 61))
    assert state.window == before, "a hand trembles"
    QTest.mouseMove(native, QPoint(90, 70))
    QTest.mouseRelease(native, Qt.MouseButton.RightButton, pos=QPoint(90, 70))
    assert state.window != before
    assert QApplication.activePopupWidget() is None


def test_the_menu_of_a_viewport_does_what_its_actions_do(opened: Program, qtbot: QtBot) -> None:
    session = opened.services.session
    native = opened.window.grid.slices[0].canvas.native
    choose(right_click(qtbot, native, QPoint(60, 60)), "Measure", "Length")
    assert session.view.tool == "length"
    QApplication.activePopupWidget().close()
    choose(right_click(qtbot, native, QPoint(60, 60)), "Shows", "Coronal")
    assert session.view.hung[0].kind == "coronal"
    QApplication.activePopupWidget().close()
    choose(right_click(qtbot, native, QPoint(60, 60)), "Layout", "One viewport")
    assert session.view.layout == "single"
    QApplication.activePopupWidget().close()
    menu = right_click(qtbot, native, QPoint(60, 60))
    turned = entry(entry(menu, "Flip").menu(), "Turn back")
    assert not turned.isEnabled()
    assert turned.text().endswith("\tnothing is turned"), "what is not possible says why"


def test_the_value_under_the_pointer_is_copied_and_the_crosshair_goes_there(opened: Program, qtbot: QtBot) -> None:
    slices, session = opened.window.grid.slices[0], opened.services.session
    place = slices.to_pixel(7, 31).toPoint()
    menu = right_click(qtbot, slices.canvas.native, place)
    choose(menu, "Copy")
    z = session.view.cursor[0]
    assert QGuiApplication.clipboard().text().endswith(f"HU {100 * z + 7 - 1000}")
    choose(menu, "Crosshair here")
    assert session.view.cursor == (z, 7, 31)


def test_reset_shows_a_viewport_as_it_opened(opened: Program, qtbot: QtBot) -> None:
    session, slices = opened.services.session, opened.window.grid.slices[0]
    first = session.view.window
    for command in ("image.flip", "image.invert", "image.next_colours"):
        opened.window.commands[command].trigger()
    view.drag_window(opened.services, 0.2, 0.1)
    slices.look_at(3, 3, 9.0)
    choose(right_click(qtbot, slices.canvas.native, QPoint(60, 60)), "Reset viewport")
    state = session.view
    assert (state.window, state.inverted, state.colours, slices.fitted) == (first, False, "gray", True)
    assert not any(pane.turn.text for pane in state.hung)


def test_the_key_of_the_menu_opens_that_of_the_active_viewport(opened: Program, qtbot: QtBot) -> None:
    grid = opened.window.grid
    place = QPoint(5, 5)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, grid.mapToGlobal(place))
    QApplication.sendEvent(grid, event)
    assert "Layout" in texts(opened_menu(qtbot))


def length(opened: Program) -> Measurement:
    session = opened.services.session
    assert session.image is not None
    z = session.view.cursor[0]
    ends = [tuple(session.image.grid.index_to_world((z, 10, x)).tolist()) for x in (8, 28)]
    made = Measurement("", "length", (ends[0], ends[1]), (0.0, 0.0, 1.0), SERIES.uid)
    return measuring.add(opened.services, made)


def test_the_menu_of_a_measurement(opened: Program, qtbot: QtBot) -> None:
    session, slices = opened.services.session, opened.window.grid.slices[0]
    m = length(opened)
    session.chosen_measurement = ""
    opened.window.grid.settle()
    menu = right_click(qtbot, slices.canvas.native, slices.to_pixel(10, 18).toPoint())
    assert session.chosen_measurement == m.uid
    choose(menu, "Copy value")
    assert QGuiApplication.clipboard().text() == "Length, 20.0 mm"
    choose(menu, "Target lesion")
    assert session.measurements[0].target
    menu.close()
    opened.window.grid.settle()
    menu = right_click(qtbot, slices.canvas.native, slices.to_pixel(10, 18).toPoint())
    assert entry(menu, "Target lesion").isChecked()
    choose(menu, "Delete")
    assert session.measurements == ()


def test_the_menu_of_the_list_of_measurements_is_about_its_row(opened: Program, qtbot: QtBot) -> None:
    session = opened.services.session
    first, second = length(opened), length(opened)
    table = opened.window.panel_area.measures.table
    menu = ask_menu(qtbot, table.viewport(), QPoint(20, table.rowViewportPosition(0) + 4))
    assert session.chosen_measurement == first.uid
    choose(menu, "Delete")
    assert [m.uid for m in session.measurements] == [second.uid]


def test_a_text_is_dragged_away_and_brought_back(opened: Program, qtbot: QtBot) -> None:
    session, slices = opened.services.session, opened.window.grid.slices[0]
    m = length(opened)
    opened.window.grid.settle()
    box = slices.overlay.text_boxes()[0]
    start = box.center().toPoint()
    native, end = slices.canvas.native, box.center().toPoint() + QPoint(-40, 60)
    QTest.mouseMove(native, start)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(native, start + QPoint(-20, 30))
    QTest.mouseMove(native, end)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=end)
    opened.window.grid.settle()
    kept = session.measurements[0]
    assert (kept.points, kept.text_at is None) == (m.points, False), "the text moves, not what is measured"
    moved = slices.overlay.text_boxes()[0]
    assert abs(moved.center().x() - box.center().x() + 40) < 2
    assert abs(moved.center().y() - box.center().y() - 60) < 2
    again = opened.services.archive.measurements.of_studies([session.study.uid])[0].measurement
    assert again == kept, "it stands there at the next start"
    opened.window.update_context()
    opened.window.commands["measure.text_home"].trigger()
    assert session.measurements[0].text_at is None
    opened.window.update_context()
    opened.window.commands["edit.undo"].trigger()
    assert session.measurements[0] == kept


def test_the_menu_of_a_segment(opened: Program, qtbot: QtBot) -> None:
    services, session = opened.services, opened.services.session
    store = masks.new(services)
    view.add_segment(services, "Lesion")
    labels = np.zeros(store.labels.shape, bool)
    labels[4, 10:14, 20:26] = labels[5, 12:14, 20:22] = True
    store.paint(np.flatnonzero(labels), 2)
    session.active_label = 1
    table = opened.window.panel_area.segments.table
    menu = ask_menu(qtbot, table.viewport(), QPoint(80, table.rowViewportPosition(1) + 4))
    assert session.active_label == 2
    choose(menu, "Show only this segment")
    assert session.hidden_labels == {1}
    choose(menu, "Go to segment")
    qtbot.waitUntil(lambda: session.view.cursor[0] == 4)
    assert store.labels[session.view.cursor] == 2
    menu.close()
    menu = ask_menu(qtbot, table.viewport(), QPoint(80, table.rowViewportPosition(1) + 4))
    choose(menu, "Show all segments")
    assert session.hidden_labels == frozenset()


def test_panels_fold_from_their_heads(opened: Program, qtbot: QtBot) -> None:
    sections = opened.window.panels
    bar = next(one for one in sections["segments"].children() if isinstance(one, QWidget) and one.property("section"))
    choose(ask_menu(qtbot, bar, QPoint(5, 5)), "Fold all others")
    assert [name for name, one in sections.items() if one.expanded and not one.isHidden()] == ["segments"]


def test_the_tool_bar_offers_modes_and_never_to_go_away(opened: Program, qtbot: QtBot) -> None:
    menu = ask_menu(qtbot, opened.window.tools, QPoint(3, 3))
    assert [text.partition("\t")[0] for text in texts(menu)][:2] == ["Mode: Read", "Mode: Correct"]
    assert "Tools" not in texts(menu)
    choose(menu, "Mode: Correct")
    assert opened.services.session.mode == "correct"


def test_a_measurement_of_another_series_is_copied_as_it_was_kept(opened: Program) -> None:
    m = length(opened)
    session = opened.services.session
    session.series = replace(SERIES, uid="1.2.826.0.1.99")
    opened.window.update_context()
    session.chosen_measurement = m.uid
    opened.window.commands["measure.copy"].trigger()
    assert QGuiApplication.clipboard().text() == "Length, 20.0 mm"


def test_what_is_in_pixels_says_so(opened: Program) -> None:
    length(opened)
    panel, session = opened.window.panel_area.measures, opened.services.session
    assert not panel.uncalibrated.isVisibleTo(panel)
    assert session.image is not None
    session.image = replace(session.image, calibrated=False)
    assert panel.uncalibrated.isVisibleTo(panel)
    assert "in pixels and not in mm" in panel.uncalibrated.text()


def test_colours_and_slab_say_that_they_are_of_every_viewport(opened: Program) -> None:
    session = opened.services.session
    image = ramp()
    beside = Companion(replace(SERIES, uid="1.2.826.0.1.98"), STUDY, image, image.windows[0])
    session.message, session.companions = None, (beside,)
    looks.set_colours(opened.services, "viridis")
    assert session.message is not None
    assert "every viewport" in session.message.text
    session.message = None
    planes.set_slab(opened.services, "mip")
    assert session.message is not None
    assert "every viewport" in session.message.text
    planes.set_slab(opened.services, "none")
    session.companions = ()
