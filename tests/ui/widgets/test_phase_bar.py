"""The bar of the 4th axis in the real window, and the recent list in its menu."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer.app import settings
from medviewer.app.commands import study, view
from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.study import PhaseAxis
from medviewer.ui.main import Program
from tests.ui.conftest import GRID, SERIES, ramp

AXIS = PhaseAxis("time", tuple(float(20 * k) for k in range(12)), "ms", 20.0)


@pytest.fixture
def film(program: Program, qtbot: QtBot) -> Program:
    """The real window with a film of twelve ramps."""
    first = ramp().voxels
    voxels = np.stack([first + np.int16(k) for k in range(len(AXIS))])
    image = Image(voxels[0], GRID, "CT", dynamic=Dynamic(AXIS, voxels, (Rescale(),) * len(AXIS)))
    assert program.window.grid.slices  # they are made now, however long it takes
    study.present(program.services.session, SERIES, image)
    qtbot.waitUntil(lambda: program.window.grid.slices[0].shown is not None)
    program.app.processEvents()
    return program


def drawn(program: Program) -> object:
    program.window.grid.controller.refresh()
    return program.window.grid.slices[0]


def test_the_bar_is_there_only_with_phases(film: Program) -> None:
    bar, session = film.window.phases, film.services.session
    assert bar.isVisible()
    assert (bar.count.text(), bar.value.text(), bar.slider.maximum()) == ("1 / 12", "t = 0 ms", 11)
    study.present(session, SERIES, ramp())
    assert not bar.isVisible()
    film.window.update_context()
    assert not film.window.commands["view.play"].isEnabled()


def test_slider_keys_and_bar_agree(film: Program, qtbot: QtBot) -> None:
    window, state = film.window, film.services.session.view
    window.phases.slider.setValue(4)
    assert state.phase == 4
    assert (window.phases.count.text(), window.phases.value.text()) == ("5 / 12", "t = 80 ms")
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.grid)
    QTest.keyClick(window.grid, Qt.Key.Key_Period)
    assert state.phase == 5
    QTest.keyClick(window.grid, Qt.Key.Key_Comma)
    QTest.keyClick(window.grid, Qt.Key.Key_Comma)
    assert (state.phase, window.phases.slider.value()) == (3, 3)


def test_zoom_and_pan_stay_from_phase_to_phase_and_the_picture_changes(film: Program) -> None:
    port = drawn(film)
    port._zoom(2.5, QPointF(40, 30))
    before = (port.canvas.camera.zoom, tuple(port.canvas.camera.center))
    layer, pixels = port.picture.image, port.picture.image.data.copy()
    view.set_phase(film.services, 7)
    assert drawn(film).picture.image is layer
    np.testing.assert_allclose(port.picture.image.data, pixels + 7)
    assert (port.canvas.camera.zoom, tuple(port.canvas.camera.center)) == before


def test_a_film_runs_until_it_is_stopped(film: Program, qtbot: QtBot) -> None:
    bar, state = film.window.phases, film.services.session.view
    seen: set[int] = set()
    state.events.phase.connect(lambda phase: seen.add(phase))
    bar.button.click()
    assert state.playing
    qtbot.waitUntil(lambda: len(seen) >= 3)
    film.window.commands["view.play"].trigger()
    assert not state.playing
    assert not bar._timer.isActive()


@pytest.mark.parametrize("end", ["series", "close"])
def test_a_film_ends_with_its_series(film: Program, end: str) -> None:
    view.toggle_play(film.services)
    assert film.window.phases._timer.isActive()
    if end == "series":
        study.present(film.services.session, SERIES, ramp())
    else:
        study.close(film.services)
    assert not film.window.phases._timer.isActive()


def test_the_recent_list_greys_what_is_gone(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    menu = program.window.recent
    menu.fill()
    assert [action.text() for action in menu.actions()] == ["Nothing was opened yet"]
    home = program.services.archive.home
    (tmp_path / "there & here").mkdir()
    settings.save(home, settings.Settings().opened([tmp_path / "gone"]).opened([tmp_path / "there & here"]))
    menu.fill()
    there, gone, _, clear = menu.actions()
    qtbot.waitUntil(lambda: not gone.isEnabled())
    assert gone.text().endswith("gone (not there)")
    assert there.isEnabled()
    assert there.text().endswith("there && here")
    clear.trigger()
    assert settings.load(home).recent == ()


def test_the_recent_list_opens(program: Program, qtbot: QtBot) -> None:
    brain = Path(__file__).parents[2] / "data" / "colin27_brain.nii.gz"
    settings.save(program.services.archive.home, settings.Settings().opened([brain]))
    program.window.recent.fill()
    program.window.recent.actions()[0].trigger()
    qtbot.waitUntil(lambda: program.services.session.image is not None, timeout=60_000)
    program.window.grid.controller.refresh()


def test_speed_and_what_the_film_does_at_its_end(film: Program, qtbot: QtBot) -> None:
    bar, state = film.window.phases, film.services.session.view
    assert (bar.speed.currentText(), bar.mode.currentText()) == ("1×", "Loop")
    film.window.commands["view.play_faster"].trigger()
    assert bar.speed.currentText() == "2×"
    bar.speed.setCurrentIndex(bar.speed.findData(4.0))
    bar.speed.activated.emit(0)
    assert state.play_speed == 4
    bar.mode.setCurrentIndex(bar.mode.findData("once"))
    bar.mode.activated.emit(0)
    bar.button.click()
    qtbot.waitUntil(lambda: not state.playing)
    assert state.phase == 11, "it ends with the last phase"
    seen: list[int] = []
    state.events.phase.connect(seen.append)
    bar.button.click()
    qtbot.waitUntil(lambda: not state.playing)
    assert seen[0] < 11, "it begins anew"
    film.window.commands["view.play_mode"].trigger()
    assert bar.mode.currentText() == "Loop"
