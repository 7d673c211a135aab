"""Clicks become strokes: one each, undone with their marks, and never at the cost of what a hand painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medviewer.app.clicks import Clicks
from medviewer.app.commands import interactive, masks, view
from medviewer.app.services import Services
from medviewer.domain.geometry import Shape
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.errors import InputError, PluginError
from medviewer.inference.clicking.interactive import Answer, Part
from medviewer.jobs import Job
from medviewer.jobs.job import Outcome
from medviewer.jobs.state import FinishReason
from medviewer.plugin_api import Prompt, Prompts
from tests.inference.click_plugins import write_click_plugin

MADE = Provenance("clicks", "1.0.0", "1.0.0")


class Model:
    """Stands for the child: keeps what was asked, and answers when the test says so."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.asked: list[tuple[Job[Answer], Prompts, Part]] = []

    def submit(self, runner: Any, image: Image, *rest: Any, **_: Any) -> Job[Answer]:
        job: Job[Answer] = Job("Clicks", lambda one: one._mark_cancelled())
        self.asked.append((job, rest[-2], rest[-1]))
        return job

    def answer(self, start: Shape, inside: NDArray[np.bool_], number: int = -1) -> None:
        self._end(self.asked[number][0], Outcome(FinishReason.DONE, Answer(Part(start, inside), MADE)))

    def fail(self, error: PluginError) -> None:
        self._end(self.asked[-1][0], Outcome(FinishReason.FAILED, error=error))

    @staticmethod
    def _end(job: Job[Answer], outcome: Outcome[Answer]) -> None:
        job._begin()
        if job._finish(outcome):
            job.finished.emit()


@pytest.fixture
def services(launch: Callable[..., Services], image: Image, tmp_path: Any) -> Services:
    made = launch(opened=image)
    made.plugins = [write_click_plugin(tmp_path, "clicks")]
    return made


@pytest.fixture
def model(services: Services, monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model(services)
    monkeypatch.setattr(interactive, "submit_prompts", made.submit)
    return made


def at(z: float, y: float, x: float, positive: bool = True) -> Prompt:
    return Prompt("point", ((z, y, x),), positive)


CUBE = np.ones((2, 2, 2), bool)


def labels(services: Services) -> NDArray[np.generic]:
    assert services.session.mask is not None
    return services.session.mask.labels


def test_an_answer_is_one_stroke_with_its_mark(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    assert services.session.click_busy
    model.answer((1, 2, 3), CUBE)
    session = services.session
    assert not session.click_busy
    assert labels(services).sum() == 8
    interactive.point_at(services, at(2, 4, 6))
    assert model.asked[-1][1] == Prompts((at(1, 2, 3), at(2, 4, 6)))
    assert model.asked[-1][2].inside.sum() == 8
    model.answer((2, 4, 5), CUBE)
    assert labels(services).sum() == 16
    view.undo(services)
    assert labels(services).sum() == 8
    assert session.clicks == (at(1, 2, 3),)
    view.redo(services)
    assert labels(services).sum() == 16
    assert session.clicks == (at(1, 2, 3), at(2, 4, 6))
    view.undo(services)
    view.undo(services)
    assert not labels(services).any()
    assert session.clicks == ()


def test_an_undone_mark_is_forgotten_by_the_next_click(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    model.answer((1, 2, 3), CUBE)
    interactive.point_at(services, at(0, 0, 0))
    model.answer((0, 0, 0), CUBE)
    view.undo(services)
    interactive.point_at(services, at(2, 4, 6))
    assert model.asked[-1][1] == Prompts((at(1, 2, 3), at(2, 4, 6)))
    model.answer((2, 4, 5), CUBE)
    assert services.session.clicks == (at(1, 2, 3), at(2, 4, 6))


def test_the_mask_says_which_model_answered_and_the_stroke_is_on_disk(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    model.answer((1, 2, 3), CUBE)
    mask = services.session.mask
    assert mask is not None
    assert mask.journaled
    assert "Clicks answered by clicks, model 1.0.0." in masks.signed(services, mask).provenance.steps


def test_other_segments_keep_their_voxels(services: Services, model: Model) -> None:
    store = masks.new(services)
    other = store.add_segment("Other")
    store.paint(np.ravel_multi_index(([1], [2], [3]), store.labels.shape).astype(np.int64), other.label)
    services.session.active_label = 1
    interactive.point_at(services, at(1, 2, 4))
    model.answer((1, 2, 3), CUBE)
    assert store.labels[1, 2, 3] == other.label
    assert (store.labels == 1).sum() == 7


def test_a_click_beside_a_structure_never_takes_from_it(services: Services, model: Model) -> None:
    store = masks.new(services)
    store.paint(np.arange(10, dtype=np.int64), 1)
    interactive.point_at(services, at(3, 5, 7))
    assert not model.asked[-1][2].inside.any()
    model.answer((0, 0, 0), np.zeros(store.labels.shape, bool))
    assert (store.labels.ravel()[:10] == 1).all()


@pytest.mark.parametrize("mark", [at(0, 0, 1), at(3, 5, 7, positive=False)])
def test_a_click_on_it_or_a_minus_corrects_all_of_it(services: Services, model: Model, mark: Prompt) -> None:
    store = masks.new(services)
    store.paint(np.arange(8, dtype=np.int64), 1)
    interactive.point_at(services, mark)
    assert model.asked[-1][2].inside.sum() == 8
    model.answer((0, 0, 0), np.zeros((1, 1, 4), bool))
    assert (store.labels.ravel()[:8] == 1).tolist() == [False] * 4 + [True] * 4


def test_what_is_painted_while_an_answer_is_awaited_stays(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    store = services.session.mask
    assert store is not None
    view.begin_stroke(services)
    store.paint(np.array([0], np.int64), 1)
    model.answer((0, 0, 0), np.zeros((1, 1, 2), bool) | [False, True])
    assert store.in_stroke  # the hand goes on
    assert not store.labels.ravel()[1]
    store.paint(np.array([5], np.int64), 1)
    view.end_stroke(services)
    assert store.labels.ravel()[[0, 1, 5]].tolist() == [1, 1, 1]
    view.undo(services)
    assert store.labels.ravel()[[0, 1, 5]].tolist() == [1, 0, 1]


def test_a_new_click_takes_over_from_the_one_that_is_looked_at(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    interactive.point_at(services, at(1, 2, 4))
    first, second = model.asked[0][0], model.asked[1]
    assert first.done
    assert second[1] == Prompts((at(1, 2, 3), at(1, 2, 4)))
    model.answer((1, 2, 3), CUBE)
    assert services.session.clicks == (at(1, 2, 3), at(1, 2, 4))
    view.undo(services)
    assert services.session.clicks == ()  # both came to one answer


def test_done_begins_another_structure_and_drops_a_late_answer(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    interactive.clear(services)
    assert services.session.clicks == ()
    assert model.asked[0][0].done
    model.answer((1, 2, 3), CUBE, 0)
    assert not labels(services).any()
    interactive.point_at(services, at(2, 4, 6))
    assert model.asked[-1][1] == Prompts((at(2, 4, 6),))


def test_another_segment_begins_another_structure(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    model.answer((1, 2, 3), CUBE)
    view.add_segment(services, "Second")
    assert services.session.clicks == ()
    interactive.point_at(services, at(0, 0, 0))
    assert model.asked[-1][1] == Prompts((at(0, 0, 0),))


def test_a_failed_answer_takes_its_mark_away_and_says_why(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    model.answer((1, 2, 3), CUBE)
    interactive.point_at(services, at(2, 4, 6))
    model.fail(PluginError("It broke; choose another plugin."))
    assert services.session.clicks == (at(1, 2, 3),)
    assert services.session.message is not None
    assert services.session.message.text == "It broke; choose another plugin."
    assert labels(services).sum() == 8


def test_without_a_plugin_the_tool_says_how_to_get_one(services: Services) -> None:
    services.plugins = []
    with pytest.raises(InputError, match="none is installed and enabled; see Segment by clicks"):
        view.choose_tool(services, "click")
    assert services.session.view.tool == "crosshair"


def test_the_tool_makes_network_and_image_ready(services: Services, model: Model) -> None:
    view.click_with(services, "clicks")
    assert services.session.view.tool == "click"
    assert services.session.click_plugin == "clicks"
    assert model.asked[-1][1] == Prompts()
    assert interactive.understands(services, "box")
    assert not interactive.understands(services, "scribble")


def test_an_answer_joins_what_clicks_made_before() -> None:
    """The boxes of two answers overlap or not; what the second took away is gone."""
    from medviewer.app.mask_store import MaskStore
    from medviewer.domain.geometry import Grid
    from medviewer.domain.mask import empty

    store = MaskStore(empty(Grid((4, 5, 6))))
    clicks = Clicks(store, 1)
    clicks.sent = clicks.previous()
    gained, lost = clicks.paste(Part((0, 0, 0), CUBE))
    store.paint(gained, 1)
    assert (gained.size, lost.size) == (8, 0)
    clicks.sent = clicks.previous()
    gained, lost = clicks.paste(Part((1, 1, 1), np.pad(np.ones((1, 1, 1), bool), ((1, 1),) * 3)))
    store.paint(gained, 1)
    store.paint(lost, 0)
    assert (gained.size, lost.size) == (1, 1)
    assert clicks.previous().inside.sum() == 8
    assert store.labels.sum() == 8


def test_an_answer_that_came_during_a_stroke_of_nothing_is_not_lost(services: Services, model: Model) -> None:
    interactive.point_at(services, at(1, 2, 3))
    view.begin_stroke(services)
    model.answer((1, 2, 3), CUBE)
    assert not labels(services).any()
    view.end_stroke(services)
    assert labels(services).sum() == 8


def test_a_click_that_cannot_be_asked_leaves_the_one_before_it_alone(
    services: Services, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    interactive.point_at(services, at(1, 2, 3))

    def refuse(*_: Any, **__: Any) -> None:
        raise InputError("It cannot be asked; choose another plugin.")

    monkeypatch.setattr(interactive, "submit_prompts", refuse)
    with pytest.raises(InputError, match="cannot be asked"):
        interactive.point_at(services, at(2, 4, 6))
    assert not model.asked[0][0].done
    assert services.session.clicks == (at(1, 2, 3),)
    assert services.session.click_busy
    model.answer((1, 2, 3), CUBE)
    assert labels(services).sum() == 8
