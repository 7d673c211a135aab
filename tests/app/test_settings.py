"""What is remembered: the last paths, across restarts, and nothing that stops the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from medviewer.app import settings
from medviewer.app.commands import recent, study
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.app.settings import RECENT, OwnWindow, Settings
from medviewer.errors import StoreError

BRAIN = Path(__file__).parents[1] / "data" / "colin27_brain.nii.gz"


def test_the_newest_comes_first_and_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}" for k in range(RECENT + 3)]
    kept = Settings()
    for path in paths:
        kept = kept.opened([path])
    assert kept.recent == tuple(reversed(paths))[:RECENT]
    again = kept.opened([paths[-4]])
    assert again.recent[:2] == (paths[-4], paths[-1])
    assert len(again.recent) == RECENT


def test_many_files_of_a_folder_count_as_the_folder(tmp_path: Path) -> None:
    files = [tmp_path / f"{k}.dcm" for k in range(20)]
    assert Settings().opened(files).recent == (tmp_path,)
    assert Settings().opened(files[:2]).recent == tuple(files[:2])


def test_they_are_kept_across_restarts_for_this_user_only(tmp_path: Path) -> None:
    settings.save(tmp_path, Settings().opened([tmp_path / "a"]))
    assert settings.load(tmp_path).recent == (tmp_path / "a",)
    assert (tmp_path / settings.FILE).stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == [settings.FILE]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"recent": 3}', b"\xff\xfe", b'{"recent": [null]}', b'{"windows": [{}]}']
)
def test_broken_settings_start_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / settings.FILE).write_bytes(content)
    assert settings.load(tmp_path) == Settings()


def test_windows_are_kept_by_name_and_a_digit_belongs_to_one(tmp_path: Path) -> None:
    ear = OwnWindow(name="Ear", modality="CT", unit="HU", center=700, width=4000, key=5)
    knee = OwnWindow(name="Ear", modality="MR", center=7, width=40, key=5)
    spine = OwnWindow(name="Spine", modality="CT", unit="HU", center=50, width=250, key=5)
    kept = Settings().with_window(ear).with_window(knee).with_window(spine)
    assert [(one.name, one.modality, one.key) for one in kept.windows] == [
        ("Ear", "CT", 0),
        ("Ear", "MR", 5),
        ("Spine", "CT", 5),
    ]
    wider = spine.model_copy(update={"width": 300.0})
    kept = kept.with_window(wider)
    assert kept.windows[-1] == wider
    assert len(kept.windows) == 3
    settings.save(tmp_path, kept)
    assert settings.load(tmp_path) == kept
    assert [one.name for one in kept.without_window(wider).windows] == ["Ear", "Ear"]


def test_a_folder_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be kept"):
        settings.save(tmp_path / "nowhere", Settings())


def test_what_was_retrieved_is_found_in_the_list_of_studies_instead(services: Services) -> None:
    folder = services.archive.home / "studies" / "0123"
    folder.mkdir(parents=True)
    retrieved = folder / BRAIN.name
    retrieved.write_bytes(BRAIN.read_bytes())
    services.runner.wait(study.open_paths(services, [folder], show_first=False))
    assert services.session.studies
    assert recent.recent(services) == ()


def test_what_is_opened_is_remembered_until_it_is_cleared(services: Services, tmp_path: Path) -> None:
    for path in (BRAIN, tmp_path, resource("demo")):
        services.runner.wait(study.open_paths(services, [path], show_first=False))
    assert recent.recent(services) == (BRAIN,), "neither an empty folder nor the demo"
    recent.clear(services)
    assert recent.recent(services) == ()
