"""How often things are drawn, sent to the graphics card and given another size: once for what changed, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from medviewer.app.commands import masks, panes
from medviewer.domain.image import Window
from medviewer.ui.main import Program
from medviewer.ui.viewport.overlay import Overlay
from medviewer.ui.viewport.picture import SlicePicture


def settle(program: Program) -> None:
    for _ in range(4):
        program.app.processEvents()


@pytest.fixture
def counted(opened: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Frames and sizes of the viewports' canvases, sheets over them to be painted, and buffers sent to textures."""
    counts: Counter[str] = Counter()
    masks.new(opened.services)
    for name in ("2x2", "mpr"):  # every viewport is made
        panes.arrange(opened.services.session, name)
        settle(opened)

    def counting(owner: type, name: str, as_what: str) -> None:
        really = getattr(owner, name)

        def counted(self: Any, *args: Any) -> None:
            counts[as_what] += 1
            really(self, *args)

        monkeypatch.setattr(owner, name, counted)

    counting(SlicePicture, "_upload", "uploads")
    counting(Overlay, "update", "painted")
    listening = []
    for number, view in enumerate(opened.window.grid.slices):
        scene = view.canvas.qt_viewer.canvas._scene_canvas
        for signal, what in ((scene.events.draw, "frames"), (scene.events.resize, "sizes")):

            def note(_: object, what: str = what, number: int = number) -> None:
                counts[what] += 1
                counts[f"{what} of {number}"] += 1

            signal.connect(note)
            listening.append((signal, note))
    settle(opened)
    counts.clear()
    yield counts
    for signal, note in listening:
        signal.disconnect(note)


def test_a_window_that_is_dragged_is_one_frame_a_viewport_and_words_now_and_then(
    opened: Program, counted: Counter[str]
) -> None:
    overlay, view = opened.window.grid.slices[0].overlay, opened.services.session.view
    overlay._words.setInterval(1_000_000)  # words wait for longer than the test takes
    for step in range(5):
        view.window = Window(40 + step, 400 + step)
        settle(opened)
    assert counted["frames"] == 5 * 3
    assert counted["uploads"] == 0
    assert counted["painted"] == 1, "with the first step"
    assert "W 404  L 44" in overlay.state.corners.bottom_left
    overlay._words.timeout.emit()
    settle(opened)
    assert overlay._said == overlay.state.corners, "and the last word is said"


def test_another_layout_gives_each_viewport_its_size_once_and_draws_it_once(
    opened: Program, counted: Counter[str]
) -> None:
    session, grid = opened.services.session, opened.window.grid
    for name, seen in (("1x2", 2), ("2x2", 4), ("single", 1), ("mpr", 3), ("2x1", 2), ("compare", 2)):
        panes.arrange(session, name)
        settle(opened)
        sizes = [grid.slices[number].canvas.native.size() for number in range(seen)]
        assert all(size.width() > 120 for size in sizes)
        assert all(counted[f"sizes of {number}"] <= 1 for number in range(4)), (name, counted)
        for number in range(4):  # one frame, and one that Qt asks for while it resizes, which draws nothing
            assert counted[f"frames of {number}"] <= 1 + counted[f"sizes of {number}"], (name, counted)
        counted.clear()


def test_a_frame_follows_what_qt_draws_while_it_resizes(opened: Program) -> None:
    panes.arrange(opened.services.session, "single")
    settle(opened)
    canvas = opened.window.grid.slices[0].canvas
    assert not canvas._resized
    drawn = canvas.native.grabFramebuffer()
    middle = drawn.pixelColor(drawn.width() // 2, drawn.height() // 2)
    assert middle.red() > 0, "not black"
