"""Flipped and rotated viewports: what lies on the slice follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import panes, study
from medviewer.app.controllers.display import DisplayController
from medviewer.app.ports.display import Display
from medviewer.app.state import Session
from medviewer.domain.finding import Detection, Detections
from medviewer.domain.plane import UNTURNED

from .conftest import SERIES


class Viewport:
    """Keeps what it is told to show."""

    shown: Display | None = None

    def apply(self, display: Display | None) -> None:
        self.shown = display

    def fit(self) -> None:
        """Nothing to fit."""


def draw(session: Session) -> list[Display]:
    viewports = [Viewport() for _ in range(3)]
    controller = DisplayController(session, viewports, None, lambda refresh: None)
    controller.refresh()
    controller.close()
    return [viewport.shown for viewport in viewports]


@pytest.mark.parametrize("step", ["flip", "upend", "rotate"])
def test_the_active_viewport_is_turned_with_all_that_lies_on_it(session: Session, step: str) -> None:
    session.view.cursor = (1, 2, 3)
    before = draw(session)
    panes.turn(session, step)
    shown, *others = draw(session)
    assert [one.plane for one in others] == [one.plane for one in before[1:]]
    assert shown.plane != before[0].plane
    assert shown.letters != before[0].letters
    row, column = (int(v) for v in shown.crosshair)
    assert shown.plane.take(shown.voxels, shown.k)[row, column] == session.image.voxels[1, 2, 3]
    words = {"flip": "flipped left to right", "upend": "flipped top to bottom", "rotate": "rotated 90°"}
    assert words[step] in shown.corners.top_right
    assert "flipped" not in before[0].corners.top_right


def test_boxes_turn_with_the_slice(session: Session) -> None:
    provenance = None
    found = Detection("Nodule", 0.9, (1.0, 2.0, 3.0), (2.0, 4.0, 6.0))
    session.detections = Detections((found,), provenance)  # type: ignore[arg-type]  # nobody asks who found it
    session.view.cursor = (1, 2, 3)
    panes.turn(session, "rotate")
    (box,) = draw(session)[0].boxes
    # rows 2 to 4 of 6 become columns 5-3.5 to 5-1.5; columns 3 to 6 become rows
    assert [sorted(values) for values in zip(*box.corners, strict=True)] == [[2.5, 5.5], [1.5, 3.5]]


def test_turning_back_and_the_next_series(session: Session) -> None:
    panes.turn(session, "rotate")
    session.view.active = 2
    panes.turn(session, "flip")
    assert [pane.turn.text for pane in session.view.hung] == ["rotated 90°", "", "flipped left to right"]
    panes.turn(session, None)
    assert [pane.turn.text for pane in session.view.hung] == ["rotated 90°", "", ""]
    panes.turn_back(session)
    assert {pane.turn for pane in session.view.hung} == {UNTURNED}
    panes.turn(session, "flip")
    study.present(session, SERIES, session.image)
    assert {pane.turn for pane in session.view.hung} == {UNTURNED}


def test_a_radiograph_turns(radiograph: Session) -> None:
    panes.turn(radiograph, "rotate")
    shown = draw(radiograph)[0]
    assert shown.plane.shape == (7, 5)
    np.testing.assert_array_equal(shown.plane.take(shown.voxels, 0), np.rot90(radiograph.image.voxels[0], -1))
    assert shown.letters == ("P", "A", "R", "L")


def test_nothing_open_is_not_turned(session: Session) -> None:
    session.image = None
    before = session.view.panes
    panes.turn(session, "flip")
    assert session.view.panes == before


def test_the_turn_stays_while_slices_and_phases_change(session: Session) -> None:
    panes.turn(session, "flip")
    first = draw(session)[0]
    session.view.cursor = (2, 2, 3)
    session.image = replace(session.image)
    assert draw(session)[0].plane == first.plane
