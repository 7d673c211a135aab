"""De-identifying files and studies: what is written, what is left out, and what is told."""

from __future__ import annotations

import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pydicom
import pytest

from medviewer import formats
from medviewer.app import actions
from medviewer.app.commands import deidentify
from medviewer.app.ports.shell import DeidentifyChoice, Dialogs, Shell
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.study import Attachment
from medviewer.errors import InputError, JobCancelled, UnreadableError
from medviewer.formats.dicom.deidentify.options import Key, Options

from .conftest import SERIES, STUDY

KEY = Key(bytes(32))


@pytest.fixture
def folder(tmp_path: Path, image: Image) -> Path:
    """A CT of four slices of a made-up patient, and what else lies on a CD."""
    made = tmp_path / "muster_eva"
    made.mkdir()
    formats.write_dicom_series(image, made, study=STUDY, series=SERIES)
    (made / "README.txt").write_text("Muster, Eva")
    (made / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\x00\x16\x00UI\xff\xff")
    return made


def test_everything_that_can_be_copied_is_and_the_rest_is_named(folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    report = deidentify.run([folder], tmp_path / "out", Options(), KEY, lambda _, text: told.append(text))
    assert (report.written, report.others) == (4, 1)
    assert [name for name, _ in report.left_out] == ["broken.dcm"]
    assert report.summary.startswith("Wrote 4 de-identified files to ")
    assert report.summary.endswith("left out 1 file, passed over 1 file of other kinds.")
    assert "Left out broken.dcm: " in report.details
    assert told[-1] == "File 6 of 6"
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert len(files) == 4
    for file in files:
        assert b"Muster" not in file.read_bytes()
        assert "muster" not in str(file.relative_to(tmp_path)).lower()
    found = formats.scan([tmp_path / "out"])
    assert [series.grid.shape for series in found.series] == [SERIES.grid.shape]
    assert found.studies[0].patient.name == KEY.pseudonym("ID-17")


def test_the_same_key_again_writes_nothing_over(folder: Path, tmp_path: Path) -> None:
    deidentify.run([folder], tmp_path / "out", Options(), KEY)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.dcm")}
    again = deidentify.run([folder], tmp_path / "out", Options(), KEY)
    assert (again.written, len(again.left_out)) == (0, 5)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.dcm")} == before


def test_the_copies_never_lie_in_what_is_copied(folder: Path) -> None:
    for inside in (folder, folder / "deep" / "er"):
        with pytest.raises(InputError, match="outside of it"):
            deidentify.run([folder], inside, Options(), KEY)
    assert not (folder / "deep").exists()


def test_a_folder_without_images_and_a_lone_picture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="there are none"):
        deidentify.run([tmp_path / "in"], tmp_path / "out", Options(), KEY)
    picture = tmp_path / "photo.xyz"
    picture.write_bytes(b"not an image at all")
    report = deidentify.run([picture], tmp_path / "out", Options(), KEY)
    assert [why for _, why in report.left_out] == [
        "Only DICOM and NIfTI are de-identified, other formats are not; convert it first."
    ]
    with pytest.raises(UnreadableError, match="does not exist"):
        deidentify.run([tmp_path / "nowhere"], tmp_path / "out", Options(), KEY)


def test_it_can_be_stopped(folder: Path, tmp_path: Path) -> None:
    cancelled = threading.Event()
    with pytest.raises(JobCancelled):
        deidentify.run([folder], tmp_path / "out", Options(), KEY, lambda *_: cancelled.set(), cancelled)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) <= 1


def test_a_key_file_is_made_once_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    first, second = deidentify.key_from(path), deidentify.key_from(path)
    assert first.secret == second.secret
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(InputError, match="32 bytes"):
        deidentify.key_from(path)
    with pytest.raises(InputError, match="cannot be read or made"):
        deidentify.key_from(tmp_path / "missing" / "a.key")


def test_the_action_asks_copies_the_open_study_and_tells(services: Services, folder: Path, tmp_path: Path) -> None:
    session = services.session
    session.studies = formats.scan([folder]).studies
    session.study = session.studies[0]
    shell = create_autospec(Shell)
    shell.ask_deidentify.return_value = DeidentifyChoice(tmp_path / "out", Options(shift_dates=True), keep_key=True)
    built = {action.id: action for action in actions.build(services, create_autospec(Dialogs), shell)}
    job = built["file.deidentify"].callback()  # type: ignore[operator]  # a function, as all of ours are
    [told] = shell.ask_deidentify.call_args.args
    assert session.study.patient.id in told
    assert session.study.date in told
    services.runner.wait(job)
    assert session.message is not None
    assert session.message.text.startswith("Wrote 4 de-identified files")
    dates = {str(pydicom.dcmread(file).StudyDate) for file in (tmp_path / "out").rglob("*.dcm")}
    assert len(dates) == 1
    assert dates != {"20200301", ""}
    assert (services.archive.home / deidentify.KEY_NAME).is_file()


def test_a_study_without_files_is_refused_and_so_is_none(services: Services, tmp_path: Path) -> None:
    choice = DeidentifyChoice(tmp_path / "out", Options())
    assert deidentify.files_of_chosen(services) == ()
    with pytest.raises(InputError, match="none is where it was"):
        deidentify.export(services, (), choice)
    services.session.study = None
    with pytest.raises(InputError, match="choose one"):
        deidentify.files_of_chosen(services)


def test_a_study_of_the_list_that_is_not_open_is_exported_from_its_files(services: Services, folder: Path) -> None:
    found = formats.scan([folder])
    services.archive.catalog.add(found)
    services.session.studies, services.session.study = (), None
    services.session.chosen_study = found.studies[0].uid
    assert {file.name for file in deidentify.files_of_chosen(services)} == {f"000{k}.dcm" for k in range(1, 5)}


def test_a_study_of_which_only_a_part_was_opened_is_exported_whole(services: Services, folder: Path) -> None:
    found = formats.scan([folder])
    services.archive.catalog.add(found)
    [study] = found.studies
    [series] = study.series
    mask = Attachment("1.2.826.0.1.99", "seg", "Brain", folder / "mask.dcm", "SEG")
    services.session.studies = (replace(study, series=(), attachments=(mask,)),)
    services.session.series, services.session.chosen_study = None, study.uid
    assert deidentify.files_of_chosen(services) == (*series.files, folder / "mask.dcm")
