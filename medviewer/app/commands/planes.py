"""How the planes cut the volume: slabs of several slices, and planes that are turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.controllers.turning import turned_of
from medviewer.app.state import Focus, Session
from medviewer.app.words import word
from medviewer.domain.geometry import Vector
from medviewer.domain.plane import Plane
from medviewer.domain.slab import MODES, WHOLE_MM, Mode
from medviewer.domain.turned import Turned
from medviewer.errors import InputError

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services

SLAB_RANGE = (0.5, 200.0)
"""Thinnest and thickest slab, mm; what is thicker still goes through the whole volume."""
WHOLE = "whole volume"
"""What is typed for a slab through all slices."""


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
    elif services.session.companions and mode != view.slab_mode:
        services.session.say("The slab is that of every viewport, of the series beside too.")
    view.slab_mode = mode


def cycle_slab(services: Services) -> None:
    """Go from single slices to MIP, MinIP, mean, and back to single slices."""
    at = MODES.index(services.session.view.slab_mode)
    set_slab(services, MODES[(at + 1) % len(MODES)])


def set_slab_mm(services: Services, thickness_mm: float) -> None:
    """Set the thickness of slabs in mm, within what is useful; `WHOLE_MM` lets them go through all slices."""
    if thickness_mm == WHOLE_MM:
        services.session.view.slab_mm = WHOLE_MM
        return
    services.session.view.slab_mm = min(max(float(thickness_mm), SLAB_RANGE[0]), SLAB_RANGE[1])


def thicken_slab(services: Services, factor: float) -> None:
    """Make slabs thicker or thinner by a factor, to a tenth of a mm; a slab is shown where none was.

    Thicker than the thickest is the whole volume, and thinner than that the thickest.
    """
    view = services.session.view
    if view.slab_mode == "none":
        set_slab(services, "mip")
    elif view.slab_mm == WHOLE_MM:
        set_slab_mm(services, WHOLE_MM if factor >= 1 else SLAB_RANGE[1])
    elif factor > 1 and view.slab_mm >= SLAB_RANGE[1]:
        set_slab_mm(services, WHOLE_MM)
    else:
        set_slab_mm(services, round(view.slab_mm * factor, 1))


def type_slab_mm(services: Services, text: str) -> None:
    """Set the thickness from what somebody typed, with or without ``mm``; or ``whole volume``.

    Raises
    ------
    InputError
        If it is neither that nor a number of mm.
    """
    typed = text.strip().lower().removesuffix("mm").strip().replace(",", ".")
    whole = typed in ("whole", WHOLE, word(WHOLE).lower())
    try:
        number = WHOLE_MM if whole else float(typed)
    except ValueError:
        number = float("nan")
    if not whole and not SLAB_RANGE[0] <= number <= SLAB_RANGE[1]:
        low, high = SLAB_RANGE
        raise InputError(
            f"The thickness should be a number from {low:g} to {high:g} in mm, or whole volume, not {text.strip()!r}."
        )
    set_slab_mm(services, number)
    if services.session.view.slab_mode == "none":
        set_slab(services, "mip")


def turn(services: Services, name: str, angle: float) -> None:
    """Turn the crosshair's lines in plane `name` (``Axial``, ...): the two other planes become oblique.

    Parameters
    ----------
    name
        The plane that is turned in; its own picture stays as it is.
    angle
        Radians, clockwise.

    Raises
    ------
    InputError
        If what is open has no planes to turn.
    """
    session = services.session
    image = session.image
    if image is None or not image.is_volume or image.is_colour:
        raise InputError("Turning needs a volume of grey values, and none is open; open one without colours.")
    if session.arrival is not None:
        session.say("Planes can be turned once all of the series is read; wait for the end of the loading.")
        return
    turned = turned_of(session)
    if turned is None:
        x, y, z = (float(v) for v in image.grid.index_to_world(session.view.cursor))
        turned = Turned.straight(image.grid, (x, y, z))
    show_turned(session, turned.turned(name, angle))


def straighten(services: Services) -> None:
    """Let the planes lie along the acquisition's axes again."""
    services.session.view.turned = None


def point_turned(services: Services, plane: Plane, row: float, column: float, k: int) -> None:
    """Bring the turned planes to a place of one of them; outside the volume, to the nearest place in it."""
    turned = turned_of(services.session)
    if turned is not None:
        x, y, z = (float(v) for v in plane.grid.index_to_world(plane.to_index(row, column, k)))
        show_turned(services.session, turned.moved((x, y, z)))


def scroll_turned(services: Services, name: str, steps: int) -> bool:
    """Go along the normal of a turned plane; whether it is one."""
    turned = turned_of(services.session)
    if turned is None:
        return False
    show_turned(services.session, turned.stepped(name, steps))
    return True


def refuse_on_turned(services: Services) -> bool:
    """Say that nothing is painted on turned planes, where they are; whether they are."""
    if turned_of(services.session) is None:
        return False
    services.session.say("Painting and clicks work on straight planes only; press Alt+T for them.")
    return True


def face(session: Session, normal: Vector, point: Vector) -> None:
    """Show a place with a plane of that normal: straight planes where one of them has it, else turned ones."""
    image = session.image
    if image is None or not image.is_volume:
        return
    turned = Turned.facing(image.grid, normal, point)
    if turned is None:
        session.view.turned = None
        session.view.cursor = image.grid.clamp(image.grid.world_to_index(point))
    elif not image.is_colour and session.arrival is None:
        show_turned(session, turned)


def show_turned(session: Session, turned: Turned) -> None:
    """Show planes as they are turned, with the crosshair where they cross."""
    cursor = turned.grid.clamp(turned.grid.world_to_index(turned.point))
    session.view.turned = turned
    session.view.focus = Focus(turned.point, cursor)
    session.view.cursor = cursor
