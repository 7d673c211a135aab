"""What the program remembers of its user: small, kept as JSON in the archive's folder, read leniently."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from medviewer.domain.image import Window
from medviewer.errors import InputError, StoreError
from medviewer.formats.atomic import replacing

FILE = "settings.json"
RECENT = 10
"""Paths that are remembered."""

log = logging.getLogger(__name__)


Place = Literal["top_left", "top_right", "bottom_left", "bottom_right", "hidden"]
PLACES = ("top_left", "top_right", "bottom_left", "bottom_right")
"""The corners of a viewport."""

LINE_PLACES: dict[str, Place] = {
    "name": "top_left",
    "person": "top_left",
    "study": "top_left",
    "slice": "top_right",
    "series": "top_right",
    "window": "bottom_left",
}
"""Where each line of text stands at first."""


class OwnWindow(BaseModel, frozen=True):
    """A window that the user kept, for images of one modality and unit.

    Parameters
    ----------
    name
        What the user calls it.
    modality, unit
        Of the images that it is offered for.
    center, width
        In that unit.
    key
        The digit that chooses it, 1 to 9; 0 for none.
    """

    name: str = Field(min_length=1, max_length=40)
    modality: str
    unit: str = ""
    center: float = Field(allow_inf_nan=False)
    width: float = Field(gt=0, allow_inf_nan=False)
    key: int = Field(default=0, ge=0, le=9)

    @property
    def window(self) -> Window:
        """As a window."""
        return Window(self.center, self.width, self.name)

    def fits(self, modality: str, unit: str) -> bool:
        """Whether it is offered for images of that modality and unit."""
        return (self.modality, self.unit) == (modality, unit)


class Settings(BaseModel):
    """Everything that is remembered.

    Parameters
    ----------
    recent
        What was opened last, newest first: folders, files and archives. Paths only; what is in them is not kept here.
    disabled
        Ids of the plugins that the user switched off.
    windows
        Windows that the user kept, in the order in which they are listed.
    lines
        Where the user wants lines of text over the image, by their names in `LINE_PLACES`.
    keys
        Keys that the user gave to actions, by the action's id; empty where it is to have none.
    palette
        Ids of the actions that were chosen in the command palette, newest first.
    mode
        The mode that the window was in; empty for the first one.
    layout
        The layout of the viewports; empty for the first one.
    solid_looks
        The look that was chosen last in 3D, by modality.
    hang
        Whether a study is hung by the protocol that fits it best when it is opened.
    geometry, panels
        The window's place and size, and the width of its panels and whether they are shown, as Qt writes them, in
        base 64; empty for the usual ones.
    toured
        Whether the tour was offered: it is once, at the first start.
    language
        In what language the window speaks, by its file in ``translations``, as ``de``; empty for the system's, ``en``
        for English.
    """

    recent: tuple[Path, ...] = ()
    disabled: tuple[str, ...] = ()
    windows: tuple[OwnWindow, ...] = ()
    lines: dict[str, Place] = {}
    keys: dict[str, str] = {}
    palette: tuple[str, ...] = ()
    mode: str = ""
    layout: str = ""
    solid_looks: dict[str, str] = {}
    hang: bool = True
    geometry: str = ""
    panels: str = ""
    toured: bool = False
    language: str = ""

    def opened(self, paths: Sequence[Path]) -> Settings:
        """The settings after paths were opened: each of them comes first, once.

        Many files out of one folder count as that folder, or they would push out everything else.
        """
        given = [path.absolute() for path in paths]
        folders = {path.parent for path in given}
        if len(given) > 3 and len(folders) == 1:
            given = list(folders)
        return self.model_copy(update={"recent": tuple(dict.fromkeys((*given, *self.recent)))[:RECENT]})

    def switched(self, plugin_id: str, on: bool) -> Settings:
        """The settings after a plugin was switched on or off."""
        others = {known for known in self.disabled if known != plugin_id}
        return self.model_copy(update={"disabled": tuple(sorted(others if on else {*others, plugin_id}))})

    def with_window(self, kept: OwnWindow) -> Settings:
        """The settings with one more window, in place of one of that name; its digit is taken from any other."""
        others = [
            one.model_copy(update={"key": 0})
            if kept.key and one.key == kept.key and one.fits(kept.modality, kept.unit)
            else one
            for one in self.windows
            if not (one.name == kept.name and one.fits(kept.modality, kept.unit))
        ]
        return self.model_copy(update={"windows": (*others, kept)})

    def without_window(self, gone: OwnWindow) -> Settings:
        """The settings without one of the windows."""
        return self.model_copy(update={"windows": tuple(one for one in self.windows if one != gone)})


def load(home: Path) -> Settings:
    """The settings kept in a folder; those of a new user where there are none or they cannot be read."""
    try:
        return Settings.model_validate_json((home / FILE).read_bytes())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError) as error:
        # Not worth a program that does not start; the next change writes them anew.
        log.warning("the settings could not be read and start anew (%s)", type(error).__name__)
        return Settings()


def change(home: Path, **what: Any) -> None:
    """Read the settings of a folder, change some of them, and keep them. Raises StoreError as `save` does."""
    before = load(home)
    after = before.model_copy(update=what)
    if after != before:
        save(home, after)


def save(home: Path, settings: Settings) -> None:
    """Keep the settings in a folder, whole or not at all.

    Raises
    ------
    StoreError
        If the folder refuses.
    """
    try:
        with replacing(home / FILE) as temporary:
            temporary.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
        (home / FILE).chmod(0o600)  # paths may hold names of patients
    except (InputError, OSError) as error:
        raise StoreError(
            f"The settings could not be kept in {home}; check that the folder may be written to.", str(error)
        ) from error
