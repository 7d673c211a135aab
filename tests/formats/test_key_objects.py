"""Key images as DICOM key object selections."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom
import pytest

from medviewer import formats
from medviewer.domain.measure.key_image import KeyImage
from medviewer.errors import InputError


def key(uid: str, slice_: int, note: str = "") -> KeyImage:
    return KeyImage("2.25.1", uid, 0, slice_, (slice_, 0, 0), 40, 400, note=note, plane="Axial")


def dciodvfy(path: Path, kind: str = "KeyObjectSelectionDocument") -> list[str]:
    """Errors that the validator of dicom3tools finds in an object of a kind."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(kind in line for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def test_a_selection_names_the_slices_and_is_valid(tmp_path: Path, demo: Path) -> None:
    path, series = tmp_path / "ko.dcm", formats.scan([demo / "colin27"]).series[0]
    images = [(key(series.uid, 20, "Läsion"), series), (key(series.uid, 30), series)]
    formats.write_key_objects(images, path, "reader")
    assert dciodvfy(path) == []
    dataset = pydicom.dcmread(path)
    named = [one.ReferencedSOPSequence[0] for one in dataset.ContentSequence if one.ValueType == "IMAGE"]
    assert [one.ReferencedSOPInstanceUID for one in named] == [series.instances[20], series.instances[30]]
    told = formats.read_document(path).text
    assert "Of Interest" in told
    assert "1: Läsion" in told
    (attachment,) = formats.scan([path]).attachments
    assert attachment.of_series == (series.instance_uid,)


def test_frames_of_one_file_are_told_by_their_number(tmp_path: Path, samples: dict[str, Path]) -> None:
    path, series = tmp_path / "ko.dcm", formats.scan([samples["emri_small.dcm"]]).series[0]
    formats.write_key_objects([(key(series.uid, 3), series), (key(series.uid, 5), series)], path)
    assert dciodvfy(path) == []
    named = [one.ReferencedSOPSequence[0] for one in pydicom.dcmread(path).ContentSequence if one.ValueType == "IMAGE"]
    assert [one.ReferencedFrameNumber for one in named] == [4, 6]


def test_no_key_images_are_no_selection(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mark some first"):
        formats.write_key_objects([], tmp_path / "ko.dcm")
