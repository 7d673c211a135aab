"""Label maps are copied, counted and unpacked off the home thread before their masks are opened."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medviewer import formats
from medviewer.app import masks_ahead
from medviewer.app.commands import keeping, masks, study
from medviewer.app.masks_ahead import MasksAhead
from medviewer.app.services import Services
from medviewer.archive import blobs
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import StoreError

from .conftest import GRID, SERIES


@pytest.fixture
def labels() -> NDArray[np.uint8]:
    made = np.zeros(GRID.shape, np.uint8)
    made[1, 2, 3:6], made[2, 2, 2] = 1, 7
    return made


def test_a_copy_that_was_made_ahead_belongs_to_the_first_who_asks(labels: NDArray[np.uint8]) -> None:
    ahead = MasksAhead()
    ahead.make(labels)
    first, second = ahead.copy(labels), ahead.copy(labels)
    for copy in (first, second):
        np.testing.assert_array_equal(copy, labels)
    first[:] = 3
    assert labels.max() == second.max() == 7


@pytest.mark.parametrize("made", [True, False])
def test_labels_are_counted_ahead_or_when_asked(labels: NDArray[np.uint8], made: bool) -> None:
    ahead = MasksAhead()
    if made:
        ahead.make(labels)
    assert [ahead.count(labels, label) for label in (1, 2, 7, 9)] == [3, 0, 1, 0]


def test_what_was_made_goes_with_the_labels(labels: NDArray[np.uint8]) -> None:
    ahead, own = MasksAhead(), labels.copy()
    ahead.make(own)
    assert len(ahead._made) == 1
    del own
    gc.collect()
    assert not ahead._made


@pytest.fixture
def off_home(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bool]]:
    """Whether each array that was unpacked, packed or counted was so off the home thread."""
    home, seen = threading.get_ident(), {"unpack": [], "pack": [], "count": []}

    def watched(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            seen[name].append(threading.get_ident() != home)
            return function(*given)

        return call

    monkeypatch.setattr(blobs, "read_array", watched("unpack", blobs.read_array))
    monkeypatch.setattr("medviewer.archive.masks.write_array", watched("pack", blobs.write_array))
    monkeypatch.setattr(masks_ahead, "voxel_counts", watched("count", masks_ahead.voxel_counts))
    return seen


def test_what_was_kept_of_a_series_is_unpacked_while_its_image_is_read(
    services: Services,
    image: Image,
    labels: NDArray[np.uint8],
    off_home: dict[str, list[bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = services.archive
    archive.masks.save_mask(SERIES.uid, Segmentation(labels, GRID, (), Provenance(), SERIES.uid))
    values = np.linspace(0, 1, labels.size, dtype=np.float32).reshape(labels.shape)
    archive.results.save_heatmap(Heatmap(values, GRID, "saliency", "brain", Provenance(), SERIES.uid))
    monkeypatch.setattr(formats, "load", lambda *_, **__: image)
    off_home["pack"].clear()
    services.runner.wait(study.show(services, SERIES), 60)
    assert services.session.mask is not None
    assert services.session.heatmap is not None
    np.testing.assert_array_equal(services.session.mask.labels, labels)
    np.testing.assert_array_equal(services.session.heatmap.values, values)
    assert off_home == {"unpack": [True, True], "pack": [], "count": [True]}


def test_an_archive_that_cannot_be_asked_ahead_does_not_keep_the_image_from_opening(
    services: Services, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreError("The archive should answer, but is broken; restore it.")

    monkeypatch.setattr(formats, "load", lambda *_, **__: image)
    monkeypatch.setattr(services.archive.masks, "masks_for", broken)
    services.runner.wait(study.show(services, SERIES), 60)
    assert services.session.image is image
    assert services.session.message is not None
    assert "is broken" in services.session.message.text


def test_a_mask_from_a_file_is_packed_and_counted_off_the_home_thread(
    services: Services, labels: NDArray[np.uint8], off_home: dict[str, list[bool]], tmp_path: Path
) -> None:
    path = tmp_path / "mask.nii.gz"
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "A"), Segment(7, "B"))), path, SERIES)
    services.runner.wait(masks.import_mask(services, path), 60)
    assert services.session.mask is not None
    np.testing.assert_array_equal(services.session.mask.labels, labels)
    assert off_home == {"unpack": [], "pack": [True], "count": [True]}


def test_what_was_painted_is_saved_off_the_home_thread_before_another_mask_takes_its_place(
    services: Services, labels: NDArray[np.uint8], off_home: dict[str, list[bool]], tmp_path: Path
) -> None:
    path = tmp_path / "mask.nii.gz"
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "A"), Segment(7, "B"))), path, SERIES)
    masks.new(services).paint(np.array([5], np.int64), 1)
    services.runner.wait(masks.import_mask(services, path), 60)
    services.saves.settle_all()
    for job in services.runner.jobs:
        services.runner.wait(job, 60)
    versions = [services.archive.masks.load_mask(one.id).labels for one in services.archive.masks.masks_for(SERIES.uid)]
    assert services.session.mask is not None
    for shown in (services.session.mask.labels, versions[0]):
        np.testing.assert_array_equal(shown, labels)
    assert np.flatnonzero(versions[1]).tolist() == [5]
    assert off_home["pack"] == [True, True]


def test_a_mask_takes_the_place_of_one_that_could_not_be_saved_only_when_that_is_told(
    services: Services, labels: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk should take the mask, but is full; make room.")

    path = tmp_path / "mask.nii.gz"
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "A"), Segment(7, "B"))), path, SERIES)
    painted = masks.new(services)
    painted.paint(np.array([5], np.int64), 1)
    monkeypatch.setattr("medviewer.archive.masks.write_array", full)
    services.runner.wait(masks.import_mask(services, path), 60)
    services.saves.settle_all()
    for job in services.runner.jobs:
        services.runner.wait(job, 60)
    assert services.session.mask is painted
    assert painted.dirty
    assert services.session.message is not None
    assert "is full" in services.session.message.text


def test_a_new_mask_is_not_begun_on_a_series_that_was_opened_while_the_former_mask_was_saved(
    services: Services, image: Image
) -> None:
    masks.new(services).paint(np.array([5], np.int64), 1)
    keeping.new_soon(services)
    other = replace(SERIES, uid="1.2.826.0.1.79")
    study._present(services, other, replace(image))
    services.saves.settle_all()
    for job in list(services.runner.jobs):
        services.runner.wait(job, 60)
    assert services.session.series is other
    assert services.session.mask is None
    (kept,) = services.archive.masks.masks_for(SERIES.uid)
    assert np.flatnonzero(services.archive.masks.load_mask(kept.id).labels).tolist() == [5]
    assert services.archive.masks.masks_for(other.uid) == []
