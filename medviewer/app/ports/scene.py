"""What the 3D view shows, and what shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.display import MaskLook
from medviewer.app.solid_looks import SolidLook
from medviewer.app.state import SolidBox
from medviewer.domain.geometry import Vector
from medviewer.domain.mask import Colour


@dataclass(frozen=True, eq=False)
class Scene:
    """What the 3D view shows.

    Parameters
    ----------
    voxels
        Stored voxels (z, y, x).
    spacing
        Along z, y, x in mm.
    order, flips
        How to turn the array so that its axes run to the feet, to posterior and to the patient's left: the only
        handedness that napari (towards, down, right) does not mirror.
    limits
        Stored values shown clear and bright where there is no look.
    mask
        Structures to show in it, or None.
    revision
        Grows when the mask's voxels changed.
    identity
        What stays the same from phase to phase of one image: the camera is kept while it does.
    look
        How values become colours and opacities, in real values.
    slope, intercept
        From stored to real values.
    box
        What is shown, along the axes of `voxels`, in voxels from edge to edge; None for all of it.
    names
        What the shown structures are called, with their colours.
    through
        Whether they are seen through what lies before them.
    padding
        Stored voxels from low to high are no image and drawn as the last value, also a stored one; or None.
    oriented
        Whether the file says how the patient lay: letters would be guesses where it does not.
    towards
        Unit steps (x, y, z) in the world along the turned array's axes: to the feet, to posterior and to the patient's
        left, as nearly as the acquisition has them.
    lettered
        Whether letters stand at the edges.
    """

    voxels: NDArray[np.generic]
    spacing: tuple[float, float, float]
    flips: tuple[bool, bool, bool]
    order: tuple[int, int, int]
    limits: tuple[float, float]
    mask: MaskLook | None = None
    revision: int = 0
    identity: object = None
    look: SolidLook | None = None
    slope: float = 1.0
    intercept: float = 0.0
    box: SolidBox | None = None
    names: tuple[tuple[str, Colour], ...] = ()
    through: bool = True
    padding: tuple[float, float, float] | None = None
    oriented: bool = True
    towards: tuple[Vector, Vector, Vector] = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    lettered: bool = True


SolidSide = Literal["anterior", "posterior", "left", "right", "head", "feet", "first"]
"""Where the 3D view is looked at from; ``first`` is how a volume is first seen, as large as it is then."""


class VolumePort(Protocol):
    """The rectangle that shows the volume in 3D."""

    def apply(self, scene: Scene | None) -> None:
        """Show that volume; None shows nothing."""
        ...
