"""What a measurement comes to: lengths, angles, and the values inside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.image import Image
from medviewer.domain.measure.area import area_of
from medviewer.domain.measure.measurement import REGIONS, Measurement, radius_of
from medviewer.domain.measure.region import values_in

UNCALIBRATED = "The image gives no size in the patient, so lengths are in pixels and not in mm."
"""The sentence to show where an image is uncalibrated."""


@dataclass(frozen=True)
class Value:
    """One number with its unit.

    Parameters
    ----------
    name
        ``Length``, ``Long axis``, ``Short axis``, ``Angle``, ``Cobb angle``, ``Diameter``, ``Area``, ``Volume``,
        ``Mean``, ``SD``, ``Min``, ``Max``, ``Voxels`` or ``Value``.
    number
        The number.
    unit
        ``mm``, ``mm²``, ``mm³``, ``°``, the image's own (``HU``, ``SUV`` ...); ``px``, ``px²`` and ``px³`` where the
        image is uncalibrated; empty for counts and arbitrary units.
    """

    name: str
    number: float
    unit: str = ""

    @property
    def text(self) -> str:
        """Number and unit as a person reads them, for example ``23.4 mm``, ``34.5°`` or ``1.25 SUV``."""
        return with_unit(format_number(self), self.unit)


def values_of(m: Measurement, image: Image) -> tuple[Value, ...]:
    """What a measurement comes to on an image, in the phase that it was drawn in.

    Regions give the mean, the sample standard deviation (divided by n - 1, as ITK's label statistics do), the lowest
    and the highest value, how many voxels that were (of an oblique plane, how many places; see
    `medviewer.domain.measure.region`), and area or volume of the drawn shape itself, not of the voxels in it. A region
    without voxels has only its size. Colours have no values. Angles need square pixels, which uncalibrated images are
    taken to have.
    """
    if image.dynamic is not None and 0 <= m.phase < len(image.dynamic.axis):
        image = image.at_phase(m.phase)
    unit = "mm" if image.calibrated else "px"
    if m.kind in REGIONS:
        return (*_statistics(values_in(m, image), image.rescale.unit), *_sizes(m, unit))
    points = m.array
    if m.kind == "length":
        return (Value("Length", _distance(points[0], points[1]), unit),)
    if m.kind == "bidirectional":
        short, long = sorted((_distance(points[0], points[1]), _distance(points[2], points[3])))
        return Value("Long axis", long, unit), Value("Short axis", short, unit)
    if m.kind == "angle":
        return (Value("Angle", angle_between(points[0] - points[1], points[2] - points[1]), "°"),)
    if m.kind == "cobb":
        return (Value("Cobb angle", cobb_angle(points), "°"),)
    return _probe(m, image) if m.kind == "probe" else ()


def summary(m: Measurement, values: Iterable[Value]) -> tuple[str, ...]:
    """The lines of text to write beside it: its label or text first, if it has one."""
    known = {value.name: value for value in values}
    lines = [text for text in (m.label, m.text) if text]
    if "Long axis" in known and "Short axis" in known:
        long, short = known["Long axis"], known["Short axis"]
        lines.append(with_unit(f"{format_number(long)} x {format_number(short)}", long.unit))
    lines += [known[name].text for name in ("Length", "Angle", "Cobb angle", "Value") if name in known]
    if "Mean" in known:
        spread = f" ± {format_number(known['SD'])}" if "SD" in known else ""
        lines.append("Mean " + with_unit(format_number(known["Mean"]) + spread, known["Mean"].unit))
        low, high = known["Min"], known["Max"]
        lines.append(with_unit(f"Min {format_number(low)}, max {format_number(high)}", high.unit))
    lines += [f"{name} {known[name].text}" for name in ("Diameter", "Area", "Volume") if name in known]
    return tuple(lines)


def format_number(value: Value) -> str:
    """A number with as many digits as it deserves: one after the point, more where it is small, none where large."""
    number = value.number
    if value.name == "Voxels":
        return f"{number:.0f}"
    size = abs(number)
    if size >= 1000 or (value.name in ("Min", "Max", "Value") and number == round(number)):
        return f"{number:.0f}"
    return f"{number:.1f}" if size >= 10 or value.unit in ("mm", "px", "°", "HU") else f"{number:.3g}"


def with_unit(number: str, unit: str) -> str:
    """A number's text with its unit: a degree sign follows at once, all others after a blank."""
    return f"{number}{unit}" if unit == "°" else f"{number} {unit}".rstrip()


def with_sign(number: str) -> str:
    """A change as it is written: with its sign, and with none where so many digits leave nothing of it.

    Examples
    --------
    >>> with_sign("7.7"), with_sign("-7.7"), with_sign("-0.0")
    ('+7.7', '-7.7', '0.0')
    """
    bare = number.lstrip("-")
    if not bare.strip("0."):
        return bare
    return number if number.startswith("-") else f"+{bare}"


def percent_text(percent: float) -> str:
    """A change in per cent: ``+27 %``, ``-40 %`` or ``0 %``."""
    return f"{with_sign(f'{percent:.0f}')} %"


def angle_between(first: ArrayLike, second: ArrayLike) -> float:
    """Angle between two directions in degrees, 0 to 180; 0 where one has no length."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    # atan2 keeps its precision near 0 and 180 degrees, where arccos of the dot product loses half its digits.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def cobb_angle(points: NDArray[np.float64]) -> float:
    """Cobb angle in degrees, 0 to 180, of two lines (4, 3) along end plates.

    The spine runs from the middle of one line to the middle of the other. Either line is taken in the direction that
    goes the same way across it, whichever way it was drawn, so curves of more than 90 degrees are told as such. Where
    a line runs along the spine, or the middles coincide, it is the smaller angle between the lines.
    """
    first, second = points[1] - points[0], points[3] - points[2]
    spine = points[2:].mean(axis=0) - points[:2].mean(axis=0)
    normal = np.cross(first, second)
    if np.linalg.norm(normal) == 0:
        return 0.0
    across = np.cross(normal, spine)
    sides = first @ across, second @ across
    plain = angle_between(first, second)
    if min(abs(side) for side in sides) <= 1e-9 * max(float(np.linalg.norm(across)), 1e-300):
        return min(plain, 180 - plain)
    return plain if sides[0] * sides[1] > 0 else 180 - plain


def _statistics(values: NDArray[np.float64], unit: str) -> tuple[Value, ...]:
    if not len(values):
        return ()
    spread = (Value("SD", float(values.std(ddof=1)), unit),) if len(values) > 1 else ()
    return (
        Value("Mean", float(values.mean()), unit),
        *spread,
        Value("Min", float(values.min()), unit),
        Value("Max", float(values.max()), unit),
        Value("Voxels", float(len(values))),
    )


def _sizes(m: Measurement, unit: str) -> tuple[Value, ...]:
    if m.kind != "sphere":
        return (Value("Area", area_of(m), f"{unit}²"),)
    radius = radius_of(m)
    return Value("Diameter", 2 * radius, unit), Value("Volume", 4 / 3 * np.pi * radius**3, f"{unit}³")


def _probe(m: Measurement, image: Image) -> tuple[Value, ...]:
    index = image.grid.world_to_index(m.points[0])
    if image.is_colour or not image.grid.contains(index):
        return ()
    return (Value("Value", image.value_at(image.grid.clamp(index)), image.rescale.unit),)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(b - a))
