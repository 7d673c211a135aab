"""From the session to what a plane shows that was turned away from the acquisition's axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medviewer.app.controllers.measures import drawn_measures
from medviewer.app.controllers.paths import drawn_path
from medviewer.app.ports.display import Display, TurnedSlice
from medviewer.app.state import Session
from medviewer.app.words import number_text
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.plane import PLANES, UNTURNED, Plane
from medviewer.domain.reslice import reslice
from medviewer.domain.turned import Turned


def turned_of(session: Session) -> Turned | None:
    """How the planes of the open image are turned, through the crosshair; None while they are straight.

    What moves the crosshair by voxels (the next find, a list) moves the planes with it.
    """
    image, view = session.image, session.view
    turned = view.turned
    if image is None or turned is None or turned.grid != image.grid or session.arrival is not None:
        return None
    if image.grid.clamp(image.grid.world_to_index(turned.point)) != view.cursor:
        x, y, z = (float(v) for v in image.grid.index_to_world(view.cursor))
        return turned.moved((x, y, z))
    return turned


def turned_display(session: Session, image: Image, display: Display, number: int) -> Display:
    """The display of a plane as it lies after turning; the same where it was not turned.

    What belongs to slices of voxels (slabs, what the file draws, marks, boxes, the brush) is left out; of what was
    measured, that stays which was drawn in this very plane, or has none.
    """
    turned = turned_of(session)
    if turned is None or display.plane.name not in PLANES or image.is_colour:
        return display
    view, name = session.view, display.plane.name
    turn = view.hung[number].turn if number < len(view.hung) else UNTURNED
    lattice, k = turned.plane(name)
    plane = lattice.turned(turn)  # flipped and rotated as the viewport is
    inverted = view.inverted != image.inverted
    z, y, x = (float(v) for v in plane.grid.world_to_index(turned.point))
    top, left, bottom, right = turned.bounds(name)
    ends = plane.to_screen((0, top, left)), plane.to_screen((0, bottom, right))
    (top, bottom), (left, right) = (sorted(pair) for pair in zip(*ends, strict=True))
    return replace(
        display,
        plane=plane,
        k=k,
        slab=None,
        graphics=None,
        boxes=(),
        marks=(),
        measures=(*drawn_path(session, plane, k), *drawn_measures(session, plane, k)),
        brush_mm=None,
        crosshair=plane.to_screen((z, y, x)) if view.show_crosshair else None,
        letters=plane.letters() if any(display.letters) else display.letters,
        turned=TurnedSlice(image.grid, image.darkest(inverted), (top, left, bottom, right)),
        line_angle=turned.line_angle(name) * (-1 if turn.mirrored else 1),
    )


def turned_value(session: Session, image: Image, world: tuple[float, float, float]) -> float | None:
    """The real value that a turned plane shows at a place of the world, mm; None outside the volume."""
    voxels, slope, intercept = image.uniform
    value, inside = reslice(voxels, image.grid, Grid((1, 1, 1), origin=world), 0)
    return float(value[0, 0]) * slope + intercept if inside[0, 0] else None


def turned_read_out(session: Session, plane: Plane, row: float, column: float, k: int, over: str = "") -> str:
    """What the status bar says of a pixel of a turned plane: position in mm and the value between the voxels.

    `over` is what it says of the series that is laid over.
    """
    image = session.shown
    if image is None or image.is_colour:
        return ""
    world = plane.grid.index_to_world(np.array(plane.to_index(row, column, k)))
    x, y, z = (float(v) for v in world)
    value = turned_value(session, image, (x, y, z))
    if value is None:
        return ""
    mask, named = session.mask, ""
    if mask is not None:
        label = int(mask.labels[image.grid.clamp(image.grid.world_to_index(world))])
        named = next((s.name for s in mask.segments if s.label == label), "") if label else ""
    told = " · ".join(
        part for part in (f"{image.rescale.unit or 'value'} {number_text(value, image.rescale.unit)}", over) if part
    )
    parts = (f"{x:.1f}, {y:.1f}, {z:.1f} mm", told, named)
    return "   ".join(part for part in parts if part)
