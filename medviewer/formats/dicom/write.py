"""An Image as single-frame DICOM files, one a slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from medviewer.domain.image import Image, Lut
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError
from medviewer.formats.atomic import replacing
from medviewer.formats.dicom.quiet import quiet

_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "OT": SecondaryCaptureImageStorage,
}
_WITHOUT_PLACE = ("CR", "DX", "OT")
"""Modalities whose single image has no place in the patient."""


def write_dicom_series(
    image: Image,
    folder: Path,
    *,
    study: Study,
    series: Series,
    transfer_syntax: str = ExplicitVRLittleEndian,
    attributes: Dataset | None = None,
) -> tuple[Path, ...]:
    """Write a grey image as DICOM, with UIDs made from the series' UID so that the same call makes the same files.

    Parameters
    ----------
    image
        Stored values of 8 or 16 bits, shape (z, y, x); modality CT, MR, CR, DX or OT (secondary capture).
    folder
        An existing folder; slice k becomes ``0001.dcm`` and so on, from the first along z.
    study, series
        What the headers say about the patient, the study and the series; `series.grid` and `series.files` are not used.
    transfer_syntax
        Explicit little endian, or one that an installed encoder writes (RLE, JPEG-LS, JPEG 2000).
    attributes
        Elements to add or put in place of those written by default.

    Raises
    ------
    InputError
        If the image is in colour, has other types or modalities, or a file cannot be written.
    """
    if image.is_colour or image.voxels.dtype.kind not in "iu" or image.voxels.dtype.itemsize > 2:
        raise InputError(
            f"DICOM slices hold grey integers of 8 or 16 bits, not {image.voxels.dtype}; convert the image."
        )
    if image.modality not in _CLASSES:
        raise InputError(
            f"Slices can be written as {', '.join(_CLASSES)}, not as {image.modality}; choose one of these."
        )
    paths = []
    for k, dataset in enumerate(_datasets(image, study, series)):
        if attributes is not None:
            dataset.update(attributes)
        path = folder / f"{k + 1:04d}.dcm"
        with replacing(path) as temporary, quiet():
            if transfer_syntax != ExplicitVRLittleEndian:
                dataset.compress(transfer_syntax, generate_instance_uid=False)
            dataset.save_as(temporary, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def _datasets(image: Image, study: Study, series: Series) -> Iterator[Dataset]:
    for k, plane in enumerate(image.voxels):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _CLASSES[image.modality]
        uid = generate_uid(entropy_srcs=["medviewer slice", series.uid, str(k)])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.InstanceNumber = k + 1
        _describe(dataset, image, study, series)
        _place(dataset, image, series, k)
        _pixels(dataset, image, plane, k)
        yield dataset


def _describe(dataset: Dataset, image: Image, study: Study, series: Series) -> None:
    """Patient, study, series and equipment modules."""
    patient = study.patient
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = patient.name, patient.id
    dataset.PatientBirthDate, dataset.PatientSex = patient.birth_date.replace("-", ""), patient.sex
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study.uid, series.instance_uid
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = study.date.replace("-", ""), "", ""
    dataset.AccessionNumber, dataset.StudyDescription = study.accession, study.description
    dataset.ReferringPhysicianName, dataset.Manufacturer = "", ""
    dataset.Modality, dataset.SeriesDescription, dataset.SeriesNumber = (
        image.modality,
        series.description,
        series.number,
    )
    if series.body_part:
        dataset.BodyPartExamined = series.body_part
    if series.view or image.modality == "CR":
        dataset.ViewPosition = series.view
    if image.modality == "DX":
        dataset.ImageLaterality = series.laterality or "U"
    elif series.laterality:
        dataset.Laterality = series.laterality


def _place(dataset: Dataset, image: Image, series: Series, k: int) -> None:
    """Image plane: the inverse of `medviewer.formats.dicom.geometry`."""
    grid = image.grid
    spacing = [_decimal(grid.spacing[1]), _decimal(grid.spacing[2])]
    if image.modality in _WITHOUT_PLACE:
        dataset.PatientOrientation = ""
        if image.calibrated:
            dataset.add_new("PixelSpacing" if image.modality != "DX" else "ImagerPixelSpacing", "DS", spacing)
        return
    dataset.PixelSpacing = spacing
    dataset.FrameOfReferenceUID = series.frame_of_reference or generate_uid(
        entropy_srcs=["medviewer frame", series.uid]
    )
    dataset.PositionReferenceIndicator = ""
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*grid.axes[:, 2], *grid.axes[:, 1])]
    dataset.ImagePositionPatient = [_decimal(v) for v in grid.index_to_world((k, 0, 0))]
    dataset.SliceThickness = _decimal(grid.spacing[0])
    if image.modality == "MR":
        dataset.SpacingBetweenSlices = _decimal(grid.spacing[0])


def _pixels(dataset: Dataset, image: Image, plane: NDArray[Any], k: int) -> None:
    """Image pixel, modality LUT and VOI LUT modules."""
    slope, intercept = image.rescale.at(k)
    bits = plane.dtype.itemsize * 8
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if image.modality == "CT" else "OTHER"]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if image.inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(plane.dtype.kind == "i")
    if image.padding is not None:
        dataset.add_new("PixelPaddingValue", "SS" if plane.dtype.kind == "i" else "US", int(image.padding[0]))
        if image.padding[1] != image.padding[0]:
            dataset.add_new("PixelPaddingRangeLimit", "SS" if plane.dtype.kind == "i" else "US", int(image.padding[1]))
    if image.lut is not None:
        item = _lut_item(image.lut, signed=plane.dtype.kind == "i")
        item.ModalityLUTType = image.rescale.unit if image.rescale.unit in ("HU", "OD") else "US"
        dataset.ModalityLUTSequence = [item]
    elif (slope, intercept) != (1.0, 0.0) or image.modality == "CT":
        dataset.RescaleSlope, dataset.RescaleIntercept = _decimal(slope), _decimal(intercept)
        dataset.RescaleType = image.rescale.unit or "US"
    _windows(dataset, image)
    dataset.PixelData = np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"


def _windows(dataset: Dataset, image: Image) -> None:
    """VOI LUTs and windows; all windows of a file have one function, so different ones are written as linear."""
    tables = [(window.lut, window.name) for window in image.windows if window.lut is not None]
    windows = [window for window in image.windows if window.lut is None]
    if len({window.function for window in windows}) > 1:
        windows = [replace(window.plain[0], name=window.name) for window in windows]
    if windows:
        dataset.WindowCenter = [_decimal(window.center) for window in windows]
        dataset.WindowWidth = [_decimal(window.width) for window in windows]
        dataset.VOILUTFunction = windows[0].function
        if any(window.name for window in windows):
            dataset.WindowCenterWidthExplanation = [window.name for window in windows]
    if tables:
        dataset.VOILUTSequence = [_lut_item(lut, signed=lut.first < 0, name=name) for lut, name in tables]


def _lut_item(lut: Lut, signed: bool, name: str = "") -> Dataset:
    item = Dataset()
    entries = len(lut.table) % (1 << 16)  # 65536 is written as 0
    # in an SS element, a large number of entries is the negative number of the same bits
    number = entries - (1 << 16) if signed and entries >= 1 << 15 else entries
    item.add_new("LUTDescriptor", "SS" if signed else "US", [number, lut.first, lut.bits])
    if name:
        item.LUTExplanation = name
    item.add_new("LUTData", "OW", lut.table.astype("<u2").tobytes())
    return item


def _decimal(value: float) -> str:
    """A DS value: at most 16 characters (PS3.5 6.2), as many digits of them as fit."""
    for digits in range(16, 0, -1):
        text = f"{float(value) + 0.0:.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(value)
