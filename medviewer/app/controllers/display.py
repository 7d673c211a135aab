"""From the session to what each viewport shows: pure, compared with what is shown, applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from medviewer.app.controllers.fusing import fused_look
from medviewer.app.controllers.measures import drawn_measures
from medviewer.app.controllers.paths import drawn_path
from medviewer.app.controllers.reference_lines import reference_lines
from medviewer.app.controllers.slabs import slab_of
from medviewer.app.controllers.texts import corners
from medviewer.app.controllers.turning import turned_display, turned_of
from medviewer.app.hanging.companions import aside, companion_of, index_of, plane_of
from medviewer.app.hanging.layouts import SINGLE
from medviewer.app.hanging.wearing import worn
from medviewer.app.mask_store import MaskStore, phase_of
from medviewer.app.ports.display import (
    Corners,
    Display,
    DrawnBox,
    DrawnMark,
    GraphicLook,
    HeatLook,
    MaskLook,
    Padding,
    ViewPort,
)
from medviewer.app.ports.scene import Scene, VolumePort
from medviewer.app.solid_looks import solid_look
from medviewer.app.state import EDIT_TOOLS, Session
from medviewer.domain.geometry import Grid, Vector
from medviewer.domain.image import Image
from medviewer.domain.mask import PALETTE, Colour
from medviewer.domain.plane import Plane
from medviewer.domain.strokes import Box
from medviewer.domain.study import Series


def mask_look(session: Session) -> MaskLook | None:
    """How the open mask is drawn, or None when there is none or it is hidden."""
    store = session.mask
    if store is None or not session.view.mask_visible:
        return None
    colours: tuple[tuple[int, Colour], ...] = tuple(
        (s.label, s.colour) for s in store.segments if s.label not in session.hidden_labels
    )
    return MaskLook(store.labels, colours, session.view.mask_opacity)


def heat_look(session: Session) -> HeatLook | None:
    """How the heat map is drawn, or None when there is none, it is hidden or of a phase that is not shown."""
    heat, view = session.heatmap, session.view
    if heat is None or not view.heat_visible or session.elsewhere(phase_of(heat)):
        return None
    return HeatLook(heat.values, view.doubt_colormap if heat.is_doubt else view.heat_colormap, view.heat_opacity)


def graphic_look(session: Session, plane: Plane) -> GraphicLook | None:
    """What the file draws over a slice of its own plane; None where it draws nothing or that is hidden."""
    image, view = session.shown, session.view
    if image is None or not image.overlays or not view.show_graphics or plane.axis != 0:
        return None
    return GraphicLook(image.overlays, image.phase * image.grid.shape[0] + view.cursor[0])


def drawn_marks(session: Session, plane: Plane, k: int) -> tuple[DrawnMark, ...]:
    """What of the prompts lies on slice k; boxes show on every slice that they go through."""
    shown = []
    newest = session.clicks[-1] if session.click_busy and session.clicks else None
    for prompt in session.clicks:
        low, high = (corner[plane.axis] for corner in prompt.bounds())
        if low - 0.5 <= k <= high + 0.5:
            at = tuple(plane.to_screen(position) for position in prompt.at)
            shown.append(DrawnMark(at, prompt.positive, prompt is newest))
    return tuple(shown)


def drawn_boxes(session: Session, plane: Plane, k: int) -> tuple[DrawnBox, ...]:
    """Boxes around what a model found, where slice k runs through them; the one that is looked at comes last."""
    found = session.detections
    if found is None or not session.view.mask_visible or session.elsewhere(phase_of(found)):
        return ()
    names = list(dict.fromkeys(one.label for one in found.found))
    shown = []
    for number, one in enumerate(found.found):
        if one.touches(plane.axis, k):
            # Edges are half a voxel before the index of the middle.
            low, high = (tuple(edge - 0.5 for edge in corner) for corner in (one.low, one.high))
            corners = plane.to_screen((low[0], low[1], low[2])), plane.to_screen((high[0], high[1], high[2]))
            colour = PALETTE[names.index(one.label) % len(PALETTE)]
            chosen = number == session.chosen_detection
            # The number of its row; words at every box would cover their neighbours.
            text = f"{number + 1}  {one.label} {one.score:.2f}" if chosen else f"{number + 1}"
            shown.append(DrawnBox(corners, colour, text, chosen))
    return tuple(sorted(shown, key=lambda box: box.chosen))


def padding_of(image: Image, inverted: bool) -> Padding | None:
    """What of an image is drawn as background; None where that takes no doing."""
    value = image.background(inverted)
    if value is None or image.padding is None:
        return None
    return Padding(image.voxels, *image.padding, value)


def oriented(series: Series) -> bool:
    """Whether the file said how the patient lay; letters would be guesses where it did not."""
    return all(warning.code != "no-orientation" for warning in series.warnings)


def resolve(session: Session, plane: Plane, number: int) -> Display | None:
    """What viewport `number` shows of the open image in a plane; None when nothing is open."""
    image, series, view = session.shown, session.series, session.view
    if image is None or series is None:
        return None
    k = view.cursor[plane.axis]
    voxels, slope, intercept = image.uniform
    low, high = view.window.limits
    inverted = view.inverted != image.inverted
    several = image.is_volume
    made = Display(
        plane=plane,
        k=k,
        voxels=voxels,
        slope=slope,
        intercept=intercept,
        limits=(high, low) if inverted else (low, high),
        curve=view.window.curve,
        colours=view.colours,
        padding=padding_of(image, inverted),
        slab=slab_of(session, image, plane),
        graphics=graphic_look(session, plane),
        mask=mask_look(session),
        heat=heat_look(session),
        fused=fused_look(session, plane, number),
        crosshair=plane.to_screen(view.cursor) if several and view.show_crosshair else None,
        letters=plane.letters() if view.show_text and oriented(series) else ("", "", "", ""),
        corners=corners(session, image, series, plane, number) if view.show_text else Corners(),
        calibrated=image.calibrated,
        brush_mm=view.brush_mm if view.tool in EDIT_TOOLS and view.tool != "fill" else None,
        boxes=drawn_boxes(session, plane, k),
        marks=drawn_marks(session, plane, k) if session.clicks else (),
        magnifier=view.magnifier,
        measures=(*drawn_path(session, plane, k), *drawn_measures(session, plane, k)),
        active=view.active == number,
        revision=session.mask.revision if session.mask else 0,
        identity=session.image,
        arrived=-1 if session.arrival is None else session.arrival.seen(plane.axis, k, view.phase),
    )
    return turned_display(session, image, made, number)


def resolve_pane(session: Session, planes: Sequence[Plane], number: int) -> Display | None:
    """What pane `number` shows, of whatever series; None when nothing is open.

    Parameters
    ----------
    session
        What is open.
    planes
        Of all panes.
    number
        The pane.
    """
    companion, plane, view = companion_of(session, number), planes[number], session.view
    pane = view.hung[number]
    if pane.is_empty:
        return None
    if companion is None:
        display = resolve(worn(session, pane.look), plane, number)
    else:
        display = resolve(worn(aside(session, companion, pane), pane.look), plane, 0)
    if display is not None and pane.side:
        display = replace(display, side=pane.side, corners=display.corners.away_from(pane.side))
    if display is None or not session.companions:
        return display
    # of turned planes there are no slices that others could show as a line
    lines = () if turned_of(session) is not None else reference_lines(session, planes, number)
    if companion is None:
        return replace(display, lines=lines) if lines else display
    at = index_of(session, companion)
    crosshair = display.crosshair if companion.image.grid.contains(at) else None
    measures = drawn_measures(session, display.plane, display.k, companion)
    return replace(display, active=view.active == number, crosshair=crosshair, lines=lines, measures=measures)


def resolve_scene(session: Session) -> Scene | None:
    """What the 3D view shows; None when the open image is not a volume of grey values."""
    image, first = session.shown, session.image
    if image is None or first is None or not image.is_volume or image.is_colour or session.arrival is not None:
        return None  # half a volume is no picture in 3D, and to hand it to the screen again and again takes seconds
    grid = image.grid
    z, y, x = (grid.array_axis(world) for world in (2, 1, 0))
    voxels, slope, intercept = image.uniform
    # Not the reader's window: a narrow one would fill 3D with grey air. The same for every phase, or a film flickers.
    low, high = ((limit - intercept) / slope for limit in first.auto_window().limits)
    known = session.series is None or oriented(session.series)
    flips = (bool(grid.axes[2, z] > 0), bool(grid.axes[1, y] < 0), bool(grid.axes[0, x] < 0))
    return Scene(
        voxels=voxels,
        spacing=grid.spacing,
        order=(z, y, x),
        flips=flips,
        limits=(low, high),
        mask=mask_look(session),
        revision=session.mask.revision if session.mask else 0,
        identity=first,
        look=solid_look(session),
        slope=slope,
        intercept=intercept,
        box=session.view.solid_box,
        names=_names(session),
        through=session.view.solid_through,
        padding=_solid_padding(image, voxels),
        oriented=known,
        towards=_towards(grid, (z, y, x), flips),
        lettered=known and session.view.show_text,
    )


def _towards(grid: Grid, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> tuple[Vector, Vector, Vector]:
    """Steps in the world along the axes of an array that was turned for 3D."""
    steps = grid.axes[:, order].T * np.where(flips, -1.0, 1.0)[:, None]
    down, back, left = ((float(x), float(y), float(z)) for x, y, z in steps)
    return down, back, left


def _names(session: Session) -> tuple[tuple[str, Colour], ...]:
    if session.mask is None or not session.view.mask_visible:
        return ()
    return tuple((s.name, s.colour) for s in session.mask.segments if s.label not in session.hidden_labels)


def _solid_padding(image: Image, voxels: object) -> tuple[float, float, float] | None:
    if image.padding is None or voxels is not image.voxels:
        return None
    return *image.padding, image.rescale.invert(image.darkest(False))


def visible_panes(session: Session) -> tuple[int, ...]:
    """The numbers of the panes that are seen: one of them in a single viewport, else all of the layout's.

    A single picture has no planes to be shown in three.
    """
    image, view = session.image, session.view
    if image is None:
        return ()
    count = len(view.hung)
    if not image.is_volume and view.arranged.volume is not None:
        return (0,)
    if view.layout == SINGLE:
        return (view.active if view.active < count else 0,)
    return tuple(range(count))


LARGE = 1 << 21
"""Pixels of a slice from which each viewport that shows a fresh one gets a turn of the event loop: to convert, upload
and draw four mammograms of 4096 x 3328 takes a fifth of a second."""


class DisplayController:
    """Keeps the viewports in step with the session.

    Parameters
    ----------
    session
        What is open.
    viewports, volume
        The rectangles that show slices, in the order of the layout's panes; and the 3D one.
    schedule
        Asked to call `refresh` soon, once, however much changed: one draw a frame.
    rest
        Asked to call something once what was applied is drawn; by default that is soon.
    """

    def __init__(
        self,
        session: Session,
        viewports: Sequence[ViewPort],
        volume: VolumePort | None,
        schedule: Callable[[Callable[[], None]], None],
        rest: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.session = session
        self.viewports = list(viewports)
        self.volume = volume
        self.planes: tuple[Plane, ...] = ()
        self._schedule = schedule
        self._rest = schedule if rest is None else rest
        self.coarse = False
        """Whether a hand moves turned planes just now."""
        self._pending = self._closed = False
        self._applied: dict[int, Display | None] = {}
        """What each viewport was told last."""
        self._resting = self._left = False
        """Whether a large picture is drawn just now, and another one waits for it."""
        self._store: MaskStore | None = None
        self._shown_image: object = None
        session.events.connect(self.request)
        session.view.events.connect(self.request)
        session.events.mask.connect(self._follow_mask)
        session.live_values.changed.connect(self.request)
        self._follow_mask(session.mask)

    def request(self, *_: object) -> None:
        """Something changed: refresh once, soon."""
        if not self._pending:
            self._pending = True
            self._schedule(self.refresh)

    def refresh(self, *, at_once: bool = False) -> None:
        """Bring every visible viewport up to date; of fresh large pictures one, and the next one once that is drawn.

        Parameters
        ----------
        at_once
            All of them now, however long it takes: for pictures.
        """
        if self._closed:  # it was asked for before
            return
        self._pending = False
        session = self.session
        image = session.image
        fresh, self._shown_image = image is not self._shown_image, image
        panes = session.view.hung if image is not None else ()
        self.planes = tuple(plane for plane in (plane_of(session, number) for number in range(len(panes))) if plane)
        visible = visible_panes(session)
        self._left = False
        for number in range(len(self.viewports)):
            if number in visible:
                display = self._resolve(number)
                long = self._takes_long(number, display) and not at_once
                if long and self._resting:
                    self._left = True
                    self._empty_of_another(number, display)
                    continue
                self._apply(number, display)
                if long:
                    self._resting = True
                    self._rest(self._rested)
            elif fresh or number >= len(panes):
                self._apply(number, None)  # what nobody sees costs no time, and holds no image that is closed
        if self.volume is not None and (fresh or self.shows_volume):
            self.volume.apply(resolve_scene(session) if self.shows_volume else None)

    def _apply(self, number: int, display: Display | None) -> None:
        self._applied[number] = display
        self.viewports[number].apply(display)

    def _rested(self) -> None:
        """The large picture is drawn: the next one."""
        self._resting = False
        if self._left:
            self.refresh()

    def _takes_long(self, number: int, display: Display | None) -> bool:
        """Whether it is a large picture, as a mammogram, that the viewport does not show yet in any way."""
        before = self._applied.get(number)
        if display is None or (before is not None and before.same_picture(display)):
            return False
        rows, columns = display.plane.shape
        return rows * columns > LARGE

    def _empty_of_another(self, number: int, display: Display | None) -> None:
        """Until its turn comes a viewport shows no image that another one has left already."""
        before = self._applied.get(number)
        if before is not None and display is not None and before.identity is not display.identity:
            self._apply(number, None)

    def _resolve(self, number: int) -> Display | None:
        display = resolve_pane(self.session, self.planes, number)
        if self.coarse and display is not None and display.turned is not None:
            return replace(display, coarse=True)
        return display

    @property
    def resting(self) -> bool:
        """Whether a large picture is being drawn: what else takes long had better wait."""
        return self._resting

    @property
    def shows_volume(self) -> bool:
        """Whether the layout has a place for 3D, and the open image can be shown there."""
        image, view = self.session.image, self.session.view
        place = view.layout != SINGLE and view.arranged.volume is not None
        return place and image is not None and image.is_volume and not image.is_colour

    def close(self) -> None:
        """Follow nothing any more."""
        self.session.events.disconnect(self.request)
        self.session.view.events.disconnect(self.request)
        self.session.events.mask.disconnect(self._follow_mask)
        self.session.live_values.changed.disconnect(self.request)
        self._follow_mask(None)
        self._pending = self._closed = True

    def _follow_mask(self, store: MaskStore | None) -> None:
        if self._store is not None:
            self._store.changed.disconnect(self._on_voxels)
            self._store.segments_changed.disconnect(self.request)
        self._store = store
        if store is not None:
            store.changed.connect(self._on_voxels)
            store.segments_changed.connect(self.request)

    def _on_voxels(self, box: Box) -> None:
        self.request()
