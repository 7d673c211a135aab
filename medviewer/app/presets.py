"""Presets that come with the program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import yaml

from medviewer.app.resources import resource
from medviewer.domain.image import Image, Window


@dataclass(frozen=True)
class _Preset:
    window: Window
    unit: str
    first: bool


@cache
def _presets() -> dict[str, tuple[_Preset, ...]]:
    data = yaml.safe_load(resource("presets/windows.yaml").read_text(encoding="utf-8"))
    return {
        modality: tuple(
            _Preset(
                Window(float(row["center"]), float(row["width"]), row["name"]),
                row.get("unit", ""),
                row.get("first", False),
            )
            for row in rows
        )
        for modality, rows in data.items()
    }


def _fitting(modality: str, unit: str) -> list[_Preset]:
    return [preset for preset in _presets().get(modality, ()) if unit.startswith(preset.unit)]


def windows_for(modality: str, unit: str = "") -> tuple[Window, ...]:
    """The window presets of a modality for images in that unit; empty where real units mean nothing."""
    return tuple(preset.window for preset in _fitting(modality, unit))


def choices(image: Image) -> tuple[Window, ...]:
    """What keys 1 to 9 choose for an image: its own windows, the automatic one, the modality's presets."""
    own = tuple(replace(w, name=w.name or f"File {k + 1}") for k, w in enumerate(image.windows))
    return (*own, image.auto_window(), *windows_for(image.modality, image.rescale.unit))[:9]


def first_window(image: Image) -> Window:
    """The window that an image opens with: the file's own, else one of its modality's presets, else an automatic one.

    CT opens as soft tissue, PET in SUV as 0 to 10.
    """
    if image.windows:
        return image.windows[0]
    fitting = _fitting(image.modality, image.rescale.unit)
    chosen = next((preset for preset in fitting if preset.first), fitting[0] if fitting else None)
    return image.auto_window() if chosen is None else chosen.window


def opens_inverted(image: Image) -> bool:
    """Whether black and white are exchanged when an image is opened: PET is read black on white.

    One that is stored like that (MONOCHROME1) stays as it is.
    """
    return image.modality == "PT" and not image.is_colour and not image.inverted
