"""Where measurements lie in the files of a series: the frame that shows one, and places in pixels of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.formats.dicom.quiet import quiet

REQUIRED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
"""Type 2 attributes that a report copies: they have to be there, and may be empty."""


@dataclass(frozen=True)
class Frame:
    """One frame of a file.

    Parameters
    ----------
    dataset
        The file's header.
    number
        The frame, from 1, or None where the file has one.
    """

    dataset: Dataset
    number: int | None

    @property
    def reference(self) -> tuple[str, str, list[int] | None]:
        """SOP Class UID, SOP Instance UID and frame numbers, as references have them."""
        return (
            str(self.dataset.SOPClassUID),
            str(self.dataset.SOPInstanceUID),
            None if self.number is None else [self.number],
        )


class Frames:
    """The frames that measurements lie on; every header is read once."""

    def __init__(self) -> None:
        self._headers: dict[Path, Dataset] = {}

    @property
    def datasets(self) -> list[Dataset]:
        """The headers that were read."""
        return list(self._headers.values())

    def of(self, m: Measurement, series: Series) -> Frame:
        """The frame nearest to a measurement, in its phase.

        Raises
        ------
        InputError
            If the series is no DICOM, or its file is gone.
        """
        if series.reader != "dicom" or not series.files:
            raise InputError("A DICOM report needs measurements on DICOM images; save those of other files as .csv.")
        return self.at(series, float(series.grid.world_to_index(m.centre)[0]), m.phase)

    def at(self, series: Series, z: float, phase: int) -> Frame:
        """The frame nearest to slice z of a series' shown grid, in a phase. Raises as `of` does."""
        path, number = _nearest(series, z, phase)
        dataset = self._header(path)
        many = int(dataset.get("NumberOfFrames", 1) or 1) > 1 or "PerFrameFunctionalGroupsSequence" in dataset
        return Frame(dataset, number + 1 if many else None)

    def _header(self, path: Path) -> Dataset:
        if path not in self._headers:
            if not path.is_file():
                raise InputError(f"{path.name} is no longer where it was scanned; scan the folder again, then save.")
            with quiet():
                dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            for keyword in REQUIRED:
                if keyword not in dataset:
                    setattr(dataset, keyword, "")
            self._headers[path] = dataset
        return self._headers[path]


def to_pixels(points: NDArray[np.float64], series: Series) -> NDArray[np.float64]:
    """Column and row (n, 2) of world points in an image without a place in the patient.

    The upper left corner of the upper left pixel is (0, 0), its centre (0.5, 0.5) (PS3.3 C.18.6.1.2).
    """
    index = series.grid.world_to_index(points)
    places: NDArray[np.float64] = index[:, [2, 1]] + 0.5
    return places


def from_pixels(places: NDArray[np.float64], series: Series, instance: str, frame: int) -> NDArray[np.float64]:
    """World points (n, 3) of columns and rows (n, 2) on a frame, counted from 1, of an instance."""
    z = 0
    if instance in series.instances:
        file = series.instances.index(instance)
        before = sum(series.frames[:file]) if series.frames else file
        z = max(series.slice_of(before + frame - 1), 0)
    index = np.column_stack([np.full(len(places), z), places[:, 1] - 0.5, places[:, 0] - 0.5])
    return series.grid.index_to_world(index)


def series_with(instance: str, listed: Sequence[Series]) -> Series | None:
    """The series that has that SOP Instance UID."""
    return next((series for series in listed if instance in series.instances), None)


def _nearest(series: Series, z: float, phase: int) -> tuple[Path, int]:
    """The file, and the number of the frame in it from 0, that lies nearest to a slice of the shown grid."""
    # A resampled series has other slices than its files; both span the same way.
    scale = (series.slices - 1) / max(series.grid.shape[0] - 1, 1) if series.source is not None else 1.0
    found: tuple[float, Path, int] | None = None
    first = 0
    for k, path in enumerate(series.files):
        count = series.frames[k] if series.frames else 1
        for number in range(count):
            own_phase, own_z = series.slot(first + number)
            if own_z < 0:
                continue
            away = abs(own_z - z * scale) + 1e6 * abs(own_phase - phase)
            if found is None or away < found[0]:
                found = away, path, number
        first += count
    if found is None:
        raise InputError("The files of this series have no frame that is shown; scan the folder again, then save.")
    return found[1], found[2]
