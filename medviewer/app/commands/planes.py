"""How the planes cut the volume: slabs of several slices."""

from __future__ import annotations

from medviewer.app.services import Services
from medviewer.domain.slab import MODES, Mode
from medviewer.errors import InputError

SLAB_RANGE = (0.5, 200.0)
"""Thinnest and thickest slab, mm."""


def set_slab(services: Services, mode: Mode) -> None:
    """Show slabs: the highest (MIP), lowest (MinIP) or mean value within the thickness, or single slices again.

    Raises
    ------
    InputError
        If there is no such mode, or the open image cannot be shown so.
    """
    if mode not in MODES:
        raise InputError(f"A slab should be one of {', '.join(MODES)}, not {mode}.")
    image, view = services.session.image, services.session.view
    if mode != "none" and (image is None or not image.is_volume or image.is_colour):
        raise InputError(
            "A slab needs several slices of grey values, and none are open; open a volume without colours."
        )
    if mode != "none" and services.session.arrival is not None:
        services.session.say("Slabs are shown once all of the series is read; single slices are until then.")
    view.slab_mode = mode


def cycle_slab(services: Services) -> None:
    """Go from single slices to MIP, MinIP, mean, and back to single slices."""
    at = MODES.index(services.session.view.slab_mode)
    set_slab(services, MODES[(at + 1) % len(MODES)])


def set_slab_mm(services: Services, thickness_mm: float) -> None:
    """Set the thickness of slabs in mm, within what is useful."""
    services.session.view.slab_mm = min(max(float(thickness_mm), SLAB_RANGE[0]), SLAB_RANGE[1])


def thicken_slab(services: Services, factor: float) -> None:
    """Make slabs thicker or thinner by a factor, to a tenth of a mm; a slab is shown where none was."""
    if services.session.view.slab_mode == "none":
        set_slab(services, "mip")
        return
    set_slab_mm(services, round(services.session.view.slab_mm * factor, 1))


def type_slab_mm(services: Services, text: str) -> None:
    """Set the thickness from what somebody typed, with or without ``mm``.

    Raises
    ------
    InputError
        If it is no number of mm.
    """
    typed = text.strip().lower().removesuffix("mm").strip().replace(",", ".")
    try:
        number = float(typed)
    except ValueError:
        number = float("nan")
    if not SLAB_RANGE[0] <= number <= SLAB_RANGE[1]:
        low, high = SLAB_RANGE
        raise InputError(f"The thickness should be a number from {low:g} to {high:g} in mm, not {text.strip()!r}.")
    set_slab_mm(services, number)
    if services.session.view.slab_mode == "none":
        set_slab(services, "mip")
