"""What a viewport shows of slices, and what shows it: values that controllers make, and a protocol of `ui`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.fusing import Thickness
from medviewer.domain.geometry import Grid
from medviewer.domain.image import GraphicOverlay
from medviewer.domain.linking import Segment
from medviewer.domain.mask import Colour
from medviewer.domain.plane import Plane
from medviewer.domain.slab import Mode


@dataclass(frozen=True)
class Corners:
    """Text in the four corners of a viewport; lines separated by newlines."""

    top_left: str = ""
    top_right: str = ""
    bottom_left: str = ""
    bottom_right: str = ""
    shown: bool = False
    """Whether there is to be text at all: the scale bar goes with it."""
    brief_left: str = ""
    brief_right: str = ""
    """What stands in place of the text at the top where there is little room."""

    def awaiting(self, line: str) -> Corners:
        """The same text, in which one line says that what it tells of is not shown yet."""
        if not line:
            return self

        def said(text: str) -> str:
            return "\n".join(f"{one} …" if one == line else one for one in text.split("\n"))

        tops = said(self.top_left), said(self.top_right)
        briefs = said(self.brief_left), said(self.brief_right)
        return replace(self, top_left=tops[0], top_right=tops[1], brief_left=briefs[0], brief_right=briefs[1])

    def away_from(self, side: str) -> Corners:
        """The same text, that of the top in one corner, on the side that a picture does not lie against."""
        top = "\n".join(text for text in (self.top_left, self.top_right) if text)
        brief = "\n".join(text for text in (self.brief_left, self.brief_right) if text)
        if side == "left":
            return replace(self, top_left="", top_right=top, brief_left="", brief_right=brief)
        return replace(self, top_left=top, top_right="", brief_left=brief, brief_right="")


@dataclass(frozen=True, eq=False)
class MaskLook:
    """How a mask is drawn: label map (z, y, x), colour of each visible label, opacity 0..1."""

    labels: NDArray[np.uint8] | NDArray[np.uint16]
    colours: tuple[tuple[int, Colour], ...]
    opacity: float


@dataclass(frozen=True, eq=False)
class HeatLook:
    """How a heat map is drawn: values (z, y, x) in 0..1, colour map name, opacity 0..1."""

    values: NDArray[np.float16] | NDArray[np.float32]
    colormap: str
    opacity: float


@dataclass(frozen=True, eq=False)
class FusedLook:
    """Another series that is laid over the slices, sampled at their pixels.

    Parameters
    ----------
    voxels, grid
        Its stored values (z, y, x), and where they lie.
    slope, intercept
        From stored to real values.
    limits
        Real values that are clear, and shown in the last of the colours.
    colours
        An id of `app.colours`.
    opacity
        Of its highest values, 0 to 1.
    unit
        Of the real values, for the bar of colours.
    thick
        The slab that the plane shows, or None.
    """

    voxels: NDArray[np.generic]
    grid: Grid
    slope: float
    intercept: float
    limits: tuple[float, float]
    colours: str
    opacity: float
    unit: str = ""
    thick: Thickness | None = None

    @property
    def source(self) -> tuple[object, ...]:
        """What its values on a slice are made of, apart from where the slice lies."""
        return id(self.voxels), self.grid, self.slope, self.intercept, self.thick


@dataclass(frozen=True, eq=False)
class GraphicLook:
    """What the file draws over the slices of its own plane: its overlays, and the slot to take of each."""

    overlays: tuple[GraphicOverlay, ...]
    slot: int


@dataclass(frozen=True)
class DrawnBox:
    """The box around something that a model found, on a slice that it touches.

    Parameters
    ----------
    corners
        Row and column of two opposite corners, edge to edge: the middle of the first pixel is (0, 0), its edge -0.5.
    colour
        Of its label.
    text
        What stands at it.
    chosen
        Whether it is looked at.
    """

    corners: tuple[tuple[float, float], tuple[float, float]]
    colour: Colour
    text: str
    chosen: bool = False


@dataclass(frozen=True)
class DrawnMark:
    """Something that was pointed at, on a slice.

    Parameters
    ----------
    at
        Row and column of a click, of two opposite corners of a box, or of each position of a line.
    positive
        Whether it lies in what is looked for.
    waiting
        Whether its answer is awaited.
    """

    at: tuple[tuple[float, float], ...]
    positive: bool
    waiting: bool = False


@dataclass(frozen=True)
class DrawnMeasure:
    """A measurement on a slice that shows it.

    Parameters
    ----------
    uid, kind
        Which, and what it is.
    handles
        Number, row and column of each handle that lies on this slice.
    lines
        Polylines, as rows and columns.
    text
        What stands beside it.
    chosen
        Whether it is the one that is worked on.
    drafted
        Whether it is still being placed.
    text_at
        Row and column that the middle of the text was dragged to, or None.
    brief
        The one of its lines that is needed most, for where there is little room; the first where it is empty.
    """

    uid: str
    kind: str
    handles: tuple[tuple[int, float, float], ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]
    text: tuple[str, ...] = ()
    chosen: bool = False
    drafted: bool = False
    text_at: tuple[float, float] | None = None
    brief: str = ""


@dataclass(frozen=True, eq=False)
class Padding:
    """Pixels that are no image: stored voxels (z, y, x) from `low` to `high` are drawn as the real value `value`."""

    voxels: NDArray[np.generic]
    low: float
    high: float
    value: float


@dataclass(frozen=True, eq=False)
class Slab:
    """Several slices that are shown as one.

    Parameters
    ----------
    mode
        How the stored values of `Display.voxels` are reduced: ``mip``, ``minip`` or ``mean``.
    slices
        Which slices.
    stored, padding
        Stored voxels (z, y, x) that are no image from low to high, and do not count; or None.
    text
        The line of the corners that tells of it.
    """

    mode: Mode
    slices: slice
    stored: NDArray[np.generic] | None = None
    padding: tuple[float, float] | None = None
    text: str = ""


@dataclass(frozen=True)
class TurnedSlice:
    """A slice that is sampled between voxels.

    Parameters
    ----------
    grid
        Where the voxels lie; `Display.plane` has a lattice of its own.
    outside
        The real value that is drawn where there are none.
    bounds
        First and last row and column that the volume can reach: what a fit shows.
    """

    grid: Grid
    outside: float
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Display:
    """Everything that one viewport shows: computed from the session, compared with the last one, applied.

    Parameters
    ----------
    plane
        The slices' place on the screen.
    k
        The slice.
    voxels
        Stored voxels (z, y, x) or (z, y, x, 3), shared with every other viewport.
    slope, intercept
        From stored to real values on this slice.
    limits
        Real values shown black and white; exchanged when the picture is inverted.
    curve
        Grey, 0 to 1 and before any inversion, at evenly spaced real values from the lower to the higher limit; None
        where it is linear.
    colours
        The colour map of the values, an id of `app.colours`.
    padding
        What is drawn as background, or None.
    slab
        The slices around slice k that are shown as one, or None for slice k alone.
    graphics
        What the file draws over this slice, or None.
    mask, heat
        Overlays on the same grid, or None.
    fused
        Another series that is laid over, or None.
    crosshair
        Row and column, or None where it is not drawn.
    letters
        Orientation at left, right, top, bottom.
    corners
        Text.
    calibrated
        Whether a scale bar in mm may be drawn.
    brush_mm
        Radius of the brush that follows the pointer, or None.
    boxes
        Around what a model found, as far as they touch this slice.
    marks
        What was pointed at on this slice.
    magnifier
        Whether a lens follows the pointer.
    measures
        What was measured on this slice, and what is being placed.
    lines
        Where slices of other series cut this one: both ends of each as row and column.
    active
        Whether this viewport has the accent border.
    revision
        Grows when the mask's voxels changed.
    identity
        What stays the same from phase to phase of one image: zoom and pan are kept while it does. None where `voxels`
        stand for it.
    turned
        Where the volume lies under a plane that was turned away from its axes, or None for a slice of voxels.
    line_angle
        How far the crosshair's lines are turned, radians, clockwise.
    side
        The edge of the viewport that a fitted picture lies against: ``left``, ``right``, or empty for its middle.
    arrived
        Changes when more of this slice has come while the image is still read; -1 once all of it is there.
    coarse
        Whether a hand moves a turned plane just now: where it has many pixels, it may be sampled in blocks of them.
    """

    plane: Plane
    k: int
    voxels: NDArray[np.generic]
    slope: float
    intercept: float
    limits: tuple[float, float]
    curve: NDArray[np.float32] | None = None
    colours: str = "gray"
    padding: Padding | None = None
    slab: Slab | None = None
    graphics: GraphicLook | None = None
    mask: MaskLook | None = None
    heat: HeatLook | None = None
    crosshair: tuple[float, float] | None = None
    letters: tuple[str, str, str, str] = ("", "", "", "")
    corners: Corners = Corners()
    calibrated: bool = True
    brush_mm: float | None = None
    marks: tuple[DrawnMark, ...] = ()
    boxes: tuple[DrawnBox, ...] = ()
    magnifier: bool = False
    measures: tuple[DrawnMeasure, ...] = ()
    lines: tuple[Segment, ...] = ()
    active: bool = False
    revision: int = 0
    identity: object = None
    arrived: int = -1
    turned: TurnedSlice | None = None
    line_angle: float = 0.0
    fused: FusedLook | None = None
    side: str = ""
    coarse: bool = False

    def same_picture(self, other: Display) -> bool:
        """Whether the other shows the same image in the same plane, at whatever slice and phase."""
        if self._frame != other._frame or self.voxels.ndim != other.voxels.ndim:
            return False
        if self.identity is None or other.identity is None:
            return self.voxels is other.voxels
        return self.identity is other.identity

    @property
    def _frame(self) -> object:
        """What the pixels of every slice are: a turned plane's lattice moves with the crosshair, but keeps its size."""
        if self.turned is None:
            return self.plane
        plane = self.plane
        flips = plane.row_axis, plane.flip_rows, plane.flip_columns
        return plane.name, plane.shape, plane.spacing, flips


class ViewPort(Protocol):
    """One rectangle of the screen that shows slices of an image."""

    def apply(self, display: Display | None) -> None:
        """Show that, changing only what differs from what is shown; None shows nothing."""
        ...

    def fit(self) -> None:
        """Fit the slice into the viewport."""
        ...
