"""Hanging protocols of the user's own: made of the present layout, kept, renamed, removed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medviewer.app.commands import hanging_choice
from medviewer.app.controllers.fusing import shows_fused
from medviewer.app.hanging import library
from medviewer.app.hanging.choosing import Place, laterality_of, named_parts, view_of
from medviewer.app.hanging.companions import companion_of, plane_of
from medviewer.app.hanging.layouts import SINGLE, Pane
from medviewer.app.hanging.library import Row
from medviewer.app.hanging.protocol import Protocol, Rule
from medviewer.app.hanging.wearing import image_of, window_of
from medviewer.app.presets import first_window, opens_inverted, same_grey, windows_for
from medviewer.domain.image import Image, Window
from medviewer.domain.slab import WHOLE_MM
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session


@dataclass(frozen=True)
class Wanted:
    """What the user says of a protocol that is to be kept.

    Parameters
    ----------
    name
        What it is called.
    modality, body_part
        One or several, with commas between; empty for any.
    description
        Words, or a pattern, of the study's or the series' description; empty for any.
    prior
        Whether it is for studies with an earlier one only.
    automatic
        Whether it hangs such studies by itself.
    """

    name: str
    modality: str = ""
    body_part: str = ""
    description: str = ""
    prior: bool = False
    automatic: bool = True


def proposal(services: Services) -> Wanted:
    """What a protocol of the present layout would be for: studies such as the open one.

    Raises
    ------
    InputError
        If nothing is open.
    """
    session = services.session
    series = session.series
    if series is None or session.image is None:
        raise InputError("A hanging protocol is made of what is shown; open a study, and lay it out first.")
    told = f"{session.study.description if session.study else ''} {series.description}"
    parts = [series.body_part] if series.body_part else [one for one in told.upper().split() if one in named_parts(one)]
    prior = any(_of(session, number) == "prior" for number in range(len(session.view.hung)))
    name = " ".join(part for part in (series.modality, *(part.lower() for part in parts[:1])) if part)
    return Wanted(f"My {name}", series.modality, ", ".join(parts[:1]), "", prior)


def keep(services: Services, wanted: Wanted) -> Protocol:
    """Keep the present layout as a hanging protocol, and go on by it.

    Raises
    ------
    InputError
        If nothing is open, or what is wanted makes no protocol.
    StoreError
        If it cannot be kept.
    """
    if not wanted.name.strip():
        raise InputError("A hanging protocol needs a name; type one.")
    path = library.keep(services.archive.home, written(services, wanted))
    services.session.hanging_revision += 1
    kept = next(row for row in library.own_rows(services.archive.home) if row.path == path)
    assert kept.protocol is not None  # it was checked before it was written
    hanging_choice.use(services, kept.protocol)
    return kept.protocol


def rename(services: Services, row: Row, name: str) -> None:
    """Give a protocol of the user's another name. Raises InputError and StoreError as `library.rename` does."""
    library.rename(row, name)
    services.session.hanging_revision += 1


def remove(services: Services, row: Row) -> None:
    """Remove a protocol of the user's; what it hangs now stays as it is. Raises StoreError."""
    library.remove(row)
    services.session.hanging_revision += 1


def written(services: Services, wanted: Wanted) -> dict[str, Any]:
    """The present layout as the text of a protocol. Raises InputError if nothing is open."""
    session = services.session
    if session.series is None or session.image is None:
        raise InputError("A hanging protocol is made of what is shown; open a study, and lay it out first.")
    view = session.view
    numbers = list(range(len(view.hung)))
    layout = view.arranged.name
    if view.layout == SINGLE:
        numbers, layout = [min(view.active, len(numbers) - 1)], "1x1"
    elif view.arranged.volume is not None and not session.image.is_volume:
        numbers, layout = [0], "1x1"
    when: dict[str, Any] = {}
    for name, text in (("modality", wanted.modality), ("body_part", wanted.body_part)):
        words = [word.strip().upper() for word in text.split(",") if word.strip()]
        if words:
            when[name] = words
    if wanted.description.strip():
        when["description"] = wanted.description.strip()
    if wanted.prior:
        when["prior"] = True
    made: dict[str, Any] = {"name": wanted.name.strip()}
    if not wanted.automatic:
        made["automatic"] = False
    made |= {"when": when, "layout": layout, "viewports": [_viewport(services, number) for number in numbers]}
    apart = [one for one in session.companions if one.image.is_volume]
    linked = bool(apart) and all(one.offset is not None for one in apart)
    made["links"] = {"zoom": view.sync_zoom, "window": view.sync_window, "lines": view.show_lines, "scroll": linked}
    return made


def _viewport(services: Services, number: int) -> dict[str, Any]:
    """What a viewport shows, as it is written down; what is so anyway is left out."""
    session = services.session
    pane, image = session.view.hung[number], image_of(session, number)
    made: dict[str, Any] = {"series": _series(session, number)}
    if _of(session, number) == "prior":
        made["of"] = "prior"
    if image is None:
        return made
    if image.is_volume:
        made["plane"] = pane.kind
    made |= _look(services, number, pane, image)
    plane = plane_of(session, number)
    if pane.turn.text and plane is not None:
        _, right, _, bottom = plane.letters()
        made["orient"] = [right[:1], bottom[:1]]
    if pane.side:
        made["side"] = pane.side
    over = session.fusion
    if over is not None and shows_fused(session, number):
        made["overlay"] = {
            "series": _described(over.series),
            "colours": over.colours,
            "opacity": round(over.opacity, 2),
        }
    return made


def _look(services: Services, number: int, pane: Pane, image: Image) -> dict[str, Any]:
    session, made = services.session, {}
    window, inverted = window_of(session, number)
    if not image.is_colour and not same_grey(window, first_window(image)):
        made["window"] = _window(services, window, image)
    if inverted != opens_inverted(image):
        made["invert"] = inverted
    look = pane.look
    colours = look.colours if look is not None and look.colours else session.view.colours
    if colours != "gray" and not image.is_colour:
        made["colours"] = colours
    mode, mm = session.view.slab_mode, session.view.slab_mm
    if look is not None and look.slab_mode is not None:
        mode, mm = look.slab_mode, look.slab_mm
    if mode != "none" and image.is_volume:
        made["slab"] = {"mode": mode, "whole": True} if mm == WHOLE_MM else {"mode": mode, "mm": mm}
    return made


def _window(services: Services, window: Window, image: Image) -> Any:
    """A preset by its name, so that it follows when the preset is changed; else its figures."""
    unit = image.rescale.unit
    own = [one.window for one in services.session.own_windows if one.fits(image.modality, unit)]
    named = next((one for one in (*own, *windows_for(image.modality, unit)) if same_grey(one, window)), None)
    if named is not None:
        return named.name
    plain, _ = window.plain
    return {"center": round(plain.center, 3), "width": round(plain.width, 3)}


def _of(session: Session, number: int) -> str:
    """Whether a viewport shows the opened study or an earlier one."""
    companion, place = companion_of(session, number), _place(session, number)
    if companion is None:
        return place.hung.of if place is not None and session.view.hung[number].is_empty else "current"
    here = session.study
    return "current" if here is None or companion.study is None or companion.study.uid == here.uid else "prior"


def _place(session: Session, number: int) -> Place | None:
    """What the protocol in use hung in a viewport, where that is still there."""
    hanging = session.hanging
    if hanging is None or number >= len(hanging.places) or len(hanging.places) != len(session.view.hung):
        return None
    place, pane = hanging.places[number], session.view.hung[number]
    companion = companion_of(session, number)
    shown = companion.series if companion is not None else session.series
    if pane.is_empty:
        return place if place.series is None else None
    return place if place.series is not None and shown is not None and place.series.uid == shown.uid else None


def _series(session: Session, number: int) -> Any:
    """By what rule the series of a viewport is found again in other studies."""
    place = _place(session, number)
    if place is not None and place.hung.series:
        rules = [_rule(one) for one in place.hung.series]
        return rules[0] if len(rules) == 1 else rules
    companion = companion_of(session, number)
    series = session.series if companion is None else companion.series
    several = {one.series.uid for one in session.companions if _same(one.study, session.study)}
    if series is None or session.view.hung[number].is_empty or (companion is None and not several):
        return "main"
    if _of(session, number) == "prior":
        return "main"
    return _described(series)


def _same(one: Study | None, other: Study | None) -> bool:
    return one is not None and other is not None and one.uid == other.uid


def _described(series: Series) -> dict[str, Any]:
    """A rule that a series like this one meets."""
    made: dict[str, Any] = {"modality": series.modality}
    if view_of(series):
        made["view"] = view_of(series)
    if laterality_of(series):
        made["laterality"] = laterality_of(series)
    if series.description and "view" not in made:
        made["description"] = f"^{re.escape(series.description)}$"
    return made


def _rule(rule: Rule) -> Any:
    """A rule as it is written down."""
    if rule.main:
        return "main"
    made: dict[str, Any] = {
        name: list(value) for name in ("modality", "body_part", "view", "laterality") if (value := getattr(rule, name))
    }
    made |= {name: value for name in ("description", "unlike") if (value := getattr(rule, name))}
    count = {name: value for name, value in (("at_least", rule.least), ("at_most", rule.most)) if value is not None}
    if count:
        made["slices"] = count
    return made
