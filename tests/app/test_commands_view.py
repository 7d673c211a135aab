"""Looking and painting: move, window, tools, strokes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import masks, study, view
from medviewer.app.services import Services
from medviewer.domain.image import Image, Lut, Window
from medviewer.domain.plane import Plane, planes_of
from medviewer.errors import InputError, StoreError


@pytest.fixture
def empty_services(launch: Callable[..., Services]) -> Services:
    """The program with nothing open."""
    return launch()


def test_the_crosshair_stays_in_the_volume(services: Services) -> None:
    for index, expected in [((1.4, 2.6, 3), (1, 3, 3)), ((-5, 2, 99), (0, 2, 7)), ((3.9, -0.2, 0), (3, 0, 0))]:
        view.move_cursor(services, index)
        assert services.session.view.cursor == expected


def test_scrolling_moves_along_the_plane_and_stops_at_its_ends(services: Services) -> None:
    view.move_cursor(services, (1, 2, 3))
    for plane in planes_of(services.session.image.grid):
        before = services.session.view.cursor
        for steps, expected in [(1, before[plane.axis] + 1), (-99, 0), (99, plane.count - 1)]:
            view.scroll(services, plane, steps)
            moved = list(before)
            moved[plane.axis] = expected
            assert services.session.view.cursor == tuple(moved)
        view.move_cursor(services, before)


def test_a_drag_goes_on_from_a_sigmoid_or_a_table_with_the_window_that_looks_alike(services: Services) -> None:
    state = services.session.view
    state.window = Window(40, 400, "Soft", "SIGMOID")
    view.drag_window(services, 0, 0)
    assert (state.window, state.inverted) == (Window(40, 400), False)
    falling = Lut(100, np.arange(255, -1, -1, dtype=np.uint8), 8)
    state.window = Window(227.5, 255, "Falling", lut=falling)
    view.drag_window(services, 0, 0)
    assert state.inverted, "a table from white to black is an inverted window"
    assert state.window.limits == pytest.approx((100, 355), abs=1)
    assert state.window.is_linear


def test_window_drag_right_widens_and_down_darkens(services: Services) -> None:
    state = services.session.view
    state.window = Window(40, 400, "Soft tissue")
    view.drag_window(services, 0.1, 0)
    assert (state.window.center, state.window.width, state.window.name) == (40, pytest.approx(480), "")
    state.window = Window(40, 400)
    view.drag_window(services, 0, 0.1)
    assert (state.window.center, state.window.width) == (pytest.approx(120), 400), "a higher level is a darker picture"
    view.drag_window(services, -50, 0)
    assert 0 < state.window.width < 4, "it never turns over"
    for _ in range(60):
        view.drag_window(services, 0.5, 0)
    assert state.window.width > 400, "and there is a way back"


def test_presets_by_key(services: Services) -> None:
    state = services.session.view
    for number, name in [(0, "Auto"), (1, "Soft tissue"), (6, "Lung"), (7, "Abdomen")]:
        view.choose_window(services, number)
        assert state.window.name == name
    services.session.image = replace(services.session.image, modality="MR", windows=())
    view.choose_window(services, 9)
    assert state.window.name == "Abdomen", "a key without a preset changes nothing"


def test_invert_there_and_back(services: Services) -> None:
    view.invert(services)
    assert services.session.view.inverted
    view.invert(services)
    assert not services.session.view.inverted


@pytest.mark.parametrize("tool", ["brush", "eraser", "fill"])
def test_an_edit_tool_starts_a_mask_where_there_is_none(services: Services, tool: str) -> None:
    assert services.session.mask is None
    view.choose_tool(services, tool)
    store = services.session.mask
    assert not store.dirty
    view.choose_tool(services, "brush")
    assert services.session.mask is store


def test_other_tools_start_no_mask(services: Services, empty_services: Services) -> None:
    view.choose_tool(services, "pan")
    assert services.session.mask is None
    view.choose_tool(empty_services, "brush")
    assert empty_services.session.mask is None


def test_an_unknown_tool_is_refused(services: Services) -> None:
    with pytest.raises(InputError, match=r"should be one of window, .*, not laser"):
        view.choose_tool(services, "laser")


def test_swap_goes_back_and_forth(services: Services) -> None:
    view.choose_tool(services, "pan")
    view.choose_tool(services, "zoom")
    view.choose_tool(services, "zoom")
    for expected in ("pan", "zoom", "pan"):
        view.swap_tool(services)
        assert services.session.view.tool == expected


def test_the_brush_has_a_smallest_and_a_largest_size(services: Services) -> None:
    view.set_brush(services, 4)
    view.resize_brush(services, 1.25)
    assert services.session.view.brush_mm == pytest.approx(5)
    for factor, limit in ((1.25, view.BRUSH_RANGE[1]), (1 / 1.25, view.BRUSH_RANGE[0])):
        for _ in range(40):
            view.resize_brush(services, factor)
        assert services.session.view.brush_mm == limit
    view.set_brush(services, 1e9)
    assert services.session.view.brush_mm == view.BRUSH_RANGE[1]


def stroke(services: Services, *points: tuple[float, float], name: str = "Axial", k: int = 2) -> None:
    plane = Plane.of(services.session.image.grid, name)
    view.begin_stroke(services)
    for start, end in zip(points, points[1:] or points, strict=False):
        view.stroke(services, plane, k, start, end)
    view.end_stroke(services)


def test_brush_eraser_fill_undo_redo(services: Services) -> None:
    view.choose_tool(services, "brush")
    view.set_brush(services, 0.5)
    store = services.session.mask
    stroke(services, (1, 1), (1, 3), (1, 5))
    assert np.argwhere(store.labels).tolist() == [[2, 1, x] for x in range(1, 6)]
    view.choose_tool(services, "eraser")
    stroke(services, (1, 3))
    assert store.labels[2, 1].tolist() == [0, 1, 1, 0, 1, 1, 0, 0]
    services.session.active_label = store.add_segment("Lesion").label
    view.choose_tool(services, "fill")
    stroke(services, (1, 5))
    assert store.labels[2, 1].tolist() == [0, 1, 1, 0, 2, 2, 0, 0]
    for _ in range(3):
        view.undo(services)
    assert not store.labels.any()
    for _ in range(3):
        view.redo(services)
    assert store.labels[2, 1].tolist() == [0, 1, 1, 0, 2, 2, 0, 0]


def test_painting_in_every_plane_lands_under_the_pointer(services: Services) -> None:
    view.choose_tool(services, "brush")
    view.set_brush(services, 0.5)
    for plane in planes_of(services.session.image.grid):
        store = masks.new(services)
        stroke(services, (1, 2), name=plane.name, k=1)
        row, column = np.argwhere(plane.take(store.labels, 1))[0].tolist()
        assert (row, column) == (1, 2)
        assert np.count_nonzero(store.labels) == 1


def test_the_brush_paints_on_the_next_series_too(services: Services, image: Image) -> None:
    """The tool stays chosen when another series is opened, which has no mask yet."""
    view.choose_tool(services, "brush")
    series = replace(services.session.series, uid="1.2.826.0.1.78")
    study._present(services, series, image)
    assert services.session.mask is None
    stroke(services, (2, 2))
    assert services.session.mask.labels.any()
    assert services.session.mask.can_undo


def test_a_movement_that_began_on_another_series_paints_nothing(services: Services, image: Image) -> None:
    view.choose_tool(services, "brush")
    plane = Plane.of(services.session.image.grid, "Axial")
    view.begin_stroke(services)
    view.stroke(services, plane, 1, (2, 2), (2, 2))
    study._present(services, replace(services.session.series, uid="1.2.826.0.1.78"), image)
    store = masks.new(services)
    view.stroke(services, plane, 1, (2, 2), (2, 4))
    view.end_stroke(services)
    assert not store.labels.any()
    assert not store.dirty


def test_nothing_open_nothing_happens(empty_services: Services, services: Services) -> None:
    plane = Plane.of(services.session.image.grid, "Axial")
    for act in (
        lambda: view.move_cursor(empty_services, (1, 1, 1)),
        lambda: view.scroll(empty_services, plane, 1),
        lambda: view.drag_window(empty_services, 1, 1),
        lambda: view.choose_window(empty_services, 1),
        lambda: view.begin_stroke(empty_services),
        lambda: view.stroke(empty_services, plane, 0, (1, 1), (1, 1)),
        lambda: view.end_stroke(empty_services),
        lambda: view.undo(empty_services),
        lambda: view.redo(empty_services),
        lambda: view.rename_segment(empty_services, 1, "Liver"),
    ):
        act()
    assert empty_services.session.mask is None
    assert empty_services.session.message is None
    assert empty_services.session.view.cursor == (0, 0, 0)


def test_a_full_disk_is_told_when_the_button_comes_up(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """No action stands around the pointer, so nobody else would tell the user."""
    view.choose_tool(services, "brush")

    def full(record: bytes, *, sync: bool = True) -> None:
        raise StoreError("The stroke could not be kept safe; free some space.")

    monkeypatch.setattr(services.session.mask.journal, "append", full)
    stroke(services, (2, 2))
    assert (services.session.message.level, services.session.message.text[:10]) == ("error", "The stroke")
    assert services.session.mask.labels.any()
    assert services.session.mask.dirty


def test_segments_are_hidden_shown_and_renamed(services: Services) -> None:
    store = masks.new(services)
    view.toggle_label(services, 1)
    assert services.session.hidden_labels == {1}
    view.toggle_label(services, 1)
    assert services.session.hidden_labels == frozenset()
    view.rename_segment(services, 1, "  Liver ")
    assert [s.name for s in store.segments] == ["Liver"]
    assert store.dirty
    view.rename_segment(services, 1, "   ")
    assert store.segments[0].name == "Liver"
