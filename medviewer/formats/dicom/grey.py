"""How a series' stored values become grey: what PS3.4 N.2 asks of its headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medviewer.domain.image import GraphicOverlay, Lut, Rescale, Window
from medviewer.domain.study import Series, Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.pixels import is_colour


@dataclass(frozen=True, eq=False)
class Grey:
    """What the headers of a series say about its grey values.

    Parameters
    ----------
    rescales
        The way from stored to real values, one a phase.
    windows
        The file's windows and VOI LUTs, in real units.
    inverted
        Whether the lowest value is white.
    padding
        Stored values (low, high) that mean "no image here", both ends included, or None.
    lut
        Modality LUT, which counts instead of the rescales, or None.
    overlays
        What the files draw over their pixels.
    warnings
        What could not be done as the files ask.
    """

    rescales: tuple[Rescale, ...]
    windows: tuple[Window, ...] = ()
    inverted: bool = False
    padding: tuple[float, float] | None = None
    lut: Lut | None = None
    overlays: tuple[GraphicOverlay, ...] = ()
    warnings: tuple[Warning, ...] = ()


def read_grey(series: Series, headers: Mapping[int, Header]) -> Grey:
    """The grey-scale pipeline of a series.

    Parameters
    ----------
    series
        What was scanned.
    headers
        The headers of its files that could be read, by the file's number in `series.files`; at least one.
    """
    first = headers[min(headers)]
    return Grey(
        rescales=_rescales(series, headers, first),
        windows=() if is_colour(first) else _windows(first),
        inverted=first.plain(t.PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1",
        padding=_padding(first),
    )


def _rescales(series: Series, headers: Mapping[int, Header], first: Header) -> tuple[Rescale, ...]:
    """The modality's linear transform (PS3.3 C.11.1.1) of every phase, one number where all slices agree."""
    slices, phases = series.slices, 1 if series.phases is None else len(series.phases)
    pairs = [[_pair(first)] * slices for _ in range(phases)]
    frame = 0
    for number in range(len(series.files)):
        count = series.frames[number] if series.frames else 1
        if number in headers:
            pair = _pair(headers[number])
            for k in range(frame, frame + count):
                phase, z = series.slot(k)
                if 0 <= phase < phases:
                    pairs[phase][z] = pair
        frame += count
    unit = _unit(first)
    return tuple(_rescale([slope for slope, _ in one], [intercept for _, intercept in one], unit) for one in pairs)


def _rescale(slopes: list[float], intercepts: list[float], unit: str) -> Rescale:
    return Rescale(
        slopes[0] if len(set(slopes)) == 1 else tuple(slopes),
        intercepts[0] if len(set(intercepts)) == 1 else tuple(intercepts),
        unit,
    )


def _pair(header: Header) -> tuple[float, float]:
    # A slope of 0 would make every voxel equal; files that say so mean "none".
    return _first(header, t.RESCALE_SLOPE, 1.0) or 1.0, _first(header, t.RESCALE_INTERCEPT, 0.0)


def _unit(header: Header) -> str:
    """HU for CT unless the file says otherwise; US means unspecified (PS3.3 C.11.1.1.2)."""
    named = header.plain(t.RESCALE_TYPE)
    if named == "US" or not named:
        named = header.plain(t.UNITS)
    return named or ("HU" if header.plain(t.MODALITY) == "CT" else "")


def _first(header: Header, tag: int, default: float) -> float:
    values = header.numbers(tag)
    return values[0] if values and np.isfinite(values[0]) else default


def _windows(header: Header) -> tuple[Window, ...]:
    """The file's windows; widths below 1 are not allowed for integers and mean none (PS3.3 C.11.2.1.2)."""
    centers, widths = header.numbers(t.WINDOW_CENTER), header.numbers(t.WINDOW_WIDTH)
    names = header.text(t.WINDOW_EXPLANATION).split("\\")
    found = []
    for k, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if width > 0 and np.isfinite(width) and np.isfinite(center):
            found.append(Window(center, width, names[k].strip() if k < len(names) else ""))
    return tuple(found)


def _padding(header: Header) -> tuple[float, float] | None:
    """Pixel Padding Value and its range limit, in either order (PS3.3 C.7.5.1.1.2)."""
    signed = header.integer(t.PIXEL_REPRESENTATION) == 1
    value = header.integer(t.PIXEL_PADDING_VALUE, signed)
    if value is None or is_colour(header):
        return None
    limit = header.integer(t.PIXEL_PADDING_RANGE_LIMIT, signed)
    low, high = sorted((value, value if limit is None else limit))
    return float(low), float(high)
