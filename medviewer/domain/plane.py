"""Slices through a volume, turned the way that radiologists expect to see them.

The patient's right is on the left of the screen, anterior is up in axial slices and to the left in sagittal ones,
superior is up in the other two. A plane is a choice of array axes and flips: no voxel is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medviewer.domain.geometry import Grid, Vector

_SCREEN = {"Axial": (1, 1, 0, 1), "Coronal": (2, -1, 0, 1), "Sagittal": (2, -1, 1, 1)}
"""For each plane: the world axis that runs down the screen and its sign, the one that runs right and its sign."""


@dataclass(frozen=True)
class Turn:
    """How a reader turned a slice away from how it is shown at first: mirrored left to right, then turned.

    Parameters
    ----------
    quarters
        Quarter turns clockwise, 0 to 3.
    mirrored
        Whether left and right were exchanged before that.
    """

    quarters: int = 0
    mirrored: bool = False

    def then(self, step: Literal["flip", "upend", "rotate"]) -> Turn:
        """What one more step makes of it, as seen on the screen: left-right, top-bottom, or a quarter clockwise."""
        if step == "rotate":
            return Turn((self.quarters + 1) % 4, self.mirrored)
        # A mirror behind a turn is a mirror before the turn the other way round; top-bottom is half a turn more.
        return Turn((-self.quarters + (2 if step == "upend" else 0)) % 4, not self.mirrored)

    @property
    def text(self) -> str:
        """In words, for the corner of a viewport; empty where nothing is turned."""
        if self == Turn(2, True):
            return "flipped top to bottom"
        words = (["flipped left to right"] if self.mirrored else []) + (
            [f"rotated {90 * self.quarters}°"] if self.quarters else []
        )
        return ", ".join(words)


UNTURNED = Turn()


@dataclass(frozen=True)
class Plane:
    """How slices across one array axis lie on the screen.

    Parameters
    ----------
    grid
        The volume's grid.
    axis
        The array axis that scrolling moves along.
    row_axis, column_axis
        The array axes that run down and to the right.
    flip_rows, flip_columns
        Whether they run against their index.
    name
        ``Axial``, ``Coronal``, ``Sagittal``, or empty for a picture that says nothing about the patient.
    """

    grid: Grid
    axis: int
    row_axis: int
    column_axis: int
    flip_rows: bool = False
    flip_columns: bool = False
    name: str = ""

    @classmethod
    def of(cls, grid: Grid, name: str) -> Plane:
        """The plane of that name: axial, coronal or sagittal to within the grid's own obliquity."""
        down, down_sign, right, right_sign = _SCREEN[name]
        rows, columns = grid.array_axis(down), grid.array_axis(right)
        return cls(
            grid,
            axis=3 - rows - columns,
            row_axis=rows,
            column_axis=columns,
            flip_rows=bool(grid.axes[down, rows] * down_sign < 0),
            flip_columns=bool(grid.axes[right, columns] * right_sign < 0),
            name=name,
        )

    @classmethod
    def picture(cls, grid: Grid) -> Plane:
        """A radiograph or other single picture, rows down and columns right, as the file stores it."""
        return cls(grid, axis=0, row_axis=1, column_axis=2)

    def turned(self, turn: Turn) -> Plane:
        """The plane as a reader turned it: flipped and rotated in steps of 90 degrees, still without interpolation."""
        plane = replace(self, flip_columns=self.flip_columns != turn.mirrored)
        for _ in range(turn.quarters):
            plane = replace(
                plane,
                row_axis=plane.column_axis,
                column_axis=plane.row_axis,
                flip_rows=plane.flip_columns,
                flip_columns=not plane.flip_rows,
            )
        return plane

    @property
    def count(self) -> int:
        """Number of slices."""
        return self.grid.shape[self.axis]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return self.grid.shape[self.row_axis], self.grid.shape[self.column_axis]

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance between rows and between columns, in mm."""
        return self.grid.spacing[self.row_axis], self.grid.spacing[self.column_axis]

    def take(self, volume: NDArray[np.generic], k: int) -> NDArray[np.generic]:
        """Slice k of an array (z, y, x) or (z, y, x, channels) as (rows, columns[, channels]): a view, no copy."""
        return self.turn(volume[(slice(None),) * self.axis + (k,)])

    def turn(self, piece: NDArray[np.generic]) -> NDArray[np.generic]:
        """What lies along the two other array axes, in their order, as it lies on the screen: a view, no copy."""
        view = piece
        if self.row_axis > self.column_axis:
            view = view.swapaxes(0, 1)
        return view[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def to_screen(self, index: tuple[float, float, float]) -> tuple[float, float]:
        """Row and column on the slice of a voxel index (z, y, x)."""
        rows, columns = self.shape
        row, column = index[self.row_axis], index[self.column_axis]
        return (rows - 1 - row if self.flip_rows else row), (columns - 1 - column if self.flip_columns else column)

    def to_index(self, row: float, column: float, k: float) -> tuple[float, float, float]:
        """Voxel index (z, y, x), not rounded, of a row and column on slice k."""
        rows, columns = self.shape
        index = [0.0, 0.0, 0.0]
        index[self.axis] = k
        index[self.row_axis] = rows - 1 - row if self.flip_rows else row
        index[self.column_axis] = columns - 1 - column if self.flip_columns else column
        return index[0], index[1], index[2]

    def letters(self) -> tuple[str, str, str, str]:
        """Orientation letters at the left, right, top and bottom of the slice, as the grid has them.

        A picture's grid means something only where its file says how the patient lay.
        """
        top, bottom = self.grid.letters(self.row_axis)
        left, right = self.grid.letters(self.column_axis)
        if self.flip_rows:
            top, bottom = bottom, top
        if self.flip_columns:
            left, right = right, left
        return left, right, top, bottom


PLANES = ("Axial", "Sagittal", "Coronal")

_NORMALS = ("Sagittal", "Coronal", "Axial")
"""The planes that lie across the world's axes x, y and z."""

_TIE = 1e-6
"""Difference of two cosines that is rounding."""

_TREMBLE = 0.074
"""The same, 3 degrees beyond half way between two planes: cos 42 less cos 48 degrees."""

_SQUARE = 1e-3
"""Sine of the angle up to which a plane lies square to the patient, the rounding of headers."""


def nearest_plane(normal: Vector, own: str = "") -> tuple[str, bool]:
    """The anatomical plane whose normal is nearest to that one, and whether it is oblique to it.

    Parameters
    ----------
    normal
        In the world (x, y, z), of any length but 0 and either sense.
    own
        The plane that it was before it was turned: half way between two, it is still that one.
    """
    x, y, z = np.abs(np.asarray(normal, float)) / np.linalg.norm(normal)
    parts = dict(zip(_NORMALS, (float(x), float(y), float(z)), strict=True))
    most = max(parts.values())
    name = own if parts.get(own, 0.0) > most - _TIE else max(parts, key=lambda one: parts[one])
    others = [part for other, part in parts.items() if other != name]
    return name, hypot(*others) > _SQUARE


def seen_as(basis: ArrayLike, own: str = "") -> tuple[str, bool]:
    """The anatomical plane as which a turned one is shown, and whether it is oblique to it.

    It is the nearest one. Within 3 degrees of half way between two, where a hand that turns it may tremble to and fro,
    it is the one by whose convention it lies on the screen already, so that neither name nor picture flickers.

    Parameters
    ----------
    basis
        3x3, its columns unit vectors of the world (x, y, z): the plane's normal, down the screen, and to the right.
    own
        The plane that it was before it was turned: where two fit alike, it is still that one.
    """
    axes = np.asarray(basis, float)
    parts = dict(zip(_NORMALS, (float(part) for part in np.abs(axes[:, 0])), strict=True))
    near = {name: _fit(axes, name) for name, part in parts.items() if part > max(parts.values()) - _TREMBLE}
    most = max(near.values())
    name = own if near.get(own, -np.inf) > most - _TIE else max(near, key=lambda one: near[one])
    others = [part for other, part in parts.items() if other != name]
    return name, hypot(*others) > _SQUARE


def plane_title(basis: ArrayLike, own: str = "") -> str:
    """What a turned plane is called, for example ``Sagittal oblique``; see `seen_as`."""
    name, oblique = seen_as(basis, own)
    return f"{name} oblique" if oblique else name


def faced(basis: ArrayLike, own: str = "") -> tuple[str, NDArray[np.float64]]:
    """How a turned plane lies on the screen by the convention of the plane as which it is shown; see `seen_as`.

    It is flipped and rotated by quarters, so that its right and its lower edge come nearest to that plane's: both are
    less than a right angle off then, and nothing is mirrored. What lies well enough is left, so that a picture that a
    hand turns about the border between two ways does not jump to and fro.

    Returns
    -------
    tuple
        Name of that plane; and the basis with down and right by convention, the normal as it was.
    """
    axes = np.asarray(basis, float)
    name, _ = seen_as(axes, own)
    sides = [axes[:, 1], -axes[:, 1], axes[:, 2], -axes[:, 2]]
    ways = [
        np.stack([axes[:, 0], down, across], axis=1)
        for one, down in enumerate(sides)
        for other, across in enumerate(sides)
        if one // 2 != other // 2
    ]
    best = max(ways, key=lambda way: _fit(way, name))
    lying = axes if _fit(axes, name) > _fit(best, name) - 2 * _TREMBLE else best
    return seen_as(lying, own)[0], lying


def _fit(axes: NDArray[np.float64], name: str) -> float:
    """How well a basis follows a plane's convention: the cosines of its lower edge and of its right to it, summed."""
    down, down_sign, right, right_sign = _SCREEN[name]
    return float(axes[down, 1] * down_sign + axes[right, 2] * right_sign)


def planes_of(grid: Grid) -> tuple[Plane, ...]:
    """The planes that show a grid: three for a volume, one for a single picture."""
    return tuple(Plane.of(grid, name) for name in PLANES) if grid.shape[0] > 1 else (Plane.picture(grid),)
