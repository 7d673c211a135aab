"""Masks with a real archive: kept, judged, brought back, never lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.commands import masks, study, verdicts, view
from medviewer.app.services import Services
from medviewer.archive import journal
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import GridMismatchError, InputError, MedviewerError, StoreError

UID = "1.2.826.0.1.77"
WAIT_S = 60.0


def paint(services: Services, *where: int, label: int = 1) -> np.ndarray:
    """One stroke; returns the labels after it."""
    store = services.session.mask or masks.new(services)
    store.paint(np.array(where, np.int64), label)
    return store.labels.copy()


def kept(services: Services) -> list[np.ndarray]:
    """Every version of the mask in the archive, newest first."""
    rows = services.archive.masks.masks_for(UID)
    return [services.archive.masks.load_mask(row.id).labels for row in rows]


def from_model(services: Services, *where: int) -> Segmentation:
    grid = services.session.image.grid
    labels = np.zeros(grid.shape, np.uint8)
    labels.reshape(-1)[list(where)] = 1
    made = Provenance("brain-extraction", "1.0.0", "1.2.0", author=masks.ALGORITHM)
    return Segmentation(labels, grid, (Segment(1, "Brain"),), made)


def magnetic(services: Services) -> None:
    """The open image is one that brain-extraction learns from."""
    session = services.session
    session.image = replace(session.image, modality="MR")
    session.series = replace(session.series, modality="MR")


def crash(services: Services) -> None:
    """The process ends: the system closes its files and locks, and nobody saves anything."""
    services.session.mask.journal.close()
    services.session.mask = None


def test_keep_saves_what_was_changed_and_only_that(services: Services) -> None:
    assert masks.keep(services) is None
    masks.new(services)
    assert masks.keep(services) is None, "an untouched mask is no version"
    labels = paint(services, 1, 2)
    mask_id = masks.keep(services)
    np.testing.assert_array_equal(services.archive.masks.load_mask(mask_id).labels, labels)
    assert not services.session.mask.dirty
    assert masks.keep(services) is None


def test_keep_finishes_an_open_stroke(services: Services) -> None:
    store = masks.new(services)
    store.begin()
    store.paint(np.array([5]), 1)
    masks.keep(services)
    assert kept(services)[0].reshape(-1)[5] == 1
    assert store.can_undo


def test_a_touched_mask_is_signed_by_the_reader(services: Services) -> None:
    masks.replace_with(services, from_model(services, 1, 2, 3))
    paint(services, 9)
    masks.keep(services)
    mine, theirs = services.archive.masks.masks_for(UID)
    assert (mine.provenance.author, theirs.provenance.author) == ("reader", masks.ALGORITHM)
    assert (mine.provenance.plugin_id, mine.provenance.model_version) == ("brain-extraction", "1.2.0")


def test_a_plugins_mask_does_not_lose_a_painted_one(services: Services) -> None:
    painted = paint(services, 1, 2)
    masks.replace_with(services, from_model(services, 7, 8))
    newest, before = kept(services)
    np.testing.assert_array_equal(before, painted)
    np.testing.assert_array_equal(newest, services.session.mask.labels)
    assert services.session.mask.base.series_uid == UID
    assert not services.session.mask.dirty


def test_the_newest_mask_is_open_again(services: Services, launch: Callable[..., Services], image: Image) -> None:
    masks.replace_with(services, from_model(services, 1, 2, 3))
    labels = paint(services, 50)
    study.close(services)
    services.saves.settle_all()
    assert services.session.mask is None
    again = launch(opened=image).session
    np.testing.assert_array_equal(again.mask.labels, labels)
    assert [s.name for s in again.mask.segments] == ["Brain"]
    assert not again.mask.dirty
    assert again.message is None


def test_strokes_come_back_after_a_crash(services: Services, launch: Callable[..., Services], image: Image) -> None:
    masks.replace_with(services, from_model(services, 1, 2, 3))
    paint(services, 10, 11)
    view.undo(services)
    paint(services, 20)
    lesion = services.session.mask.add_segment("Lesion")
    labels = paint(services, 30, 31, label=lesion.label)
    crash(services)
    again = launch(opened=image)
    np.testing.assert_array_equal(again.session.mask.labels, labels)
    assert again.session.message.level == "warning"
    assert again.session.message.text == "4 strokes that were not saved before medviewer ended were brought back."
    assert again.session.mask.dirty
    assert [s.name for s in again.session.mask.segments] == ["Brain", "Lesion"]
    masks.keep(again)
    np.testing.assert_array_equal(kept(again)[0], labels)


def test_one_stroke_is_told_as_one(services: Services, launch: Callable[..., Services], image: Image) -> None:
    paint(services, 1)
    crash(services)
    again = launch(opened=image)
    assert again.session.message.text == "1 stroke that was not saved before medviewer ended was brought back."


def test_a_second_crash_loses_nothing_either(services: Services, launch: Callable[..., Services], image: Image) -> None:
    paint(services, 1)
    crash(services)
    second = launch(opened=image)
    labels = paint(second, 2)
    crash(second)
    np.testing.assert_array_equal(launch(opened=image).session.mask.labels, labels)


def test_strokes_on_a_kept_mask_come_back_on_it(
    services: Services, launch: Callable[..., Services], image: Image
) -> None:
    paint(services, 1, 2)
    masks.keep(services)
    labels = paint(services, 3)
    crash(services)
    again = launch(opened=image)
    np.testing.assert_array_equal(again.session.mask.labels, labels)
    view.undo(again)
    np.testing.assert_array_equal(again.session.mask.labels, kept(again)[0])


def set_aside(services: Services) -> list[int]:
    """Records in each journal that was set aside."""
    found = sorted((services.archive.home / "journal").glob("*.kept"))
    return [len(journal.read(path)) for path in found]


def test_strokes_on_a_mask_that_cannot_be_read_are_kept_aside(
    services: Services, launch: Callable[..., Services], image: Image
) -> None:
    paint(services, 1, 2)
    masks.keep(services)
    paint(services, 3)
    paint(services, 4)
    crash(services)
    for blob in (services.archive.home / "masks").iterdir():
        blob.write_bytes(b"torn")
    again = launch(opened=image)
    assert again.session.mask is None
    assert "damaged" in again.session.message.text
    assert again.session.message.text.endswith(".kept keeps them.")
    paint(again, 5)
    assert set_aside(again) == [2]


def test_strokes_on_another_grid_are_kept_aside(services: Services, launch: Callable[..., Services]) -> None:
    paint(services, 1)
    crash(services)
    grid = Grid((4, 6, 9))
    again = launch(opened=Image(np.zeros(grid.shape, np.int16), grid, "CT"))
    assert again.session.mask is None
    assert "could not be brought back" in again.session.message.text
    paint(again, 5)
    assert set_aside(again) == [1]


def test_strokes_behind_one_that_cannot_be_read_are_kept_aside(
    services: Services, launch: Callable[..., Services], image: Image
) -> None:
    labels = paint(services, 1)
    services.session.mask.journal.append(b"of a later medviewer")
    paint(services, 2)
    crash(services)
    second = launch(opened=image)
    np.testing.assert_array_equal(second.session.mask.labels, labels)
    assert second.session.message.text.endswith("the later ones cannot be read and are kept aside.")
    assert set_aside(second) == [3]
    labels = paint(second, 6)
    crash(second)
    np.testing.assert_array_equal(launch(opened=image).session.mask.labels, labels)


def test_approving_enters_the_queue_and_keeps_the_mask(services: Services) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services, *range(10)))
    labels = paint(services, *range(10, 20))
    before = services.session.queue_revision
    correction = verdicts.approve(services)
    assert (correction.verdict, correction.author, correction.series_uid) == ("approved", "reader", UID)
    assert correction.dice_before == pytest.approx(2 * 10 / 30)
    assert "ID-17" not in correction.patient_key
    assert services.session.queue_revision == before + 1
    np.testing.assert_array_equal(kept(services)[0], labels)
    assert not services.session.mask.dirty
    assert services.session.message.text.endswith("(Dice against the model 0.667).")


def test_an_untouched_model_mask_can_be_approved(services: Services) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services, 1, 2))
    assert verdicts.approve(services).dice_before == 1
    assert len(kept(services)) == 1, "nothing was changed, so there is no new version"


def test_rejecting_keeps_verdict_and_mask(services: Services) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services, 1, 2))
    labels = paint(services, 4)
    correction = verdicts.reject(services, "motion")
    assert correction.verdict == "rejected"
    np.testing.assert_array_equal(kept(services)[0], labels)


def test_an_empty_mask_is_not_approved_but_can_be_rejected(services: Services) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services))
    with pytest.raises(InputError, match="The mask is empty; paint"):
        verdicts.approve(services)
    assert services.session.queue_revision == 0
    assert verdicts.reject(services).verdict == "rejected"


def test_a_mask_that_no_plugin_began_teaches_none_and_stays(services: Services) -> None:
    labels = paint(services, 1, 2)
    with pytest.raises(InputError, match="learns from such images, but none does; run the plugin first"):
        verdicts.approve(services)
    study.close(services)
    services.saves.settle_all()
    np.testing.assert_array_equal(kept(services)[0], labels)


def test_a_mask_by_hand_teaches_the_only_plugin_that_learns_from_such_images(services: Services) -> None:
    magnetic(services)
    paint(services, 1, 2)
    correction = verdicts.approve(services)
    assert (correction.plugin_id, correction.verdict) == ("brain-extraction", "approved")
    _, kept_case = services.queue.load_case(correction.id)
    assert [s.name for s in kept_case.segments] == ["Brain"]


def test_a_mask_of_something_else_supersedes_no_case(services: Services) -> None:
    """The series has a mask of a model, and an approved case; numbers of another mask mean something else."""
    magnetic(services)
    masks.replace_with(services, from_model(services, 1, 2))
    first = verdicts.approve(services)
    masks.new(services)
    lesion = services.session.mask.add_segment("Lesion")
    paint(services, 3)
    paint(services, 9, label=lesion.label)
    for judge in (verdicts.approve, verdicts.reject):
        with pytest.raises(
            InputError, match="Brain extraction learns Brain, but this mask holds Segment 1, Lesion; re"
        ):
            judge(services)
    (case,) = services.queue.list()
    assert (case.id, case.status.value) == (first.id, "waiting")
    view.rename_segment(services, 1, "Lesion")
    view.rename_segment(services, lesion.label, "brain")
    with pytest.raises(InputError, match="this mask holds Lesion; rename"):
        verdicts.approve(services)
    services.session.mask.paint(np.array([3]), 0)
    second = verdicts.approve(services)
    assert (second.dice_before, second.model_version) == (None, ""), "the model did not begin this mask"
    _, kept_case = services.queue.load_case(second.id)
    assert np.flatnonzero(kept_case.labels).tolist() == [9]
    assert kept_case.labels.max() == 1, "in the plugin's own number"


def test_a_mask_is_compared_with_the_model_that_began_it(services: Services) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services, 1, 2))
    older = services.session.mask.snapshot()
    newer = from_model(services, 50, 51)
    masks.replace_with(services, replace(newer, provenance=replace(newer.provenance, model_version="2.0.0")))
    masks.replace_with(services, replace(older, provenance=replace(older.provenance, author="reader")))
    correction = verdicts.approve(services)
    assert (correction.model_version, correction.dice_before) == ("1.2.0", 1.0)


def test_a_plugin_that_is_gone_or_does_not_learn_is_taught_nothing(services: Services) -> None:
    magnetic(services)
    for plugin_id, said in (("gone", "no plugin 'gone'"), ("chest-xray", "chest-xray does not; save")):
        mask = from_model(services, 1)
        masks.replace_with(services, replace(mask, provenance=replace(mask.provenance, plugin_id=plugin_id)))
        with pytest.raises(MedviewerError, match=said):
            verdicts.approve(services)
    assert services.queue.list() == []


def test_what_fails_after_a_job_is_told(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise StoreError("The disk should take the mask, but is full; make room.")

    job = services.when_done(services.runner.submit(lambda _: 1, title="Work"), fail)
    services.runner.wait(job, 30)
    assert services.session.message is not None
    assert services.session.message.text == "The disk should take the mask, but is full; make room."


def test_without_a_mask_or_an_image(services: Services, launch: Callable[..., Services], tmp_path: Path) -> None:
    for act in (verdicts.approve, verdicts.reject, lambda s: masks.export(s, tmp_path / "mask.nii.gz")):
        with pytest.raises(InputError, match="There is no mask"):
            act(services)
    nothing = launch()
    for act in (masks.new, lambda s: masks.import_mask(s, tmp_path / "mask.nii.gz")):
        with pytest.raises(InputError, match="needs an open image"):
            act(nothing)
    assert list(tmp_path.glob("mask*")) == []


def test_a_plugins_mask_on_another_grid_is_refused_with_both_named(services: Services) -> None:
    labels = paint(services, 1)
    grid = Grid((4, 6, 9), (3.0, 2.0, 1.0))
    with pytest.raises(GridMismatchError, match=r"4 x 6 x 8 at 3\.00 .* lies on 4 x 6 x 9 at 3\.00"):
        masks.replace_with(services, Segmentation(np.ones(grid.shape, np.uint8), grid, ()))
    np.testing.assert_array_equal(services.session.mask.labels, labels)


def test_a_moved_grid_is_refused_and_told_apart(services: Services) -> None:
    grid = replace(services.session.image.grid, origin=(0.0, 0.0, 0.0))
    with pytest.raises(GridMismatchError, match="at another place or turned another way"):
        masks.replace_with(services, Segmentation(np.ones(grid.shape, np.uint8), grid, ()))


def test_export_and_import_keep_every_voxel(services: Services, tmp_path: Path) -> None:
    labels = paint(services, 3, 4, 5, 100)
    path = tmp_path / "mask.nii.gz"
    job = masks.export(services, path)
    paint(services, 6)  # later than what is saved
    services.runner.wait(job, WAIT_S)
    assert services.session.message.text == "Saved the mask to mask.nii.gz."
    masks.new(services)
    assert not services.session.mask.labels.any()
    services.runner.wait(masks.import_mask(services, path), WAIT_S)
    np.testing.assert_array_equal(services.session.mask.labels, labels)


def test_a_mask_that_is_read_after_its_image_was_closed_is_not_opened(services: Services, tmp_path: Path) -> None:
    paint(services, 3)
    path = tmp_path / "mask.nii.gz"
    services.runner.wait(masks.export(services, path), WAIT_S)
    job = masks.import_mask(services, path)
    study.close(services)
    services.runner.wait(job, WAIT_S)
    assert services.session.mask is None
    assert services.session.message.text.startswith("Another series was opened before mask.nii.gz was read")


def test_import_of_a_mask_on_another_grid_is_refused_with_both_named(services: Services, tmp_path: Path) -> None:
    painted = paint(services, 1)
    grid = Grid((5, 6, 8), (3.0, 2.0, 1.0))
    path = tmp_path / "other.nii.gz"
    formats.save_segmentation(Segmentation(np.ones(grid.shape, np.uint8), grid, (Segment(1, "A"),)), path, None)
    services.runner.wait(masks.import_mask(services, path), WAIT_S)
    message = services.session.message
    assert message.level == "error"
    assert "5 x 6 x 8" in message.text
    assert "4 x 6 x 8" in message.text
    np.testing.assert_array_equal(services.session.mask.labels, painted)


def test_a_kept_mask_of_another_grid_is_not_shown(services: Services, launch: Callable[..., Services]) -> None:
    paint(services, 1)
    study.close(services)
    services.saves.settle_all()
    grid = Grid((4, 6, 9))
    again = launch(opened=Image(np.zeros(grid.shape, np.int16), grid, "CT"))
    assert again.session.mask is None
    assert "lies on another grid" in again.session.message.text


def test_a_second_window_may_look_but_not_paint(launch: Callable[..., Services], image: Image) -> None:
    first, second = launch(opened=image), launch(opened=image)
    paint(first, 1, 2)
    masks.new(second)
    store = second.session.mask
    assert store is not None
    for act in (store.begin, lambda: store.paint(np.array([3]), 1), lambda: verdicts.reject(second)):
        with pytest.raises(StoreError, match="Another medviewer window is correcting this series"):
            act()
    assert not store.labels.any()
    assert second.queue.list() == []
    study.close(first)  # it is done there
    first.saves.settle_all()
    store.paint(np.array([3]), 1)
    assert store.labels.any()


def test_the_same_verdict_again_says_so(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    magnetic(services)
    masks.replace_with(services, from_model(services, 1, 2))
    verdicts.approve(services)
    times = iter(["2099-01-01T00:00:00+00:00"] * 9)
    monkeypatch.setattr(verdicts, "utc_now", lambda: next(times))
    verdicts.approve(services)
    assert services.session.message is not None
    assert "was approved before" in services.session.message.text
    assert len(services.queue.list()) == 1


def test_a_window_that_kept_its_mask_takes_nothing_back_while_another_paints(
    launch: Callable[..., Services], image: Image
) -> None:
    first = launch(opened=image)
    labels = paint(first, 1, 2)
    masks.keep(first)
    second = launch(opened=image)
    paint(second, 3)
    with pytest.raises(StoreError, match="Another medviewer window is correcting this series"):
        first.session.mask.undo()
    np.testing.assert_array_equal(first.session.mask.labels, labels)
    assert first.session.mask.can_undo
