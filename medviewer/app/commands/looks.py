"""Windows that are typed in, kept, or of the file; and the colours of the image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medviewer.app import settings
from medviewer.app.colours import COLOUR_MAPS, GREY, colour_map
from medviewer.app.commands.companion_looks import give_window, shown_window
from medviewer.app.hanging.companions import looked_at
from medviewer.app.presets import file_windows, same_grey
from medviewer.app.settings import LINE_PLACES, OwnWindow, Place, Settings
from medviewer.domain.image import Image, Window
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services


def _grey_image(services: Services) -> Image:
    image = looked_at(services.session)
    if image is None:
        raise InputError("There is no image to change the window of; open a series first.")
    if image.is_colour:
        raise InputError("A picture in colour is shown as it is; windows and colour maps are for grey values.")
    return image


def set_window(services: Services, center: float, width: float) -> None:
    """Show a window of that centre and width, in the image's unit.

    Raises
    ------
    InputError
        If there is no grey image, or the numbers make no window.
    """
    _grey_image(services)
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise InputError(f"A window needs a width above 0 and a level, not {width:g} and {center:g}.")
    give_window(services.session, Window(center, width))


def choose(services: Services, window: Window) -> None:
    """Show one of the windows that are offered."""
    _grey_image(services)
    give_window(services.session, window)


def next_file_window(services: Services) -> None:
    """Show the next window that the file brings, and after the last the first.

    Raises
    ------
    InputError
        If it brings none.
    """
    windows = file_windows(_grey_image(services))
    if not windows:
        raise InputError("The file brings no window; choose a preset, or let the window be found with 0.")
    shown = shown_window(services.session)
    at = next((k for k, window in enumerate(windows) if same_grey(window, shown)), -1)
    give_window(services.session, windows[(at + 1) % len(windows)])


def keep_window(services: Services, name: str, key: int = 0) -> OwnWindow:
    """Keep the window that is shown for all images of this modality and unit; one of the same name is replaced.

    Parameters
    ----------
    name
        1 to 40 letters.
    key
        The digit that chooses it, 1 to 9; 0 for none.

    Raises
    ------
    InputError
        If the name or the key is none, or the window is a table or a curve, which are the file's.
    StoreError
        If it could not be kept.
    """
    image, shown = _grey_image(services), shown_window(services.session)
    if not shown.is_linear:
        raise InputError("This window is a curve of the file; drag or type a plain one in, then keep that.")
    plain, _ = shown.plain
    try:
        kept = OwnWindow(
            name=name.strip(),
            modality=image.modality,
            unit=image.rescale.unit,
            center=plain.center,
            width=plain.width,
            key=key,
        )
    except ValidationError as error:
        raise InputError(
            "A window that is kept needs a name of 1 to 40 letters and a key of 1 to 9 or none."
        ) from error
    _save(services, settings.load(services.archive.home).with_window(kept))
    give_window(services.session, kept.window)
    return kept


def forget_window(services: Services, gone: OwnWindow) -> None:
    """Forget a window that was kept; what is shown stays.

    Raises
    ------
    StoreError
        If the settings could not be written.
    """
    _save(services, settings.load(services.archive.home).without_window(gone))


def _save(services: Services, changed: Settings) -> None:
    settings.save(services.archive.home, changed)
    services.session.own_windows = changed.windows


def set_colours(services: Services, name: str) -> None:
    """Show grey values through a colour map.

    Raises
    ------
    InputError
        If there is no grey image, or no such colour map.
    """
    _grey_image(services)
    if colour_map(name).id != name:
        raise InputError(f"The colours should be one of {', '.join(one.id for one in COLOUR_MAPS)}, not {name}.")
    session = services.session
    if session.companions and name != session.view.colours:
        session.say("The colours are those of every viewport, of the series beside too.")
    session.view.colours = name


def next_colours(services: Services) -> None:
    """Show the next colour map, and after the last grey."""
    names = [one.id for one in COLOUR_MAPS]
    set_colours(services, names[(names.index(services.session.view.colours) + 1) % len(names)])


def grey(services: Services) -> None:
    """Show grey values as grey again."""
    services.session.view.colours = GREY


def place_lines(services: Services, places: Mapping[str, Place]) -> None:
    """Put lines of text into other corners, or hide them, and remember it; an empty mapping puts all as at first.

    Raises
    ------
    InputError
        If there is no line of that name.
    StoreError
        If it could not be kept.
    """
    if not set(places) <= set(LINE_PLACES):
        raise InputError(f"Lines are called {', '.join(LINE_PLACES)}, not {', '.join(sorted(set(places)))}.")
    home = services.archive.home
    settings.save(home, settings.load(home).model_copy(update={"lines": dict(places)}))
    services.session.line_places = dict(places)
