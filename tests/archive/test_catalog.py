"""The catalogue: what comes in, what is found, and what people say of studies."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer import formats
from medviewer.archive import Archive
from medviewer.archive.catalog import Query, State
from medviewer.archive.catalog.paths import Known, Marks, from_text, is_fleeting, reconciled, to_text
from medviewer.archive.catalog.search import match_of
from medviewer.archive.incoming import study_folder
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Attachment, Patient, ScanResult, Series, Study
from medviewer.errors import JobCancelled, NotFoundError, StoreError

GRID = Grid((4, 6, 8), (3.0, 2.0, 1.0))
SERIES = Series("1.2.826.0.1.77", "MR", "T1 axial", GRID, (), "dicom", number=2, body_part="HEAD")
STUDY = Study(
    "1.2.826.0.1.70", "2020-03-14", "Brain MR", Patient("ID-17", "Söderholm^Zoë", "1960-03-02", "F"), (), "A1"
)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A folder with four DICOM files of one series, with a private tag."""
    folder = tmp_path / "cd" / "head"
    folder.mkdir(parents=True)
    voxels = np.arange(192, dtype=np.int16).reshape(GRID.shape)
    formats.write_dicom_series(Image(voxels, GRID, "MR"), folder, study=STUDY, series=SERIES)
    return folder


def listed(archive: Archive, text: str = "", **more: str) -> list[str]:
    return [entry.uid for entry in archive.catalog.search(Query(text, **more))]


def study(uid: str, date: str = "", description: str = "", name: str = "", pid: str = "", **more: object) -> Study:
    series = (Series(f"{uid}.1", "CT", "Bone", Grid((2, 3, 4)), (Path(__file__),), "dicom"),)
    return replace(Study(uid, date, description, Patient(pid, name), series), **more)  # type: ignore[arg-type]


# -- coming in


def test_a_scan_is_listed_by_reference(archive: Archive, head: Path) -> None:
    added = archive.catalog.add(formats.scan([head]))
    assert (added.studies, added.series, added.files, added.already) == (1, 1, 4, 0)
    [entry] = archive.catalog.search()
    assert (entry.uid, entry.date, entry.description, entry.accession) == (STUDY.uid, "2020-03-14", "Brain MR", "A1")
    assert entry.patient == STUDY.patient
    assert (entry.modalities, entry.images, entry.state, entry.copied) == (("MR",), 4, State.NEW, False)
    [series] = archive.catalog.series_of(entry.uid)
    assert (series.uid, series.slices, series.images, series.number) == (SERIES.uid, 4, 4, 2)
    assert set(archive.catalog.files_of(series.uid)) == set(head.iterdir())
    assert archive.catalog.missing(entry.uid) == ()


@pytest.mark.parametrize("retrieved_first", [False, True])
def test_a_retrieved_study_and_its_disc_are_one_set_of_files(
    archive: Archive, head: Path, retrieved_first: bool
) -> None:
    own = archive.home / "studies" / "a1b2" / "c3d4"
    own.mkdir(parents=True)
    for k, file in enumerate(sorted(head.iterdir())):
        shutil.copyfile(file, own / f"{k}f.dcm")
    for folder in (own, head) if retrieved_first else (head, own):
        archive.catalog.add(formats.scan([folder]))
    assert set(archive.catalog.files_of(SERIES.uid)) == set(own.iterdir())
    shutil.rmtree(head)
    assert archive.catalog.missing(STUDY.uid) == ()


def test_opening_the_same_files_twice_imports_once(archive: Archive, head: Path) -> None:
    archive.catalog.add(formats.scan([head]))
    again = archive.catalog.add(formats.scan([head.parent]))
    assert (again.studies, again.series, again.files, again.already) == (0, 0, 0, 4)
    assert archive.catalog.count() == 1
    one = archive.catalog.add(formats.scan([sorted(head.iterdir())[0]]))
    assert (one.files, archive.catalog.search()[0].images) == (0, 4), "a part of a series does not make it smaller"
    assert len(archive.catalog.files_of(SERIES.uid)) == 4


def test_files_that_moved_are_missing_until_they_are_opened_again(archive: Archive, head: Path) -> None:
    archive.catalog.add(formats.scan([head]))
    moved = head.rename(head.with_name("elsewhere"))
    assert len(archive.catalog.missing(STUDY.uid)) == 4
    assert archive.catalog.absent([STUDY.uid, "none"]) == {STUDY.uid}
    archive.catalog.add(formats.scan([moved]))
    assert archive.catalog.missing(STUDY.uid) == ()
    assert set(archive.catalog.files_of(SERIES.uid)) == set(moved.iterdir())
    assert archive.catalog.absent([STUDY.uid]) == frozenset()


def test_a_second_copy_of_the_files_changes_nothing(archive: Archive, head: Path, tmp_path: Path) -> None:
    archive.catalog.add(formats.scan([head]))
    other = tmp_path / "usb"
    other.mkdir()
    for file in head.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    archive.catalog.add(formats.scan([other]))
    assert set(archive.catalog.files_of(SERIES.uid)) == set(head.iterdir())


def two_discs(head: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A series on two discs: files of equal names and sizes, with other slices."""
    discs = (tmp_path / "disc1", tmp_path / "disc2")
    for k, disc in enumerate(discs):
        disc.mkdir()
        for j, file in enumerate(sorted(head.iterdir())[2 * k : 2 * k + 2]):
            (disc / f"IM{j}").write_bytes(file.read_bytes())
    sizes = [{file.name: file.stat().st_size for file in disc.iterdir()} for disc in discs]
    assert sizes[0] == sizes[1]
    return discs


@pytest.mark.parametrize("copies", [(False, False), (True, True), (False, True), (True, False)])
def test_a_series_on_two_discs_is_whole(
    archive: Archive, head: Path, tmp_path: Path, copies: tuple[bool, bool]
) -> None:
    discs = two_discs(head, tmp_path)
    for disc, copy in zip(discs, copies, strict=True):
        assert archive.catalog.add(formats.scan([disc]), copy).files == 2
    files = archive.catalog.files_of(SERIES.uid)
    assert {file.read_bytes() for file in files} == {file.read_bytes() for file in head.iterdir()}
    assert formats.scan(files).series[0].grid.shape[0] == 4
    for disc in reversed(discs):
        assert archive.catalog.add(formats.scan([disc])).files == 0, "nothing is doubled"
    usb = tmp_path / "usb"
    usb.mkdir()
    for k, disc in enumerate(discs):
        (usb / f"{k}").mkdir()
        for file in disc.iterdir():
            (usb / f"{k}" / file.name).write_bytes(file.read_bytes())
    archive.catalog.add(formats.scan([usb]))
    assert set(archive.catalog.files_of(SERIES.uid)) == set(files), "a second copy of both"


def test_copies_are_the_bytes_that_were_there(archive: Archive, head: Path) -> None:
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in head.iterdir()}
    added = archive.catalog.add(formats.scan([head]), copy=True)
    assert (added.files, archive.catalog.search()[0].copied) == (4, True)
    copies = archive.catalog.files_of(SERIES.uid)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in copies} == before
    assert all(path.is_relative_to(archive.home / "studies") for path in copies)
    if os.name != "nt":
        assert {path.stat().st_mode & 0o077 for path in copies} == {0}
    again = archive.catalog.add(formats.scan([head]), copy=True)
    assert (again.files, again.already) == (0, 4)
    archive.catalog.add(formats.scan([head]))
    assert archive.catalog.files_of(SERIES.uid) == copies, "opening the originals does not lose the copies"


def test_a_copy_takes_the_place_of_a_reference(archive: Archive, head: Path) -> None:
    archive.catalog.add(formats.scan([head]))
    archive.catalog.add(formats.scan([head]), copy=True)
    files = archive.catalog.files_of(SERIES.uid)
    assert len(files) == 4
    assert all(path.is_relative_to(archive.home) for path in files)


def test_discs_at_one_place_do_not_overwrite_each_other(archive: Archive, head: Path) -> None:
    first, second, *_ = sorted(head.iterdir())
    parts = [(file.read_bytes(), 1_600_000_000) for file in (first, second)]
    for file in head.iterdir():
        file.unlink()
    disc = head / "IM000001"
    for content, burnt in parts:  # slices of one series, of one size and time, come at one path one after the other
        disc.write_bytes(content)
        os.utime(disc, (burnt, burnt))
        assert archive.catalog.add(formats.scan([head]), copy=True).files == 1
    files = archive.catalog.files_of(SERIES.uid)
    assert {file.read_bytes() for file in files} == {content for content, _ in parts}
    assert archive.catalog.add(formats.scan([head]), copy=True).files == 0, "the second disc again"
    assert archive.catalog.add(formats.scan(list(files)), copy=True).files == 0, "its own copies"
    assert archive.catalog.files_of(SERIES.uid) == files


def test_a_changed_file_of_another_format_takes_the_place_of_its_former_copy(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "brain.nii.gz"
    for value in (1, 2):
        formats.save_image(Image(np.full(GRID.shape, value, np.int16), GRID, "MR"), path)
        archive.catalog.add(formats.scan([path]), copy=True)
    [entry] = archive.catalog.search()
    [series] = archive.catalog.series_of(entry.uid)
    [copy] = archive.catalog.files_of(series.uid)
    assert copy.read_bytes() == path.read_bytes()


def test_files_in_the_folder_of_copies_are_told_as_such(archive: Archive, head: Path) -> None:
    retrieved = study_folder(archive.home, STUDY.uid) / "series"
    retrieved.parent.mkdir(parents=True)
    head.rename(retrieved)
    archive.catalog.add(formats.scan([retrieved]))
    assert archive.catalog.get(STUDY.uid).copied, "removing the study deletes them, which a person has to be told"
    archive.catalog.remove(STUDY.uid)
    assert not retrieved.exists()


def test_what_comes_in_a_zip_is_copied(archive: Archive, head: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "disc.zip", "w") as packed:
        for file in head.iterdir():
            packed.write(file, file.name)
    found = formats.scan([tmp_path / "disc.zip"])
    assert all(is_fleeting(file) for file in found.series[0].files)
    assert not any(is_fleeting(file) for file in head.iterdir())
    archive.catalog.add(found)
    assert archive.catalog.search()[0].copied
    assert all(path.is_relative_to(archive.home) for path in archive.catalog.files_of(SERIES.uid))


def test_a_cancelled_copy_leaves_nothing_of_the_series(archive: Archive, head: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(JobCancelled):
        archive.catalog.add(formats.scan([head]), copy=True, cancelled=stop)
    assert archive.catalog.count() == 0
    assert [path for path in (archive.home / "studies").rglob("*") if path.is_file()] == []


def test_a_file_that_vanished_is_left_out(archive: Archive, head: Path) -> None:
    found = formats.scan([head])
    found.series[0].files[1].unlink()
    added = archive.catalog.add(found, copy=True)
    assert (added.files, added.skipped) == (3, 1)


def test_a_full_disk_is_told_before_anything_is_copied(
    archive: Archive, head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(StoreError, match="free some space"):
        archive.catalog.add(formats.scan([head]), copy=True)
    assert archive.catalog.count() == 0


def test_nifti_is_listed_under_a_uid_that_stays(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "brain.nii.gz"
    formats.save_image(Image(np.zeros(GRID.shape, np.int16), GRID, "MR"), path)
    archive.catalog.add(formats.scan([path]))
    archive.catalog.add(formats.scan([tmp_path]))
    [entry] = archive.catalog.search()
    assert archive.catalog.files_of(archive.catalog.series_of(entry.uid)[0].uid) == (path,)


def test_attachments_are_listed_and_copied(archive: Archive, head: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.dcm"
    report.write_bytes(b"a report")
    attached = Attachment("1.2.9", "report", "Findings", report, "SR", "2020-03-15", "1.2.8", (SERIES.uid,))
    [scanned] = formats.scan([head]).studies
    found = ScanResult((replace(scanned, attachments=(attached,)),))
    archive.catalog.add(found)
    archive.catalog.add(found)
    assert archive.catalog.attachments_of(STUDY.uid) == [attached]
    assert report in archive.catalog.files_of_study(STUDY.uid)
    archive.catalog.add(found, copy=True)
    [kept] = archive.catalog.attachments_of(STUDY.uid)
    assert kept.file.read_bytes() == b"a report"
    assert kept.file.is_relative_to(archive.home)


def test_a_path_that_is_no_text_comes_back(archive: Archive) -> None:
    odd = b"\xff\xe9" if os.name != "nt" else b"odd"  # Windows has no names that are no text
    path = Path("/none", os.fsdecode(odd), "a.dcm")
    one = replace(study("1"), series=())
    assert from_text(to_text(str(path))) == str(path)
    attached = Attachment("1.1", "pdf", "Letter", path)
    archive.catalog.add(ScanResult((replace(one, attachments=(attached,)),)))
    assert archive.catalog.attachments_of("1")[0].file == path


# -- the same file at another place


names = st.lists(st.integers(0, 6), unique=True, max_size=6)


@given(before=names, after=names)
def test_files_that_are_nowhere_any_more_are_forgotten_only_for_as_many_others(
    before: list[int], after: list[int]
) -> None:
    known = [Known(Path(f"/old/{k}"), k, 1) for k in before]
    found = [Known(Path(f"/new/{k}"), k, 2) for k in after]
    merged = reconciled(known, found, Marks())
    assert len({file.path for file in merged}) == len(merged)
    assert set(found) <= set(merged)
    lost = {file for file in known if file in merged}
    assert {file.size for file in lost}.isdisjoint(after)
    assert not lost or len(found) < len(known) or not found


# -- searching


@pytest.fixture
def worklist(archive: Archive) -> Archive:
    archive.catalog.add(
        ScanResult(
            (
                study("1", "2019-05-06", "Head MR", "DOE^JANE", "P1", accession="ACC7"),
                study("2", "2021-02-03", "Chest CT", "ROE^JOHN", "P2"),
                study("3", "2020-01-02", "Head CT", "DOE^JANE", "P1"),
                study("4", "", "Łódź knee", "Müller^Zoë", "X-9"),
            )
        )
    )
    return archive


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("jane", {"1", "3"}),
        ("JA do", {"1", "3"}),
        ("doe^jane chest", set()),
        ("p2", {"2"}),
        ("2019-05", {"1"}),
        ("2019", {"1"}),
        ("20200102", {"3"}),
        ("acc7", {"1"}),
        ("mull", {"4"}),
        ("muller zoe", {"4"}),
        ("x-9", {"4"}),
        ('"', {"1", "2", "3", "4"}),
        ("head OR chest", set()),
        ("*", {"1", "2", "3", "4"}),
        ("", {"1", "2", "3", "4"}),
    ],
)
def test_every_word_begins_a_word_of_the_study(worklist: Archive, text: str, found: set[str]) -> None:
    assert set(listed(worklist, text)) == found
    assert worklist.catalog.count(text) == len(found)


@given(text=st.text(max_size=12))
def test_whatever_is_typed_is_no_syntax_error(text: str, worklist_of_module: Archive) -> None:
    page, count = worklist_of_module.catalog.page(Query(text))
    assert len(page) == count
    assert match_of(text) == "" or '"' in match_of(text)


@pytest.fixture(scope="module")
def worklist_of_module(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    archive = Archive.open(tmp_path_factory.mktemp("catalog"))
    archive.catalog.add(ScanResult((study("1", "2019-05-06", "Head MR", "DOE^JANE", "P1"),)))
    return archive


def test_filters_go_with_the_words(worklist: Archive) -> None:
    catalog = worklist.catalog
    catalog.set_state("3", "read")
    catalog.set_tags("3", ["teaching", " teaching ", "two words", ""])
    assert catalog.get("3").tags == ("teaching", "two words")
    assert listed(worklist, state="read") == ["3"]
    assert listed(worklist, "jane", state="new") == ["1"]
    assert listed(worklist, tag="teaching") == ["3"]
    assert listed(worklist, "two wor") == ["3"], "tags are searched"
    assert set(listed(worklist, date_from="2020")) == {"2", "3"}
    assert set(listed(worklist, date_from="2019-05", date_to="2020-01")) == {"1", "3"}
    assert listed(worklist, modality="XA") == []
    assert catalog.choices() == (["CT"], ["teaching", "two words"])
    catalog.untag("3", "teaching")
    catalog.tag("3", "new one")
    assert catalog.get("3").tags == ("new one", "two words")
    assert listed(worklist, "teaching") == []


def test_studies_of_a_patient_stand_together_and_the_last_opened_patient_first(worklist: Archive) -> None:
    catalog = worklist.catalog
    people = [entry.patient.name for entry in catalog.search()]
    assert sorted(people, key=people.index) == people
    assert [uid for uid in listed(worklist) if uid in "13"] == ["3", "1"], "newest first"
    with worklist.session() as session:
        from medviewer.archive.tables import PatientRow

        for row in session.query(PatientRow):
            row.seen = "2020"
    catalog.touch("4")
    catalog.touch("none")
    assert listed(worklist)[0] == "4"
    pages = [catalog.search(limit=1, offset=k)[0].uid for k in range(4)]
    assert pages == listed(worklist)


def test_what_is_not_there_is_told(archive: Archive) -> None:
    for call in (
        lambda: archive.catalog.get("1"),
        lambda: archive.catalog.set_state("1", "read"),
        lambda: archive.catalog.tag("1", "x"),
        lambda: archive.catalog.remove("1"),
    ):
        with pytest.raises(NotFoundError, match="no study 1"):
            call()
    with pytest.raises(StoreError, match="new, read, to-correct, approved"):
        archive.catalog.set_state("1", "lost")


# -- going


def test_removing_a_reference_leaves_the_files_and_the_masks(archive: Archive, head: Path) -> None:
    from medviewer.domain.mask import Segment, Segmentation

    archive.catalog.add(formats.scan([head]))
    archive.masks.save_mask(SERIES.uid, Segmentation(np.ones(GRID.shape, np.uint8), GRID, (Segment(1, "A"),)))
    archive.catalog.set_thumbnail(SERIES.uid, b"png")
    archive.catalog.tag(STUDY.uid, "mine")
    archive.catalog.remove(STUDY.uid)
    assert (archive.catalog.count(), len(list(head.iterdir()))) == (0, 4)
    assert archive.catalog.thumbnail(SERIES.uid) is None
    assert len(archive.masks.masks_for(SERIES.uid)) == 1


def test_what_a_killed_removal_left_goes_at_the_next_start(archive: Archive, head: Path) -> None:
    archive.catalog.add(formats.scan([head]), copy=True)
    folder = study_folder(archive.home, STUDY.uid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive.catalog, "_set_aside", lambda: None)  # killed right after the list changed
        assert archive.catalog.forget(STUDY.uid)
    assert folder.exists()
    archive.catalog.sweep()
    assert not folder.exists()
    archive.catalog.add(formats.scan([head]), copy=True)
    assert archive.catalog.forget(STUDY.uid), "killed before the files went"
    archive.catalog.add(formats.scan([head]), copy=True)
    archive.catalog.sweep()
    assert archive.catalog.missing(STUDY.uid) == (), "what was imported again meanwhile stays"
    assert len([path for path in (archive.home / "studies").rglob("*") if path.is_file()]) == 4


def test_who_waits_for_the_window_waits_not_long_for_another_program(archive: Archive, head: Path) -> None:
    archive.catalog.add(formats.scan([head]))
    with archive.session() as other:
        other.connection()
        with pytest.raises(StoreError, match="close the other medviewer"):
            archive.catalog.set_state(STUDY.uid, "read", wait_s=0.05)
    archive.catalog.set_state(STUDY.uid, "read", wait_s=0.05)


def test_removing_a_copy_deletes_it_and_no_name_stays_in_the_file(tmp_path: Path, head: Path) -> None:
    with Archive.open(tmp_path / "home") as archive:
        archive.catalog.add(formats.scan([head]), copy=True)
        archive.catalog.tag(STUDY.uid, "UNMISTAKABLE")
        archive.catalog.remove(STUDY.uid)
        assert [path for path in (archive.home / "studies").rglob("*") if path.is_file()] == []
    content = (tmp_path / "home" / "medviewer.db").read_bytes().lower()
    for word in ("söderholm", "soderholm", "id-17", "unmistakable"):
        assert word.encode() not in content, word
    assert not (tmp_path / "home" / "medviewer.db-wal").exists()


def test_thumbnails_of_listed_series_are_kept(archive: Archive, head: Path) -> None:
    assert not archive.catalog.set_thumbnail(SERIES.uid, b"early")
    archive.catalog.add(formats.scan([head]))
    assert archive.catalog.set_thumbnail(SERIES.uid, b"one")
    assert archive.catalog.set_thumbnail(SERIES.uid, b"two")
    assert archive.catalog.thumbnail(SERIES.uid) == b"two"


def test_nobody_else_may_read_the_database(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    with Archive.open(home) as archive:
        archive.catalog.add(ScanResult((study("1", name="DOE^JANE"),)))
        modes = {path.stat().st_mode & 0o077 for path in home.glob("medviewer.db*")}
    assert modes == {0} or os.name == "nt"  # Windows has no such permissions
