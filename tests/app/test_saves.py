"""Masks that are saved while something else is on the screen: in order, seen by who comes back, never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import masks, predict, study
from medviewer.app.services import Services
from medviewer.archive import journal
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import StoreError

from .conftest import SERIES

UID = SERIES.uid
NEXT = replace(SERIES, uid="1.2.826.0.1.78")
MODEL = Provenance("p", "1", "1", author=masks.ALGORITHM)


def paint(services: Services, *where: int) -> np.ndarray:
    """One stroke; returns the labels after it."""
    store = services.session.mask or masks.new(services)
    store.paint(np.array(where, np.int64), 1)
    return store.labels.copy()


def refuse(*_: object) -> str:
    raise StoreError("The disk should take the mask, but is full; make room.")


def told(services: Services) -> str:
    """What is said once all saves are over."""
    services.saves.settle_all()
    for job in services.runner.jobs:
        services.runner.wait(job, 60)
    assert services.session.message is not None
    return services.session.message.text


def test_a_series_that_comes_back_waits_for_its_save(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = paint(services, 1, 2)
    gate, store, path = threading.Event(), services.archive.masks, services.archive.journal_for(UID).path
    home, save, threads = threading.get_ident(), store.save_mask, []

    def slow(series_uid: str, mask: Segmentation) -> str:
        threads.append(threading.get_ident())
        assert gate.wait(60)
        return save(series_uid, mask)

    monkeypatch.setattr(store, "save_mask", slow)
    study._present(services, NEXT, image)
    assert services.session.mask is None
    assert store.masks_for(UID) == []
    assert len(journal.read(path)) == 1, "the strokes are safe until the mask is"
    gate.set()
    study._present(services, SERIES, image)
    np.testing.assert_array_equal(services.session.mask.labels, labels)
    assert not services.session.mask.dirty
    assert len(store.masks_for(UID)) == 1
    assert not path.exists()
    assert home not in threads
    paint(services, 5)  # the journal can be had again


def test_a_mask_that_cannot_be_saved_comes_back_as_it_was(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(services, 1)
    labels = paint(services, 2)
    with monkeypatch.context() as broken:
        broken.setattr(services.archive.masks, "save_mask", refuse)
        study._present(services, NEXT, image)
        assert told(services).endswith("make room. Nothing of it is lost: it comes back with its series.")
    study._present(services, SERIES, image)
    store = services.session.mask
    np.testing.assert_array_equal(store.labels, labels)
    assert (store.dirty, store.can_undo) == (True, True)
    labels = paint(services, 3)
    assert len(journal.read(services.archive.journal_for(UID).path)) == 3
    study._present(services, NEXT, image)
    study._present(services, SERIES, image)
    np.testing.assert_array_equal(services.session.mask.labels, labels)
    assert not services.session.mask.dirty


def test_strokes_of_a_mask_that_could_not_be_saved_outlive_the_program(
    launch: Callable[..., Services], image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = launch(opened=image)
    labels = paint(services, 1, 2)
    monkeypatch.setattr(services.archive.masks, "save_mask", refuse)
    study._present(services, NEXT, image)
    services.close()
    again = launch(opened=image)
    np.testing.assert_array_equal(again.session.mask.labels, labels)
    assert again.session.mask.dirty


def test_a_stroke_that_the_journal_did_not_take_holds_its_series(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is nowhere but in the open mask, so that is saved before it is let go."""
    store = masks.new(services)
    with monkeypatch.context() as broken:
        broken.setattr(store.journal, "append", refuse)
        with pytest.raises(StoreError):
            store.paint(np.array([7]), 1)
    store.paint(np.array([8]), 1)
    with monkeypatch.context() as broken:
        broken.setattr(services.archive.masks, "save_mask", refuse)
        with pytest.raises(StoreError, match="make room"):
            study._present(services, NEXT, image)
        assert services.session.mask is store
    study._present(services, NEXT, image)
    [row] = services.archive.masks.masks_for(UID)
    assert np.flatnonzero(services.archive.masks.load_mask(row.id).labels).tolist() == [7, 8]


def test_masks_of_one_series_are_saved_in_their_order_and_closing_waits(
    launch: Callable[..., Services], image: Image
) -> None:
    services = launch(opened=image)
    made = [Segmentation(np.full(SERIES.grid.shape, k, np.uint8), SERIES.grid, ()) for k in range(12)]
    for mask in made:
        services.saves.submit(UID, mask)
    services.close()
    again = launch()
    rows = again.archive.masks.masks_for(UID)
    assert [int(again.archive.masks.load_mask(row.id).labels[0, 0, 0]) for row in rows] == list(reversed(range(12)))
    services = again
    services.runner.shutdown()
    services.saves.submit(UID, made[3])  # an answer that came while the program closes
    assert len(services.archive.masks.masks_for(UID)) == 13


def test_an_answer_that_nobody_waits_for_goes_below_a_persons_mask(services: Services, image: Image) -> None:
    """A run on many comes by while the series is closed: what a person corrected is what comes back."""
    labels = paint(services, 1, 2)
    study._present(services, NEXT, image)
    services.saves.settle_all()
    [mine] = services.archive.masks.masks_for(UID)
    for value in (2, 3):
        answer = Segmentation(np.full(SERIES.grid.shape, value, np.uint8), SERIES.grid, (), MODEL)
        predict.keep(services, SERIES, answer, over_work=False)
        services.saves.settle_all()
    rows = services.archive.masks.masks_for(UID)
    assert rows[0].id == mine.id
    assert [int(services.archive.masks.load_mask(row.id).labels[0, 0, 0]) for row in rows[1:]] == [3, 2]
    study._present(services, SERIES, image)
    np.testing.assert_array_equal(services.session.mask.labels, labels)


def test_an_answer_that_nobody_waits_for_follows_a_models_mask(services: Services) -> None:
    for value in (2, 3):
        answer = Segmentation(np.full(SERIES.grid.shape, value, np.uint8), SERIES.grid, (), MODEL)
        services.saves.submit(UID, answer, over_work=False)
    services.saves.settle_all()
    rows = services.archive.masks.masks_for(UID)
    assert [int(services.archive.masks.load_mask(row.id).labels[0, 0, 0]) for row in rows] == [3, 2]


def test_an_answer_that_nobody_waits_for_goes_below_a_mask_that_was_approved_as_it_is(
    services: Services, image: Image
) -> None:
    """Its author stays the model: what protects it is the verdict."""
    first, second = (Segmentation(np.full(SERIES.grid.shape, k, np.uint8), SERIES.grid, (), MODEL) for k in (2, 3))
    services.saves.submit(UID, first)
    services.saves.settle_all()
    [mine] = services.archive.masks.masks_for(UID)
    assert not services.queue.judged(UID)
    services.queue.add(image, SERIES, "ID-17", first, first, "approved", "reader")
    assert services.queue.judged(UID)
    services.saves.submit(UID, second, over_work=False)
    services.saves.settle_all()
    rows = services.archive.masks.masks_for(UID)
    assert (len(rows), rows[0].id) == (2, mine.id)
    services.saves.submit(UID, second)
    services.saves.settle_all()
    assert services.archive.masks.masks_for(UID)[0].id != mine.id, "somebody asked for this one"
