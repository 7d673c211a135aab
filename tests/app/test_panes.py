"""Layouts: what hangs in which viewport."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import create_autospec

import pytest

from medviewer.app.commands import panes, study
from medviewer.app.controllers.display import DisplayController, visible_panes
from medviewer.app.hanging.layouts import LAYOUTS, NAMES, Pane, layout_of, plane_for
from medviewer.app.ports.display import ViewPort
from medviewer.app.ports.scene import VolumePort
from medviewer.app.state import Session
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.errors import InputError


@pytest.mark.parametrize("name", LAYOUTS)
def test_cells_fill_their_layout_and_none_lies_over_another(name: str) -> None:
    layout = layout_of(name)
    taken = [
        (cell.row + r, cell.column + c)
        for cell in layout.cells
        for r in range(cell.row_span)
        for c in range(cell.column_span)
    ]
    assert sorted(taken) == [(r, c) for r in range(layout.rows) for c in range(layout.columns)]
    assert len(layout.slices) + (layout.volume is not None) == len(layout.cells)


def test_a_layout_that_there_is_not() -> None:
    with pytest.raises(InputError, match=f"one of {', '.join(NAMES)}, not 9x9"):
        layout_of("9x9")


def test_the_acquired_plane_is_the_one_of_the_slices() -> None:
    sagittal = Grid((5, 6, 7), direction=(1, 0, 0, 0, 0, 1, 0, -1, 0))
    assert plane_for(sagittal, "acquired").name == "Sagittal"
    assert plane_for(sagittal, "axial").name == "Axial"
    assert plane_for(Grid((1, 6, 7)), "coronal").name == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_shows_its_panes(session: Session, name: str) -> None:
    panes.arrange(session, name)
    view = session.view
    assert view.layout == name
    assert view.hung == view.arranged.panes
    assert len(visible_panes(session)) == (1 if name == "single" else len(view.arranged.slices))


def test_one_viewport_is_the_active_one_of_the_layout_before(session: Session) -> None:
    panes.arrange(session, "2x2")
    session.view.active = 3
    panes.enlarge(session)
    assert (session.view.layout, visible_panes(session)) == ("single", (3,))
    assert session.view.hung[3] == Pane("acquired")
    panes.enlarge(session)
    assert (session.view.layout, session.view.active) == ("2x2", 3)
    panes.arrange(session, "1x2")
    assert session.view.active == 1, "there is no fourth viewport any more"


def test_another_series_begins_with_its_own_layout(session: Session, image: Image) -> None:
    panes.arrange(session, "2x2")
    study.present(session, replace(session.series, uid="1.2.3"), image)
    assert (session.view.layout, len(session.view.hung)) == ("mpr", 3)


def test_a_radiograph_is_one_picture_where_there_are_three_planes(radiograph: Session) -> None:
    for name, seen in (("single", (0,)), ("mpr", (0,)), ("compare", (0, 1))):
        panes.arrange(radiograph, name)
        assert visible_panes(radiograph) == seen


def test_hidden_viewports_are_neither_refreshed_nor_hold_what_is_closed(session: Session, image: Image) -> None:
    viewports = [create_autospec(ViewPort, instance=True) for _ in range(3)]
    volume = create_autospec(VolumePort, instance=True)
    controller = DisplayController(session, viewports, volume, lambda refresh: refresh())
    controller.refresh()
    panes.arrange(session, "single")
    calls = [viewport.apply.call_count for viewport in viewports] + [volume.apply.call_count]
    session.view.cursor = (1, 1, 1)
    assert viewports[0].apply.call_count > calls[0]
    assert [viewport.apply.call_count for viewport in viewports[1:]] + [volume.apply.call_count] == calls[1:]
    panes.arrange(session, "mpr")
    assert viewports[1].apply.call_args.args[0].k == 1, "it is up to date as soon as it is seen"
    panes.arrange(session, "single")
    session.image = replace(image)
    assert viewports[1].apply.call_args.args[0] is None
    assert volume.apply.call_args.args[0] is None
