"""Colour maps through which grey values may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ColourMap:
    """One of the colour maps that are offered.

    Parameters
    ----------
    id
        What the session and napari know it by.
    title
        What the user reads.
    help
        What it is for.
    palette
        The well-known palette of DICOM (PS3.6 Annex B) that it is, by its UID; empty for one of napari's.
    """

    id: str
    title: str
    help: str
    palette: str = ""


GREY = "gray"

_DICOM = "1.2.840.10008.1.5."

COLOUR_MAPS = (
    ColourMap(GREY, "Grey", "As images are read"),
    ColourMap("hot-iron", "Hot iron", "Black, red, yellow, white: brighter all the way (DICOM)", _DICOM + "1"),
    ColourMap("hot-metal-blue", "Hot metal blue", "Black, blue, red, yellow, white (DICOM)", _DICOM + "3"),
    ColourMap("viridis", "Viridis", "Blue to yellow in even steps, also for those who see no red or green"),
    ColourMap("inferno", "Inferno", "Black, purple, orange, yellow in even steps, also for the colour-blind"),
    ColourMap(
        "pet", "PET (rainbow)", "Rainbow (DICOM): its colours show edges where the values have none", _DICOM + "2"
    ),
    ColourMap(
        "pet-20-step",
        "PET, 20 steps (rainbow)",
        "Rainbow in 20 steps (DICOM): each colour is one twentieth of the window",
        _DICOM + "4",
    ),
)
"""Every colour map that is offered, in the order of the menu."""


def colour_map(name: str) -> ColourMap:
    """The colour map of that id; grey where there is none."""
    return next((one for one in COLOUR_MAPS if one.id == name), COLOUR_MAPS[0])


@cache
def palette(uid: str) -> NDArray[np.float32]:
    """A well-known colour palette of DICOM (PS3.6 Annex B): red, green, blue of 0 to 1, shape (256, 3)."""
    # Not at module level: a program that shows grey does without.
    from pydicom.pixels.processing import apply_color_lut

    stored = apply_color_lut(np.arange(256, dtype=np.uint8), palette=uid)
    table: NDArray[np.float32] = stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)
    table.setflags(write=False)
    return table
