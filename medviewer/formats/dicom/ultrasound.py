"""Pixel spacing of ultrasound, which lies in calibrated regions of the picture (PS3.3 C.8.5.5)."""

from __future__ import annotations

import numpy as np
import pydicom

from medviewer.formats.dicom.multiframe import as_numbers, items_of, value_of

_TISSUE, _M_MODE, _SPECTRAL = 1, 2, 3
"""Region Spatial Format: a picture of tissue, and those whose one axis is time or velocity."""

_CENTIMETRES = 3
"""Physical Units X and Y Direction."""

_LEAST = 0.5
"""Part of the picture that its regions must cover; the rest is text, scales and the dark beside the fan."""

_LARGEST_SIDE = 1 << 16


def region_spacing(details: pydicom.Dataset, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Distance in mm between rows and between columns.

    None unless all regions of tissue have the same one, they cover most of the picture, and no other region (M-mode,
    Doppler curves) has scales of its own, in which a length would be wrong.

    Parameters
    ----------
    details
        As `multiframe.read_details` returns them.
    shape
        Rows and columns of the picture.
    """
    regions = items_of(details, "SequenceOfUltrasoundRegions")
    formats = [_number(region, "RegionSpatialFormat") for region in regions]
    if _M_MODE in formats or _SPECTRAL in formats:
        return None
    tissue = [region for region, kind in zip(regions, formats, strict=True) if kind == _TISSUE]
    spacings = [_spacing(region) for region in tissue]
    first = spacings[0] if spacings else None
    if first is None or any(one is None or not np.allclose(one, first, rtol=1e-3) for one in spacings):
        return None
    covered = sum(_area(region) for region in tissue)
    return first if covered >= _LEAST * shape[0] * shape[1] else None


def _spacing(region: pydicom.Dataset) -> tuple[float, float] | None:
    if any(_number(region, f"PhysicalUnits{axis}Direction") != _CENTIMETRES for axis in "XY"):
        return None
    rows, columns = (abs(_number(region, f"PhysicalDelta{axis}")) * 10 for axis in "YX")
    return (rows, columns) if rows > 0 and columns > 0 else None


def _area(region: pydicom.Dataset) -> float:
    """Pixels of a region, both ends included."""
    sides = []
    for axis in "XY":
        size = _number(region, f"RegionLocationMax{axis}1") - _number(region, f"RegionLocationMin{axis}0") + 1
        sides.append(min(max(size, 0.0), _LARGEST_SIDE))
    return sides[0] * sides[1]


def _number(region: pydicom.Dataset, keyword: str) -> float:
    values = as_numbers(value_of(region, keyword))
    return values[0] if values else 0.0
