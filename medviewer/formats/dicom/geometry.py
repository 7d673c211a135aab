"""From DICOM's image plane and pixel spacing to a Grid: the only place where the two meet.

The array axes of a stack are z, y, x. x runs along the first triplet of Image Orientation (Patient), from column to
column; y along the second, from row to row; z along their cross product x * y, so slices always ascend along it
whatever their instance numbers say (PS3.3 C.7.6.2.1.1). An axial stack therefore runs from the feet to the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import IDENTITY, Grid, Matrix
from medviewer.domain.study import Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import Header
from medviewer.formats.lattice import matrix

SAME_POSITION_MM = 1e-3
"""Two slices closer than this lie at one position."""

_FARTHEST_MM = 1e6
"""A position further away than a kilometre is none."""

_MOST_MISSING = 1e6
"""Slices that a gap may stand for; only so that numbers stay numbers."""

_LARGEST_MAGNIFICATION = 20.0
"""Magnification in mammography goes up to about 2; more than this is a mistake."""

_LETTER_STEPS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
"""Patient Orientation's letters (PS3.3 C.7.6.1.1.1) as steps in the LPS world."""


@dataclass(frozen=True)
class Steps:
    """How the slices of a stack follow each other.

    Parameters
    ----------
    spacing
        Distance in mm from one slice to the next.
    index
        For every slice its z index; jumps where slices are missing.
    irregular
        Largest deviation in mm of a slice from its place on the lattice, 0.0 when all lie on it.
    """

    spacing: float
    index: tuple[int, ...]
    irregular: float


def axes_of(header: Header) -> NDArray[np.float64] | None:
    """Unit steps along x (row) and y (column) as an array (2, 3); None where the header gives no usable ones."""
    values = header.numbers(t.IMAGE_ORIENTATION_PATIENT)
    if len(values) != 6 or not np.all(np.isfinite(values)):
        return None
    axes = np.reshape(values, (2, 3))
    lengths = np.linalg.norm(axes, axis=1)
    if np.any(np.abs(lengths - 1) > 0.05) or abs(axes[0] @ axes[1]) > 1e-3:
        return None
    return np.asarray(axes / lengths[:, None], np.float64)


def position_of(header: Header) -> NDArray[np.float64] | None:
    """Image Position (Patient), the world place in mm of the first pixel's centre; None where there is none."""
    values = header.numbers(t.IMAGE_POSITION_PATIENT)
    return np.array(values) if len(values) == 3 and all(abs(value) < _FARTHEST_MM for value in values) else None


def pixel_spacing(header: Header) -> tuple[float, float, bool]:
    """Distance in mm between rows and between columns, and whether the header really gives it.

    Radiographs often carry only Imager Pixel Spacing, measured at the detector (PS3.3 10.7.1.3); where the header
    estimates how much larger the patient appears there (Estimated Radiographic Magnification Factor, PS3.3 C.8.11.7),
    it is divided by that. `spacing_warnings` says so.
    """
    rows, columns, tag = _stated_spacing(header)
    factor = _magnification(header) if tag == t.IMAGER_PIXEL_SPACING else 1.0
    return rows / factor, columns / factor, tag != 0


def stated_spacing(header: Header) -> tuple[float, float]:
    """The numbers between rows and columns as the header writes them, 1.0 where it does not.

    `Series.uid` is made from these: how a length is worked out may get better, and a series keeps its name.
    """
    return _stated_spacing(header)[:2]


def _stated_spacing(header: Header) -> tuple[float, float, int]:
    """Distance in mm between rows and between columns, and the element that gives it; 0 where none does."""
    for tag in (t.PIXEL_SPACING, t.IMAGER_PIXEL_SPACING, t.NOMINAL_SCANNED_PIXEL_SPACING):
        values = header.numbers(tag)
        if len(values) == 2 and np.all(np.isfinite(values)) and min(values) > 0:
            return values[0], values[1], tag
    return 1.0, 1.0, 0


def spacing_warnings(header: Header) -> list[Warning]:
    """What to know about lengths: ``uncalibrated``, or ``detector-spacing`` where they are not the patient's.

    Pixel Spacing that equals Imager Pixel Spacing and names no calibration is the detector's too (PS3.3 10.7.1.3); one
    that differs, or that was calibrated by an object of known size (FIDUCIAL) or by the distances of tube, patient and
    detector (GEOMETRY), is the patient's.
    """
    if not pixel_spacing(header)[2]:
        text = "The file gives no pixel spacing; lengths in mm are not known, and sizes are shown in pixels."
        return [Warning("uncalibrated", text)]
    own, imager = header.numbers(t.PIXEL_SPACING), header.numbers(t.IMAGER_PIXEL_SPACING)
    if own and min(own) > 0:
        same = len(imager) == len(own) == 2 and bool(np.allclose(own, imager, rtol=1e-4))
        if not same or header.plain(t.PIXEL_SPACING_CALIBRATION_TYPE) in ("GEOMETRY", "FIDUCIAL"):
            return []
    if not imager or min(imager) <= 0:
        text = (
            "Lengths are those on the scanned film, where things are larger than in the patient; calibrate to compare."
        )
    elif (factor := _magnification(header)) > 1 and not own:
        text = (
            f"Lengths are estimated: those at the detector divided by {factor:g}, the magnification that the file "
            "gives for the middle of the patient."
        )
    else:
        text = "Lengths are those at the detector, where things are larger than in the patient by the magnification."
    return [Warning("detector-spacing", text)]


def _magnification(header: Header) -> float:
    """Estimated Radiographic Magnification Factor; 1.0 where there is none that is one."""
    values = header.numbers(t.ESTIMATED_MAGNIFICATION)
    return values[0] if len(values) == 1 and 1 < values[0] <= _LARGEST_MAGNIFICATION else 1.0


def follow(distances: Sequence[float], spacing_mm: float | None = None) -> Steps:
    """Find the lattice of slices at ascending, distinct distances in mm along the normal.

    A distance that is a whole multiple of the spacing is a gap, and the slices in it count as missing. Where gaps would
    outnumber slices, or a distance is no multiple, the stack is irregular and its slices are numbered on. A spacing
    that is known beforehand allows for gaps of any number.
    """
    steps = np.diff(distances)
    base = float(np.sort(steps)[(len(steps) - 1) // 2]) if spacing_mm is None else spacing_mm
    jumps = np.rint(np.minimum(steps / base, _MOST_MISSING)).astype(int)
    on_lattice = bool(np.all(jumps >= 1) and np.all(np.abs(steps - jumps * base) <= np.maximum(0.02 * base, 0.02)))
    if not on_lattice or (spacing_mm is None and int(jumps.sum()) > 2 * len(distances)):
        jumps = np.ones(len(steps), int)
    index = np.concatenate(([0], np.cumsum(jumps)))
    spacing = float((distances[-1] - distances[0]) / index[-1])
    deviation = float(np.max(np.abs(np.asarray(distances) - distances[0] - index * spacing)))
    return Steps(spacing, tuple(index.tolist()), deviation if deviation > max(0.02 * spacing, 0.02) else 0.0)


def slice_thickness(header: Header) -> float:
    """Extent in mm of a single slice along its normal: the spacing it would have, else its thickness, else 1."""
    for tag in (t.SPACING_BETWEEN_SLICES, t.SLICE_THICKNESS):
        values = header.numbers(tag)
        if len(values) == 1 and np.isfinite(values[0]) and values[0] > 0:
            return values[0]
    return 1.0


def flat_grid(header: Header) -> tuple[Grid, bool, bool]:
    """The Grid (1, rows, columns) of an image without a place in the patient, whether mm and whether letters are known.

    Patient Orientation, where there is one, still says which way the rows and columns run.
    """
    between_rows, between_columns, calibrated = pixel_spacing(header)
    axes = _axes_from_letters(header.plain(t.PATIENT_ORIENTATION))
    direction = IDENTITY if axes is None else direction_of(axes)
    shape = (1, header.integer(t.ROWS) or 0, header.integer(t.COLUMNS) or 0)
    return Grid(shape, (1.0, between_rows, between_columns), direction=direction), calibrated, axes is not None


def direction_of(axes: NDArray[np.float64]) -> Matrix:
    """Row-major 3x3 whose columns are the unit steps along z, y, x, from the steps along x and y."""
    row, column = axes
    return matrix(np.stack([np.cross(row, column), column, row], axis=1))


def _axes_from_letters(text: str) -> NDArray[np.float64] | None:
    r"""Steps along x and y from Patient Orientation, for example ``L\F``; only the main letter of each is used."""
    parts = text.split("\\")
    if len(parts) != 2 or not all(part[:1] in _LETTER_STEPS for part in parts if part) or not all(parts):
        return None
    axes = np.array([_LETTER_STEPS[part[0]] for part in parts], np.float64)
    return axes if axes[0] @ axes[1] == 0 else None
