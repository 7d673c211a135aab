"""Modes as data, and a mask that comes back from napari."""

from __future__ import annotations

import numpy as np
import pytest

from medviewer.app.commands import masks, research, view
from medviewer.app.modes import MODES, offers
from medviewer.app.services import Services
from medviewer.errors import GridMismatchError, InputError


def test_what_no_mode_names_all_have_and_the_rest_only_those_that_name_it() -> None:
    assert [mode for mode in MODES if offers(mode, "view.fit")] == list(MODES)
    assert [mode for mode in MODES if offers(mode, "tool.brush")] == ["correct"]
    assert [mode for mode in MODES if offers(mode, "tool.length")] == ["read"]


def test_a_label_map_becomes_the_mask_in_one_step_that_undo_takes_back(services: Services) -> None:
    store = masks.new(services)
    store.paint(np.array([0, 1]), 1)
    labels = store.labels.copy()
    labels[0, 0, 1] = 0
    labels[2, 1:3] = 7
    assert services.session.series is not None
    changed = research.bring_back(services, labels.astype(np.int64), "Tumour", services.session.series.uid)
    assert changed == 1 + labels[2, 1:3].size
    np.testing.assert_array_equal(store.labels, labels)
    assert [segment.label for segment in store.segments] == [1, 7]
    view.undo(services)
    assert np.flatnonzero(store.labels).tolist() == [0, 1]
    assert research.bring_back(services, store.labels.copy(), "Same", services.session.series.uid) == 0


def test_a_mask_is_started_where_there_is_none(services: Services) -> None:
    assert services.session.image is not None
    assert services.session.series is not None
    labels = np.ones(services.session.image.grid.shape, np.uint8)
    research.bring_back(services, labels, "All", services.session.series.uid)
    assert services.session.mask is not None
    assert services.session.mask.labels.all()


@pytest.mark.parametrize("value", [-1, 300])
def test_numbers_that_are_no_labels_are_refused(services: Services, value: int) -> None:
    store = masks.new(services)
    assert services.session.series is not None
    with pytest.raises(InputError, match="whole labels from 0 to 255"):
        research.bring_back(services, np.full(store.labels.shape, value), "Odd", services.session.series.uid)
    assert not store.labels.any()


def test_a_layer_of_another_series_is_refused(services: Services) -> None:
    store = masks.new(services)
    assert services.session.series is not None
    with pytest.raises(GridMismatchError, match="made on another one"):
        research.bring_back(services, store.labels.copy(), "Other", "1.2.3")
    with pytest.raises(GridMismatchError):
        research.bring_back(services, np.zeros((2, 2, 2), int), "Small", services.session.series.uid)
