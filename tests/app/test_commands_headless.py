"""The commands without any face: open, correct, judge, and what a crash leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.commands import masks, study, verdicts, view
from medviewer.app.services import Services
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.plane import Plane
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Patient, Series, Study
from medviewer.errors import GridMismatchError, InputError

WAIT_S = 60.0
GRID = Grid((5, 16, 18), (4.0, 2.0, 1.5), (10.0, -20.0, 30.0))
UID = "1.2.826.0.1.3680043.8.498.2001"
STUDY = Study("1.2.826.0.1.3680043.8.498.2000", "2020-01-02", "Head", Patient("ID1", "Doe^Jane"))
SERIES = Series(UID, "MR", "A small head", GRID, (), "dicom", number=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small DICOM series."""
    made = tmp_path / "head"
    made.mkdir()
    voxels = np.arange(np.prod(GRID.shape)).reshape(GRID.shape).astype(np.int16)
    formats.write_dicom_series(Image(voxels, GRID, "MR"), made, study=STUDY, series=SERIES)
    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Services]]:
    """Start the program; the same archive each time. What is still running at the end is closed."""
    running: list[Services] = []

    def make() -> Services:
        running.append(Services.open(tmp_path / "archive"))
        return running[-1]

    yield make
    for services in running:
        services.close()


@pytest.fixture
def services(start: Callable[[], Services], folder: Path) -> Services:
    """A program with the series open."""
    return opened(start(), folder)


def opened(services: Services, folder: Path) -> Services:
    job = study.open_paths(services, [folder], show_first=False)
    services.runner.wait(job, WAIT_S)
    shown = study.show(services, study.find_series(job.result()))
    services.runner.wait(shown, WAIT_S)
    assert services.session.image is not None
    return services


def paint(services: Services, column: int) -> None:
    """One stroke with the brush in the middle axial slice."""
    view.choose_tool(services, "brush")
    view.set_brush(services, 3.0)
    plane = Plane.of(GRID, "Axial")
    view.begin_stroke(services)
    view.stroke(services, plane, 2, (8, column), (8, column + 2))
    view.end_stroke(services)


def labels_of(services: Services) -> np.ndarray:
    assert services.session.mask is not None
    return services.session.mask.labels.copy()


def test_open_shows_the_first_series_in_the_middle(services: Services) -> None:
    session = services.session
    assert session.series is not None
    assert session.study is not None
    assert (session.series.uid, session.study.uid) == (UID, STUDY.uid)
    assert (session.view.cursor, session.view.layout) == ((2, 8, 9), "mpr")
    assert session.mask is None


def test_opening_twice_lists_a_study_once(services: Services, folder: Path) -> None:
    opened(services, folder)
    assert len(services.session.studies) == 1


def test_a_painted_mask_is_there_again_in_the_next_session(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 6)
    painted = labels_of(services)
    assert painted.any()
    study.close(services)
    services.close()
    np.testing.assert_array_equal(labels_of(opened(start(), folder)), painted)


def test_strokes_survive_a_crash_and_can_be_undone(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 4)
    masks.keep(services)
    kept = labels_of(services)
    paint(services, 12)
    painted = labels_of(services)
    services.close()  # without a word to the mask, as when the process ends: nothing was saved
    again = opened(start(), folder)
    np.testing.assert_array_equal(labels_of(again), painted)
    assert "brought back" in again.session.message.text
    view.undo(again)
    np.testing.assert_array_equal(labels_of(again), kept)


def test_strokes_that_were_saved_before_the_crash_do_not_come_twice(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 4)
    store = services.session.mask
    services.archive.masks.save_mask(UID, store.snapshot())  # and then it crashed, before the journal was cleared
    services.close()
    again = opened(start(), folder)
    np.testing.assert_array_equal(labels_of(again), labels_of(services))
    assert not again.session.mask.can_undo


def test_a_mask_begun_anew_over_a_saved_one_survives_a_crash(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 4)
    masks.new(services)
    paint(services, 12)
    painted = labels_of(services)
    services.close()
    again = opened(start(), folder)
    np.testing.assert_array_equal(labels_of(again), painted)
    assert len(again.archive.masks.masks_for(UID)) == 1, "the first mask is in the archive"


def test_a_second_window_on_the_same_series_is_told_so(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 4)
    second = opened(start(), folder)
    assert second.session.mask is None
    assert "Another medviewer window" in second.session.message.text


def test_painting_goes_on_after_each_save(services: Services) -> None:
    for column in (3, 7, 11):
        paint(services, column)
        assert masks.keep(services) is not None
    assert masks.keep(services) is None, "nothing was changed since"
    assert len(services.archive.masks.masks_for(UID)) == 3


def model_mask() -> Segmentation:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2, 4:8, 4:8] = 1
    made = Provenance("brain-extraction", "1.0.0", "1.0.0", author=masks.ALGORITHM)
    return Segmentation(labels, GRID, (Segment(1, "Brain"),), made, UID)


def test_an_approved_correction_enters_the_queue(services: Services) -> None:
    masks.replace_with(services, model_mask())
    paint(services, 6)
    correction = verdicts.approve(services)
    (case,) = services.queue.list()
    assert case.correction == correction
    assert (correction.plugin_id, correction.model_version) == ("brain-extraction", "1.0.0")
    assert 0 < correction.dice_before < 1
    assert services.session.queue_revision == 1
    _, kept = services.queue.load_case(case.id)
    np.testing.assert_array_equal(kept.labels, labels_of(services))
    assert services.archive.masks.masks_for(UID)[0].provenance.author == services.author


def test_a_rejected_mask_keeps_the_verdict_only(services: Services) -> None:
    masks.replace_with(services, model_mask())
    verdicts.reject(services, "not a brain")
    (case,) = services.queue.list()
    assert (case.correction.verdict, case.note, case.shape) == ("rejected", "not a brain", None)


def test_an_empty_mask_is_not_approved(services: Services) -> None:
    masks.new(services)
    with pytest.raises(InputError, match="empty"):
        verdicts.approve(services)
    assert services.queue.list() == []


def test_a_mask_on_another_grid_is_refused_and_the_present_one_stays(services: Services, tmp_path: Path) -> None:
    paint(services, 6)
    before = labels_of(services)
    other = Grid(GRID.shape, (1.0, 1.0, 1.0))
    path = tmp_path / "other.nii.gz"
    formats.save_segmentation(Segmentation(np.ones(other.shape, np.uint8), other, ()), path)
    job = masks.import_mask(services, path)
    services.runner.wait(job, WAIT_S)
    with pytest.raises(GridMismatchError, match=r"other\.nii\.gz"):
        job.result()
    assert services.session.message.text == str(job.error)
    np.testing.assert_array_equal(labels_of(services), before)


@pytest.mark.parametrize("name", ["mask.dcm", "mask.nii.gz"])
def test_a_mask_is_saved_and_reads_back_identical(services: Services, tmp_path: Path, name: str) -> None:
    paint(services, 6)
    before = labels_of(services)
    services.runner.wait(masks.export(services, tmp_path / name), WAIT_S)
    masks.new(services)
    services.runner.wait(masks.import_mask(services, tmp_path / name), WAIT_S)
    np.testing.assert_array_equal(labels_of(services), before)


def test_a_broken_mask_in_the_archive_does_not_keep_the_image_from_opening(
    services: Services, start: Callable[[], Services], folder: Path
) -> None:
    paint(services, 6)
    study.close(services)
    services.saves.settle_all()
    for blob in (services.archive.home / "masks").iterdir():
        blob.write_bytes(b"torn")
    again = opened(start(), folder)
    assert again.session.mask is None
    assert "damaged" in again.session.message.text
