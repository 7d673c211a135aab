"""Maps of a model's doubt: at hand beside its reasons, kept, and gone through place by place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import doubtful, explain, heatmaps, predict, results
from medviewer.app.controllers.display import heat_look
from medviewer.app.services import Services
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import DISAGREEMENT, UNCERTAINTY, Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import InputError
from medviewer.jobs import Job

from .conftest import SERIES

MADE = Provenance("brain-extraction", "1.0.0", "1.0.0")
WAIT_S = 60.0


def settle(services: Services) -> None:
    """Until no job is left."""
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], WAIT_S)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Chooses what every plugin answers."""

    def choose(result: object) -> None:
        def submit(services: Services, *_: object, **__: object) -> Job[object]:
            return services.runner.submit(lambda _: result, title="A plugin")

        monkeypatch.setattr(predict, "submit", submit)
        monkeypatch.setattr(explain, "submit", submit)

    return choose


def doubt(grid: Grid, method: str = UNCERTAINTY, spots: tuple[tuple[int, int, int], ...] = ((1, 1, 1),)) -> Heatmap:
    """A map that is sure of all but these voxels."""
    values = np.zeros(grid.shape, np.float16)
    for z, y, x in spots:
        values[max(0, z - 1) : z + 2, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 1
    return Heatmap(values, grid, method, "Brain", MADE)


def mask(grid: Grid, *maps: Heatmap) -> Segmentation:
    return Segmentation(np.zeros(grid.shape, np.uint8), grid, (Segment(1, "Brain"),), MADE, uncertainty=maps)


def run(services: Services, answer: Callable[[object], None], result: object) -> None:
    answer(result)
    predict.run(services, "brain-extraction")
    settle(services)


def test_places_are_the_thick_spots_most_first() -> None:
    """A thin shell as every mask has, and two blobs on it: the blobs are the places, the larger first."""
    values = np.zeros((60, 60, 60), np.float16)
    z, y, x = np.indices(values.shape)
    radius = np.sqrt((z - 30.0) ** 2 + (y - 30.0) ** 2 + (x - 30.0) ** 2)
    values[np.abs(radius - 20) < 0.7] = 0.8
    values[(z - 30) ** 2 + (y - 30) ** 2 + (x - 50) ** 2 < 25] = 1
    values[(z - 30) ** 2 + (y - 10) ** 2 + (x - 30) ** 2 < 49] = 1
    places = doubtful.places_of(values, (1.0, 1.0, 1.0))
    assert len(places) == 2
    for place, expected in zip(places, ((30, 10, 30), (30, 30, 50)), strict=True):
        assert np.linalg.norm(np.subtract(place.index, expected)) < 4
    assert places[0].mass > places[1].mass


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.5, 0.5), (0.4, 0.4, 3.0)])
def test_places_lie_where_the_doubt_is_whatever_the_voxels_are(spacing: tuple[float, float, float]) -> None:
    values = np.zeros((40, 50, 60), np.float32)
    values[10:20, 20:32, 30:44] = 0.9
    (place,) = doubtful.places_of(values, spacing)
    assert values[place.index] > 0


def test_a_map_without_doubt_has_no_places() -> None:
    assert doubtful.places_of(np.full((9, 9, 9), 0.05, np.float16), (1.0, 1.0, 1.0)) == ()
    assert doubtful.places_of(np.zeros((1, 9, 9), np.float16), (1.0, 1.0, 1.0)) == ()


def test_the_crosshair_goes_from_place_to_place_and_round(services: Services, image: Image) -> None:
    session = services.session
    last = tuple(n - 1 for n in image.grid.shape)
    values = np.zeros(image.grid.shape, np.float16)
    values[0, 0, 0] = values[last] = 1
    shown = Heatmap(values, replace(image.grid, spacing=(20.0, 20.0, 20.0)), UNCERTAINTY, "Brain", MADE)
    session.heatmaps = (shown,)
    seen = []
    for _ in range(3):
        doubtful.go_on(services)
        settle(services)
        seen.append(session.view.cursor)
    assert sorted(seen[:2]) == [(0, 0, 0), last]
    assert seen[2] == seen[0]
    assert session.heatmap is shown
    assert session.message is not None
    assert session.message.text == "Doubtful place 1 of 2 (Uncertainty of Brain, brain-extraction, model 1.0.0)."


def test_without_a_map_there_is_nowhere_to_go(services: Services) -> None:
    with pytest.raises(InputError, match="no map of a model's doubt"):
        doubtful.go_on(services)


def test_a_sure_model_is_said(services: Services, image: Image) -> None:
    services.session.heatmaps = (doubt(image.grid, spots=()),)
    doubtful.go_on(services)
    settle(services)
    assert services.session.message is not None
    assert services.session.message.text == f"{UNCERTAINTY} is not high anywhere: this map has no place to go to."


def test_what_is_said_of_doubt_is_of_the_map_that_is_shown(services: Services, image: Image) -> None:
    session = services.session
    sure = doubt(image.grid, DISAGREEMENT, spots=())
    session.heatmaps, session.heatmap = (doubt(image.grid), sure), sure
    doubtful.go_on(services)
    settle(services)
    assert session.message is not None
    assert session.message.text == (
        "Disagreement is not high anywhere: this map has no place to go to. Alt+G shows Uncertainty."
    )
    assert session.heatmap is sure


def test_doubt_and_reasons_are_switched_between(
    services: Services, image: Image, answer: Callable[[object], None]
) -> None:
    session = services.session
    reasons = Heatmap(np.ones(image.grid.shape, np.float16), image.grid, "Grad-CAM", "Brain", MADE)
    answer(reasons)
    explain.run(services, "brain-extraction")
    settle(services)
    run(services, answer, mask(image.grid, doubt(image.grid), doubt(image.grid, DISAGREEMENT)))
    assert [one.method for one in session.heatmaps] == ["Grad-CAM", UNCERTAINTY, DISAGREEMENT]
    assert session.heatmap is not None
    assert session.heatmap.is_doubt
    looks = []
    for _ in range(3):
        look = heat_look(session)
        assert look is not None
        looks.append((session.heatmap.method, look.colormap))
        heatmaps.switch(services)
    assert looks == [(UNCERTAINTY, "viridis"), (DISAGREEMENT, "viridis"), ("Grad-CAM", "inferno")]
    assert session.mask is not None
    assert session.mask.base.uncertainty == ()


def test_another_answer_takes_the_doubt_about_the_one_before_away(
    services: Services, image: Image, answer: Callable[[object], None]
) -> None:
    run(services, answer, mask(image.grid, doubt(image.grid)))
    assert services.session.heatmap is not None
    run(services, answer, mask(image.grid))
    assert (services.session.heatmap, services.session.heatmaps) == (None, ())


def test_clearing_shows_the_next_map(services: Services, image: Image) -> None:
    first, second = doubt(image.grid), doubt(image.grid, DISAGREEMENT)
    heatmaps.offer(services.session, (first, second))
    heatmaps.clear(services)
    assert services.session.heatmap is second
    heatmaps.clear(services)
    assert (services.session.heatmap, services.session.heatmaps) == (None, ())


def test_doubt_is_there_again_with_its_series(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    """And so are the reasons, and the places."""
    answer(Heatmap(np.ones(image.grid.shape, np.float16), image.grid, "Grad-CAM", "Brain", MADE))
    explain.run(services, "brain-extraction")
    settle(services)
    run(services, answer, mask(image.grid, doubt(image.grid), doubt(image.grid, DISAGREEMENT)))
    again = launch(opened=image)
    assert [one.method for one in again.session.heatmaps] == [UNCERTAINTY, "Grad-CAM"]
    assert all(one.series_uid == SERIES.uid for one in again.session.heatmaps)
    doubtful.go_on(again)
    settle(again)
    assert again.session.tour is not None
    assert again.session.tour.at == 0


def test_doubt_about_an_answer_that_another_followed_does_not_come_back(
    services: Services, image: Image, answer: Callable[[object], None]
) -> None:
    run(services, answer, mask(image.grid, doubt(image.grid)))
    later = replace(mask(image.grid), provenance=replace(MADE, author="algorithm", created="2999-01-01T00:00:00+00:00"))
    run(services, answer, later)
    settle(services)
    results.restore(services)
    assert services.session.heatmaps == ()


def test_a_search_for_places_that_was_stopped_is_begun_anew(services: Services, image: Image) -> None:
    heatmaps.offer(services.session, [doubt(image.grid)])
    doubtful.go_on(services)
    [job] = services.runner.jobs
    job.cancel()
    settle(services)
    assert services.session.tour is None
    doubtful.go_on(services)
    settle(services)
    assert services.session.tour is not None
    assert services.session.tour.places
