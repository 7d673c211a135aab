"""The catalogue behind the window: noting what is opened, opening what is listed, importing copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.commands import catalog, listed, masks, study, verdicts
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.archive.outgoing import sending
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import ScanResult
from medviewer.errors import InputError, StoreError
from tests.app.conftest import SERIES, STUDY

WAIT_S = 60.0
CHEST = resource("demo/chest")


def settle(services: Services) -> None:
    """Wait for every job, and for those that follow from it."""
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], WAIT_S)


@pytest.fixture
def empty(launch: Callable[..., Services]) -> Services:
    return launch()


def test_what_is_opened_is_listed_once(empty: Services) -> None:
    for _ in range(2):
        study.open_paths(empty, [CHEST])
        settle(empty)
    assert [entry.modalities for entry in empty.archive.catalog.search()] == [("CR",)]
    assert empty.session.catalog_revision >= 2
    assert empty.session.chosen_state == "new"


def test_a_listed_study_opens_after_a_restart(empty: Services, launch: Callable[..., Services]) -> None:
    empty.archive.catalog.add(formats.scan([CHEST]))
    later = launch()
    [entry] = later.archive.catalog.search()
    listed.open_series(later, entry.uid)
    settle(later)
    assert later.session.image is not None
    assert later.session.study is not None
    assert later.session.study.uid == entry.uid


def test_a_copy_of_a_file_without_a_uid_keeps_the_one_that_its_masks_have(empty: Services, tmp_path: Path) -> None:
    grid = Grid((3, 4, 5))
    path = tmp_path / "brain.nii.gz"
    formats.save_image(Image(np.arange(60, dtype=np.int16).reshape(grid.shape), grid, "MR"), path)
    uid = formats.scan([path]).series[0].uid
    listed.import_copy(empty, [path])
    settle(empty)
    message = empty.session.message
    assert message is not None
    assert message.text.startswith("Imported 1 files of 1 studies"), message
    path.unlink()
    [entry] = empty.archive.catalog.search()
    listed.open_series(empty, entry.uid, uid)
    settle(empty)
    assert empty.session.series is not None
    assert empty.session.series.uid == uid
    assert empty.session.series.files[0].is_relative_to(empty.archive.home)


def test_part_of_the_files_opens_and_the_rest_is_said_to_be_missing(empty: Services, tmp_path: Path) -> None:
    grid = Grid((4, 6, 8), (3.0, 2.0, 1.0))
    folder = tmp_path / "head"
    folder.mkdir()
    formats.write_dicom_series(Image(np.zeros(grid.shape, np.int16), grid, "CT"), folder, study=STUDY, series=SERIES)
    empty.archive.catalog.add(formats.scan([folder]))
    sorted(folder.iterdir())[0].unlink()
    listed.open_series(empty, empty.archive.catalog.search()[0].uid)
    settle(empty)
    assert empty.session.image is not None
    assert len(empty.archive.catalog.missing(empty.archive.catalog.search()[0].uid)) == 1


def test_approving_a_mask_approves_its_study(services: Services) -> None:
    services.archive.catalog.add(ScanResult((STUDY,)))
    catalog.approved(services, "1.2.3")  # a study that is not listed is no error
    assert services.archive.catalog.get(STUDY.uid).state == "new"
    catalog.approved(services, STUDY.uid)
    assert services.archive.catalog.get(STUDY.uid).state == "approved"
    assert services.session.chosen_state == "approved", "the open study is meant where none is chosen"


def test_a_verdict_reaches_the_worklist(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    services.archive.catalog.add(ScanResult((STUDY,)))
    asked: list[str] = []
    monkeypatch.setattr(catalog, "approved", lambda _, uid: asked.append(uid))
    monkeypatch.setattr(verdicts, "learner", lambda *_: services.plugin("brain-extraction").manifest)
    monkeypatch.setattr(verdicts, "taught", lambda _, mask: mask)
    store = masks.new(services)
    store.paint(np.array([3, 4]), 1)
    verdicts.reject(services)
    assert asked == []
    verdicts.approve(services)
    assert asked == [STUDY.uid]


def test_a_worklist_that_fails_is_a_warning_and_the_verdict_stands(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise StoreError("The database should take a change, but is locked; try again.")

    monkeypatch.setattr(services.archive.catalog, "set_state", locked)
    monkeypatch.setattr(verdicts, "learner", lambda *_: services.plugin("brain-extraction").manifest)
    monkeypatch.setattr(verdicts, "taught", lambda _, mask: mask)
    masks.new(services).paint(np.array([3, 4]), 1)
    assert verdicts.approve(services).verdict == "approved"
    message = services.session.message
    assert message is not None
    assert message.text.startswith("Approved: the case is in the fine-tuning queue of brain-extraction. The worklist")
    assert (message.level, message.details[:12]) == ("warning", "The database")


def test_tags_and_removal(services: Services) -> None:
    services.archive.catalog.add(ScanResult((STUDY,)))
    assert catalog.set_tags(services, STUDY.uid, ["b ", "a"]) == ("a", "b")
    catalog.choose(services, STUDY.uid)
    catalog.remove(services, STUDY.uid)
    assert services.archive.catalog.count() == 0
    assert (services.session.chosen_study, services.session.studies) == ("", ())


def test_without_a_study_an_action_says_what_it_needs(empty: Services) -> None:
    with pytest.raises(InputError, match="choose a study"):
        catalog.entry_of_chosen(empty)


def test_the_folder_of_a_study_that_is_gone_is_told(empty: Services, tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    folder.mkdir()
    for file in CHEST.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    empty.archive.catalog.add(formats.scan([folder]))
    [entry] = empty.archive.catalog.search()
    places: list[Path] = []
    catalog.find_folder(empty, entry.uid, places.append)
    settle(empty)
    assert places == [folder]
    for file in folder.iterdir():
        file.unlink()
    catalog.find_folder(empty, entry.uid, places.append)
    settle(empty)
    assert len(places) == 1
    assert empty.session.message is not None
    assert "no longer where they were" in empty.session.message.text


def test_what_an_earlier_start_left_goes(empty: Services) -> None:
    home = empty.archive.home
    killed = home / ".send-killed"
    killed.mkdir()
    (killed / "held").touch()
    (home / "studies" / ".removed" / "gone").mkdir(parents=True)
    with sending(home) as busy:
        catalog.housekeep(empty)
        settle(empty)
        assert list(home.glob(".send-*")) == [busy], "only the one that is being sent stays"
    assert list(home.glob(".send-*")) == []
    assert list((home / "studies" / ".removed").iterdir()) == []


def test_files_of_a_removed_study_are_deleted_beside_the_window(empty: Services) -> None:
    empty.archive.catalog.add(formats.scan([CHEST]), copy=True)
    [entry] = empty.archive.catalog.search()
    catalog.remove(empty, entry.uid)
    assert empty.archive.catalog.count() == 0
    settle(empty)
    assert [path for path in (empty.archive.home / "studies").rglob("*") if path.is_file()] == []
