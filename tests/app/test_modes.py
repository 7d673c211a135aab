"""Modes as data, and a mask that comes back from napari."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from medviewer.app.commands import masks, research, view
from medviewer.app.commands.strokes import StrokeJournal
from medviewer.app.mask_store import MaskStore
from medviewer.app.modes import MODES, offers
from medviewer.app.services import Services
from medviewer.archive import journal
from medviewer.domain.mask import empty
from medviewer.errors import GridMismatchError
from tests.app.conftest import SERIES


def test_what_no_mode_names_all_have_and_the_rest_only_those_that_name_it() -> None:
    assert [mode for mode in MODES if offers(mode, "view.fit")] == list(MODES)
    assert [mode for mode in MODES if offers(mode, "tool.brush")] == ["correct"]
    assert [mode for mode in MODES if offers(mode, "tool.length")] == ["read"]


def finish(services: Services) -> None:
    """Wait until no job is left, also of those that come of others."""
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], 60)


def bring(services: Services, labels: NDArray[np.generic], name: str = "Tumour") -> None:
    """Bring a label map of the open series back, all the way."""
    research.bring_back(services, labels, name, SERIES.uid)
    finish(services)


def said(services: Services) -> str:
    message = services.session.message
    return "" if message is None else message.text


def test_a_label_map_becomes_the_mask_in_one_step_that_undo_takes_back(services: Services) -> None:
    store = masks.new(services)
    store.paint(np.array([0, 1]), 1)
    labels = store.labels.copy()
    labels[0, 0, 1] = 0
    labels[2, 1:3] = 7
    bring(services, labels.astype(np.int64))
    assert f"{1 + labels[2, 1:3].size} voxels" in said(services)
    np.testing.assert_array_equal(store.labels, labels)
    assert [segment.label for segment in store.segments] == [1, 7]
    view.undo(services)
    assert np.flatnonzero(store.labels).tolist() == [0, 1]
    bring(services, store.labels.copy())
    assert "nothing was changed" in said(services)
    assert store.can_redo, "no stroke was made of nothing"


def test_what_came_back_outlives_a_crash(services: Services) -> None:
    store = masks.new(services)
    labels = store.labels.copy()
    labels[1, 2:4, 3:5] = 2
    bring(services, labels)
    assert isinstance(store.journal, StrokeJournal)
    again = MaskStore(empty(store.base.grid))
    assert again.replay(journal.read(services.archive.journal_for(SERIES.uid).path)) == 2, "a segment and a stroke"
    np.testing.assert_array_equal(again.labels, labels)


def test_what_is_painted_while_a_layer_is_compared_is_compared_too(services: Services) -> None:
    store = masks.new(services)
    labels = store.labels.copy()
    labels[2, 1:3] = 1
    research.bring_back(services, labels, "Tumour", SERIES.uid)
    store.paint(np.array([0, 1, 2]), 1)  # the answer is not in yet: it comes on the home thread
    finish(services)
    np.testing.assert_array_equal(store.labels, labels)
    view.undo(services)
    assert np.flatnonzero(store.labels).tolist() == [0, 1, 2], "the strokes are steps of their own"


def test_a_stroke_that_a_hand_is_making_is_finished_first(services: Services) -> None:
    store = masks.new(services)
    labels = store.labels.copy()
    labels[2, 1:3] = 1
    research.bring_back(services, labels, "Tumour", SERIES.uid)
    store.begin()
    for place in range(3):
        store.paint(np.array([place]), 1)
        finish(services)
    assert store.in_stroke
    assert np.flatnonzero(store.labels).tolist() == [0, 1, 2]
    store.end()
    research.settle(services)
    np.testing.assert_array_equal(store.labels, labels)
    view.undo(services)
    assert np.flatnonzero(store.labels).tolist() == [0, 1, 2]
    view.undo(services)
    assert not store.labels.any(), "what the hand painted is one stroke"


def test_it_is_waited_for_also_while_a_stroke_is_open_that_paints_nothing(services: Services) -> None:
    store = masks.new(services)
    labels = store.labels.copy()
    labels[2, 1:3] = 1
    research.bring_back(services, labels, "Tumour", SERIES.uid)
    store.begin()
    finish(services)
    assert not store.labels.any()
    research.settle(services)
    np.testing.assert_array_equal(store.labels, labels)
    assert services.bringing is None


def test_a_layer_does_not_come_into_a_mask_that_was_opened_meanwhile(services: Services) -> None:
    first = masks.new(services)
    research.bring_back(services, np.ones_like(first.labels), "Tumour", SERIES.uid)
    second = masks.new(services)
    finish(services)
    assert not first.labels.any()
    assert not second.labels.any()
    assert "not open any more" in said(services)


def test_a_mask_is_started_where_there_is_none(services: Services) -> None:
    assert services.session.image is not None
    bring(services, np.ones(services.session.image.grid.shape, np.uint8), "All")
    assert services.session.mask is not None
    assert services.session.mask.labels.all()


@pytest.mark.parametrize("value", [-1, 300, 1.0])
def test_numbers_that_are_no_labels_are_refused(services: Services, value: float) -> None:
    store = masks.new(services)
    services.attempt(lambda: bring(services, np.full(store.labels.shape, value), "Odd"))
    assert "Odd should hold whole labels from 0 to 255" in said(services)
    assert not store.labels.any()
    assert not store.can_undo


def test_a_layer_of_another_series_is_refused(services: Services) -> None:
    store = masks.new(services)
    with pytest.raises(GridMismatchError, match="made on another one"):
        research.bring_back(services, store.labels.copy(), "Other", "1.2.3")
    with pytest.raises(GridMismatchError):
        research.bring_back(services, np.zeros((2, 2, 2), int), "Small", SERIES.uid)
