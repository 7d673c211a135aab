"""The 4th axis: stepping, playing, and that all that asks for voxels asks the phase that is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import create_autospec

import numpy as np
import pytest

from medviewer.app import context
from medviewer.app.commands import batch_results, detections, explain, masks, predict, research, study, verdicts, view
from medviewer.app.controllers.display import drawn_boxes, heat_look, resolve, resolve_scene
from medviewer.app.controllers.texts import phase_text, phase_value, read_out
from medviewer.app.mask_store import phase_of
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.finding import Detection, Detections
from medviewer.domain.heatmap import UNCERTAINTY, Heatmap
from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.plane import Plane
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import PhaseAxis
from medviewer.errors import InputError
from medviewer.jobs import Job

from .conftest import GRID, SERIES

TIME = PhaseAxis("time", (0.0, 40.0, 80.0, 120.0, 160.0), "ms", 40.0)


def film(axis: PhaseAxis = TIME) -> Image:
    """An image whose every phase is 1000 higher than the one before, in HU with a rescale of its own."""
    count = len(axis)
    voxels = np.arange(192, dtype=np.int32).reshape(GRID.shape) + 1000 * np.arange(count).reshape(-1, 1, 1, 1)
    rescales = tuple(Rescale(1.0, float(-k), "HU") for k in range(count))
    return Image(voxels[0], GRID, "CT", rescales[0], dynamic=Dynamic(axis, voxels, rescales))


@pytest.fixture
def playing(services: Services) -> Services:
    """The program with a film open."""
    study.present(services.session, SERIES, film())
    return services


def test_stepping_goes_round_and_setting_stops_at_the_ends(playing: Services) -> None:
    state = playing.session.view
    view.step_phase(playing, 2)
    assert state.phase == 2
    view.step_phase(playing, 3)
    assert state.phase == 0
    view.step_phase(playing, -1)
    assert state.phase == 4
    view.set_phase(playing, 99)
    assert state.phase == 4
    view.set_phase(playing, -7)
    assert state.phase == 0


def test_an_image_without_phases_takes_no_step(services: Services) -> None:
    view.step_phase(services, 1)
    view.set_phase(services, 1)
    view.toggle_play(services)
    assert (services.session.view.phase, services.session.view.playing) == (0, False)
    assert services.session.shown is services.session.image
    assert not context.current(services.session)["phases_open"]


def test_playing_ends_with_the_series(playing: Services) -> None:
    state = playing.session.view
    view.toggle_play(playing)
    assert state.playing
    assert context.current(playing.session)["playing"]
    view.set_phase(playing, 3)
    study.present(playing.session, SERIES, film())
    assert (state.phase, state.playing) == (0, False)
    view.toggle_play(playing)
    study.close(playing)
    assert not state.playing


def test_a_series_that_is_still_read_does_not_play(playing: Services) -> None:
    playing.loading = create_autospec(Job, instance=True)
    view.toggle_play(playing)
    assert not playing.session.view.playing
    assert "once all of it is read" in playing.session.message.text
    playing.loading = None


@pytest.mark.parametrize(("elapsed", "phase"), [(0, 3), (39, 3), (41, 4), (81, 0), (4000, 3), (4 * 40 + 1, 2)])
def test_a_film_goes_by_the_clock(elapsed: float, phase: int) -> None:
    assert view.phase_at(3, elapsed, 40.0, 5) == phase


@pytest.mark.parametrize(
    ("mode", "steps", "phase"),
    [
        ("loop", 6, 1),
        ("bounce", 4, 4),
        ("bounce", 5, 3),
        ("bounce", 8, 0),
        ("bounce", 9, 1),
        ("once", 3, 3),
        ("once", 9, 4),
    ],
)
def test_what_a_film_does_at_its_end(mode: str, steps: int, phase: int) -> None:
    assert view.phase_at(0, steps * 40.0, 40.0, 5, mode) == phase  # type: ignore[arg-type]  # one of them
    assert view.phase_at(0, 400.0, 40.0, 1, mode) == 0  # type: ignore[arg-type]  # one of them


def test_speed_and_way_of_a_film(playing: Services) -> None:
    state = playing.session.view
    view.step_speed(playing, 1)
    assert view.play_interval(playing) == 20
    view.step_speed(playing, -9)
    assert (state.play_speed, view.play_interval(playing)) == (0.25, 160)
    for mode in ("bounce", "once", "loop"):
        view.next_play_mode(playing)
        assert state.play_mode == mode
    with pytest.raises(InputError, match="loop, bounce, once"):
        view.set_play_mode(playing, "never")  # type: ignore[arg-type]  # that is the point


def test_the_interval_is_the_recorded_one_or_a_tenth_of_a_second(playing: Services) -> None:
    assert view.play_interval(playing) == 40
    study.present(playing.session, SERIES, film(replace(TIME, interval_ms=None)))
    assert view.play_interval(playing) == view.PLAY_MS == 100


def test_what_is_shown_and_read_out_is_the_phase(playing: Services) -> None:
    session = playing.session
    view.set_phase(playing, 3)
    plane = Plane.of(GRID, "Axial")
    display, scene = resolve(session, plane, 0), resolve_scene(session)
    assert display is not None
    assert scene is not None
    assert display.voxels is scene.voxels
    np.testing.assert_array_equal(display.voxels, session.image.dynamic.voxels[3])
    assert display.intercept == -3
    assert display.identity is scene.identity is session.image
    assert "HU 2997" in read_out(session, (0, 0, 0))
    assert "time 4 / 5  t = 120 ms" in display.corners.top_right


def test_another_phase_is_the_same_picture_and_another_image_is_not(playing: Services) -> None:
    session = playing.session
    plane = Plane.of(GRID, "Axial")
    first = resolve(session, plane, 0)
    view.step_phase(playing, 1)
    second = resolve(session, plane, 0)
    assert second.voxels is not first.voxels
    assert second.same_picture(first)
    assert not second.same_picture(resolve(session, Plane.of(GRID, "Coronal"), 1))
    study.present(session, SERIES, film())
    assert not resolve(session, plane, 0).same_picture(first)


def test_the_brightness_of_3d_does_not_change_from_phase_to_phase(session: Session) -> None:
    study.present(session, SERIES, film())
    before = resolve_scene(session)
    session.view.phase = 4
    after = resolve_scene(session)
    slope, low = 1.0, before.limits[0] + 0.0
    assert after.limits[0] - 4 == pytest.approx(low * slope), "stored limits differ by the rescale alone"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_models_get_the_phase_that_is_seen(playing: Services, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    view.set_phase(playing, 2)
    given: list[Image] = []

    class Enough(Exception):
        """The image came."""

    def submit(services: Services, image: Image, *_: object, **__: object) -> None:
        given.append(image)
        raise Enough

    module = {"predict": predict, "explain": explain}[command]
    monkeypatch.setattr(module, "submit", submit)
    with pytest.raises(Enough):
        module.run(playing, "brain-extraction")
    assert given == [playing.session.image.at_phase(2)]


def test_a_verdict_is_on_the_phase_that_is_seen(playing: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    view.set_phase(playing, 2)
    masks.new(playing)
    playing.session.mask.paint(np.array([3]), 1)
    given: list[Image] = []
    monkeypatch.setattr(verdicts, "learner", lambda services, image, series, mask: given.append(image))
    verdicts.learner_of(playing)
    assert given == [playing.session.image.at_phase(2)]


def painted(playing: Services, phase: int, column: int = 2) -> None:
    """A stroke of the brush while a phase is shown."""
    view.set_phase(playing, phase)
    view.choose_tool(playing, "brush")
    view.begin_stroke(playing)
    view.stroke(playing, Plane.of(GRID, "Axial"), 1, (2, column), (2, column))
    view.end_stroke(playing)


def judged(playing: Services) -> int:
    image = verdicts.judged_image(playing.session)
    assert image is playing.session.image.at_phase(image.phase)
    return image.phase


def test_a_verdict_is_on_the_phase_that_was_painted_on(playing: Services) -> None:
    painted(playing, 3)
    painted(playing, 1, column=5)
    view.set_phase(playing, 4)
    assert judged(playing) == 3
    view.undo(playing)
    view.undo(playing)
    painted(playing, 2)
    assert judged(playing) == 2, "what was painted first was taken back"


def test_the_phase_of_a_mask_outlives_saving_and_a_crash(
    playing: Services, launch: Callable[..., Services], image: Image
) -> None:
    painted(playing, 3)
    playing.session.mask.journal.close()  # the program ended
    playing.session.mask = None
    again = launch()
    study._present(again, SERIES, film())
    assert (judged(again), again.session.mask.can_undo) == (3, True)
    assert again.session.message.text.startswith("1 stroke that was not saved")
    masks.keep(again)
    study.close(again)
    study._present(again, SERIES, film())
    assert (again.session.view.phase, judged(again)) == (0, 3)
    study._present(again, SERIES, image)
    assert verdicts.judged_image(again.session) is image, "without phases there is one image"


def test_a_prediction_is_judged_on_the_phase_that_it_was_made_on(
    playing: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.ones(GRID.shape, np.uint8)
    made = Provenance("brain-extraction", "1.0.0", "1.2.0", parameters={"keep": 3}, author=masks.ALGORITHM)

    def submit(services: Services, *_: object, **__: object) -> Job[Segmentation]:
        return services.runner.submit(lambda _: Segmentation(labels, GRID, (Segment(1, "Brain"),), made), title="Run")

    monkeypatch.setattr(predict, "submit", submit)
    for phase in (3, 1):
        view.set_phase(playing, phase)
        job = predict.run(playing, "brain-extraction")
        view.set_phase(playing, 4)
        playing.runner.wait(job, 60)
        assert judged(playing) == phase
    assert playing.session.mask.base.provenance.parameters == {"keep": 3, "phase": 1}
    third = replace(made, parameters={"phase": 3})
    found = verdicts.model_mask(playing, SERIES, third)
    assert found is not None
    assert found.provenance.parameters["phase"] == 3


def test_heat_maps_and_finds_are_drawn_on_the_phase_that_they_are_of(playing: Services) -> None:
    session, axial = playing.session, Plane.of(GRID, "Axial")
    made = Provenance("finder", "1.0.0", "1.0.0", author=masks.ALGORITHM)
    box = Detection("Spot", 0.9, (0.0, 0.0, 0.0), (4.0, 3.0, 3.0))
    predict.keep(playing, SERIES, Detections((box,), GRID, made), 3)
    heat = Heatmap(np.ones(GRID.shape, np.float32), GRID, UNCERTAINTY, "Spot", made)
    answer = Segmentation(np.ones(GRID.shape, np.uint8), GRID, (Segment(1, "Spot"),), made, uncertainty=(heat,))
    predict.keep(playing, SERIES, answer, 3)
    assert playing.session.heatmap is not None
    assert (heat_look(session), drawn_boxes(session, axial, 1)) == (None, ())
    lines = resolve(session, axial, 0).corners.bottom_left.splitlines()
    assert {"Heat map not drawn here: of time 4 / 5", "Finds not drawn here: of time 4 / 5"} <= set(lines)
    assert not any(line.startswith(UNCERTAINTY) for line in lines)
    detections.step(playing, 1)
    assert session.view.phase == 3
    assert heat_look(session) is not None
    assert len(drawn_boxes(session, axial, 1)) == 1
    assert "not drawn here" not in resolve(session, axial, 0).corners.bottom_left
    kept = playing.archive.results.detections_for(SERIES.uid)
    assert phase_of(kept[0]) == 3


def test_a_run_on_many_notes_the_phase_that_it_looked_at(playing: Services) -> None:
    made = Provenance("brain-extraction", "1.0.0", "1.0.0", author=masks.ALGORITHM)
    keep = batch_results.keep_in_archive(playing)
    for phases, wanted in ((TIME, 0), (None, None)):
        playing.session.mask = None
        answer = Segmentation(np.ones(GRID.shape, np.uint8), GRID, (Segment(1, "Brain"),), made)
        keep(replace(SERIES, phases=phases), answer)
        assert playing.session.mask is not None
        assert playing.session.mask.phase == wanted


@pytest.mark.parametrize(
    ("axis", "value", "text"),
    [
        (TIME, "t = 40 ms", "time 2 / 5  t = 40 ms"),
        (PhaseAxis("b-value", (0, 1000), "s/mm²"), "b = 1000 s/mm²", "b-value 2 / 2  b = 1000 s/mm²"),
        (PhaseAxis("echo", (5, 10.25), "ms"), "TE = 10.25 ms", "echo 2 / 2  TE = 10.25 ms"),
        (PhaseAxis("frame", (1, 2, 3)), "", "frame 2 / 3"),
        (PhaseAxis("phase", (10, 40)), "phase 40", "phase 2 / 2  phase 40"),
    ],
)
def test_values_are_named_as_readers_do(axis: PhaseAxis, value: str, text: str) -> None:
    assert (phase_value(axis, 1), phase_text(axis, 1)) == (value, text)


def test_a_mask_from_napari_is_of_the_phase_that_was_shown_when_it_was_asked_for(playing: Services) -> None:
    store = masks.new(playing)
    labels = store.labels.copy()
    labels[1, 2:4, 3:5] = 1
    view.set_phase(playing, 0)
    assert playing.session.series is not None
    research.bring_back(playing, labels, "Mask", playing.session.series.uid)
    view.set_phase(playing, 3)  # the film plays on
    research.settle(playing)
    assert store.labels.any()
    assert store.phase == 0
