"""Measurements on series beside and on turned planes: of which series and plane they are, kept, found again."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import beside, companion_looks, measuring, panes, planes, view
from medviewer.app.controllers.display import resolve_pane
from medviewer.app.controllers.measures import text_of, where_of
from medviewer.app.controllers.placing import MeasureTool
from medviewer.app.controllers.turning import turned_of
from medviewer.app.hanging.companions import companion_of, cursor_of, plane_of
from medviewer.app.live_values import LiveValues
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Companion
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.measure.values import values_of
from medviewer.domain.study import Series
from medviewer.domain.turned import Turned

from .conftest import GRID, STUDY

FRAME = "1.2.826.0.1.60"
PRIOR_GRID = Grid((9, 12, 11), (1.5, 1.0, 1.2), (9.0, -21.0, 29.0))
PRIOR = Series("1.2.826.0.1.95", "CT", "Prior", PRIOR_GRID, (), "dicom", frame_of_reference=FRAME)
PRIOR_STUDY = replace(STUDY, uid="1.2.826.0.1.94", date="2019-01-01", series=(PRIOR,))


def prior_image() -> Image:
    voxels = np.random.default_rng(0).integers(0, 900, PRIOR_GRID.shape).astype(np.int16)
    return Image(voxels, PRIOR_GRID, "CT", Rescale(1.0, 0.0, "HU"), (Window(50, 100),))


def hung(services: Services, study=PRIOR_STUDY) -> Companion:
    session = services.session
    session.series = replace(session.series, frame_of_reference=FRAME)
    panes.arrange(session, "compare")
    beside.accept(session, study, PRIOR, prior_image(), 1)
    return companion_of(session, 1)


def shown(services: Services, number: int) -> Display:
    session = services.session
    made = tuple(plane_of(session, k) for k in range(len(session.view.hung)))
    display = resolve_pane(session, made, number)
    assert display is not None
    return display


@pytest.fixture
def hand(services: Services) -> MeasureTool:
    return MeasureTool(services, lambda *_: "text")


def drag(services: Services, hand: MeasureTool, number: int, kind: str, start, end) -> Measurement:
    """Drag with a tool over what a pane shows; returns what was made."""
    view.choose_tool(services, kind)
    display, companion = shown(services, number), companion_of(services.session, number)
    place = display.plane, display.k
    before = services.session.measurements
    hand.press(*place, start, None, companion)
    hand.move(*place, end, companion)
    assert any(m.drafted for m in shown(services, number).measures), "what is being placed is seen"
    hand.release(*place, end, True, companion)
    (made,) = (m for m in services.session.measurements if m not in before)
    return made


def test_a_prior_is_measured_in_its_own_study(services: Services, hand: MeasureTool) -> None:
    session = services.session
    companion = hung(services)
    made = drag(services, hand, 1, "length", (2.0, 2.0), (2.0, 7.0))
    assert made.series_uid == PRIOR.uid
    assert measuring.study_of(session, made) == PRIOR_STUDY.uid
    assert session.measured[made.uid][0].number == pytest.approx(5 * 1.2)
    (kept,) = services.archive.measurements.of_studies([PRIOR_STUDY.uid])
    assert kept.measurement == made
    assert not services.archive.measurements.of_studies([STUDY.uid])
    assert [m.uid for m in shown(services, 1).measures] == [made.uid]
    assert shown(services, 0).measures == ()
    assert where_of(session, made)[0] == f"Ax {cursor_of(session, companion)[0] + 1}"
    region = drag(services, hand, 1, "ellipse", (2.0, 2.0), (8.0, 8.0))
    assert session.measured[region.uid] == values_of(replace(region, uid=""), companion.image)
    # to be found again: the crosshair of that pane goes there, and nothing else is opened
    beside.move(services, 1, (0, 0, 0))
    session.view.active = 0
    measuring.jump_to(services, made.uid)
    assert session.view.active == 1
    assert made.uid in {m.uid for m in shown(services, 1).measures}
    # dragged by a handle, undone
    display = shown(services, 1)
    companion = companion_of(session, 1)
    hand.press(display.plane, display.k, (2.0, 7.0), (made.uid, 1), companion)
    hand.move(display.plane, display.k, (2.0, 9.0), companion)
    hand.release(display.plane, display.k, (2.0, 9.0), True, companion)
    assert session.measured[made.uid][0].number == pytest.approx(7 * 1.2)
    measuring.undo(services)
    assert session.measured[made.uid][0].number == pytest.approx(5 * 1.2)
    # with its series they go from the list, and come back with it
    panes.arrange(session, "mpr")
    assert session.measurements == ()
    hung(services)
    assert {m.uid for m in session.measurements} == {made.uid, region.uid}


def test_what_is_begun_on_one_series_is_not_ended_on_another(services: Services, hand: MeasureTool) -> None:
    session = services.session
    companion = hung(services)
    view.choose_tool(services, "length")
    first, second = shown(services, 0), shown(services, 1)
    hand.press(first.plane, first.k, (1.0, 1.0), None)
    hand.release(first.plane, first.k, (1.0, 1.0), False)
    hand.press(second.plane, second.k, (2.0, 2.0), None, companion)
    hand.release(second.plane, second.k, (2.0, 2.0), False, companion)
    assert session.measurements == ()
    assert session.draft.series_uid == PRIOR.uid, "it begins anew there"
    assert shown(services, 0).measures == ()


def test_a_series_of_the_open_study_beside_it(services: Services, hand: MeasureTool) -> None:
    hung(services, replace(STUDY, series=(*STUDY.series, PRIOR)))
    made = drag(services, hand, 1, "length", (2.0, 2.0), (4.0, 7.0))
    assert measuring.study_of(services.session, made) == STUDY.uid
    probe = drag(services, hand, 0, "rectangle", (1.0, 1.0), (3.0, 4.0))
    assert probe.series_uid == services.session.series.uid
    panes.arrange(services.session, "mpr")
    assert {m.uid for m in services.session.measurements} == {made.uid, probe.uid}


def test_an_oblique_plane_is_measured_and_found_again(services: Services, hand: MeasureTool) -> None:
    session = services.session
    session.view.cursor = (2, 3, 4)
    planes.turn(services, "Axial", 0.4)
    display = shown(services, 2)
    row, column = display.crosshair
    made = drag(services, hand, 2, "length", (row, column - 1.0), (row, column + 2.0))
    assert session.measured[made.uid][0].number == pytest.approx(3 * turned_of(session).spacing)
    normal = display.plane.grid.axes[:, 0]
    assert abs(float(np.dot(normal, made.normal))) == pytest.approx(1)
    assert [m.uid for m in shown(services, 2).measures] == [made.uid]
    assert shown(services, 1).measures == ()
    assert where_of(session, made)[0] == "Cor oblique"
    planes.straighten(services)
    assert all(shown(services, number).measures == () for number in (0, 1, 2))
    measuring.jump_to(services, made.uid)
    assert made.uid in {m.uid for number in (0, 1, 2) for m in shown(services, number).measures}
    planes.straighten(services)
    level = drag(services, hand, 0, "length", (1.0, 1.0), (3.0, 4.0))
    planes.turn(services, "Sagittal", 0.4)
    measuring.jump_to(services, level.uid)
    assert session.view.turned is None, "its plane is a straight one"
    assert level.uid in {m.uid for m in shown(services, 0).measures}


def test_a_region_on_an_oblique_plane_has_the_values_there(services: Services, hand: MeasureTool) -> None:
    """On a ramp, the mean of a region is the value at its middle."""
    grid = Grid((24, 24, 24))
    z, y, x = np.indices(grid.shape)
    services.session.image = Image((10 * x + 3 * y + z).astype(np.int16), grid, "CT", Rescale(1.0, 0.0, "HU"))
    services.session.view.cursor = (12, 12, 12)
    planes.turn(services, "Axial", 0.5)
    planes.turn(services, "Coronal", 0.3)
    row, column = shown(services, 1).crosshair
    made = drag(services, hand, 1, "ellipse", (row - 5, column - 5), (row + 5, column + 5))
    mean = next(value for value in services.session.measured[made.uid] if value.name == "Mean")
    assert mean.number == pytest.approx(float(np.dot(grid.world_to_index(made.centre), (1, 3, 10))), abs=0.2)
    assert text_of(services.session, made)


def test_turned_planes_face_a_normal_by_the_least_angle() -> None:
    assert Turned.facing(GRID, (0.0, 0.0, -1.0), (0.0, 0.0, 0.0)) is None
    for normal in ((0.1, 0.2, 0.97), (0.6, -0.7, 0.2), (-0.9, 0.3, -0.3)):
        made = Turned.facing(GRID, normal, (10.0, -18.0, 33.0))
        unit = np.array(normal) / np.linalg.norm(normal)
        along = [abs(float(made.basis(name)[:, 0] @ unit)) for name in ("Axial", "Sagittal", "Coronal")]
        assert max(along) == pytest.approx(1)
        straight = Turned.straight(GRID, (0.0, 0.0, 0.0))
        angle = np.arccos(np.clip((np.trace(made.basis("Axial").T @ straight.basis("Axial")) - 1) / 2, -1, 1))
        assert angle == pytest.approx(np.arccos(np.abs(unit).max()), abs=1e-6)


def test_values_of_several_images_are_known_at_once_and_go_with_them(image: Image) -> None:
    values = LiveValues()
    m = Measurement("1", "length", ((10, -20, 30), (13, -16, 30)), (0, 0, 1), "1.2")
    other = prior_image()
    assert values.values(m, image) == values.values(m, other)
    assert values.known(m, image) is not None
    assert values.known(m, other) is not None
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None, "no image stays in memory for what was measured on it"


def test_a_large_region_beside_is_counted_and_kept(services: Services, hand: MeasureTool) -> None:
    session = services.session
    companion = hung(services)
    waiting = []
    session.live_values.background = lambda work, done, over: waiting.append((work, done, over))
    made = Measurement(
        "", "sphere", (tuple(PRIOR_GRID.index_to_world((4, 6, 5))), (15.0, -15.0, 80.0)), (0, 0, 1), PRIOR.uid
    )
    wide = replace(made, points=(made.points[0], (60.0, -15.0, 35.0)))
    session.live_values.values(wide, companion.image)
    kept = measuring.add(services, wide)
    if waiting:  # it is counted elsewhere
        work, done, over = waiting[0]
        over()
        done(work())
        measuring.note_values(services)
    assert session.measured[kept.uid] == values_of(replace(kept, uid=""), companion.image)
    companion_looks.invert(session)
    assert any(m.uid == kept.uid for m in shown(services, 1).measures)
