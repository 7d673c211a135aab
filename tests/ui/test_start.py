"""What a start waits for, and what is seen of a study before the viewports are there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, panes, study
from medviewer.app.controllers.display import resolve_pane
from medviewer.app.modes import MODES
from medviewer.app.services import Services
from medviewer.app.state import Fusion
from medviewer.archive import Archive
from medviewer.domain.image import Image, Window
from medviewer.domain.study import ScanResult
from medviewer.ui.ahead import Ahead
from medviewer.ui.main import Program
from medviewer.ui.panels import Panels
from medviewer.ui.viewport.slice_view import SliceView
from medviewer.ui.viewport.still import Still, sampled
from medviewer.ui.viewport_grid import ViewportGrid

from .conftest import GRID, SERIES, STUDY, ramp

LATER = (
    *("sqlalchemy", "alembic", "napari", "vispy", "superqt", "qtpy", "pydicom", "scipy", "torch", "SimpleITK"),
    *("medviewer.inference.client", "medviewer.domain.report", "medviewer.ui.viewport.still", "medviewer.ui.hand"),
)
"""What no start waits for."""

START = """
import sys
from pathlib import Path
from medviewer.__main__ import import_window

import_window()
order = list(sys.modules)
assert max(map(order.index, ("numpy", "pydantic", "app_model", "medviewer.app.services"))) < order.index("PySide6")
from medviewer.ui.main import Program

program = Program(home=Path(sys.argv[1]))
window = program.window
assert window.isVisible()
assert window.menus.bar.actions() and window.commands["file.open_folder"].isEnabled()
assert window.browser.model.rowCount() == 1
print(*(name for name in sys.argv[2:] if name in sys.modules), flush=True)
while not window.grid._views:  # and what comes later does come
    program.app.processEvents()
assert window.panels["ai"].isVisible()
program.close()
"""


def test_studies_are_listed_before_anything_large_is_imported(tmp_path: Path) -> None:
    with Archive.open(tmp_path) as archive:
        archive.catalog.add(ScanResult((STUDY,)))
    environment = os.environ | {"NAPARI_CONFIG": str(tmp_path / "napari.yaml")}
    command = [sys.executable, "-c", START, str(tmp_path), *LATER]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr


def test_nothing_is_imported_ahead_before_the_window_is_drawn(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(Ahead, "start", lambda _: order.append("imports"))
    monkeypatch.setattr("medviewer.ui.main.UNSEEN_MS", 60_000)
    program = Program(home=tmp_path / "home")
    program.window.drawn.connect(lambda: order.append("drawn"))
    qtbot.waitUntil(lambda: len(order) > 1)
    assert order == ["drawn", "imports"]
    program.close()


def test_imports_begin_once_and_not_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medviewer.ui.ahead.PANELS", ())
    monkeypatch.setattr("medviewer.ui.ahead.VIEWPORTS", ())
    begun: list[int] = []
    ahead, stopped = Ahead(), Ahead()
    for one in (ahead, stopped):
        one.panels_ready.connect(lambda: begun.append(1))
    stopped.stop()
    for _ in range(2):
        ahead.start()
        stopped.start()
    assert begun == [1]


def test_panels_are_made_one_after_the_other_while_the_window_answers(qtbot: QtBot, tmp_path: Path) -> None:
    program = Program(home=tmp_path / "home")
    window = program.window
    answered: set[int] = set()

    def answer() -> None:
        area = window.panel_dock.widget()
        answered.add(len(area.sections) if isinstance(area, Panels) else 0)

    turn = QTimer(window, interval=0)
    turn.timeout.connect(answer)
    turn.start()
    names = tuple(name for mode in MODES.values() for name in mode.panels)
    qtbot.waitUntil(lambda: max(answered, default=0) >= len(set(names)), timeout=20_000)
    turn.stop()
    assert len(answered) > 5, "the window answers between"
    shown = [name for name, section in window.panels.items() if section.isVisible()]
    assert tuple(shown) == MODES["read"].panels
    places = [window.panels[name].y() for name in shown]
    assert places == sorted(set(places))
    program.close()


def test_whoever_asks_for_a_panel_gets_all_at_once(qtbot: QtBot, tmp_path: Path) -> None:
    program = Program(home=tmp_path / "home")
    window = program.window
    assert not isinstance(window.panel_dock.widget(), Panels)
    assert window.make_next_panel()
    assert [name for name, one in window.panels.items() if one.isVisible()] == list(MODES["read"].panels)
    assert not window.make_next_panel()
    program.close()


# -- the picture that stands for the viewports


@pytest.fixture
def grid(qtbot: QtBot, tmp_path: Path) -> Iterator[ViewportGrid]:
    """The viewports of a window, before napari was asked for, with a series open."""
    services = Services.open(tmp_path / "home")
    made = ViewportGrid(services, QWidget())
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    qtbot.waitExposed(made)
    services.session.studies = (STUDY,)
    study.present(services.session, SERIES, ramp())
    yield made
    made.close_canvases()
    services.close()


def colours(picture: QImage) -> NDArray[np.int16]:
    """Red, green and blue of a picture, shape (rows, columns, 3)."""
    plain = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).astype(np.int16)


def settled(grid: ViewportGrid, qtbot: QtBot) -> list[NDArray[np.int16]]:
    """The viewports as they are once all is drawn."""
    assert grid.slices
    qtbot.waitUntil(lambda: grid.has_picture)
    for _ in range(5):
        QApplication.processEvents()
    return [colours(one.grab().toImage()) for one in grid.slices if one.isVisible()]


def still(grid: ViewportGrid, qtbot: QtBot) -> list[NDArray[np.int16]]:
    """The same of what stands for them."""
    qtbot.waitUntil(lambda: grid.has_image)
    assert not grid.has_picture
    for _ in range(3):
        QApplication.processEvents()
    return [colours(one.grab().toImage()) for one in grid.stills.findChildren(QWidget, "viewport") if one.isVisible()]


def assert_same(before: list[NDArray[np.int16]], after: list[NDArray[np.int16]]) -> None:
    assert [one.shape for one in before] == [one.shape for one in after]
    for first, second in zip(before, after, strict=True):
        apart = np.abs(first - second).max(axis=2)
        assert apart.mean() < 1.0
        assert np.quantile(apart, 0.99) <= 4, "letters, texts and the picture lie where they will lie"


@pytest.mark.parametrize("layout", ["mpr", "1x2", "single"])
def test_the_picture_is_that_of_the_viewports(grid: ViewportGrid, qtbot: QtBot, layout: str) -> None:
    panes.arrange(grid.session, layout)
    before = still(grid, qtbot)
    assert all((one > 60).any() for one in before)
    assert_same(before, settled(grid, qtbot))


def test_inverted_and_with_a_mask_it_is_that_of_the_viewports(grid: ViewportGrid, qtbot: QtBot) -> None:
    grid.session.view.inverted = True
    store = masks.new(grid.services)
    labels = np.zeros(store.labels.shape, bool)
    labels[6:14, 8:20, 10:30] = True
    store.paint(np.flatnonzero(labels), 1)
    assert_same(still(grid, qtbot), settled(grid, qtbot))


def test_a_colour_picture_is_that_of_the_viewport(grid: ViewportGrid, qtbot: QtBot) -> None:
    rng = np.random.default_rng(1)
    grid_of_one = replace(GRID, shape=(1, 30, 40))
    image = Image(rng.integers(0, 255, (1, 30, 40, 3), np.uint8), grid_of_one, "OT")
    series = replace(SERIES, uid="1.2.826.0.1.10", modality="OT", grid=grid_of_one)
    grid.session.studies = (replace(STUDY, series=(series,)),)
    study.present(grid.session, series, image)
    assert_same(still(grid, qtbot), settled(grid, qtbot))


def test_it_scrolls_by_wheel_and_by_key(grid: ViewportGrid, qtbot: QtBot) -> None:
    first = still(grid, qtbot)[0]
    at = grid.session.view.cursor[0]
    view = next(one for one in grid.stills.findChildren(QWidget, "viewport") if one.isVisible())
    middle = QPointF(view.rect().center())
    turn, none = QPoint(0, -120), Qt.MouseButton.NoButton
    phase, keys = Qt.ScrollPhase.NoScrollPhase, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(
        view, QWheelEvent(middle, view.mapToGlobal(middle), QPoint(), turn, none, keys, phase, False)
    )
    assert grid.session.view.cursor[0] == at + 1
    grid.step(2)
    assert grid.session.view.cursor[0] == at + 3
    assert (still(grid, qtbot)[0] != first).any()
    assert not grid.has_picture, "napari was not asked for"


def test_what_needs_the_viewport_is_not_drawn_without_it(grid: ViewportGrid, qtbot: QtBot) -> None:
    grid.session.view.show_graphics = True
    assert still(grid, qtbot)
    grid.session.fusion = Fusion(replace(SERIES, uid="2"), STUDY, ramp(), Window(0, 100))
    qtbot.waitUntil(lambda: not grid.stills.has_picture)


def test_pictures_of_a_series_that_was_closed_meanwhile_follow_nothing_any_more(
    grid: ViewportGrid, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert still(grid, qtbot)
    study.close(grid.services)
    assert grid.slices
    shown: list[object] = []
    monkeypatch.setattr(Still, "apply", lambda self, display: shown.append(display))
    study.present(grid.session, SERIES, ramp())
    qtbot.waitUntil(lambda: grid.has_picture)
    assert shown == [], "the viewports show it, and nobody works for what is not seen"


def test_what_the_first_image_needs_is_there_before_it_and_its_parts_have_turns_of_their_own(
    program: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, grid, happened = program.window, program.window.grid, Counter[str]()
    assert grid.slices
    while grid.prepare_next():
        program.app.processEvents()
    canvases = [view.canvas for view in grid.slices] + [grid.volume.canvas]
    assert all(canvas.native.isValid() for canvas in canvases), "OpenGL has a context for each, and nobody saw them"
    for view in grid.slices:
        layers = view.canvas.model.layers
        seen = {layer.name: layer.visible for layer in layers}
        assert seen == {"grey": True, "fused": False, "mask uint8": False, "heat": False}
    turns: list[Counter[str]] = []

    def turn() -> None:
        nonlocal happened
        turns.append(happened)
        happened = Counter()

    def counting(owner: Any, name: str) -> None:
        really = getattr(owner, name)

        def counted(*values: Any) -> Any:
            happened[name] += 1
            return really(*values)

        monkeypatch.setattr(owner, name, counted)

    counting(SliceView, "_show")
    counting(SliceView, "showEvent")
    for view in grid.slices:
        view.canvas.qt_viewer.canvas._scene_canvas.events.draw.connect(lambda _: happened.update(["drawn"]))
    ticks = QTimer(window, interval=0)
    ticks.timeout.connect(turn)
    ticks.start()
    program.services.session.studies = (STUDY,)
    study.present(program.services.session, SERIES, ramp())
    turn()
    qtbot.waitUntil(lambda: sum(one["drawn"] for one in turns) >= 3)
    ticks.stop()
    first = {what: next(k for k, one in enumerate(turns) if one[what]) for what in ("_show", "showEvent", "drawn")}
    assert 0 < first["showEvent"] < first["drawn"], "neither with what is told of a new image, nor with each other"


def test_viewports_are_drawn_though_their_first_picture_failed(
    grid: ViewportGrid, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert still(grid, qtbot)

    def broken(*values: Any) -> Any:
        if not grid.updatesEnabled():
            raise RuntimeError("no such slice")
        return resolve_pane(*values)

    monkeypatch.setattr("medviewer.app.controllers.display.resolve_pane", broken)
    with qtbot.captureExceptions() as told:
        assert grid.slices
        qtbot.waitUntil(lambda: bool(told) and grid.updatesEnabled())
    assert {str(error) for _, error, _ in told} == {"no such slice"}
    grid.session.view.inverted = True
    qtbot.waitUntil(lambda: grid.has_picture)


def test_viewports_are_drawn_though_they_could_not_be_placed_at_first(
    grid: ViewportGrid, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert still(grid, qtbot)
    broken = [True]
    place = grid._place

    def failing(layout: Any) -> None:
        if grid._seen and broken:
            broken.pop()
            raise RuntimeError("no such place")
        place(layout)

    monkeypatch.setattr(grid, "_place", failing)
    with qtbot.captureExceptions() as told:
        assert grid.slices
        qtbot.waitUntil(lambda: bool(told) and grid.updatesEnabled())
    assert {str(error) for _, error, _ in told} == {"no such place"}
    grid.session.view.active = 1
    qtbot.waitUntil(lambda: grid.has_picture)


def test_sampling_is_linear_between_pixels_and_flat_beyond_the_last() -> None:
    values = np.array([[0.0, 10.0, 20.0], [100.0, 110.0, 120.0]], np.float32)
    got = sampled(values, np.array([-0.4, 0.0, 0.25, 1.0, 1.4]), np.array([-0.3, 0.5, 2.0]))
    wanted = [[0, 5, 20], [0, 5, 20], [25, 30, 45], [100, 105, 120], [100, 105, 120]]
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_viewports_come_though_what_napari_reads_could_not_be_read_ahead(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ImportError("pint is broken")

    monkeypatch.setattr("pint.get_application_registry", broken)
    ahead = Ahead()
    ahead.go_on()
    with qtbot.waitSignals([ahead.panels_ready, ahead.ready]):
        ahead._import()
    assert "could not be read ahead" in caplog.text
