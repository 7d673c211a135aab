"""Where the 3D view is looked at from: directions, turning, and the cube that shows them.

The scene's axes run to the feet, to posterior and to the patient's left, in this order, as napari's camera has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.app.ports.scene import SolidSide
from medviewer.domain.geometry import letters_of

Direction = tuple[float, float, float]

DIRECTIONS: dict[SolidSide, tuple[Direction, Direction]] = {
    "first": ((0.25, 1, 0.45), (-1, 0, 0)),
    "anterior": ((0, 1, 0), (-1, 0, 0)),
    "posterior": ((0, -1, 0), (-1, 0, 0)),
    "left": ((0, 0, -1), (-1, 0, 0)),
    "right": ((0, 0, 1), (-1, 0, 0)),
    "head": ((1, 0, 0), (0, -1, 0)),
    "feet": ((-1, 0, 0), (0, -1, 0)),
}
"""For each side, where one looks, and what is up."""

LETTERS: dict[SolidSide, str] = {
    "anterior": "A",
    "posterior": "P",
    "left": "L",
    "right": "R",
    "head": "S",
    "feet": "I",
}


@dataclass(frozen=True)
class CubeFace:
    """One face of the orientation cube as it is seen.

    Parameters
    ----------
    side
        The side of the patient that it is on.
    corners
        Of a square as a person before it reads it: top left, top right, bottom right, bottom left, each as right and
        down on the screen, for a cube with edges of 1 around 0.
    facing
        How much it faces the viewer, 0 to 1.
    """

    side: SolidSide
    corners: tuple[tuple[float, float], ...]
    facing: float


def right_of(view: ArrayLike, up: ArrayLike) -> NDArray[np.float64]:
    """What lies to the right on the screen, in the scene's axes.

    These are left-handed as napari counts them (down, back, left): the cross product of the patient's axes (left,
    posterior, superior), which are right-handed, is taken.
    """
    lps = np.cross(_lps(view), _lps(up))
    return np.array([-lps[2], lps[1], lps[0]])


def rotated(view: ArrayLike, up: ArrayLike, right: float, upwards: float) -> tuple[Direction, Direction]:
    """View and up direction after what is seen was turned to the right and upwards, in radians."""
    v, u, r = _frame(view, up)
    # what faces the viewer goes to the right when the viewer goes to the left, and looks further to the right
    v, r = v * np.cos(right) + r * np.sin(right), r * np.cos(right) - v * np.sin(right)
    v, u = v * np.cos(upwards) + u * np.sin(upwards), u * np.cos(upwards) - v * np.sin(upwards)
    return (float(v[0]), float(v[1]), float(v[2])), (float(u[0]), float(u[1]), float(u[2]))


def cube_faces(view: ArrayLike, up: ArrayLike) -> list[CubeFace]:
    """The faces of the cube that can be seen, the one that faces the viewer most last."""
    v, u, r = _frame(view, up)
    seen = []
    for side in LETTERS:
        looks, above = (np.array(one, float) for one in DIRECTIONS[side])
        facing = float(looks @ v)
        if facing <= 0.02:
            continue
        across = right_of(looks, above)
        middle = -looks
        square = [middle + a * above + b * across for a, b in ((1, -1), (1, 1), (-1, 1), (-1, -1))]
        corners = tuple((float(corner @ r) / 2, float(-(corner @ u)) / 2) for corner in square)
        seen.append(CubeFace(side, corners, facing))
    return sorted(seen, key=lambda face: face.facing)


def edge_letters(view: ArrayLike, up: ArrayLike, towards: ArrayLike) -> tuple[str, str, str, str]:
    """Orientation letters at the left, right, top and bottom of what is seen, as slices have them.

    Parameters
    ----------
    view, up
        Where one looks, and what is up, in the scene's axes.
    towards
        Unit steps (3, 3) in the world along the scene's axes, one a row: an oblique scan lies askew in the patient.
    """
    _, u, r = _frame(view, up)
    steps = np.asarray(towards, float)
    left, right = letters_of(r @ steps)
    bottom, top = letters_of(u @ steps)
    return left, right, top, bottom


def _frame(view: ArrayLike, up: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What lies ahead, up and to the right on the screen: `up` may lean."""
    v = _unit(view)
    u = np.asarray(up, float)
    u = _unit(u - (u @ v) * v)
    return v, u, _unit(right_of(v, u))


def _lps(direction: ArrayLike) -> NDArray[np.float64]:
    feet, posterior, left = np.asarray(direction, float)
    return np.array([left, posterior, -feet])


def _unit(direction: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(direction, float)
    return np.asarray(values / np.linalg.norm(values), np.float64)
