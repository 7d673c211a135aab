"""PET activity as standardised uptake value by body weight (SUVbw).

What is computed is the vendor-neutral pseudo-code of the RSNA's QIBA (Quantitative Imaging Biomarkers Alliance; in its
FDG-PET/CT profile): ``SUVbw = activity * weight / dose``, with the dose as it had decayed by the time that the activity
was corrected to. Beyond it go the decay corrections ADMIN and NONE (PS3.3 C.8.9.1) and Enhanced PET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pydicom

from medviewer.domain.study import Warning
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.grey_luts import read_dataset
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.multiframe import as_numbers, as_text, items_of, value_of
from medviewer.formats.dicom.suv_times import EARLY, moment, moment_of, start_moment

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"

_LEAST_DOSE = 1e5
"""Bq. A lower dose is no dose for a PET, but one in MBq, which some files have in place of Bq."""

_LONG_LIVED = 4 * 3600.0
"""s. Tracers with a longer half-life (Cu-64, Zr-89) are scanned on the days after, too, so a time of day that lies
shortly after the scan's may be of any day; the others (F-18 and shorter) are gone by then."""

_SUV_TYPES = {"": "SUV", "BW": "SUV", "BSA": "SUVbsa", "IBW": "SUVibw"}
"""Unit by SUV Type (0054,1006); what starts with LBM is lean body mass, by one formula or another."""


@dataclass(frozen=True)
class Suv:
    """How a PET series becomes SUV.

    Parameters
    ----------
    factors
        What to multiply the values of each file by, by its number; all 1 where it cannot be done.
    unit
        Unit of the values then; empty where it is the file's own.
    warning
        Why it cannot be done, or None.
    """

    factors: Mapping[int, float]
    unit: str = ""
    warning: Warning | None = None


class _UnknownError(Exception):
    """Something that the computation needs is missing or impossible; the text names it."""


def read_suv(headers: Mapping[int, Header], units: str) -> Suv | None:
    """The way to SUV of a PET series; None where its unit is none that becomes SUV.

    Parameters
    ----------
    headers
        The headers of its files, by number; at least one.
    units
        Units (0054,1001): ``BQML``, ``CNTS`` (Philips gives factors for these) or ``GML``, which is SUV already.
    """
    if units not in ("BQML", "CNTS", "GML"):
        return None
    first = headers[min(headers)]
    dataset = read_dataset(first.path)
    if units == "GML":
        kind = as_text(value_of(dataset, "SUVType"))
        return Suv(dict.fromkeys(headers, 1.0), "SUVlbm" if kind.startswith("LBM") else _SUV_TYPES.get(kind, "SUV"))
    try:
        if units == "BQML":
            return Suv(_from_activity(dataset, headers), "SUV")
        return _from_counts(dataset, headers)
    except _UnknownError as error:
        text = f"The PET is shown in its file's own unit and not as SUV: {error}."
        return Suv(dict.fromkeys(headers, 1.0), warning=Warning("suv-unknown", text))


def _from_counts(dataset: pydicom.Dataset, headers: Mapping[int, Header]) -> Suv:
    """Philips: a factor to SUV, else one to Bq/ml."""
    to_suv, to_activity = (_philips(dataset, number) for number in (0x00, 0x09))
    if to_suv:
        return Suv(dict.fromkeys(headers, to_suv), "SUV")
    if not to_activity:
        raise _UnknownError("it holds counts, and the file has no factor that turns them into activity")
    return Suv({number: to_activity * factor for number, factor in _from_activity(dataset, headers).items()}, "SUV")


def _from_activity(dataset: pydicom.Dataset, headers: Mapping[int, Header]) -> dict[int, float]:
    """Weight in g by the dose in Bq that was left when the values of each file hold, for values in Bq/ml."""
    tracer = next(iter(items_of(dataset, "RadiopharmaceuticalInformationSequence")), pydicom.Dataset())
    weight = _positive(dataset, "PatientWeight", "Patient's Weight", 1000)  # kg
    dose = _positive(tracer, "RadionuclideTotalDose", "Radionuclide Total Dose", 1e12)  # Bq
    if dose < _LEAST_DOSE:
        raise _UnknownError(f"the injected dose of {dose:g} Bq (Radionuclide Total Dose) is too small to be one in Bq")
    correction = _correction(dataset)
    if correction == "ADMIN":
        return dict.fromkeys(headers, 1000 * weight / dose)
    half_life = _positive(tracer, "RadionuclideHalfLife", "Radionuclide Half Life", 1e10)  # s
    if correction == "START":
        scan = _scan_start(dataset, headers)
        left = dose * _decay(scan, dataset, tracer, half_life)
        return dict.fromkeys(headers, 1000 * weight / left)
    factors = {}
    mean = _mean_over_frame(dataset, half_life)
    for number, header in headers.items():
        acquired = _acquired(header)
        if acquired is None:
            raise _UnknownError("Acquisition Time is missing")
        factors[number] = 1000 * weight / (dose * _decay(acquired, dataset, tracer, half_life) * mean)
    return factors


def _correction(dataset: pydicom.Dataset) -> str:
    """``START``, ``ADMIN`` or ``NONE``: the time that the decay was corrected to."""
    if as_text(value_of(dataset, "SOPClassUID")) == ENHANCED_PET:
        if as_text(value_of(dataset, "AttenuationCorrected")) != "YES":
            raise _UnknownError("it is not corrected for attenuation (Attenuation Corrected)")
        return "START" if as_text(value_of(dataset, "DecayCorrected")) == "YES" else "NONE"
    corrected = as_text(value_of(dataset, "CorrectedImage")).split("\\")
    if corrected == [""]:
        raise _UnknownError("Corrected Image is missing")
    if "ATTN" not in corrected:
        raise _UnknownError("it is not corrected for attenuation (Corrected Image)")
    correction = as_text(value_of(dataset, "DecayCorrection"))
    if correction not in ("START", "ADMIN", "NONE"):
        raise _UnknownError("Decay Correction is missing")
    if correction != "NONE" and "DECY" not in corrected:
        raise _UnknownError("Decay Correction and Corrected Image contradict each other")
    return correction


def _scan_start(dataset: pydicom.Dataset, headers: Mapping[int, Header]) -> datetime:
    """When the scan began, which START corrects to.

    Series Date and Time say so, unless they lie after the acquisition: then the series was made later out of another,
    and GE's own element counts, else the earliest acquisition.
    """
    if as_text(value_of(dataset, "SOPClassUID")) == ENHANCED_PET:
        corrected_to = moment(as_text(value_of(dataset, "DecayCorrectionDateTime")))
        if corrected_to is None:
            raise _UnknownError("Decay Correction DateTime is missing")
        return corrected_to
    acquired = [one for one in (_acquired(header) for header in headers.values()) if one is not None]
    series = moment_of(as_text(value_of(dataset, "SeriesDate")), as_text(value_of(dataset, "SeriesTime")))
    if series is not None and (not acquired or series <= min(acquired)):
        return series
    private = moment(_private(dataset, 0x0009, "GEMS_PETD_01", 0x0D))
    if private is not None:
        return private
    if not acquired:
        raise _UnknownError("Series Time and Acquisition Time are missing")
    return min(acquired)


def _decay(at: datetime, dataset: pydicom.Dataset, tracer: pydicom.Dataset, half_life: float) -> float:
    """The part of the dose that is left at a moment; `half_life` in s.

    More than all of it where a dynamic scan began before the injection: what is decay-corrected to its start is then
    as high as if the tracer had been there already, and decayed until it was given.
    """
    zone = as_text(value_of(dataset, "TimezoneOffsetFromUTC"))
    stated = as_text(value_of(tracer, "RadiopharmaceuticalStartDateTime"))
    clock = as_text(value_of(tracer, "RadiopharmaceuticalStartTime"))
    given = start_moment(stated, clock, at, zone)
    if given is None:
        raise _UnknownError("Radiopharmaceutical Start Time is missing")
    elapsed = (at - given) / timedelta(seconds=1)
    dated = moment(stated) is not None and at.year > 1900
    earliest = -EARLY / timedelta(seconds=1) if dated or half_life <= _LONG_LIVED else 0.0
    if not earliest <= elapsed <= 20 * half_life:  # by then, less than a millionth is left
        raise _UnknownError(
            f"the time of {elapsed / 3600:.2f} h from injection at {given:%H:%M:%S} to scan at {at:%H:%M:%S} "
            "(Radiopharmaceutical Start Time) is impossible"
        )
    return float(2.0 ** (-elapsed / half_life))


def _mean_over_frame(dataset: pydicom.Dataset, half_life: float) -> float:
    """Mean activity over a frame by that at its start; frames of a series last equally long."""
    milliseconds = as_numbers(value_of(dataset, "ActualFrameDuration"))
    decays = np.log(2) * milliseconds[0] / 1000 / half_life if milliseconds and milliseconds[0] > 0 else 0.0
    return float(-np.expm1(-decays) / decays) if decays else 1.0


def _acquired(header: Header) -> datetime | None:
    return moment_of(header.plain(t.ACQUISITION_DATE), header.plain(t.ACQUISITION_TIME))


def _positive(dataset: pydicom.Dataset, keyword: str, name: str, most: float) -> float:
    numbers = as_numbers(value_of(dataset, keyword))
    if not numbers or numbers[0] <= 0:
        raise _UnknownError(f"{name} is missing")
    if numbers[0] > most:
        raise _UnknownError(f"{name} is impossible ({numbers[0]:g})")
    return numbers[0]


def _philips(dataset: pydicom.Dataset, number: int) -> float:
    """A factor of Philips' private group; 0 where there is none."""
    try:
        return max(float(_private(dataset, 0x7053, "Philips PET Private Group", number)), 0.0)
    except ValueError:
        return 0.0


def _private(dataset: pydicom.Dataset, group: int, creator: str, number: int) -> str:
    """The first value of a private element as text; empty where it is missing."""
    try:
        value: Any = dataset.private_block(group, creator)[number].value
    except Exception:  # KeyError for none; whatever a broken value raises, it is no value
        return ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else as_text(value)
    return text.split("\\")[0].strip(" \0")
