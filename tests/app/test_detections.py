"""Commands about what a detector found, and where its boxes are drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from medviewer.app.commands import detections
from medviewer.app.controllers.display import drawn_boxes
from medviewer.app.state import Session
from medviewer.domain.finding import Detection, Detections
from medviewer.domain.geometry import Grid
from medviewer.domain.plane import planes_of
from medviewer.errors import InputError

GRID = Grid((30, 26, 34), (2.0, 1.0, 1.0))
FOUND = Detections(
    (
        Detection("Nodule", 0.9, (4.0, 6.0, 8.0), (8.0, 10.0, 12.0)),
        Detection("Mass", 0.8, (6.0, 20.0, 30.0), (9.0, 26.0, 34.0)),
    ),
    GRID,
)


def services() -> Any:
    session = Session()
    session.detections = FOUND
    return SimpleNamespace(session=session)


def test_finds_are_looked_at_in_turn() -> None:
    program = services()
    seen = []
    for steps in (1, 1, 1, -1):
        detections.step(program, steps)
        seen.append((program.session.chosen_detection, program.session.view.cursor))
    first, second = (6, 8, 10), (7, 22, 32)
    assert [number for number, _ in seen] == [0, 1, 0, 1]
    assert seen[1][1] == second
    assert all(abs(a - b) <= 1 for a, b in zip(seen[0][1], first, strict=True))


def test_what_is_not_there_is_refused() -> None:
    program = services()
    with pytest.raises(InputError, match="2 finds to look at, not one of number 3"):
        detections.jump(program, 2)
    program.session.detections = None
    with pytest.raises(InputError, match="run a plugin that detects"):
        detections.step(program, 1)


def test_boxes_lie_on_the_slices_that_they_touch() -> None:
    session = services().session
    axial, sagittal, coronal = planes_of(GRID)
    assert [len(drawn_boxes(session, axial, k)) for k in (3, 4, 6, 7, 8, 9)] == [0, 1, 2, 2, 1, 0]
    assert [len(drawn_boxes(session, coronal, k)) for k in (5, 6, 9, 10, 20)] == [0, 1, 1, 0, 1]
    session.chosen_detection = 0
    mass, nodule = drawn_boxes(session, axial, 7)
    assert (nodule.text, mass.text, nodule.chosen, mass.chosen) == ("1  Nodule 0.90", "2", True, False)
    assert nodule.colour != mass.colour
    assert nodule.corners == (axial.to_screen((3.5, 5.5, 7.5)), axial.to_screen((7.5, 9.5, 11.5)))
    (side,) = drawn_boxes(session, sagittal, 8)
    assert side.text == "1  Nodule 0.90"
    session.view.mask_visible = False
    assert drawn_boxes(session, axial, 7) == ()


def test_finds_are_told_and_written_in_world_coordinates() -> None:
    assert detections.said(FOUND) == "Found 1 × Nodule, 1 × Mass"
    assert detections.said(Detections((), GRID)) == "Nothing found"
    first, second = detections.to_json(FOUND)
    assert first["low"] == [4.0, 6.0, 8.0]
    assert second["size_mm"] == [6.0, 6.0, 4.0]
    assert first["centre_mm"] == [round(float(mm), 3) for mm in GRID.index_to_world((5.5, 7.5, 9.5))]
