"""How a volume looks in 3D: the presets, and what one of them comes to for an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from medviewer.app.resources import resource
from medviewer.domain.image import Image
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.state import Session

SolidMode = Literal["shaded", "surface", "depth", "mip", "minip", "mean"]

PROJECTIONS = ("depth", "mip", "minip", "mean")
"""Modes that show values in grey or colours, without opacity and light."""
_TABLE = 256
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one, where PyYAML was built with it: menus ask for the presets at each start."""
_AIR = -500.0
"""A volume of no known unit that goes below this is taken for HU: no other one has a name for such values."""


@dataclass(frozen=True)
class Point:
    """A place of a transfer function: a value, its colour (red, green, blue, 0 to 1) and the opacity of a mm of it."""

    value: float
    colour: tuple[float, float, float]
    opacity: float


@dataclass(frozen=True)
class SolidPreset:
    """A look of the 3D view, as `presets/volumes.yaml` has it.

    Parameters
    ----------
    id, name
        What it is called, in settings and in menus.
    mode
        How rays see the volume.
    unit
        Of the values; empty where they are parts of the automatic window.
    only, first
        The modalities that it is offered for, all where none is named; and those that open with it.
    shade
        How much surfaces are lit, 0 to 1.
    points
        The transfer function, ascending.
    """

    id: str
    name: str
    mode: SolidMode
    points: tuple[Point, ...]
    unit: str = ""
    only: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    shade: float = 0.0

    def fits(self, image: Image) -> bool:
        """Whether it is offered for an image: a volume of grey values, in its unit."""
        if not image.is_volume or image.is_colour or (self.only and image.modality not in self.only):
            return False
        return not self.unit or image.rescale.unit.startswith(self.unit) or (self.unit == "HU" and _is_hu(image))


@dataclass(frozen=True)
class SolidLook:
    """A preset, moved and stretched, in the real units of an image.

    Parameters
    ----------
    preset
        Which, with its points in the image's unit.
    points
        Where the user moved them to, in that unit.
    unit
        Of the values; empty where the image has none.
    """

    preset: SolidPreset
    points: tuple[Point, ...]
    unit: str = ""

    @property
    def limits(self) -> tuple[float, float]:
        """The first and the last value: below and above nothing changes."""
        return self.points[0].value, self.points[-1].value

    def table(self) -> NDArray[np.float32]:
        """Red, green, blue and opacity a mm, shape (256, 4), evenly from the first to the last value."""
        values = np.array([point.value for point in self.points])
        at = np.linspace(values[0], values[-1], _TABLE)
        rows = np.array([(*point.colour, point.opacity) for point in self.points])
        return np.stack([np.interp(at, values, column) for column in rows.T], axis=1).astype(np.float32)


@cache
def presets() -> tuple[SolidPreset, ...]:
    """Every preset, in the order of the menu."""
    rows = yaml.load(resource("presets/volumes.yaml").read_text(encoding="utf-8"), _Loader)  # a safe one
    return tuple(_read(row) for row in rows)


def preset(name: str) -> SolidPreset | None:
    """The preset of that id, or None."""
    return next((one for one in presets() if one.id == name), None)


def fitting(image: Image) -> tuple[SolidPreset, ...]:
    """The presets that are offered for an image."""
    return tuple(one for one in presets() if one.fits(image))


def needed(name: str, image: Image) -> SolidPreset:
    """The preset of that id, for an image that it has to fit.

    Raises
    ------
    InputError
        If there is none, or it is for other images.
    """
    chosen = preset(name)
    if chosen is None:
        raise InputError(f"A look in 3D should be one of {', '.join(one.id for one in presets())}, not {name}.")
    if not chosen.fits(image):
        what = f"volumes in {chosen.unit}" if chosen.unit else " and ".join(chosen.only) or "volumes of grey values"
        raise InputError(f"{chosen.name} is for {what}, and this series is none; choose another look.")
    return chosen


def first_preset(image: Image, remembered: str = "") -> SolidPreset | None:
    """The one that an image opens with: that which was chosen last for its modality, else the one made for it.

    None where there is none at all: colours, and a single slice.
    """
    offered = fitting(image)
    for wanted in (lambda one: one.id == remembered, lambda one: image.modality in one.first, lambda one: not one.unit):
        found = next((one for one in offered if wanted(one)), None)
        if found is not None:
            return found
    return None


def look_of(chosen: SolidPreset, image: Image, shift: float = 0.0, stretch: float = 1.0) -> SolidLook:
    """What a preset comes to for an image.

    Parameters
    ----------
    shift
        How far the values are moved up, as a part of the distance between the first and the last.
    stretch
        By what the distances from their middle are multiplied.
    """
    if not chosen.unit:
        low, high = image.auto_window().limits
        points = tuple(replace(p, value=low + p.value * (high - low)) for p in chosen.points)
        chosen = replace(chosen, points=points)
    first, last = chosen.points[0].value, chosen.points[-1].value
    middle, span = (first + last) / 2, last - first
    moved = tuple(replace(p, value=middle + (p.value - middle) * stretch + shift * span) for p in chosen.points)
    return SolidLook(chosen, moved, image.rescale.unit or chosen.unit)


def solid_look(session: Session) -> SolidLook | None:
    """How the open image looks in 3D; None where it has no look: nothing open, a single slice, or colours.

    None also while it is being read: what its values spread over is kept from when it is first asked for.
    """
    image = session.image
    if image is None or session.arrival is not None:
        return None
    chosen = first_preset(image, session.solid_looks.get(image.modality, ""))
    if chosen is None:
        return None
    return look_of(chosen, image, session.view.solid_shift, session.view.solid_stretch)


def _is_hu(image: Image) -> bool:
    return not image.rescale.unit and image.modality in ("CT", "OT", "") and image.darkest(False) < _AIR


def _read(row: dict[str, Any]) -> SolidPreset:
    return SolidPreset(
        id=row["id"],
        name=row["name"],
        mode=row["mode"],
        points=tuple(Point(float(value), _rgb(colour), float(opacity)) for value, colour, opacity in row["points"]),
        unit=row.get("unit", ""),
        only=tuple(row.get("only", ())),
        first=tuple(row.get("first", ())),
        shade=float(row.get("shade", 0)),
    )


def _rgb(code: str) -> tuple[float, float, float]:
    red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue
