"""How a series' stored values become grey, in the order of PS3.4 N.2: modality LUT, VOI LUT, presentation LUT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pydicom

from medviewer.domain.image import GraphicOverlay, Lut, Rescale, Window
from medviewer.domain.study import Series, Warning
from medviewer.errors import UnreadableError
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.grey_luts import HUGE, lut_windows, read_dataset, read_lut, windows_of
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.multiframe import FrameGroups, as_text, items_of, read_groups, value_of
from medviewer.formats.dicom.overlays import read_overlays
from medviewer.formats.dicom.pixels import is_colour
from medviewer.formats.dicom.suv import Suv, read_suv

Pair = tuple[float, float]
"""Rescale Slope and Rescale Intercept."""

_TRANSFORM, _VOI = "PixelValueTransformationSequence", "FrameVOILUTSequence"

_UNITS = {
    "US": "",  # unspecified
    "HU_MOD": "HU",
    "OD": "10⁻³ OD",
    "MGML": "mg/ml",
    "PCT": "%",
    "BQML": "Bq/ml",
    "CNTS": "counts",
    "NONE": "",
}
"""What a reader reads for a unit (Rescale Type, Modality LUT Type, C.11.1.1.2; Units, C.8.9.1.1.3)."""

_XRAY = ("1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2", "1.2.840.10008.5.1.4.1.1.12.3")
"""X-Ray Angiographic, Radiofluoroscopic and (retired) Bi-plane Image Storage."""


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

    Files are opened again only where their header says that they have what it does not hold: tables, overlays,
    functional groups, and what SUV is computed of.

    Parameters
    ----------
    series
        What was scanned.
    headers
        The headers of its files that could be read, by the file's number in `series.files`; at least one.
    """
    first = headers[min(headers)]
    overlays, warnings = read_overlays(series, headers)
    phases = 1 if series.phases is None else len(series.phases)
    if is_colour(first):
        return Grey((Rescale(),) * phases, overlays=overlays, warnings=tuple(warnings))
    groups = {number: found for number, header in headers.items() if (found := _groups(header, warnings)) is not None}
    lut, unit = _modality_lut(headers, warnings)
    rescales = (Rescale(unit=unit),) * phases if lut is not None else _rescales(series, headers, groups)
    windows = _windows(headers, groups, rescales, lut, warnings)
    if lut is None and first.plain(t.MODALITY) == "PT":
        suv = _suv(headers, warnings)
        if suv is not None:
            rescales, windows = _scaled(series, suv, rescales, windows)
    return Grey(
        rescales=rescales,
        windows=windows,
        inverted=_inverted(first, warnings),
        padding=_padding(first),
        lut=lut,
        overlays=overlays,
        warnings=tuple(warnings),
    )


def _groups(header: Header, warnings: list[Warning]) -> FrameGroups | None:
    if t.SHARED_GROUPS not in header.raw and t.FRAME_GROUPS not in header.raw:
        return None
    try:
        return read_groups(header.path)
    except UnreadableError as error:
        warnings.append(Warning("unreadable", f"{error} Its values are shown as if they had none."))
        return None


# -- modality LUT -------------------------------------------------------------------------------------------------


def _modality_lut(headers: Mapping[int, Header], warnings: list[Warning]) -> tuple[Lut | None, str]:
    """The table of a Modality LUT Sequence and its unit; it goes before a rescale, which may not be beside it.

    In XA and XRF with a logarithmic or display relationship it leads back to X-ray intensity and is not for the screen
    (PS3.4 N.2.5 ignores it).
    """
    having = {number: header for number, header in headers.items() if t.MODALITY_LUT_SEQUENCE in header.raw}
    if not having:
        return None, ""
    first = having[min(having)]
    if first.plain(t.SOP_CLASS_UID) in _XRAY and first.plain(t.PIXEL_INTENSITY_RELATIONSHIP) in ("LOG", "DISP"):
        return None, ""
    signed = first.integer(t.PIXEL_REPRESENTATION) == 1
    items = items_of(_reread(first, t.MODALITY_LUT_SEQUENCE), "ModalityLUTSequence")
    lut = read_lut(items[0], signed) if items else None
    if lut is None:
        text = "The file's table from stored to real values (Modality LUT) is broken; stored values are shown."
        warnings.append(Warning("modality-lut", text))
        return None, ""
    tables = {header.raw[t.MODALITY_LUT_SEQUENCE] for header in having.values()}
    if len(having) < len(headers) or len(tables) > 1:
        text = "The files turn stored into real values by different tables (Modality LUT); that of the first is taken."
        warnings.append(Warning("modality-lut", text))
    named = as_text(value_of(items[0], "ModalityLUTType"))
    return lut, _UNITS.get(named, named)


def _reread(header: Header, tag: int) -> pydicom.Dataset:
    try:
        return read_dataset(header.path, [tag, t.SPECIFIC_CHARACTER_SET])
    except UnreadableError:  # it could be read a moment ago; then it has no table
        return pydicom.Dataset()


def _rescales(series: Series, headers: Mapping[int, Header], groups: Mapping[int, FrameGroups]) -> tuple[Rescale, ...]:
    """The modality's linear transform (C.11.1.1) of every phase, one number where all slices agree."""
    slices, phases = series.slices, 1 if series.phases is None else len(series.phases)
    number = min(headers)
    pairs = [[_pair(headers[number], groups.get(number), 0)] * slices for _ in range(phases)]
    for file, frame, phase, z in _frames(series):
        if file in headers and phase < phases:
            pairs[phase][z] = _pair(headers[file], groups.get(file), frame)
    unit = _unit(headers[number], groups.get(number))
    return tuple(_rescale([slope for slope, _ in one], [intercept for _, intercept in one], unit) for one in pairs)


def _frames(series: Series) -> Iterator[tuple[int, int, int, int]]:
    """File, frame in the file, phase and z of every frame that is shown."""
    counted = 0
    for file in range(len(series.files)):
        for frame in range(series.frames[file] if series.frames else 1):
            phase, z = series.slot(counted)
            counted += 1
            if phase >= 0:
                yield file, frame, phase, z


def _rescale(slopes: list[float], intercepts: list[float], unit: str) -> Rescale:
    return Rescale(
        slopes[0] if len(set(slopes)) == 1 else tuple(slopes),
        intercepts[0] if len(set(intercepts)) == 1 else tuple(intercepts),
        unit,
    )


def _pair(header: Header, groups: FrameGroups | None, frame: int) -> Pair:
    slopes, intercepts = header.numbers(t.RESCALE_SLOPE), header.numbers(t.RESCALE_INTERCEPT)
    if groups is not None:
        slopes = groups.numbers(frame, _TRANSFORM, "RescaleSlope") or slopes
        intercepts = groups.numbers(frame, _TRANSFORM, "RescaleIntercept") or intercepts
    # A slope of 0 would make every voxel equal; files that say so mean "none".
    return _first(slopes, 1.0) or 1.0, _first(intercepts, 0.0)


def _unit(header: Header, groups: FrameGroups | None) -> str:
    """HU for CT unless the file says otherwise; US means unspecified (C.11.1.1.2)."""
    named = header.plain(t.RESCALE_TYPE)
    if groups is not None:
        named = groups.text(0, _TRANSFORM, "RescaleType") or named
    if named == "US" or not named:
        named = header.plain(t.UNITS)
    return _UNITS.get(named, named) or ("HU" if header.plain(t.MODALITY) == "CT" else "")


def _first(values: tuple[float, ...], default: float) -> float:
    return values[0] if values and abs(values[0]) < HUGE else default


# -- SUV ----------------------------------------------------------------------------------------------------------


def _suv(headers: Mapping[int, Header], warnings: list[Warning]) -> Suv | None:
    try:
        suv = read_suv(headers, headers[min(headers)].plain(t.UNITS))
    except UnreadableError as error:
        warnings.append(Warning("suv-unknown", f"{error} The PET is shown in its file's own unit and not as SUV."))
        return None
    if suv is not None and suv.warning is not None:
        warnings.append(suv.warning)
    return suv if suv is not None and suv.unit else None


def _scaled(
    series: Series, suv: Suv, rescales: tuple[Rescale, ...], windows: tuple[Window, ...]
) -> tuple[tuple[Rescale, ...], tuple[Window, ...]]:
    """Rescales and windows in SUV."""
    default = suv.factors[min(suv.factors)]
    factors = [[default] * series.slices for _ in rescales]
    for file, _, phase, z in _frames(series):
        if phase < len(rescales):
            factors[phase][z] = suv.factors.get(file, default)
    made = []
    for one, own in zip(rescales, factors, strict=True):
        pairs = [one.at(z) for z in range(series.slices)]
        slopes = [slope * factor for (slope, _), factor in zip(pairs, own, strict=True)]
        intercepts = [intercept * factor for (_, intercept), factor in zip(pairs, own, strict=True)]
        made.append(_rescale(slopes, intercepts, suv.unit))
    factor = suv.factors[sorted(suv.factors)[len(suv.factors) // 2]]
    return tuple(made), windows if factor == 1 else tuple(_scaled_window(window, factor) for window in windows)


def _scaled_window(window: Window, factor: float) -> Window:
    """A window in Bq/ml as one in SUV; tables have whole inputs only and become the plain window like them."""
    if window.lut is None and window.function == "SIGMOID":
        return Window(window.center * factor, window.width * factor, window.name, "SIGMOID")
    plain, _ = window.plain
    low, high = plain.limits
    return Window.from_limits(low * factor, high * factor, window.name)


# -- VOI LUT ------------------------------------------------------------------------------------------------------


def _windows(
    headers: Mapping[int, Header],
    groups: Mapping[int, FrameGroups],
    rescales: tuple[Rescale, ...],
    lut: Lut | None,
    warnings: list[Warning],
) -> tuple[Window, ...]:
    """VOI LUTs by their explanation, then windows by theirs, of the middle file (and of the frame in its middle).

    The standard does not say which of several comes first (C.11.2.1.1); a table shows more than a window can say.
    """
    number = sorted(headers)[len(headers) // 2]
    header = headers[number]
    signed = lut is None and _lowest(header, rescales) < 0
    tables: tuple[Window, ...] = ()
    broken = 0
    if t.VOI_LUT_SEQUENCE in header.raw:
        tables, broken = lut_windows(_reread(header, t.VOI_LUT_SEQUENCE), signed)
    plain = windows_of(
        header.numbers(t.WINDOW_CENTER),
        header.numbers(t.WINDOW_WIDTH),
        header.text(t.WINDOW_EXPLANATION),
        header.plain(t.VOI_LUT_FUNCTION),
    )
    if number in groups:
        own, own_plain, more = _frame_windows(groups[number], signed)
        tables, plain, broken = own or tables, own_plain or plain, broken + more
    if broken:
        text = "The file brings a table for its grey values (VOI LUT) that is broken; it is left out."
        warnings.append(Warning("voi-lut", text))
    return (*tables, *plain)


def _frame_windows(groups: FrameGroups, signed: bool) -> tuple[tuple[Window, ...], tuple[Window, ...], int]:
    """Tables and windows of the frame in the middle, and how many tables are broken (C.7.6.16.2.10)."""
    frame = groups.count // 2
    item = groups.item(frame, _VOI)
    if item is None:
        return (), (), 0
    plain = windows_of(
        groups.numbers(frame, _VOI, "WindowCenter"),
        groups.numbers(frame, _VOI, "WindowWidth"),
        groups.text(frame, _VOI, "WindowCenterWidthExplanation"),
        groups.text(frame, _VOI, "VOILUTFunction"),
    )
    tables, broken = lut_windows(item, signed)
    return tables, plain, broken


def _lowest(header: Header, rescales: tuple[Rescale, ...]) -> float:
    """The lowest real value that there can be: where it is negative, a VOI LUT's first input is a signed number."""
    bits = min(header.integer(t.BITS_STORED) or header.integer(t.BITS_ALLOCATED) or 16, 64)
    signed = header.integer(t.PIXEL_REPRESENTATION) == 1
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    slope, intercept = rescales[0].at(0)
    return min(low * slope, high * slope) + intercept


# -- presentation LUT, padding ------------------------------------------------------------------------------------


def _inverted(header: Header, warnings: list[Warning]) -> bool:
    """Whether the lowest value is white.

    Photometric Interpretation and Presentation LUT Shape have to agree (C.8.11.3). Where they do not, whichever of them
    inverts is followed: INVERSE is the last step of the pipeline and overrides MONOCHROME2 (PS3.4 N.2.1.4, note 1), but
    most files with MONOCHROME1 and IDENTITY mean the former, and most viewers follow it.
    """
    shape, photometric = header.plain(t.PRESENTATION_LUT_SHAPE), header.plain(t.PHOTOMETRIC_INTERPRETATION)
    lowest_is_white = photometric == "MONOCHROME1"
    if shape not in ("IDENTITY", "INVERSE") or (shape == "INVERSE") == lowest_is_white:
        return lowest_is_white
    text = (
        f"The file contradicts itself about black and white ({photometric}, but Presentation LUT Shape {shape}); "
        "its lowest value is shown white, press I if dense parts are dark."
    )
    warnings.append(Warning("polarity", text))
    return True


def _padding(header: Header) -> tuple[float, float] | None:
    """Pixel Padding Value and its range limit, in either order (C.7.5.1.1.2)."""
    signed = header.integer(t.PIXEL_REPRESENTATION) == 1
    value: float | None = header.integer(t.PIXEL_PADDING_VALUE, signed)
    limit: float | None = header.integer(t.PIXEL_PADDING_RANGE_LIMIT, signed)
    if header.pixel_tag == t.FLOAT_PIXEL_DATA:
        value, limit = (_single(header, tag) for tag in (t.FLOAT_PIXEL_PADDING, t.FLOAT_PIXEL_PADDING_LIMIT))
    elif header.pixel_tag == t.DOUBLE_FLOAT_PIXEL_DATA:
        value, limit = header.double(t.DOUBLE_PIXEL_PADDING), header.double(t.DOUBLE_PIXEL_PADDING_LIMIT)
    if value is None or not np.isfinite(value) or (limit is not None and not np.isfinite(limit)):
        return None  # what is not a number is no image anyway
    low, high = sorted((value, value if limit is None else limit))
    return float(low), float(high)


def _single(header: Header, tag: int) -> float | None:
    """The first value of an FL element; None if absent."""
    value = header.raw.get(tag, b"")[:4]
    return float(np.frombuffer(value, "<f4" if header.little_endian else ">f4")[0]) if len(value) == 4 else None
