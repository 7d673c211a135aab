"""The path of the curved plane: drawn, changed, undone; and how the plane lies about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer.app.commands import planes
from medviewer.app.controllers.turning import turned_of
from medviewer.app.state import PATH_TOOL, Focus
from medviewer.app.steps import Step, Steps
from medviewer.domain.curved import Path
from medviewer.domain.geometry import Vector
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.app.state import Session

WIDTH_RANGE = (5.0, 300.0)
"""Narrowest and widest strip, mm."""
_STEPS = 500
_APART = 0.5
"""Part of the finest spacing by which two points are apart at least: a double click is one."""


def begin(services: Services) -> None:
    """Choose the tool that draws a path.

    Raises
    ------
    InputError
        If what is open is no volume of grey values, or is still read.
    """
    from medviewer.app.commands import view  # it brings what paints and what asks models

    _check(services.session)
    view.choose_tool(services, PATH_TOOL)


def add_point(session: Session, world: Vector, normal: Vector) -> None:
    """One point more; the first one begins another path.

    Raises
    ------
    InputError
        If there can be none, as `begin` says.
    """
    grid = _check(session)
    former = session.path if session.path_open else None
    if former is None:
        note(session, Path((world,), normal), begins=True)
        session.path_open = True
        return
    away = np.linalg.norm(np.subtract(former.points[-1], world))
    if away > _APART * min(grid):
        session.path = replace(former, points=(*former.points, world))


def take_point(session: Session) -> None:
    """Take the last point back while the path is drawn."""
    if session.path is not None and len(session.path.points) > 1:
        session.path = replace(session.path, points=session.path.points[:-1])
    else:
        drop(session)


def end(services: Services) -> None:
    """The path is whole: from now on the left button does what it did before. One point makes none."""
    session, view = services.session, services.session.view
    if not session.path_open:
        return
    if session.path is None or not session.path.complete:
        drop(session)
    else:
        session.path_open = False
        session.path_steps = session.path_steps.changed(session.path)
    if view.tool == PATH_TOOL:
        former = view.last_tool if view.last_tool != PATH_TOOL else "crosshair"
        view.tool, view.last_tool = former, PATH_TOOL


def drop(session: Session) -> None:
    """Forget the path that is being drawn; what was there before is there again."""
    if session.path_open:
        session.path_open = False
        session.path = session.path_steps.past[-1].before
        session.path_steps = session.path_steps.forgotten()


def note(session: Session, path: Path | None, begins: bool = False, before: Path | None = None) -> None:
    """Put a path in place of the present one, as a step that can be undone.

    Parameters
    ----------
    begins
        Whether it is going to be drawn on.
    before
        What it was before a point was dragged; by default the present one.
    """
    former = before if before is not None else session.path
    if former == path and not begins:
        return
    session.path = path
    session.path_steps = session.path_steps.with_done(Step(former, path), _STEPS)


def remove(services: Services) -> None:
    """Take the path and its curved plane away; undo brings them back."""
    session = services.session
    if session.path_open:
        drop(session)
    elif session.path is not None:
        note(session, None)


def undo(session: Session) -> None:
    """Take the last change of the path back. Raises InputError if there is none."""
    none = "There is no path to undo; none was drawn since the series was opened."
    session.path = session.path_steps.newest(none).before
    session.path_steps = session.path_steps.undone()


def redo(session: Session) -> None:
    """Do again what was undone last. Raises InputError if there is none."""
    session.path = session.path_steps.next("There is no path to do again; none was undone.").after
    session.path_steps = session.path_steps.redone()


def forget(session: Session) -> None:
    """Another series is opened, or none: it has no path."""
    session.path, session.path_open = None, False
    session.path_steps = Steps()


def turn(session: Session, degrees: float) -> None:
    """Turn the curved plane about its path."""
    set_angle(session, session.view.curve_angle + degrees)


def set_angle(session: Session, degrees: float) -> None:
    """How far it is turned about its path, in degrees."""
    session.view.curve_angle = float(degrees) % 360.0


def widen(session: Session, factor: float) -> None:
    """Make it wider or narrower by a factor, to a mm."""
    set_width(session, round(session.view.curve_width_mm * factor))


def set_width(session: Session, width_mm: float) -> None:
    """How wide it is across its path, mm."""
    session.view.curve_width_mm = min(max(float(width_mm), WIDTH_RANGE[0]), WIDTH_RANGE[1])


def go_to(session: Session, world: Vector) -> None:
    """Bring the crosshair to a place; all planes follow, turned ones too."""
    image = session.image
    if image is None:
        return
    turned = turned_of(session)
    if turned is not None:
        planes.show_turned(session, turned.moved(world))
        return
    cursor = image.grid.clamp(image.grid.world_to_index(world))
    session.view.focus = Focus(world, cursor)
    session.view.cursor = cursor


def _check(session: Session) -> Vector:
    """The spacing of the open volume; raises InputError where it is none to be cut along a path."""
    image = session.image
    if image is None or not image.is_volume or image.is_colour:
        raise InputError("A curved plane needs a volume of grey values, and none is open; open one without colours.")
    if session.arrival is not None:
        raise InputError("A path can be drawn once all of the series is read; wait for the end of the loading.")
    return image.grid.spacing
