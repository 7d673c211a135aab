"""The path of the curved plane, as the straight planes show it."""

from __future__ import annotations

from functools import lru_cache
from math import radians

import numpy as np

from medviewer.app.controllers.measures import place_of, to_slice
from medviewer.app.ports.display import DrawnMeasure
from medviewer.app.state import PATH_TOOL, Session
from medviewer.domain.curved import Path, Strip
from medviewer.domain.geometry import Grid
from medviewer.domain.measure.measurement import vector
from medviewer.domain.plane import Plane

PATH = "path"
"""What the path is called among the things that are drawn on a slice."""
_DRAWN = 200
"""Places of the path that are drawn."""


@lru_cache(maxsize=4)
def _strip(path: Path, grid: Grid, angle: float, width_mm: float) -> Strip:
    return Strip.of(path, grid, radians(angle), width_mm)


def strip_of(session: Session) -> Strip | None:
    """The curved plane of the session; None while there is no path with two points."""
    image, path, view = session.image, session.path, session.view
    if image is None or path is None or not path.complete or image.is_colour or session.arrival is not None:
        return None
    return _strip(path, image.grid, view.curve_angle, view.curve_width_mm)


def drawn_path(session: Session, plane: Plane, k: int) -> tuple[DrawnMeasure, ...]:
    """The path as slice k shows it: all of it, dropped on the slice, with handles at the points that lie in it."""
    path = session.path
    if path is None or not plane.name:
        return ()
    strip = strip_of(session)
    lines: tuple[tuple[tuple[float, float], ...], ...] = ()
    text: tuple[str, ...] = ()
    if strip is not None:
        places = strip.ribbon.places
        some = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), _DRAWN)).astype(int))]
        lines = (to_slice(plane, tuple(vector(place) for place in some)),)
        text = (f"Path {strip.ribbon.length_mm:.1f} mm",) if session.path_open else ()
    middle, normal, slice_mm = place_of(plane, k)
    away = np.abs((np.array(path.points) - np.array(middle)) @ np.array(normal))
    spots = to_slice(plane, path.points)
    near = [n for n, distance in enumerate(away) if distance <= slice_mm / 2 + 1e-6]
    handles = tuple((n, *spots[n]) for n in near)
    if not lines and not handles:
        return ()
    return (DrawnMeasure(PATH, PATH, handles, lines, text, chosen=session.view.tool == PATH_TOOL),)
