"""The session: what is open, how it is looked at, and what was found. Changed on the home thread only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from psygnal import SignalGroupDescriptor

from medviewer.app.drafts import Draft
from medviewer.app.hanging.in_use import Hanging
from medviewer.app.hanging.layouts import LAYOUTS, SINGLE, Layout, Pane, layout_of
from medviewer.app.live_values import LiveValues
from medviewer.app.mask_store import MaskStore
from medviewer.app.settings import OwnWindow, Place
from medviewer.app.steps import Step, Steps
from medviewer.domain.curved import Path
from medviewer.domain.document import Document
from medviewer.domain.finding import Classification, Detections
from medviewer.domain.geometry import Vector
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image, Window
from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.measure.measurement import KINDS, Measurement
from medviewer.domain.measure.values import Value
from medviewer.domain.provenance import Provenance
from medviewer.domain.slab import Mode
from medviewer.domain.study import Series, Study
from medviewer.domain.turned import Turned
from medviewer.plugin_api import Prompt

if TYPE_CHECKING:
    from medviewer.domain.report import Report

MEASURE_TOOLS = KINDS
"""Those that measure: one for each kind of measurement."""
PATH_TOOL = "path"
"""The one that draws the path of a curved plane."""
TOOLS = (
    *("window", "pan", "zoom", "scroll", "crosshair", "brush", "eraser", "fill", "click", "turn"),
    *(PATH_TOOL, *MEASURE_TOOLS),
)
EDIT_TOOLS = ("brush", "eraser", "fill")
"""Those that paint strokes themselves."""


@dataclass(frozen=True)
class Focus:
    """Where the crosshair was put on a companion.

    Parameters
    ----------
    world
        The position (x, y, z) in mm, in the main series' frame of reference.
    cursor
        The main series' voxel nearest to it; once the crosshair is on another, this is over.
    """

    world: Vector
    cursor: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Companion:
    """A series that is looked at beside the main one.

    Parameters
    ----------
    series, study, image
        What it is.
    window, inverted, phase
        How it is looked at.
    cursor
        Its voxel (z, y, x), while it is not linked.
    offset
        What is added to a position in the main series' frame of reference for the one in its own, in mm: nothing where
        both are the same, and what the user saw as the same place else. None where it scrolls by itself.
    guessed
        Whether the offset is a guess, from middle to middle, that no user has confirmed: to scroll by, and no more.
    """

    series: Series
    study: Study | None
    image: Image
    window: Window
    inverted: bool = False
    phase: int = 0
    cursor: tuple[int, int, int] = (0, 0, 0)
    offset: Vector | None = None
    guessed: bool = False


@dataclass(frozen=True, eq=False)
class Fusion:
    """A series that is laid over the main one, for example a PET over a CT.

    Parameters
    ----------
    series, study, image
        What it is.
    window
        Its values that are shown clear and in the last of the colours.
    colours
        An id of `app.colours`.
    opacity
        Of its highest values, 0 to 1.
    visible
        Whether it is shown.
    phase
        Its step of the 4th axis, where it does not go along with the main series'.
    foreign
        Whether its frame of reference is another, and it is laid over all the same because the user said so.
    """

    series: Series
    study: Study | None
    image: Image
    window: Window
    colours: str = "hot-iron"
    opacity: float = 0.6
    visible: bool = True
    phase: int = 0
    foreign: bool = False


SolidBox = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""First and last place along z, y and x in voxels, edge to edge: the middle of the first voxel is 0, its edge -0.5."""


PlayMode = Literal["loop", "bounce", "once"]
"""What a film does at its end: begins anew, runs back, or ends."""


@dataclass(eq=False)
class View:
    """How the open image is looked at."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    cursor: tuple[int, int, int] = (0, 0, 0)
    """The crosshair's voxel (z, y, x); each plane shows the slice through it."""
    phase: int = 0
    """Which step of the 4th axis is shown."""
    playing: bool = False
    """Whether the 4th axis runs as a film."""
    play_speed: float = 1.0
    """How many times as fast as it was recorded."""
    play_mode: PlayMode = "loop"
    """Whether the film begins anew at its end, runs back from there, or ends."""
    window: Window = field(default_factory=lambda: Window(0.5, 1.0))
    inverted: bool = False
    colours: str = "gray"
    """Through which colours the grey values are shown: an id of `app.colours`."""
    tool: str = "crosshair"
    last_tool: str = "window"
    brush_mm: float = 4.0
    slab_mode: Mode = "none"
    """What the planes show of the slices within a thickness: their highest, lowest or mean value, or no slab."""
    slab_mm: float = 10.0
    """Its thickness; `WHOLE_MM` of `domain.slab` for all slices."""
    turned: Turned | None = None
    """How the planes were turned away from the acquisition's axes; None while they lie along them."""
    solid_shift: float = 0.0
    """How far the values of the look in 3D are moved up, as a part of their range."""
    solid_stretch: float = 1.0
    """By what their range is wider than the preset's."""
    solid_box: SolidBox | None = None
    """What 3D shows of the volume; None for all of it."""
    solid_through: bool = True
    """Whether the mask's structures are seen in 3D through what lies before them."""
    curve_angle: float = 0.0
    """How far the curved plane is turned about its path, degrees."""
    curve_width_mm: float = 60.0
    """How wide the curved plane is, across its path."""
    layout: str = "mpr"
    """One of the layouts of `hanging.layouts`, or ``single``: the active pane of `base`, large."""
    base: str = "mpr"
    """The layout whose panes there are: where ``single`` goes back to."""
    panes: tuple[Pane, ...] = LAYOUTS["mpr"].panes
    """What each viewport that shows slices is about, in the order of the layout's cells."""
    active: int = 0
    """The number of the active pane."""
    focus: Focus | None = None
    """Where exactly the crosshair is, when it was put on a companion."""
    show_lines: bool = True
    """Whether the active viewport's slice is drawn as a line on those of other series."""
    sync_zoom: bool = True
    """Whether viewports of one modality and plane zoom and move together."""
    sync_window: bool = False
    """Whether viewports of one modality have one window."""
    show_text: bool = True
    show_crosshair: bool = True
    show_measures: bool = True
    show_graphics: bool = True
    """Whether what the file draws over its pixels is shown."""
    magnifier: bool = False
    """Whether a lens follows the pointer."""
    mask_visible: bool = True
    mask_opacity: float = 0.45
    heat_visible: bool = True
    heat_opacity: float = 0.5
    heat_colormap: str = "inferno"
    doubt_colormap: str = "viridis"
    """Of maps of a model's doubt, so that they are not taken for its reasons."""

    @property
    def arranged(self) -> Layout:
        """The layout that the panes are of: its only visible one is the active one while `layout` is ``single``."""
        return layout_of(self.base if self.layout == SINGLE else self.layout)

    @property
    def hung(self) -> tuple[Pane, ...]:
        """The panes of `arranged`: those that were chosen, or as the layout has them at first."""
        own = self.arranged.panes
        return self.panes if len(self.panes) == len(own) else own


@dataclass(frozen=True)
class Message:
    """One sentence for the user.

    Parameters
    ----------
    text
        What was expected, what came, what to do.
    level
        ``info``, ``ok``, ``warning`` or ``error``.
    details
        Shown folded.
    series_uid
        The series that it is about, if it is: another one that is opened takes it away.
    """

    text: str
    level: str = "info"
    details: str = ""
    series_uid: str = ""


@dataclass(frozen=True)
class Arrival:
    """How much there is of an image that is shown while it is read.

    Slices come nearest to the middle first, phase by phase.

    Parameters
    ----------
    count
        Slices that have come, over all phases.
    slices
        Slices of one phase.
    """

    count: int
    slices: int

    def seen(self, axis: int, k: int, phase: int = 0) -> int:
        """A number that changes when more of slice k across an array axis may have come; -1 before any of it."""
        if axis:  # it crosses all others
            return min(max(self.count - phase * self.slices, -1), self.slices)
        middle = self.slices // 2
        away = abs(k - middle)
        nearer = min(middle, away) + min(self.slices - 1 - middle, away)
        turn = phase * self.slices + nearer
        return min(max(self.count, turn - _AHEAD), turn + _AHEAD)


@dataclass(frozen=True, eq=False)
class Tour:
    """The way through the places that a model was in doubt about.

    Parameters
    ----------
    heatmap
        The map of its doubt.
    places
        Their voxels (z, y, x), those with most doubt first; None while they are looked for.
    at
        The one that was gone to last, -1 before the first.
    """

    heatmap: Heatmap
    places: tuple[tuple[int, int, int], ...] | None = None
    at: int = -1


_AHEAD = 32
"""Slices by which one may come before or after its turn: several threads read, and they tell of it now and then."""


@dataclass(frozen=True)
class MeasureStep(Step[Measurement]):
    """One change of one measurement.

    Parameters
    ----------
    values_before, values_after
        What it came to and comes to: where its series is not open, nobody can work that out again.
    """

    values_before: tuple[Value, ...] = field(default=(), compare=False)
    values_after: tuple[Value, ...] = field(default=(), compare=False)

    @property
    def turned_back(self) -> Self:
        """The change that takes it back."""
        return replace(super().turned_back, values_before=self.values_after, values_after=self.values_before)


@dataclass(frozen=True)
class KeyStep(Step[KeyImage]):
    """One change of one key image.

    Parameters
    ----------
    png
        What it looked like before it was taken away or looked at anew, so that undo brings that back too; of a step
        that was undone, what it looked like before that.
    """

    png: bytes | None = field(default=None, repr=False)


@dataclass(eq=False)
class Session:
    """What is open and what was found out about it."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    studies: tuple[Study, ...] = ()
    series: Series | None = None
    study: Study | None = None
    image: Image | None = None
    companions: tuple[Companion, ...] = ()
    """Series that are looked at beside it, each shown by a pane at least."""
    fusion: Fusion | None = None
    """The series that is laid over it."""
    hanging: Hanging | None = None
    """By which hanging protocol the open study was hung; None before anything was."""
    hang_automatic: bool = True
    """Whether a study is hung by the protocol that fits it best when it is opened."""
    hanging_revision: int = 0
    """Grows when one of the user's hanging protocols was kept, renamed or removed."""
    arrival: Arrival | None = None
    """While slices of the open image still arrive, how many have; None once it is whole."""
    mask: MaskStore | None = None
    active_label: int = 1
    hidden_labels: frozenset[int] = frozenset()
    clicks: tuple[Prompt, ...] = ()
    """What was pointed at for the structure that is being segmented by clicks, in voxel indices (z, y, x)."""
    click_busy: bool = False
    """Whether an answer to the newest of them is awaited."""
    click_plugin: str = ""
    """The plugin that answers clicks; empty for the first that takes the open image."""
    heatmap: Heatmap | None = None
    """The one that lies over the image."""
    heatmaps: tuple[Heatmap, ...] = ()
    """Those at hand: a model's reasons, and its doubt."""
    tour: Tour | None = None
    classification: Classification | None = None
    detections: Detections | None = None
    chosen_detection: int = -1
    """Which of the detections is looked at, counted from 0; -1 for none."""
    measurements: tuple[Measurement, ...] = ()
    """Those of the open study and of the studies of series beside it, as they were made; each names its series."""
    measured_study: str = ""
    """UID of the study whose measurements and key images these are."""
    measured_beside: frozenset[str] = frozenset()
    """UIDs of the studies of series beside whose measurements are among them."""
    measured: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    """What each of them came to when it was last changed, by its UID."""
    chosen_measurement: str = ""
    """UID of the one that is chosen; empty for none."""
    measure_steps: Steps[MeasureStep] = field(default_factory=Steps)
    """What was done to them, and undone."""
    key_images: tuple[KeyImage, ...] = ()
    """Those of the open study."""
    chosen_key: str = ""
    """UID of the key image that is chosen; empty for none."""
    key_steps: Steps[KeyStep] = field(default_factory=Steps)
    """What was done to them, and undone."""
    key_revision: int = 0
    """Grows when the picture of a key image is there, or is another."""
    report: Report | None = None
    """The report that is open: of the open study, a draft or a final version."""
    report_versions: tuple[Report, ...] = ()
    """All of its versions, the first one first."""
    report_saved: str = ""
    """What is wrong with keeping it; empty while every letter reaches the disk."""
    report_signing: str = ""
    """UID of the draft that is being made final: nobody writes in it any more."""
    report_revision: int = 0
    """Grows when all that was written is on the disk."""
    path: Path | None = None
    """That of the curved plane."""
    path_open: bool = False
    """Whether it is still being drawn."""
    path_steps: Steps[Step[Path]] = field(default_factory=Steps)
    """What was done to it, and undone."""
    draft: Draft | None = None
    """The measurement that is being placed, or dragged; those that are kept are `measurements`."""
    live_values: LiveValues = field(default_factory=LiveValues)
    """What measurements on the open image come to, also while one is dragged."""
    message: Message | None = None
    document: Document | None = None
    """A report or document that was read and is to be shown; the window takes it from here."""
    busy_plugins: frozenset[str] = frozenset()
    queue_revision: int = 0
    """Grows when a case enters or leaves the fine-tuning queue."""
    models_revision: int = 0
    """Grows when a model version is added, promoted or rolled back."""
    plugins_revision: int = 0
    """Grows when a plugin is installed, removed, trusted, enabled or disabled."""
    plugin_names: Mapping[str, str] = field(default_factory=dict)
    """What the plugins that were found are called, by their id."""
    catalog_revision: int = 0
    """Grows when the catalogue of studies changes."""
    chosen_study: str = ""
    """UID of the study that is chosen in the list of studies; empty where the open one is meant."""
    chosen_series: str = ""
    """UID of the series that is chosen in the list of studies; empty for none."""
    chosen_attachment: str = ""
    """UID of the mask, report or document that is chosen in the list of studies; empty for none."""
    chosen_state: str = ""
    """Where the study that is meant stands on the worklist; empty where the catalogue does not have it."""
    own_windows: tuple[OwnWindow, ...] = ()
    """Windows that the user kept, of every modality."""
    line_places: Mapping[str, Place] = field(default_factory=dict)
    """Where the user wants lines of text over the image, where it is not as at first."""
    mode: str = "read"
    """Which of `modes.MODES` the window is in."""
    solid_looks: Mapping[str, str] = field(default_factory=dict)
    """The look that was chosen last in 3D, by modality: ids of `app.solid_looks`."""
    view: View = field(default_factory=View)

    @property
    def shown(self) -> Image | None:
        """The open image at the phase that is shown: what voxels are asked of; the open image itself is `image`."""
        image = self.image
        if image is None or image.dynamic is None:
            return image
        return image.at_phase(min(self.view.phase, len(image.dynamic.axis) - 1))

    def elsewhere(self, phase: int | None) -> bool:
        """Whether what was found in a phase (None: nobody noted which) is not about the phase that is shown."""
        shown = self.shown
        if shown is None or shown.dynamic is None or phase is None or not 0 <= phase < len(shown.dynamic.axis):
            return False
        return phase != shown.phase

    def maker(self, made: Provenance) -> str:
        """Who made a result, in few words: the plugin's name, or its id where it is gone, and the model's version."""
        name = self.plugin_names.get(made.plugin_id, made.plugin_id)
        return f"{name} {made.model_version}".strip() if name else f"by {made.author or 'hand'}"

    def say(self, text: str, level: str = "info", details: str = "", series_uid: str = "") -> None:
        """Tell the user something, in one sentence."""
        self.message = Message(text, level, details, series_uid)
