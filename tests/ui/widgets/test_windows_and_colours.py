"""The list of windows, and the dialog in which one is typed in."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from medviewer.app.colours import COLOUR_MAPS, palette
from medviewer.app.commands import looks
from medviewer.app.hanging.layouts import Look
from medviewer.app.hanging.wearing import window_of
from medviewer.domain.image import Window
from medviewer.ui.main import Program
from medviewer.ui.viewport.looks import colour_table, image_colours
from medviewer.ui.widgets.corners_dialog import CornersDialog
from medviewer.ui.widgets.window_dialog import WindowDialog


def dialog(program: Program) -> WindowDialog:
    program.window.commands["image.window_type"].trigger()
    found = program.window.findChild(WindowDialog)
    assert found is not None
    return found


def entries(program: Program) -> dict[str, QAction]:
    program.window.windows.fill()
    return {action.text(): action for action in program.window.windows.actions() if action.text()}


def figures(shown: WindowDialog) -> list[float]:
    return [box.value() for box in (shown.width_box, shown.level_box, shown.low_box, shown.high_box)]


def test_each_pair_of_numbers_follows_the_other_and_the_image_both(opened: Program) -> None:
    view = opened.services.session.view
    shown = dialog(opened)
    assert figures(shown) == [2000, 0, -1000, 1000]
    shown.width_box.setValue(80)
    shown.level_box.setValue(40)
    assert view.window == Window(40, 80)
    assert figures(shown) == [80, 40, 0, 80]
    shown.low_box.setValue(-160)
    shown.high_box.setValue(240)
    assert view.window.limits == (-160, 240)
    assert figures(shown) == [400, 40, -160, 240]
    opened.window.commands["image.window_6"].trigger()
    assert figures(shown) == [1500, -600, -1350, 150], "what is chosen elsewhere is shown here"
    assert "HU" in shown.unit.text()


def test_black_above_white_is_said_and_changes_nothing(opened: Program) -> None:
    view = opened.services.session.view
    shown = dialog(opened)
    before = view.window
    shown.low_box.setValue(5000)
    assert "invert" in shown.problem.text()
    assert view.window is before
    shown.low_box.setValue(0)
    assert shown.problem.text() == ""
    assert view.window.limits == (0, 1000)


@pytest.mark.parametrize("accepted", [True, False])
def test_cancel_brings_back_what_was_shown(opened: Program, accepted: bool) -> None:
    view = opened.services.session.view
    before = view.window
    shown = dialog(opened)
    shown.width_box.setValue(80)
    (shown.accept if accepted else shown.reject)()
    assert (view.window is before) != accepted
    view.window = Window(1, 2)
    assert figures(shown)[0] != 2, "it follows nothing any more"


def test_the_figures_are_those_of_the_active_viewport(opened: Program) -> None:
    view = opened.services.session.view
    series, own = view.window, Window(50, 100)
    first, second, *others = view.hung
    view.panes = (first, replace(second, look=Look(own)), *others)
    view.active = 1
    shown = dialog(opened)
    assert figures(shown) == [100, 50, 0, 100], "as the viewport shows it, not as its series is shown elsewhere"
    shown.width_box.setValue(80)
    assert (window_of(opened.services.session, 1)[0], view.window) == (Window(50, 80), series)
    assert figures(shown) == [80, 50, 10, 90]
    opened.window.commands["image.window_6"].trigger()
    assert figures(shown) == [1500, -600, -1350, 150], "what is chosen elsewhere is shown here"
    view.active = 0
    assert figures(shown) == [2000, 0, -1000, 1000]
    shown.level_box.setValue(10)
    view.active = 2
    assert figures(shown) == [2000, 10, -990, 1010], "it shows the same series"
    shown.level_box.setValue(20)
    shown.reject()
    assert [window_of(opened.services.session, k)[0] for k in range(3)] == [series, own, series]


def test_there_is_one_dialog_and_it_goes_with_the_image(opened: Program, qtbot: QtBot) -> None:
    shown = dialog(opened)
    assert dialog(opened) is shown
    with qtbot.waitSignal(shown.destroyed):
        opened.services.session.image = None


def test_a_window_is_kept_listed_and_forgotten(opened: Program) -> None:
    shown = dialog(opened)
    assert not shown.keep_button.isEnabled()
    shown.width_box.setValue(4000)
    shown.level_box.setValue(700)
    shown.name_box.setText("Ear & jaw")
    shown.key_box.setCurrentIndex(shown.key_box.findData(5))
    shown.keep_button.click()
    opened.window.update_context()
    assert opened.window.commands["image.window_5"].text() == "Window: Ear && jaw"
    assert entries(opened)["Ear && jaw  W 4000  L 700\t5"].isChecked()
    assert "Bone  W 2000  L 500" in entries(opened), "the preset is there without its digit"
    looks.forget_window(opened.services, opened.services.session.own_windows[0])
    opened.window.update_context()
    assert opened.window.commands["image.window_5"].text() == "Window: Bone"


def test_the_list_chooses_and_marks_what_is_shown(opened: Program) -> None:
    session = opened.services.session
    assert entries(opened)["Wide  W 2000  L 0"].isChecked()
    entries(opened)["Lung  W 1500  L -600\t6"].trigger()
    assert session.view.window.name == "Lung"
    assert [text for text, one in entries(opened).items() if one.isChecked()] == ["Lung  W 1500  L -600\t6", "Grey"]
    entries(opened)["Hot iron"].trigger()
    assert session.view.colours == "hot-iron"
    opened.window.update_context()
    opened.window.commands["image.grey"].trigger()
    assert session.view.colours == "gray"


def test_the_list_says_that_nothing_is_open(program: Program) -> None:
    assert list(entries(program)) == ["Nothing is open"]


def test_values_have_the_colour_of_the_map(opened: Program) -> None:
    view = opened.services.session.view
    view.cursor = (10, 15, 20)  # the values are 0 to 29, one a row
    view.window = Window(15, 30)
    for name, inverted in product([one.id for one in COLOUR_MAPS], [False, True]):
        view.inverted = inverted
        looks.set_colours(opened.services, name)
        for row, got in drawn(opened, (2, 9, 16, 22)).items():
            near = np.clip((np.linspace(row - 0.2, row + 0.2, 9, dtype=np.float32)) / 30, 0, 1)
            wanted = 255 * colour_table(name, 1 - near if inverted else near)[:, :3]
            assert np.all(got >= wanted.min(axis=0) - 5), (name, inverted, row, got, wanted)
            assert np.all(got <= wanted.max(axis=0) + 5), (name, inverted, row, got, wanted)


def drawn(opened: Program, rows: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Red, green and blue in rows of the first viewport, as they are drawn."""
    for _ in range(3):
        opened.app.processEvents()
    view = opened.window.grid.slices[0]
    picture = view.canvas.native.grabFramebuffer()
    ratio = picture.width() / view.canvas.native.width()
    found = {row: picture.pixelColor((view.to_pixel(row, 5) * ratio).toPoint()) for row in rows}
    return {row: np.array([at.red(), at.green(), at.blue()]) for row, at in found.items()}


def test_a_curve_bends_the_colours_too() -> None:
    curve = Window(0, 10, "", "SIGMOID").curve
    assert curve is not None
    made = image_colours("hot-iron", curve, inverted=True)
    iron = palette(COLOUR_MAPS[1].palette)
    np.testing.assert_allclose(made.colors[100, :3], iron[round(float(1 - curve[100]) * 255)], atol=1e-6)


def test_a_line_goes_where_it_is_put_and_back(opened: Program) -> None:
    opened.window.commands["view.corners"].trigger()
    shown = opened.window.findChild(CornersDialog)
    assert shown is not None
    box = shown.boxes["name"]
    assert box.currentText() == "top left"
    box.setCurrentIndex(box.findData("hidden"))
    opened.app.processEvents()
    view = opened.window.grid.slices[0]
    assert opened.services.session.line_places == {"name": "hidden"}
    assert "DOE" not in view.overlay.state.corners.top_left
    assert view.overlay.state.pixels_per_mm > 0
    shown._reset()
    opened.app.processEvents()
    assert "DOE" in view.overlay.state.corners.top_left
    assert box.currentText() == "top left"
