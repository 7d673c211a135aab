"""DICOM studies to be hung, written with pydicom: mammograms and radiographs with their orientation, and volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

_CLASSES = {
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
SIZE = (48, 36)

STORED = {
    ("R", "CC"): "P\\L",
    ("L", "CC"): "P\\L",
    ("R", "MLO"): "A\\FR",
    ("L", "MLO"): "A\\FR",
}
"""How the four views lie in the files that are written: two hang as they are, two have to be flipped."""


def uid(*parts: object) -> UID:
    """The same UID for the same parts."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def _dataset(study: str, date: str, modality: str, series: str, number: int, **fields: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = _CLASSES[modality]
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(study, series, number)
    made.StudyInstanceUID, made.SeriesInstanceUID = uid(study), uid(study, series)
    made.PatientID, made.PatientName, made.PatientSex = "HANG-1", "Hanging^Test", "F"
    made.StudyDate, made.StudyDescription, made.Modality = date, "", modality
    made.SeriesDescription, made.InstanceNumber = series, number
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _save(made: Dataset, pixels: NDArray[np.uint16], path: Path) -> Path:
    made.Rows, made.Columns = pixels.shape
    made.PixelData = pixels.astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def breast(size: tuple[int, int] = SIZE) -> NDArray[np.uint16]:
    """A half ellipse whose flat side, the chest wall, is the left edge; brighter towards the top."""
    rows, columns = size
    y, x = np.mgrid[:rows, :columns]
    inside = (x / (0.8 * columns)) ** 2 + ((y - rows / 2) / (0.45 * rows)) ** 2 < 1
    picture = np.where(inside, 1200 + 600 * (1 - y / rows) + 300 * np.sin(x / 3.0) * np.cos(y / 4.0), 20)
    picture[rows // 8 : rows // 5, columns // 8 : columns // 4] = 3500  # a marker at the upper, lateral side
    return np.asarray(picture, np.uint16)


def write_mammogram(
    folder: Path,
    side: str,
    view: str,
    study: str = "now",
    date: str = "20240305",
    stored: str | None = None,
    size: tuple[int, int] = SIZE,
    **fields: Any,
) -> Path:
    """One view of one breast; `stored` is its Patient Orientation, and its pixels lie accordingly."""
    orientation = STORED[side, view] if stored is None else stored
    pixels = breast(size)  # as a left one hangs: the rows run to anterior
    row, _, column = orientation.partition("\\")
    lateral_up = "R" if side == "L" else "L"
    down = "F" if view == "MLO" else lateral_up
    if row == "P":
        pixels = pixels[:, ::-1]
    if column and column[0] != down:
        pixels = pixels[::-1]
    made = _dataset(
        study,
        date,
        "MG",
        f"{side} {view}",
        1,
        BodyPartExamined="BREAST",
        ViewPosition=view,
        ImageLaterality=side,
        PatientOrientation=orientation.split("\\") if orientation else "",
        ImagerPixelSpacing=[0.7, 0.7],
        PresentationIntentType="FOR PRESENTATION",
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return _save(made, pixels, folder / f"{study}-{side}{view}.dcm")


def write_mammography(folder: Path, study: str = "now", date: str = "20240305", **how: Any) -> Path:
    """Four views."""
    for side in "RL":
        for view in ("CC", "MLO"):
            write_mammogram(folder, side, view, study, date, **how)
    return folder


def write_radiograph(
    folder: Path, view: str, study: str = "now", date: str = "20240305", orientation: str = "L\\F", **fields: Any
) -> Path:
    """A chest radiograph, or what the fields make of it."""
    made = _dataset(
        study,
        date,
        fields.pop("Modality", "DX"),
        f"Chest {view}",
        1,
        BodyPartExamined="CHEST",
        ViewPosition=view,
        PatientOrientation=orientation.split("\\"),
        ImagerPixelSpacing=[1.0, 1.0],
    )
    for name, value in fields.items():
        setattr(made, name, value)
    y, x = np.mgrid[:40, :44]
    pixels = np.asarray(800 + 500 * np.cos(x / 5.0) + 10 * y, np.uint16)
    return _save(made, pixels, folder / f"{study}-{view}.dcm")


def write_volume(
    folder: Path,
    modality: str,
    description: str,
    study: str = "now",
    date: str = "20240305",
    slices: int = 12,
    frame: str = "",
    **fields: Any,
) -> Path:
    """An axial volume of 2 mm voxels; its frame of reference is the study's unless another is given."""
    y, x = np.mgrid[:24, :20]
    for k in range(slices):
        made = _dataset(
            study,
            date,
            modality,
            description,
            k + 1,
            FrameOfReferenceUID=uid(frame or study, "frame"),
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[-20.0, -24.0, 2.0 * k],
            PixelSpacing=[2.0, 2.0],
            SliceThickness=2.0,
            **{"RescaleSlope": 1, "RescaleIntercept": -1024, **fields},
        )
        ball = (x - 10) ** 2 + (y - 12) ** 2 + (k - slices / 2) ** 2 < 60
        _save(made, np.asarray(np.where(ball, 1064, 24) + x + y, np.uint16), folder / f"{study}-{description}-{k}.dcm")
    return folder
