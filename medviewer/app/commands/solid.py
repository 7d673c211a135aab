"""How the volume is looked at in 3D: its look, and the box that it is cut to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from medviewer.app import settings
from medviewer.app.commands import panes
from medviewer.app.hanging.layouts import SINGLE
from medviewer.app.solid_looks import fitting, needed, solid_look
from medviewer.app.state import Session, SolidBox
from medviewer.domain.image import Image
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services

STRETCH_RANGE = (0.02, 20.0)
"""Narrowest and widest range of a look, as a part of its preset's."""
SHIFT_RANGE = (-5.0, 5.0)
"""How far a look can be moved, in ranges of its preset."""
MARGIN_MM = 3.0
"""What is left around the mask when the box is put around it."""


def choose_look(services: Services, name: str) -> None:
    """Show the volume with a preset, as it comes, and remember it for the modality.

    Raises
    ------
    InputError
        If there is no such preset, or none for what is open.
    StoreError
        If it could not be remembered.
    """
    session, image = services.session, _volume(services.session)
    needed(name, image)
    reset_look(services)
    session.solid_looks = {**session.solid_looks, image.modality: name}
    settings.change(services.archive.home, solid_looks=dict(session.solid_looks))


def next_look(services: Services) -> None:
    """Show the volume with the next preset that fits it, and after the last with the first."""
    names = [one.id for one in fitting(_volume(services.session))]
    look = solid_look(services.session)
    at = names.index(look.preset.id) if look is not None else -1
    choose_look(services, names[(at + 1) % len(names)])


def move_look(services: Services, up: float, wider: float) -> None:
    """Move and widen the range of values that the look is about.

    Parameters
    ----------
    up
        By how much of the preset's range to move it.
    wider
        By how much of itself to widen it.
    """
    view = services.session.view
    view.solid_shift = min(max(view.solid_shift + up, SHIFT_RANGE[0]), SHIFT_RANGE[1])
    view.solid_stretch = min(max(view.solid_stretch * (1 + max(wider, -0.9)), STRETCH_RANGE[0]), STRETCH_RANGE[1])


def reset_look(services: Services) -> None:
    """Let the look be as its preset has it."""
    services.session.view.solid_shift, services.session.view.solid_stretch = 0.0, 1.0


def bring(session: Session) -> None:
    """Make sure that 3D is seen: what is asked of it while it is not would seem to do nothing."""
    view = session.view
    if view.layout == SINGLE or view.arranged.volume is None:
        panes.arrange(session, "mpr")


def enlarge(session: Session) -> None:
    """Show 3D large beside the three planes, or as large as one of them again."""
    panes.arrange(session, "mpr" if session.view.layout == "solid" else "solid")


def whole_box(image: Image) -> SolidBox:
    """The box around all of an image."""
    z, y, x = ((-0.5, n - 0.5) for n in image.grid.shape)
    return z, y, x


def box_mm(session: Session) -> SolidBox:
    """The box along z, y and x in mm from the volume's edge; all of the volume where nothing is cut."""
    image = _volume(session)
    box = session.view.solid_box or whole_box(image)
    z, y, x = (((low + 0.5) * mm, (high + 0.5) * mm) for (low, high), mm in zip(box, image.grid.spacing, strict=True))
    return z, y, x


def set_side(session: Session, axis: int, low_mm: float, high_mm: float) -> None:
    """Cut the volume across one of its axes, to what lies between two places in mm from its edge.

    At least a voxel is left; a box around everything is none.
    """
    image = _volume(session)
    mm, count = image.grid.spacing[axis], image.grid.shape[axis]
    low = min(max(low_mm / mm, 0.0), count - 1.0)
    high = max(min(high_mm / mm, float(count)), low + 1)
    sides = list(session.view.solid_box or whole_box(image))
    sides[axis] = (low - 0.5, high - 0.5)
    _set_box(session, image, (sides[0], sides[1], sides[2]))


def clip_to_mask(session: Session) -> None:
    """Cut the volume to the shown structures of the mask, with a margin around them.

    Raises
    ------
    InputError
        If there are none.
    """
    image, store = _volume(session), session.mask
    shown = [s.label for s in store.segments if s.label not in session.hidden_labels] if store is not None else []
    inside = np.isin(store.labels, shown) if store is not None else np.zeros(1, bool)
    if not shown or not inside.any():
        raise InputError("The box is put around the shown structures of a mask, and none has a voxel; paint one first.")
    sides = []
    for axis, (count, mm) in enumerate(zip(image.grid.shape, image.grid.spacing, strict=True)):
        at = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        room = MARGIN_MM / mm
        sides.append((max(-0.5, at[0] - 0.5 - room), min(count - 0.5, at[-1] + 0.5 + room)))
    _set_box(session, image, (sides[0], sides[1], sides[2]))


def cut_at_cursor(session: Session, side: Literal["anterior", "left", "head"]) -> None:
    """Cut away what lies on one side of the crosshair; the other sides of the box stay."""
    image = _volume(session)
    world = {"left": 0, "anterior": 1, "head": 2}[side]
    axis = image.grid.array_axis(world)
    ascending = bool(image.grid.axes[world, axis] > 0)
    sides = list(session.view.solid_box or whole_box(image))
    whole, at = whole_box(image)[axis], float(session.view.cursor[axis])
    # what is cut away lies towards the left, the front, or the head
    away_is_high = ascending if side != "anterior" else not ascending
    low, high = sides[axis]
    sides[axis] = (min(low, at - 0.5), at + 0.5) if away_is_high else (at - 0.5, max(high, at + 0.5))
    if sides[axis] == (low, high):  # the same cut once more takes it back
        sides[axis] = (low, whole[1]) if away_is_high else (whole[0], high)
    _set_box(session, image, (sides[0], sides[1], sides[2]))


def unclip(session: Session) -> None:
    """Show all of the volume again."""
    session.view.solid_box = None


def _set_box(session: Session, image: Image, box: SolidBox) -> None:
    session.view.solid_box = None if np.allclose(box, whole_box(image)) else box


def _volume(session: Session) -> Image:
    image = session.image
    if image is None or not image.is_volume or image.is_colour:
        raise InputError("3D needs a volume of grey values, and none is open; open one without colours.")
    return image
