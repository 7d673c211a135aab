"""Presets that come with the program."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import yaml

from medviewer.app.resources import resource
from medviewer.domain.image import Image, Window


@cache
def _windows() -> dict[str, tuple[Window, ...]]:
    data = yaml.safe_load(resource("presets/windows.yaml").read_text(encoding="utf-8"))
    return {
        modality: tuple(Window(float(row["center"]), float(row["width"]), row["name"]) for row in rows)
        for modality, rows in data.items()
    }


def windows_for(modality: str) -> tuple[Window, ...]:
    """The window presets of a modality, in real units; empty where real units mean nothing."""
    return _windows().get(modality, ())


def choices(image: Image) -> tuple[Window, ...]:
    """What keys 1 to 9 choose for an image: its own windows, the automatic one, the modality's presets."""
    own = tuple(replace(w, name=w.name or f"File {k + 1}") for k, w in enumerate(image.windows))
    return (*own, image.auto_window(), *windows_for(image.modality))[:9]
