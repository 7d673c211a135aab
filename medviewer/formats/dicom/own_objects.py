"""What DICOM objects of this program have in common: that each is a series of its own, who made it, and its writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

import medviewer
from medviewer.errors import InputError
from medviewer.formats.atomic import replacing
from medviewer.formats.dicom.quiet import quiet


def identity(series_number: int) -> dict[str, Any]:
    """What highdicom calls an object that is the only one of a new series, as arguments of its constructors.

    Parameters
    ----------
    series_number
        High, so that the series comes after the images in every browser.
    """
    return {
        "series_instance_uid": generate_uid(),
        "series_number": series_number,
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": "medviewer",
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }


def sign(dataset: Dataset, description: str) -> Dataset:
    """Say what the series of an object is, and which program made it (PS3.3 C.7.5.2); the same dataset comes back."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SeriesDescription = description
    dataset.ManufacturerModelName = "medviewer"
    dataset.SoftwareVersions = medviewer.__version__
    dataset.DeviceSerialNumber = "0"
    return dataset


def write_object(path: Path, build: Callable[[], Dataset], cannot: str) -> None:
    """Build an object and put it in place of what a file held.

    Parameters
    ----------
    build
        Makes it; what it raises for want of an attribute is mapped here.
    cannot
        What is said then after the file's name: that it cannot be written, why, and what to do.

    Raises
    ------
    InputError
        If the images lack what the object needs, or it cannot be written.
    """
    try:
        with quiet():
            dataset = build()
            with replacing(path) as temporary:
                dataset.save_as(temporary, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path.name} {cannot}", details=f"{type(error).__name__}: {error}") from error
