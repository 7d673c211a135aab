"""From the session to the slab that a plane shows: which slices, and what is asked of their stored values."""

from __future__ import annotations

import numpy as np

from medviewer.app.controllers.turning import turned_of
from medviewer.app.ports.display import Slab
from medviewer.app.state import Session
from medviewer.app.words import word
from medviewer.domain.image import Image
from medviewer.domain.plane import Plane
from medviewer.domain.slab import NAMES, WHOLE_MM, Mode, project, slab_slices, stored_mode


def slab_of(session: Session, image: Image, plane: Plane) -> Slab | None:
    """The slab that a plane shows, or None where it shows one slice.

    Colours have no highest value, and half an image no slab: what is still being read is shown slice by slice.
    Turned planes cut the slices that a slab is made of.
    """
    view = session.view
    if view.slab_mode == "none" or image.is_colour or not image.is_volume or session.arrival is not None:
        return None
    if turned_of(session) is not None:
        return None
    slices = slab_slices(view.cursor[plane.axis], plane.count, plane.grid.spacing[plane.axis], view.slab_mm)
    mode = stored_mode(view.slab_mode, image.uniform[1])
    text = _text(view.slab_mode, view.slab_mm, (slices.stop - slices.start) * plane.grid.spacing[plane.axis])
    return Slab(mode, slices, image.voxels if image.padding is not None else None, image.padding, text)


def slab_text(session: Session, image: Image, plane: Plane) -> str:
    """What the corner says of a slab, for example ``MIP 10.0 mm``, as thick as its slices are; empty without one.

    One through all slices, wherever the crosshair is, is ``MIP, whole volume``.
    """
    slab = slab_of(session, image, plane)
    return slab.text if slab is not None else ""


def _text(mode: Mode, asked_mm: float, thick_mm: float) -> str:
    return (
        f"{word(NAMES[mode])}, {word('whole volume')}"
        if asked_mm == WHOLE_MM
        else f"{word(NAMES[mode])} {thick_mm:.1f} mm"
    )


def slab_value(session: Session, image: Image, plane: Plane, index: tuple[int, int, int]) -> float | None:
    """The real value that a slab shows over the voxel at (z, y, x), or None where there is no slab."""
    slab = slab_of(session, image, plane)
    if slab is None:
        return None
    voxels, slope, intercept = image.uniform
    column = tuple(slice(None) if axis == plane.axis else slice(i, i + 1) for axis, i in enumerate(index))
    stored = None if slab.stored is None else slab.stored[column]
    value, _ = project(voxels[column], plane.axis, slab.slices, index[plane.axis], slab.mode, stored, slab.padding)
    return float(np.float64(value.flat[0])) * slope + intercept
