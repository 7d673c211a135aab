"""Measuring in the real window: placed, dragged, undone, listed, and back after a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import measuring, study, view
from medviewer.app.resources import resource
from medviewer.domain.measure.measurement import CLICKS, Measurement
from medviewer.domain.measure.values import values_of
from medviewer.ui.main import Program
from medviewer.ui.viewport.overlay import OverlayState
from medviewer.ui.widgets.measure_panel import EMPTY_WITH_KEY, MeasurePanel

Spot = tuple[float, float]
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def settle(program: Program) -> None:
    for _ in range(3):
        program.app.processEvents()


def at(program: Program, spot: Spot, number: int = 0) -> QPoint:
    return program.window.grid.slices[number].to_pixel(*spot).toPoint()


def native(program: Program, number: int = 0) -> QWidget:
    widget: QWidget = program.window.grid.slices[number].canvas.native
    return widget


def press(program: Program, spot: Spot, number: int = 0) -> None:
    QTest.mousePress(native(program, number), LEFT, NONE, at(program, spot, number))


def move(program: Program, spot: Spot, number: int = 0) -> None:
    QTest.mouseMove(native(program, number), at(program, spot, number))
    settle(program)


def release(program: Program, spot: Spot, number: int = 0) -> None:
    QTest.mouseRelease(native(program, number), LEFT, NONE, at(program, spot, number))
    settle(program)


def drag(program: Program, start: Spot, end: Spot, number: int = 0) -> None:
    press(program, start, number)
    move(program, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), number)
    move(program, end, number)
    release(program, end, number)


def click(program: Program, spot: Spot, number: int = 0) -> None:
    press(program, spot, number)
    release(program, spot, number)


def drawn(program: Program, number: int = 0) -> OverlayState:
    return program.window.grid.slices[number].overlay.state


def only(program: Program) -> Measurement:
    (found,) = program.services.session.measurements
    return found


def panel(program: Program) -> MeasurePanel:
    content = program.window.panels["measure"].content
    assert isinstance(content, MeasurePanel)
    return content


def number_of(m: Measurement, program: Program, name: str) -> float:
    image = program.services.session.image
    assert image is not None
    return next(value.number for value in values_of(m, image) if value.name == name)


def test_a_length_is_dragged_or_clicked_and_stands_beside_its_line(opened: Program) -> None:
    view.choose_tool(opened.services, "length")
    press(opened, (5, 5))
    move(opened, (5, 20))
    assert [one.drafted for one in drawn(opened).measures] == [True]
    live = drawn(opened).measures[0].text
    assert live[0].endswith(" mm")
    move(opened, (5, 25))
    assert drawn(opened).measures[0].text != live, "it follows the pointer"
    release(opened, (5, 25))
    first = only(opened)
    assert number_of(first, opened, "Length") == pytest.approx(20.0, abs=0.3)  # 20 columns of 1 mm, to a pixel
    click(opened, (15, 5))
    move(opened, (20, 12))
    click(opened, (25, 20))
    second = opened.services.session.measurements[1]
    assert number_of(second, opened, "Length") == pytest.approx(np.hypot(10 * 1.5, 15), abs=0.4)
    assert [one.uid for one in drawn(opened).measures] == [first.uid, second.uid], "the chosen one is on top"
    assert all(one.text[0].endswith(" mm") for one in drawn(opened).measures)
    assert drawn(opened, 1).measures == () == drawn(opened, 2).measures, "it belongs to its plane"
    opened.services.session.view.cursor = (3, 15, 20)
    settle(opened)
    assert drawn(opened).measures == (), "and to its slice"


PLACES: dict[str, list[Spot]] = {
    "angle": [(20, 5), (5, 5), (5, 25)],
    "cobb": [(5, 5), (5, 25), (20, 5), (25, 25)],
    "bidirectional": [(5, 5), (20, 25)],
    "ellipse": [(5, 5), (20, 25)],
    "rectangle": [(5, 5), (20, 25)],
    "sphere": [(15, 20), (15, 26)],
    "arrow": [(5, 5), (20, 25)],
    "text": [(5, 5)],
    "point": [(5, 5)],
    "probe": [(5, 5)],
}


def test_every_kind_is_placed_by_clicks_and_by_drags(opened: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened.window.dialogs, "ask_text", lambda *_: "cyst")
    for kind, spots in PLACES.items():
        clicked = placed_by_clicks(opened, kind, spots)
        assert (clicked.kind, clicked.text) == (kind, "cyst" if kind in ("arrow", "text") else "")
        assert len(spots) == CLICKS[kind]
        if len(spots) > 1:
            dragged = placed_by_drags(opened, spots)
            assert dragged.kind == kind
            np.testing.assert_allclose(dragged.points, clicked.points, atol=0.05)
        assert opened.services.session.draft is None


def placed_by_clicks(opened: Program, kind: str, spots: list[Spot]) -> Measurement:
    """The measurement that clicks on these spots make; it is removed again."""
    opened.window.commands[f"tool.{kind}"].trigger()
    for spot in spots:
        move(opened, spot)
        click(opened, spot)
    return taken_away(opened)


def placed_by_drags(opened: Program, spots: list[Spot]) -> Measurement:
    """The same with drags from each spot to the next, and a click on one that is left over."""
    for start, end in zip(spots[::2], spots[1::2], strict=False):
        drag(opened, start, end)
    if len(spots) % 2:
        click(opened, spots[-1])
    return taken_away(opened)


def taken_away(opened: Program) -> Measurement:
    """The only measurement, which is removed."""
    made = only(opened)
    measuring.remove(opened.services, made.uid)
    settle(opened)
    return made


def test_a_freehand_line_follows_the_drag_and_encloses_voxels(opened: Program) -> None:
    view.choose_tool(opened.services, "freehand")
    press(opened, (5, 5))
    for spot in ((5, 15), (5, 25), (15, 25), (20, 25), (20, 15), (20, 5), (12, 5)):
        move(opened, spot)
    release(opened, (12, 5))
    m = only(opened)
    assert len(m.points) >= 7
    assert number_of(m, opened, "Area") == pytest.approx(15 * 1.5 * 20, rel=0.05)
    measuring.remove(opened.services, m.uid)
    settle(opened)
    for spot in ((5, 5), (5, 25), (20, 25)):
        click(opened, spot)
    QTest.mouseDClick(native(opened), LEFT, NONE, at(opened, (20, 25)))
    release(opened, (20, 25))
    assert number_of(only(opened), opened, "Area") == pytest.approx(15 * 1.5 * 20 / 2, rel=0.05)


def test_handles_and_the_whole_are_dragged_and_undone_in_the_order_of_what_was_done(opened: Program) -> None:
    session, services = opened.services.session, opened.services
    view.choose_tool(services, "length")
    drag(opened, (5, 5), (5, 25))
    before = only(opened)
    drag(opened, (5, 25), (5, 15))
    assert number_of(only(opened), opened, "Length") == pytest.approx(10.0, abs=0.3)
    drag(opened, (5, 10), (15, 10))
    moved = only(opened)
    assert number_of(moved, opened, "Length") == pytest.approx(10.0, abs=0.3)
    assert moved.points[0][1] == pytest.approx(before.points[0][1] + 15, abs=0.3)  # 10 rows of 1.5 mm
    view.choose_tool(services, "brush")
    drag(opened, (25, 20), (25, 30))
    assert session.mask is not None
    assert session.mask.labels.any()
    undo, redo = opened.window.commands["edit.undo"], opened.window.commands["edit.redo"]
    opened.window.update_context()
    undo.trigger()
    assert not session.mask.labels.any()
    assert only(opened) == moved, "the stroke was last"
    for _ in range(2):
        undo.trigger()
    assert only(opened) == before
    undo.trigger()
    assert session.measurements == ()
    settle(opened)
    assert not undo.isEnabled()
    for _ in range(3):
        redo.trigger()
    assert only(opened) == moved
    assert not session.mask.labels.any()
    settle(opened)
    redo.trigger()
    assert session.mask.labels.any()


def test_a_handle_is_taken_with_any_tool_that_looks_but_a_line_is_not(opened: Program) -> None:
    session = opened.services.session
    view.choose_tool(opened.services, "length")
    drag(opened, (5, 5), (5, 25))
    before = only(opened)
    view.choose_tool(opened.services, "crosshair")
    click(opened, (5, 15))
    assert session.view.cursor[1:] == (5, 15), "a click on the line is the crosshair's"
    drag(opened, (5, 25), (5, 30))
    assert session.view.cursor[1:] == (5, 15)
    assert number_of(only(opened), opened, "Length") == pytest.approx(25.0, abs=0.3)
    view.choose_tool(opened.services, "brush")
    changed = only(opened)
    drag(opened, (5, 30), (5, 20))
    assert only(opened) == changed != before, "a brush paints over it"


def test_a_new_one_begins_beside_an_old_one_without_changing_it(opened: Program) -> None:
    session = opened.services.session
    view.choose_tool(opened.services, "length")
    drag(opened, (5, 5), (5, 25))
    first = only(opened)
    drag(opened, (20, 5), (20, 25))
    second = session.measurements[1]
    drag(opened, (5, 25), (12, 25))
    assert session.measurements[:2] == (first, second), "the other one stays"
    third = session.measurements[2]
    assert third.points[0] == pytest.approx(first.points[1], abs=0.3), "it begins where the hand pressed"
    click(opened, (5, 5))
    assert session.chosen_measurement == first.uid, "a click chooses the other"
    assert session.draft is None
    assert len(session.measurements) == 3
    drag(opened, (5, 5), (9, 5))
    assert session.measurements[0].points[0] != first.points[0], "the chosen one is taken by its handle"
    assert len(session.measurements) == 3
    move(opened, (12, 12))
    move(opened, (9, 5))
    hand = native(opened).cursor().shape()
    move(opened, (20, 5))
    assert (hand, native(opened).cursor().shape()) == (Qt.CursorShape.SizeAllCursor, Qt.CursorShape.CrossCursor)


def test_escape_ends_what_is_half_placed_and_delete_takes_the_chosen_one(opened: Program, qtbot: QtBot) -> None:
    session, window = opened.services.session, opened.window
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    QTest.keyClick(window.grid, Qt.Key.Key_A)
    assert session.view.tool == "angle"
    click(opened, (5, 5))
    move(opened, (10, 10))
    assert session.draft is not None
    QTest.keyClick(window.grid, Qt.Key.Key_Escape)
    assert session.draft is None
    QTest.keyClick(window.grid, Qt.Key.Key_D)
    drag(opened, (5, 5), (5, 25))
    assert session.chosen_measurement == only(opened).uid
    QTest.keyClick(window.grid, Qt.Key.Key_Escape)
    assert session.chosen_measurement == ""
    click(opened, (5, 25))
    assert session.chosen_measurement == only(opened).uid
    window.update_context()
    QTest.keyClick(window.grid, Qt.Key.Key_Delete)
    assert session.measurements == ()
    view.choose_tool(opened.services, "cobb")
    drag(opened, (5, 5), (5, 25))
    assert session.draft is not None
    window.update_context()
    window.commands["edit.undo"].trigger()
    assert session.draft is not None
    assert len(session.draft.clicks) == 1, "undo takes back the last place of what is half placed"
    view.choose_tool(opened.services, "length")
    assert session.draft is None


def test_the_list_goes_there_names_and_says_what_to_do_where_there_is_none(opened: Program) -> None:
    session, listed = opened.services.session, panel(opened)
    assert listed.empty.text() == EMPTY_WITH_KEY.format(key="D")
    assert not listed.empty.isHidden()
    assert listed.table.isHidden()
    view.choose_tool(opened.services, "ellipse")
    drag(opened, (5, 5), (20, 25))
    assert listed.empty.isHidden()
    (row,) = listed.table.rows
    z = session.view.cursor[0]
    assert (row.cells[0], row.cells[2], row.icon) == ("Ellipse", f"Ax {z + 1}", "ellipse")
    assert "HU" in row.cells[1]
    assert "mm²" in row.tip
    item = listed.table.item(0, 0)
    assert item is not None
    item.setText("Cyst")
    assert only(opened).label == "Cyst"
    assert listed.table.rows[0].cells[0] == "Cyst"
    session.view.cursor = (2, 3, 4)
    listed.table.cellClicked.emit(0, 0)
    assert session.view.cursor[0] == z
    assert session.chosen_measurement == only(opened).uid
    listed.delete_button.click()
    assert session.measurements == ()
    assert not listed.empty.isHidden()


def test_values_of_a_region_are_those_of_its_voxels(opened: Program) -> None:
    view.choose_tool(opened.services, "rectangle")
    drag(opened, (4.5, 4.5), (10.5, 20.5))
    image, m = opened.services.session.image, only(opened)
    assert image is not None
    inside = image.real()[opened.services.session.view.cursor[0], 5:11, 5:21]
    assert number_of(m, opened, "Mean") == pytest.approx(float(inside.mean()))
    (text,) = [one.text for one in drawn(opened).measures]
    assert text[0] == f"Mean {inside.mean():.1f} ± {inside.std(ddof=1):.1f} HU"


def test_texts_cover_no_handle_and_stay_in_the_viewport(opened: Program) -> None:
    view.choose_tool(opened.services, "length")
    for row in (3, 8, 13):
        drag(opened, (row, 25), (row, 38))
    overlay = opened.window.grid.slices[0].overlay
    opened.window.grid.grab()
    boxes = overlay.text_boxes()
    assert len(boxes) == 3
    for box in boxes:
        assert overlay.rect().toRectF().contains(box)
        assert not any(box.contains(x, y) for one in overlay.state.measures for _, x, y in one.handles)
        assert sum(box.intersects(other) for other in boxes) == 1, "itself only"


def test_what_was_measured_on_the_demo_is_back_after_a_restart(qtbot: QtBot, tmp_path: Path) -> None:
    def start() -> Program:
        made = Program(home=tmp_path / "home")
        qtbot.waitExposed(made.window)
        study.open_paths(made.services, [resource("demo")])
        session = made.services.session
        qtbot.waitUntil(lambda: session.image is not None and session.arrival is None, timeout=120_000)
        qtbot.waitUntil(lambda: made.window.grid.slices[0].shown is not None)
        settle(made)
        return made

    program = start()
    view.choose_tool(program.services, "length")
    drag(program, (60, 60), (120, 60))
    kept = only(program)
    assert number_of(kept, program, "Length") == pytest.approx(60.0, abs=0.6)
    program.close()
    program = start()
    try:
        assert only(program) == kept
        assert [one.uid for one in drawn(program).measures] == [kept.uid]
        assert panel(program).table.rows[0].key == kept.uid
    finally:
        program.close()
