"""DICOMDIR: those of pydicom with their discs, and ones that point where they should not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom.data
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medviewer.formats import scan, write_dicom_series
from medviewer.formats.dicom.dicomdir import read_listing
from medviewer.formats.dicom.quiet import quiet
from medviewer.formats.sniff import DIRECTORY
from tests.formats.conftest import STUDY, grid_of, image_of, series_of

DISC = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
NAMES = ["DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-nooffset", "DICOMDIR-reordered"]


def write(path: Path, references: list[list[str]], **more: int) -> Path:
    """A DICOMDIR with one record a reference; pydicom warns of names that no disc has, which is what is tested."""
    with quiet():
        return _write(path, references, **more)


def _write(path: Path, references: list[list[str]], **more: int) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DIRECTORY.decode()
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.DirectoryRecordSequence = []
    for parts in references:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.add_new(0x00041500, "CS", parts)
        for name, value in more.items():
            setattr(record, name, value)
        data.DirectoryRecordSequence.append(record)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def disc(tmp_path):
    """A folder with three slices below ``A``, as discs name them."""
    folder = tmp_path / "disc"
    (folder / "A").mkdir(parents=True)
    image = image_of(grid_of((3, 4, 5)))
    for k, file in enumerate(write_dicom_series(image, folder / "A", study=STUDY, series=series_of(image.grid))):
        file.rename(folder / "A" / f"IM{k}")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_a_disc_are_those_of_its_folder(name):
    listing = read_listing(DISC / name)
    assert listing.warnings == ()
    assert set(listing.files) == {file for file in DISC.glob("*/*/*") if file.parent.parent.name.isdigit()}
    assert len(listing.files) == 31


def test_a_disc_opens_by_its_directory_as_by_its_folder(tmp_path):
    folder = tmp_path / "disc"
    folder.mkdir()
    for name in ("77654033", "98892001", "98892003"):
        shutil.copytree(DISC / name, folder / name)
    shutil.copy(DISC / "DICOMDIR", folder / "DICOMDIR")
    by_name, by_folder = scan([folder / "DICOMDIR"]), scan([folder])
    assert {series.uid for series in by_name.series} == {series.uid for series in by_folder.series}
    assert sum(len(series.files) for series in by_name.series) == 31
    assert "directory" not in " ".join(warning.text.lower() for warning in by_folder.warnings)
    assert len(scan([folder / "DICOMDIR", folder]).series) == len(by_folder.series)


def test_a_directory_without_its_disc_names_what_is_missing(tmp_path):
    shutil.copy(DISC / "DICOMDIR", tmp_path / "DICOMDIR")
    result = scan([tmp_path / "DICOMDIR"])
    assert [warning.code for warning in result.warnings] == ["missing-file", "nothing-found"]
    assert "lists 31 files that are not there, 77654033/CR1/6154 first" in result.warnings[0].text


@pytest.mark.parametrize("written", [["A", "IM0"], ["a", "im0"], ["A", "IM0;1"], ["a", "IM0.;1"]])
def test_names_are_found_as_discs_write_them(disc, written):
    listing = read_listing(write(disc / "DICOMDIR", [written]))
    assert [file.name for file in listing.files] == ["IM0"]


def test_a_version_in_the_name_of_the_file_is_no_matter(disc):
    (disc / "A" / "IM1").rename(disc / "A" / "im1.;1")
    listing = read_listing(write(disc / "DICOMDIR", [["A", "IM1"]]))
    assert [file.name for file in listing.files] == ["im1.;1"]


@pytest.mark.parametrize(
    "parts",
    [["..", "secret"], ["A", "..", "..", "secret"], ["../secret"], ["/etc/passwd"], ["..\\secret"], ["C:", "A"]],
)
def test_no_file_outside_the_folder_is_opened(disc, parts):
    shutil.copy(disc / "A" / "IM0", disc.parent / "secret")
    result = scan([write(disc / "DICOMDIR", [parts, ["A", "IM1"]])])
    assert [warning.code for warning in result.warnings] == ["unsafe-path"]
    assert [file.name for series in result.series for file in series.files] == ["IM1"]


def test_a_link_that_leads_outside_is_not_followed(disc):
    shutil.copy(disc / "A" / "IM0", disc.parent / "secret")
    (disc / "A" / "LINK").symlink_to(disc.parent / "secret")
    (disc / "OUT").symlink_to(disc.parent)
    listing = read_listing(write(disc / "DICOMDIR", [["A", "LINK"], ["OUT", "SECRET"]]))
    assert listing.files == ()
    assert [warning.text for warning in listing.warnings] == [
        "DICOMDIR lists 2 files outside its folder, which is not opened."
    ]


def test_deleted_records_do_not_count_and_a_file_counts_once(disc):
    assert read_listing(write(disc / "DICOMDIR", [["A", "IM0"]], RecordInUseFlag=0)).files == ()
    assert len(read_listing(write(disc / "DICOMDIR", [["A", "IM0"], ["a", "im0"]])).files) == 1


def test_damaged_directories_are_told(disc):
    path = write(disc / "DICOMDIR", [["A", f"IM{k}"] for k in range(3)])
    whole = path.read_bytes()
    for cut in range(150, len(whole), 23):
        path.write_bytes(whole[:cut])
        for warning in scan([path]).warnings:
            assert warning.code in ("unreadable", "unsupported", "missing-file", "nothing-found")


def test_one_without_any_file_says_so(tmp_path):
    result = scan([write(tmp_path / "DICOMDIR", [])])
    assert [warning.code for warning in result.warnings] == ["nothing-found"]
