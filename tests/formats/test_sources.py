"""Folders, files, archives and everything in them that is no image."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile

import numpy as np
import pytest

from medviewer.errors import UnreadableError
from medviewer.formats import Kind, scan, sources, write_dicom_series
from medviewer.formats.sniff import kind_of, sniff
from tests.formats.conftest import STUDY, grid_of, image_of, series_of


def no_stop() -> None:
    """Nobody cancels here."""


@pytest.fixture
def slices(tmp_path):
    """Three slices of a series in a folder of its own."""
    folder = tmp_path / "slices"
    folder.mkdir()
    image = image_of(grid_of((3, 4, 5)))
    return write_dicom_series(image, folder, study=STUDY, series=series_of(image.grid))


def test_content_decides_what_a_file_is(tmp_path, samples, slices, brain_file):
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(slices[0], "a")
    packed, plain, text = tmp_path / "packed", tmp_path / "plain", tmp_path / "text.dcm"
    shutil.copy(brain_file, packed)
    plain.write_bytes(gzip.decompress(brain_file.read_bytes()))
    text.write_text("A text file that is named like an image, long enough to hold a header of its own." * 5)
    other_gzip = tmp_path / "other.nii.gz"
    other_gzip.write_bytes(gzip.compress(text.read_bytes()))
    found = [sniff(path) for path in (archive, packed, plain, text, other_gzip, slices[0], samples["no_meta.dcm"])]
    assert found[:6] == [Kind.ZIP, Kind.NIFTI, Kind.NIFTI, Kind.UNKNOWN, Kind.GZIP, Kind.DICOM]
    assert sniff(samples["ExplVR_BigEndNoMeta.dcm"]) is Kind.DICOM
    with pytest.raises(UnreadableError, match="could not be opened"):
        sniff(tmp_path / "nowhere")


def test_an_empty_folder_says_what_was_expected(tmp_path):
    result = scan([tmp_path])
    assert result.studies == ()
    [warning] = result.warnings
    assert warning.code == "nothing-found"
    assert f"or TIFF images in {tmp_path.name}, found no files; choose" in warning.text


def test_text_files_named_dcm_are_named(tmp_path, slices):
    for name in ("a.dcm", "b.dcm"):
        (slices[0].parent / name).write_text("not an image")
    (slices[0].parent / "empty.dcm").write_bytes(b"")
    (slices[0].parent / "README.txt").write_text("a CD's read-me is no fault")
    result = scan([tmp_path])
    assert len(result.series) == 1
    assert [warning.code for warning in result.warnings] == ["unreadable"] * 3
    assert result.warnings[0].text.startswith("a.dcm is no image of a format that is read")
    only_text = scan([slices[0].parent / "a.dcm"])
    assert [warning.code for warning in only_text.warnings] == ["unreadable", "nothing-found"]


def test_a_header_that_ends_early_is_named(tmp_path, slices):
    slices[1].write_bytes(slices[1].read_bytes()[:300])
    result = scan([tmp_path])
    assert len(result.series[0].files) == 2
    assert len(result.warnings) == 1
    assert "0002.dcm" in result.warnings[0].text


def test_objects_that_are_no_images_are_named(samples):
    result = scan([samples[f"{name}.dcm"] for name in ("rtplan", "badVR", "waveform_ecg")])
    texts = {warning.text.split(".dcm")[0]: warning.text for warning in result.warnings}
    assert "RT Plan without pixel data" in texts["rtplan"]
    assert "no whole number of frames" in texts["badVR"]
    assert "ECG Waveform without pixel data" in texts["waveform_ecg"]


def test_everything_in_both_packages_scans_without_an_error(samples):
    result = scan(sorted(samples.values()))
    # Many files there are one image in several encodings: the same SOP Instance UID.
    assert len({series.uid for series in result.series}) == len(result.series) > 60
    assert all(warning.text.endswith(".") or "; " in warning.text for warning in result.warnings)
    again = scan(sorted(samples.values(), reverse=True))
    assert [series.uid for series in again.series] == [series.uid for series in result.series]


def test_a_zip_archive_opens_like_its_folder(tmp_path, slices):
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in slices:
            opened.write(file, f"deep/folder/{file.name}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    result = scan([archive], scratch=scratch)
    assert result.warnings == ()
    assert result.series[0].grid == scan([slices[0].parent]).series[0].grid
    assert all(scratch in file.parents for file in result.series[0].files)


def test_images_in_a_zip_keep_their_uid_from_scan_to_scan(tmp_path, brain_file):
    archive = tmp_path / "brain.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(brain_file, brain_file.name)
    first, second = scan([archive]), scan([archive])
    assert first.series[0].files != second.series[0].files
    assert first.series[0].uid == second.series[0].uid
    assert first.studies[0].uid == second.studies[0].uid


@pytest.mark.parametrize("name", ["../evil.dcm", "/evil.dcm", "a/../../evil.dcm", "..\\evil.dcm", "C:\\evil.dcm"])
def test_no_archive_writes_outside_its_folder(tmp_path, slices, name):
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(zipfile.ZipInfo(name), slices[0].read_bytes())
        opened.write(slices[1], "good.dcm")
    scratch = tmp_path / "a" / "b" / "scratch"
    scratch.mkdir(parents=True)
    result = scan([archive], scratch=scratch)
    assert [warning.code for warning in result.warnings] == ["unsafe-path"]
    assert len(result.series) == 1
    [folder] = scratch.iterdir()
    assert sorted(path.name for path in (tmp_path / "a").rglob("*.dcm")) == ["good.dcm"]
    assert [path.name for path in folder.iterdir()] == ["good.dcm"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    archive, folder = tmp_path / "bomb.zip", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(5_000_000))
    with pytest.raises(UnreadableError, match="unpack to more than"):
        sources.unpack(archive, folder, no_stop, limit=1_000_000)
    assert list(folder.iterdir()) == []


def test_the_declared_size_is_not_believed(tmp_path):
    archive, folder = tmp_path / "liar.zip", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("zeros", bytes(3_000))
    data = archive.read_bytes().replace((3000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(data)
    with pytest.raises(UnreadableError):
        sources.unpack(archive, folder, no_stop, limit=1_000)


def test_a_broken_archive_is_named(tmp_path, slices):
    archive = tmp_path / "half.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(slices[0], "a.dcm")
    archive.write_bytes(archive.read_bytes()[:-30])
    result = scan([archive])
    assert "half.zip could not be unpacked" in result.warnings[0].text
    assert np.all([warning.code in ("unreadable", "nothing-found") for warning in result.warnings])


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("at", [4, 60, 400])
def test_damaged_bytes_in_an_archive_leave_the_rest_of_the_scan(tmp_path, slices, method, at):
    archive = tmp_path / "damaged.zip"
    noise = np.random.default_rng(1).integers(0, 16, 4000, np.uint8).tobytes()
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr("a.dcm", noise)
    data = bytearray(archive.read_bytes())
    data[35 + at : 35 + at + 40] = b"\xff" * 40
    archive.write_bytes(data)
    result = scan([tmp_path])
    assert [len(series.files) for series in result.series] == [3]
    assert [warning.code for warning in result.warnings] == ["unreadable"]
    assert "damaged.zip could not be unpacked" in result.warnings[0].text


@pytest.mark.parametrize("change", ["encrypted", "method", "name"])
def test_an_archive_that_needs_more_than_there_is_leaves_the_rest_of_the_scan(tmp_path, slices, change):
    archive = tmp_path / "strange.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("\u00e4.dcm", b"anything")
    data = bytearray(archive.read_bytes())
    directory = data.index(b"PK\x01\x02")
    for start in (6, directory + 8):  # flags, then compression method, in the member's header and in the directory
        if change == "encrypted":
            data[start] |= 1
        elif change == "method":
            data[start + 2] = 77
    if change == "name":
        data[directory + 46] = 0xFF
    archive.write_bytes(data)
    result = scan([tmp_path])
    assert [len(series.files) for series in result.series] == [3]
    assert [warning.code for warning in result.warnings] == ["unreadable"]
    told = {
        "encrypted": "is locked with a password",
        "method": "could not be unpacked",
        "name": "could not be unpacked",
    }
    assert told[change] in result.warnings[0].text


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", Kind.PNG),
        (b"\xff\xd8\xff\xe0", Kind.JPEG),
        (b"II*\0\x08\0\0\0", Kind.TIFF),
        (b"MM\0*\0\0\0\x08", Kind.TIFF),
        (b"II+\0\x08\0\0\0", Kind.TIFF),
        (b"NRRD0005\ntype: short\n", Kind.NRRD),
        (b"NRRD0004\r\n# Complete", Kind.NRRD),
        (b"NRRDxxxx\n", Kind.UNKNOWN),
        (b"ObjectType = Image\nNDims = 3\n", Kind.META_IMAGE),
        (b"Comment = by hand\r\nNDims = 2\r\n", Kind.META_IMAGE),
        (b"NDims: 3\nDimSize: 1 2 3\n", Kind.META_IMAGE),
        (b"ObjectType = Image\n", Kind.UNKNOWN),
        (b"Name = a file of settings\n", Kind.UNKNOWN),
        (b"", Kind.UNKNOWN),
        (b"II*\0" + bytes(124) + b"DICM", Kind.DICOM),
    ],
)
def test_each_kind_is_told_by_its_first_bytes(head, kind):
    assert kind_of(head) is kind


# -- what the user points at


def test_what_is_given_twice_counts_once(tmp_path, brain_file):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(brain_file, folder / "deep" / "a.nii.gz")
    (folder / "link.nii.gz").symlink_to(folder / "deep" / "a.nii.gz")
    (tmp_path / "other").symlink_to(folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.write(brain_file, "b.nii.gz")
    paths = [folder, folder / "deep", folder / "deep" / "a.nii.gz", tmp_path / "other", folder]
    assert len(scan(paths).series) == 1
    assert len(scan([*paths, tmp_path / "a.zip", tmp_path, tmp_path / "a.zip"]).series) == 2


def test_loops_and_pipes_are_passed_over(tmp_path, slices):
    folder = slices[0].parent
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.dcm")
    result = scan([tmp_path])
    assert result.warnings == ()
    assert [len(series.files) for series in result.series] == [3]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, slices, monkeypatch):
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root may read every folder
    result = scan([tmp_path])
    assert [warning.text.split(";")[0] for warning in result.warnings] == [
        "The folder locked could not be read (Permission denied)"
    ]
    assert len(result.series) == 1


def test_files_come_in_a_stable_order(tmp_path):
    for name in ("b/2", "b/10", "a", "c", "B", "b/a/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    listed = sources.collect([tmp_path], None, no_stop).files
    assert [file.relative_to(tmp_path).as_posix() for file in listed] == ["B", "a", "c", "b/10", "b/2", "b/a/1"]


def test_an_archive_with_too_many_files_or_too_large_for_the_disk_is_refused(tmp_path, slices, monkeypatch):
    archive = tmp_path / "many.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for k in range(5):
            opened.writestr(f"{k}", b"x")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(sources, "MAX_MEMBERS", 4)
    assert "holds 5 files, more than the 4" in scan([archive], scratch=scratch).warnings[0].text
    monkeypatch.setattr(sources, "MAX_MEMBERS", 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 8, 2))
    assert "the disk has room for 0.0 GB" in scan([archive], scratch=scratch).warnings[0].text
    assert list(scratch.iterdir()) == [], "nothing of a refused archive is left"
