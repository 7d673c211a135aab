"""The tabs above the viewports, through the real window; and napari, with the way back."""

from __future__ import annotations

import threading
from pathlib import Path

import napari
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from medviewer.app import settings
from medviewer.app.commands import masks, panes
from medviewer.app.mask_store import Frozen
from medviewer.app.modes import MODES
from medviewer.domain.mask import Segmentation
from medviewer.ui.main import Program
from medviewer.ui.window import MainWindow


def at_hand(window: MainWindow) -> tuple[list[str], list[str]]:
    """The tools of the bar, and the panels that are shown."""
    tools = [action.objectName() for action in window.tools.actions() if action.objectName().startswith("tool.")]
    return tools, [name for name, section in window.panels.items() if not section.isHidden()]


def test_each_mode_has_its_tools_and_panels(opened: Program, qtbot: QtBot) -> None:
    window, session = opened.window, opened.services.session
    for number, name in enumerate(MODES):
        window.modes.setCurrentIndex(number)
        assert session.mode == name
        tools, panels = at_hand(window)
        assert set(panels) == set(MODES[name].panels) & set(window.panels)
        assert ("tool.brush" in tools) == (name == "correct")
        assert "tool.window" in tools
        qtbot.waitUntil(window.commands[f"mode.{name}"].isChecked)


def test_what_a_mode_hides_is_reached_by_menu_and_key(opened: Program) -> None:
    window, session = opened.window, opened.services.session
    window.commands["mode.review"].trigger()
    assert window.modes.currentIndex() == list(MODES).index("review")
    window.commands["tool.brush"].trigger()
    assert session.view.tool == "brush"
    window.commands["mode.read"].trigger()
    assert window.panels["learning"].isHidden()
    window.commands["queue.show"].trigger()
    assert not window.panels["learning"].isHidden()


def test_the_mode_comes_back_at_the_next_start(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    program.window.commands["mode.correct"].trigger()
    program.close()
    again = Program(home=tmp_path / "home")
    qtbot.waitExposed(again.window)
    assert again.services.session.mode == "correct"
    assert "tool.brush" in at_hand(again.window)[0]
    again.close()


def open_napari(window: MainWindow, qtbot: QtBot) -> napari.Viewer:
    """Press the button, and wait until napari's window is filled."""
    window.commands["research.open"].trigger()
    assert QApplication.overrideCursor() is not None, "the pointer says that something is on its way"
    qtbot.waitUntil(lambda: not window.research.busy)
    assert QApplication.overrideCursor() is None
    assert window.research.viewer is not None
    return window.research.viewer


def bring_back(opened: Program, qtbot: QtBot) -> None:
    """Press the button, and wait until what differs was found."""
    opened.window.commands["research.bring_back"].trigger()
    qtbot.waitUntil(lambda: not opened.services.runner.jobs)


def test_the_image_goes_to_napari_and_a_labels_layer_comes_back(opened: Program, qtbot: QtBot) -> None:
    window, session = opened.window, opened.services.session
    window.commands["research.bring_back"].trigger()
    assert session.message is not None
    assert "open napari" in session.message.text
    store = masks.new(opened.services)
    store.paint(np.array([5]), 1)
    window.update_context()
    viewer = open_napari(window, qtbot)
    assert session.image is not None
    image, mask = viewer.layers
    assert np.shares_memory(image.data, session.image.voxels)
    assert not image.data.flags.writeable
    assert tuple(image.scale) == session.image.grid.spacing
    assert image.metadata["intercept"] == -1000
    assert mask._overlays["polygon"].visible
    assert mask._overlays["brush_stroke"].visible, "as in a Labels layer that napari makes itself"
    mask.data[3, 4, 5:9] = 1
    assert not store.labels[3, 4, 5:9].any(), "napari works on a copy"
    bring_back(opened, qtbot)
    assert store.labels[3, 4, 5:9].all()
    assert store.labels.reshape(-1)[5] == 1
    window.update_context()
    window.commands["edit.undo"].trigger()
    assert np.flatnonzero(store.labels).tolist() == [5]
    window.research.close()
    assert window.research.viewer is None


def test_a_napari_window_that_the_user_closed_opens_again_and_ends_nothing(opened: Program, qtbot: QtBot) -> None:
    window = opened.window
    masks.new(opened.services).paint(np.array([5]), 1)
    window.update_context()
    for _ in range(2):
        viewer = open_napari(window, qtbot)
        assert [layer.name for layer in viewer.layers] == ["Head", "Mask"], "a window of its own, not the one before"
        theirs = viewer.window._qt_window
        assert theirs.isVisible()
        theirs.close()  # its cross, not napari's menu
        qtbot.waitUntil(lambda theirs=theirs: not isValid(theirs))
    viewer.layers["Mask"].data[3, 4, 5:9] = 1
    bring_back(opened, qtbot)
    assert opened.services.session.mask is not None
    assert opened.services.session.mask.labels[3, 4, 5:9].all(), "what was made there is not lost with its window"
    opened.close()  # it once ended the program before it had kept what was open
    assert window.research.viewer is None
    assert opened.services.session.mask is not None
    assert not opened.services.session.mask.dirty


def test_napari_opens_in_turns_between_which_anything_may_happen(opened: Program, qtbot: QtBot) -> None:
    window, session = opened.window, opened.services.session
    masks.new(opened.services).paint(np.array([5]), 1)
    window.update_context()
    window.commands["research.open"].trigger()
    assert window.research.viewer is None, "the window goes on first"
    window.commands["research.open"].trigger()
    qtbot.waitUntil(lambda: window.research.viewer is not None and len(window.research.viewer.layers) == 1)
    assert session.mask is not None
    session.mask.paint(np.array([6]), 1)
    qtbot.waitUntil(lambda: not window.research.busy)
    viewer = window.research.viewer
    assert viewer is not None
    assert [layer.name for layer in viewer.layers] == ["Head", "Mask"], "asked for twice, filled once"
    assert viewer.layers.selection.active is viewer.layers["Mask"]
    window.commands["research.open"].trigger()  # into the window that is open
    qtbot.waitUntil(lambda: len(viewer.layers) > 2)
    viewer.window._qt_window.close()  # in the middle of it
    qtbot.waitUntil(lambda: not window.research.busy)
    assert QApplication.overrideCursor() is None
    window.commands["research.open"].trigger()
    qtbot.waitUntil(lambda: window.research.viewer is not viewer)
    half = window.research.viewer
    assert half is not None
    window.research.close()  # in the middle of making it
    assert not window.research.busy
    window.commands["research.open"].trigger()
    window.research.close()  # before anything was made
    assert not window.research.busy
    assert QApplication.overrideCursor() is None


def test_what_was_brought_back_is_kept_though_the_window_is_closed_at_once(opened: Program, qtbot: QtBot) -> None:
    window, services = opened.window, opened.services
    store = masks.new(services)
    window.update_context()
    viewer = open_napari(window, qtbot)
    viewer.layers["Mask"].data[3, 4, 5:9] = 1
    window.commands["research.bring_back"].trigger()
    opened.close()
    assert store.labels[3, 4, 5:9].all()
    assert not store.dirty, "it is in the archive"


def test_napari_is_given_up_while_the_mask_is_copied_for_it(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = opened.window
    masks.new(opened.services).paint(np.array([5]), 1)
    window.update_context()
    inside, go, take = threading.Event(), threading.Event(), Frozen.take

    def held(frozen: Frozen) -> Segmentation:
        inside.set()
        assert go.wait(60)
        return take(frozen)

    monkeypatch.setattr(Frozen, "take", held)
    window.commands["research.open"].trigger()
    qtbot.waitUntil(inside.is_set)
    window.research.close()
    go.set()
    qtbot.waitUntil(lambda: not opened.services.runner.jobs)
    assert not window.research.busy
    assert QApplication.overrideCursor() is None


def test_layers_that_are_removed_in_napari_take_nothing_from_the_viewports(opened: Program, qtbot: QtBot) -> None:
    window = opened.window
    masks.new(opened.services)
    window.update_context()
    viewer = open_napari(window, qtbot)
    slices = window.grid.slices[:3]
    theirs, drawn = viewer.window._qt_viewer.canvas, list[object]()
    theirs._scene_canvas.events.draw.connect(drawn.append, position="last")
    theirs.native.update()
    qtbot.waitUntil(lambda: bool(drawn))
    expected = [one.canvas.native.grabFramebuffer() for one in slices]
    for remove in (lambda: viewer.layers.pop(0), window.research.close):
        slices[0].canvas.make_current()  # as after a frame of it
        remove()
        assert [one.canvas.native.grabFramebuffer() for one in slices] == expected


def test_napari_stays_where_it_was_put(opened: Program, qtbot: QtBot) -> None:
    window = opened.window
    viewer = open_napari(window, qtbot)
    viewer.window._qt_window.close()  # it keeps its place for the next one
    qtbot.waitUntil(lambda: not isValid(viewer.window._qt_window))
    theirs = open_napari(window, qtbot).window._qt_window
    theirs.setGeometry(300, 200, 900, 600)
    qtbot.waitUntil(lambda: theirs.geometry().width() == 900)
    place = theirs.geometry()
    open_napari(window, qtbot)
    assert theirs.geometry() == place


def test_the_window_comes_back_as_it_was(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    window = program.window
    window.resize(1100, 700)
    window.resizeDocks([window.panel_dock], [390], Qt.Orientation.Horizontal)
    window.commands["view.browser"].trigger()
    panes.arrange(program.services.session, "1x2")
    qtbot.waitUntil(lambda: window.panel_dock.width() == 390)  # once it is laid out
    size = window.size()
    program.close()
    again = Program(home=tmp_path / "home")
    qtbot.waitExposed(again.window)
    assert again.window.size() == size
    assert again.window.panel_dock.width() == 390
    assert again.window.browser_dock.isHidden()
    assert again.services.session.view.layout == "1x2"
    again.close()


@pytest.mark.parametrize("text", ["{", '{"mode": "x", "layout": "x", "geometry": "Ö", "panels": "AAAA"}'])
def test_broken_settings_mean_the_usual_window(qtbot: QtBot, tmp_path: Path, text: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / settings.FILE).write_text(text, encoding="utf-8")
    program = Program(home=home)
    qtbot.waitExposed(program.window)
    session = program.services.session
    assert (session.mode, session.view.layout) == ("read", "mpr")
    assert program.window.panel_dock.isVisible()
    assert program.window.browser_dock.isVisible()
    program.close()
