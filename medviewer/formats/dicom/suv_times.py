"""Dates and times of a PET, as far as SUV needs them: from the injection to the scan."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_NO_DATE = "19000101"
"""Stands for the date where a file has none any more: then only the time of day counts."""

_DAY = timedelta(days=1)
EARLY = timedelta(minutes=30)
"""A dynamic scan begins before the tracer is given, but hardly by more than this."""

_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?\d*([+-]\d{4})?")


def moment(text: str) -> datetime | None:
    """A DT value to the hour or finer (PS3.5 6.2), without its offset from UTC; None if it is none."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _ = match.groups()
    try:
        # a leap second, 60, is the last one of its minute
        whole = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), min(int(second or 0), 59))
    except ValueError:
        return None
    return whole + timedelta(microseconds=int((fraction or "0").ljust(6, "0")))


def moment_of(date: str, time: str) -> datetime | None:
    """A DA and a TM value, in the old notation too (``1999.12.31``, ``12:30:00``); None without a time."""
    clock = time.replace(":", "").strip()
    return moment((date.replace(".", "").strip() or _NO_DATE) + clock) if clock else None


def offset(text: str) -> timedelta | None:
    """The offset from UTC at the end of a DT value, or as Timezone Offset From UTC has it; None if there is none."""
    match = re.search(r"([+-])(\d\d)(\d\d)$", text.strip())
    if match is None:
        return None
    sign = -1 if match[1] == "-" else 1
    return sign * timedelta(hours=int(match[2]), minutes=int(match[3]))


def start_moment(stated: str, clock: str, scan: datetime, zone: str) -> datetime | None:
    """When the tracer was given.

    Parameters
    ----------
    stated
        Radiopharmaceutical Start DateTime, which counts if it is there and the dates of the file are.
    clock
        Radiopharmaceutical Start Time: on the day that brings it nearest to the scan, but before it where that is
        possible. A dynamic scan begins up to `EARLY` before the injection, so a time shortly after the scan's is of
        the same day; only one that lies more than 12 hours after it is of the day before.
    scan
        What the dose decays to.
    zone
        Timezone Offset From UTC of the file's other times; without one, they are taken to be in that of `stated`.
    """
    given = moment(stated)
    if given is not None and scan.year > 1900:
        own, other = offset(stated), offset(zone)
        return given + (other - own) if own is not None and other is not None else given
    same_day = moment_of(f"{scan:%Y%m%d}", clock or (stated[8:].split("+")[0].split("-")[0]))
    if same_day is None:
        return None
    if same_day - scan > _DAY / 2:
        return same_day - _DAY
    # begun before midnight, given after it
    return same_day + _DAY if scan - same_day >= _DAY - EARLY else same_day
