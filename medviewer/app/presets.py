"""Presets that come with the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import yaml

from medviewer.app.resources import resource
from medviewer.app.settings import OwnWindow
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


@dataclass(frozen=True)
class Choice:
    """A window that is offered for an image.

    Parameters
    ----------
    window
        The window, with the name that is shown.
    source
        Where it comes from: the values of the image, the presets of its modality, the user, or its file.
    key
        The digit that chooses it, or None.
    """

    window: Window
    source: Literal["auto", "preset", "own", "file"]
    key: int | None = None


AUTO_KEY = 0
"""The digit of the automatic window."""


def listed(image: Image, own: Sequence[OwnWindow] = ()) -> tuple[Choice, ...]:
    """Every window that is offered for an image: the automatic one, the modality's, the user's, and its file's.

    The n-th preset of a modality has the digit n on every image of it, so that fingers learn it. A window of the user
    may take a digit from it; what digits are left go to the windows of the file, in its order.

    Parameters
    ----------
    own
        Windows that the user kept; those of another modality or unit are left out.
    """
    if image.is_colour:
        return ()
    mine = [one for one in own if one.fits(image.modality, image.rescale.unit)]
    taken = {one.key for one in mine if one.key}
    presets = windows_for(image.modality, image.rescale.unit)
    keyed = {n for n in range(1, 10) if n <= len(presets)} | taken
    free = iter(sorted(set(range(1, 10)) - keyed))
    return (
        Choice(found_window(image), "auto", AUTO_KEY),
        *(
            Choice(window, "preset", n if n < 10 and n not in taken else None)
            for n, window in enumerate(presets, start=1)
        ),
        *(Choice(one.window, "own", one.key or None) for one in mine),
        *(Choice(window, "file", next(free, None)) for window in file_windows(image)),
    )


def file_windows(image: Image) -> tuple[Window, ...]:
    """The windows that an image's file brings, each with a name."""
    return tuple(replace(w, name=w.name or f"File {k + 1}") for k, w in enumerate(image.windows))


def same_grey(one: Window, other: Window) -> bool:
    """Whether two windows show the same grey, whatever they are called."""
    return replace(one, name="") == replace(other, name="")


def by_key(image: Image, own: Sequence[OwnWindow] = ()) -> dict[int, Window]:
    """What each digit chooses for an image."""
    return {choice.key: choice.window for choice in listed(image, own) if choice.key is not None}


def first_window(image: Image) -> Window:
    """The window that an image opens with: the file's own, else one of its modality's presets, else an automatic one.

    CT opens as soft tissue, PET in SUV as 0 to 10. The window of a radiograph's file counts where it was chosen: one
    that merely spans all values, of which the body takes a small part, would show it pale.
    """
    if image.windows and not _spans_all(image, image.windows[0]):
        return image.windows[0]
    fitting = _fitting(image.modality, image.rescale.unit)
    chosen = next((preset for preset in fitting if preset.first), fitting[0] if fitting else None)
    return found_window(image) if chosen is None else chosen.window


def make_ready(image: Image) -> None:
    """Work out now what showing an image would else do on the home thread; any thread may call it.

    A PET's slices have rescales of their own: real values of all of them are made.
    """
    first_window(image)
    if image.dynamic is None:  # of several phases one is shown at a time
        _ = image.uniform
    image.auto_window()
    image.background(False)


def found_window(image: Image) -> Window:
    """The automatic window of an image: of a radiograph that of the body, else that of all values."""
    return image.body_window() if _is_film(image) else image.auto_window()


_FILMS = ("CR", "DX", "DR", "RG")
"""Modalities of radiographs. A mammogram's file has a window or table that was chosen for it."""

_SPENT = 2 / 3
"""Part of a window that the body takes at least where somebody chose it."""


def _is_film(image: Image) -> bool:
    return image.modality in _FILMS and not image.is_volume and not image.is_colour


def _spans_all(image: Image, window: Window) -> bool:
    """Whether the window of a radiograph cuts nothing off, and leaves the body a part of its grey only."""
    if not _is_film(image) or not window.is_linear:
        return False
    low, high = window.limits
    # what is darkest as it is shown, and what would be with black and white exchanged, are its extremes
    return (
        low <= image.darkest(False)
        and high >= image.darkest(True)
        and image.body_window().width < _SPENT * window.width
    )


def overlay_window(image: Image) -> Window:
    """The window of an image that is laid over another: its modality's preset, else from nothing to bright.

    A file's own window is for the image alone: that of a PET often spans all of its values.
    """
    fitting = _fitting(image.modality, image.rescale.unit)
    chosen = next((preset for preset in fitting if preset.first), fitting[0] if fitting else None)
    if chosen is not None:
        return chosen.window
    low, high = image.auto_window().limits
    return (
        Window.from_limits(0.0, high, "Auto") if low < 0 < high or image.modality in ACTIVITY else image.auto_window()
    )


ACTIVITY = ("PT", "NM")
"""Modalities whose values count from nothing."""


def opens_inverted(image: Image) -> bool:
    """Whether black and white are exchanged when an image is opened: PET is read black on white.

    One that is stored like that (MONOCHROME1) stays as it is.
    """
    return image.modality == "PT" and not image.is_colour and not image.inverted
