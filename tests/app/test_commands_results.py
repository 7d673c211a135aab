"""What plugins answered is kept, and is there again when the series is opened again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer.app.commands import explain, predict
from medviewer.app.services import Services
from medviewer.app.state import Arrival
from medviewer.domain.finding import Classification
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.jobs import Job

from .conftest import SERIES

MADE = Provenance("chest-xray", "1.0.0", "1.0.0")
ANSWER = Classification({"NORMAL": 0.25, "PNEUMONIA": 0.75}, MADE, notes=("Demonstration.",))
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


def heatmap(grid: Grid) -> Heatmap:
    values = np.linspace(0, 1, int(np.prod(grid.shape)), dtype=np.float16).reshape(grid.shape)
    return Heatmap(values, grid, "Grad-CAM", "PNEUMONIA", MADE)


def test_the_newest_classification_is_shown_again(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    for result in (replace(ANSWER, probabilities={"NORMAL": 1.0, "PNEUMONIA": 0.0}), ANSWER):
        answer(result)
        predict.run(services, "chest-xray")
        settle(services)
    assert launch(opened=image).session.classification == replace(ANSWER, series_uid=SERIES.uid)


def test_the_newest_heat_map_is_shown_again_on_its_own_grid_only(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    made = heatmap(image.grid)
    answer(made)
    explain.run(services, "chest-xray")
    settle(services)
    again = launch(opened=image).session.heatmap
    assert again.label == made.label
    np.testing.assert_array_equal(again.values, made.values)
    other = Grid((4, 6, 9))
    session = launch(opened=Image(np.zeros(other.shape, np.int16), other, "CT")).session
    assert session.heatmap is None


def test_an_answer_for_a_series_that_was_closed_is_kept_for_it(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    answer(ANSWER)
    predict.run(services, "chest-xray")
    services.session.series = services.session.image = None
    settle(services)
    assert services.session.classification is None
    assert launch(opened=image).session.classification.probabilities == ANSWER.probabilities


def test_a_mask_for_a_series_that_is_just_being_read_again_is_kept(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    answer(Segmentation(np.ones(image.grid.shape, np.uint8), image.grid, (Segment(1, "Brain"),), MADE))
    predict.run(services, "brain-extraction")
    services.session.arrival = Arrival(1, image.grid.shape[0])
    settle(services)
    assert services.session.mask is None
    store = launch(opened=image).session.mask
    assert store is not None
    assert store.labels.all()


def test_a_damaged_heat_map_does_not_keep_the_image_from_opening(
    services: Services, launch: Callable[..., Services], image: Image, answer: Callable[[object], None]
) -> None:
    answer(heatmap(image.grid))
    explain.run(services, "chest-xray")
    settle(services)
    damaged: list[Path] = list((services.archive.home / "heatmaps").iterdir())
    assert damaged
    for path in damaged:
        path.write_bytes(b"torn")
    again = launch(opened=image).session
    assert (again.image is image, again.heatmap) == (True, None)
    assert "damaged" in again.message.text
