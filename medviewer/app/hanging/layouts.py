"""The layouts that there are: which viewports, where, and what each shows at first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Window
from medviewer.domain.plane import UNTURNED, Plane, Turn
from medviewer.domain.slab import Mode
from medviewer.errors import InputError

SliceKind = Literal["axial", "sagittal", "coronal", "acquired"]
Kind = Literal["axial", "sagittal", "coronal", "acquired", "volume"]

SINGLE = "single"
"""Not a layout of its own: the active pane of the one before, large."""

NOTHING = "-"
"""Stands for the series of a pane that shows none: it is awaited, or the study has no such one."""

MOST_ROWS, MOST_COLUMNS = 3, 4
"""Of layouts that are named by their rows and columns."""


@dataclass(frozen=True)
class Cell:
    """A rectangle of the screen.

    Parameters
    ----------
    kind
        The plane that it shows at first (``acquired`` is the one that the slices were made in), or ``volume`` for 3D.
    row, column, row_span, column_span
        Its place in the layout's rows and columns.
    """

    kind: Kind
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1


@dataclass(frozen=True)
class Look:
    """How one viewport shows its series, where that differs from how the series is shown elsewhere.

    Parameters
    ----------
    window, inverted
        Its own window, and whether black and white change places; None for those of the series.
    colours
        Its own colour map; empty for that of the series.
    slab_mode, slab_mm
        Its own slab; None for the one of all planes.
    """

    window: Window | None = None
    inverted: bool | None = None
    colours: str = ""
    slab_mode: Mode | None = None
    slab_mm: float = 10.0


@dataclass(frozen=True)
class Pane:
    """What a viewport that shows slices is about.

    Parameters
    ----------
    kind
        Its plane.
    series
        UID of the series that it shows, empty for the main one, which masks, models and heat maps are about; `NOTHING`
        where it shows none.
    turn
        How it is turned.
    fused
        Whether it shows what is laid over the main series (`Session.fusion`); another series never does.
    look
        How it shows its series; None for as the series is shown elsewhere.
    hung
        How it was turned when it was hung: what turning back goes back to.
    hung_look
        The look that it was hung with: what a reset goes back to.
    side
        The edge of the viewport that a fitted picture lies against; empty for its middle.
    note
        What stands in it while it shows nothing.
    """

    kind: SliceKind
    series: str = ""
    turn: Turn = UNTURNED
    fused: bool = True
    look: Look | None = None
    hung: Turn = UNTURNED
    side: Literal["", "left", "right"] = ""
    note: str = ""
    hung_look: Look | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it shows no series."""
        return self.series == NOTHING


@dataclass(frozen=True)
class Layout:
    """Viewports on the screen.

    Parameters
    ----------
    name
        Stored in `View.layout`.
    title
        For menus.
    rows, columns
        Of the grid that `cells` have their place in.
    cells
        In the order in which viewports are numbered and Tab goes; 3D comes last, and once at most.
    """

    name: str
    title: str
    rows: int
    columns: int
    cells: tuple[Cell, ...]

    @cached_property
    def slices(self) -> tuple[Cell, ...]:
        """The cells that show slices."""
        return tuple(cell for cell in self.cells if cell.kind != "volume")

    @cached_property
    def volume(self) -> Cell | None:
        """The cell that shows 3D, or None."""
        return next((cell for cell in self.cells if cell.kind == "volume"), None)

    @cached_property
    def panes(self) -> tuple[Pane, ...]:
        """What the slice cells show at first: all of the main series."""
        return tuple(Pane(cell.kind) for cell in self.cells if cell.kind != "volume")


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            "mpr",
            "Three planes and 3D",
            2,
            2,
            (Cell("axial", 0, 0), Cell("sagittal", 0, 1), Cell("coronal", 1, 0), Cell("volume", 1, 1)),
        ),
        Layout(
            "solid",
            "3D large, three planes beside",
            3,
            4,
            (Cell("axial", 0, 0), Cell("sagittal", 1, 0), Cell("coronal", 2, 0), Cell("volume", 0, 1, 3, 3)),
        ),
        Layout("compare", "Compare side by side", 1, 2, (Cell("acquired", 0, 0), Cell("acquired", 0, 1))),
        Layout("1x2", "Two planes side by side", 1, 2, (Cell("axial", 0, 0), Cell("coronal", 0, 1))),
        Layout("2x1", "Two planes, one above the other", 2, 1, (Cell("sagittal", 0, 0), Cell("coronal", 1, 0))),
        Layout(
            "2x2",
            "Four viewports",
            2,
            2,
            (Cell("axial", 0, 0), Cell("sagittal", 0, 1), Cell("coronal", 1, 0), Cell("acquired", 1, 1)),
        ),
    )
}
"""The built-in layouts by name. `SINGLE` is not among them."""

NAMES = (*LAYOUTS, SINGLE)
"""What `View.layout` may be."""


_ROWS_COLUMNS = re.compile(rf"([1-{MOST_ROWS}])x([1-{MOST_COLUMNS}])")


@cache
def layout_of(name: str) -> Layout:
    """The layout of that name: a built-in one, or rows and columns, as ``2x3``, of the plane of the acquisition.

    Raises
    ------
    InputError
        If there is none.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    found = _ROWS_COLUMNS.fullmatch(name)
    if found is None:
        raise InputError(f"The layout should be one of {', '.join(NAMES)}, not {name}.")
    rows, columns = (int(part) for part in found.groups())
    cells = tuple(Cell("acquired", row, column) for row in range(rows) for column in range(columns))
    return Layout(name, f"{rows} x {columns} viewports", rows, columns, cells)


def plane_for(grid: Grid, kind: SliceKind) -> Plane:
    """The plane of that kind through a volume; a single picture has one plane only, whatever is asked for."""
    if grid.shape[0] == 1:
        return Plane.picture(grid)
    return Plane.of(grid, grid.plane_name(0) if kind == "acquired" else kind.capitalize())
