"""What the program asks of a screen: protocols that `ui` implements and tests fake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from medviewer.app.solid_looks import SolidLook
from medviewer.app.state import Session, SolidBox
from medviewer.domain.document import Document
from medviewer.domain.fusing import Thickness
from medviewer.domain.geometry import Grid, Vector
from medviewer.domain.image import GraphicOverlay
from medviewer.domain.linking import Segment
from medviewer.domain.mask import Colour
from medviewer.domain.plane import Plane
from medviewer.domain.slab import Mode

if TYPE_CHECKING:
    # Brings pydicom, which a scan that starts beside the window imports in a thread of its own.
    from medviewer.formats.dicom.deidentify.options import Options


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


class Dialogs(Protocol):
    """Questions to the user."""

    def open_paths(self, folder: bool) -> list[Path]:
        """Ask for a folder, or for files, to open; empty when the user thought better of it."""
        ...

    def save_path(self, title: str, suggestion: str, filters: Sequence[str]) -> Path | None:
        """Ask where to save."""
        ...

    def confirm(self, title: str, text: str, accept: str) -> bool:
        """Ask a yes-or-no question; `accept` names the button that does it."""
        ...

    def ask_text(self, title: str, text: str, suggestion: str = "") -> str | None:
        """Ask for a line of text, which begins as the suggestion; None when the user thought better of it."""
        ...


@dataclass(frozen=True)
class DeidentifyChoice:
    """Where de-identified copies go, what they keep, and whether the archive's own key makes them."""

    folder: Path
    options: Options
    keep_key: bool = False


class Shell(Protocol):
    """What the window itself can do, for actions that are about the window."""

    def quit(self) -> None:
        """Close the window."""
        ...

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        ...

    def fit_active(self) -> None:
        """Fit the picture of the active viewport."""
        ...

    def copy_text(self, text: str) -> None:
        """Put a text into the clipboard, and say so."""
        ...

    def true_size(self) -> None:
        """Show the picture of the active viewport as large as it is in the patient."""
        ...

    def pixel_size(self) -> None:
        """Show each pixel of the active viewport's picture as one of the screen."""
        ...

    def step(self, slices: int) -> None:
        """Scroll the active viewport."""
        ...

    def look_from(self, side: SolidSide) -> None:
        """Look at the 3D view from one side of the patient."""
        ...

    def turn_solid(self, right: float, up: float) -> None:
        """Turn what the 3D view shows to the right and upwards, in radians."""
        ...

    def save_solid(self, path: Path) -> None:
        """Save the 3D view as a PNG."""
        ...

    def turn(self, angle: float) -> None:
        """Turn the crosshair's lines in the active viewport, in radians, clockwise."""
        ...

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        ...

    def find_study(self) -> None:
        """Put the keyboard into the search field."""
        ...

    def toggle_browser(self) -> None:
        """Show or hide the list of studies."""
        ...

    def toggle_panels(self) -> None:
        """Show or hide the panels."""
        ...

    def show_panel(self, name: str) -> None:
        """Open one of the panels: ``ai``, ``segments``, ``measure``, ``keys``, ``saliency`` or ``learning``."""
        ...

    def show_report(self) -> None:
        """Write the report of the open study."""
        ...

    def show_corners(self) -> None:
        """Choose which line stands in which corner."""
        ...

    def show_window_dialog(self) -> None:
        """Let a window be typed in and kept."""
        ...

    def show_window_menu(self) -> None:
        """List every window and colour map at the active viewport."""
        ...

    def show_fuse_menu(self) -> None:
        """List what may be laid over the open series, at the active viewport."""
        ...

    def show_hanging_menu(self) -> None:
        """List every hanging protocol at the active viewport."""
        ...

    def show_hanging_save(self) -> None:
        """Ask what a hanging protocol of the present layout is for, and keep it."""
        ...

    def show_hanging_own(self) -> None:
        """List the user's hanging protocols, to rename and remove them."""
        ...

    def screenshot(self, path: Path) -> None:
        """Save the viewports as a PNG."""
        ...

    def reveal(self, folder: Path) -> None:
        """Show a folder in the system's file manager."""
        ...

    def show_document(self, document: Document) -> None:
        """Show a report or document of a study."""
        ...

    def ask_deidentify(self, what: str = "") -> DeidentifyChoice | None:
        """Ask where de-identified copies go and what they keep; None when the user thought better of it."""
        ...

    def show_manual(self) -> None:
        """Open the manual."""
        ...

    def show_keys(self) -> None:
        """Open the sheet of keys."""
        ...

    def show_language(self) -> None:
        """Let the language of the window be chosen."""
        ...

    def next_area(self) -> None:
        """Bring the keyboard to the next part of the window."""
        ...

    def show_tour(self) -> None:
        """Start the tour of three steps."""
        ...

    def open_napari(self) -> None:
        """Open the image and its mask as layers in a full napari window."""
        ...

    def bring_back(self) -> None:
        """Make the Labels layer of the napari window the mask."""
        ...

    def show_palette(self) -> None:
        """Find a command by its name, and do it."""
        ...

    def show_shortcuts(self) -> None:
        """Show and change the key of every command."""
        ...

    def show_about(self) -> None:
        """Tell version, licence and intended use."""
        ...

    def show_plugins(self) -> None:
        """Install, trust, check and switch plugins."""
        ...

    def show_batch(self) -> None:
        """Run a plugin on many studies of the list."""
        ...

    def show_pacs_query(self) -> None:
        """Search the hospital's archive."""
        ...

    def show_pacs_nodes(self) -> None:
        """Set up archives on the network."""
        ...

    def show_pacs_send(self) -> None:
        """Ask what to send to which archive."""
        ...


class Screen(Protocol):
    """What makes pictures without a person watching: the `screenshot` command and the demo use it."""

    def render(self, session: Session, path: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        """Write a PNG of the viewports as the session has them (image, mask, heat map, layout), without the window.

        Raises
        ------
        MedviewerError
            If there is no display and no way to make one.
        """
        ...
