"""The viewport that shows a volume in 3D, with the mask's structures in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from medviewer.app.ports.scene import Scene, SolidSide
from medviewer.ui.translate import tr
from medviewer.ui.viewport.background import Background, at_once
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.solid import Factors, Solid, Surfaces, factors_for, mesh_of, texture_of, thin_labels
from medviewer.ui.viewport.solid_camera import DIRECTIONS, rotated
from medviewer.ui.viewport.solid_drag import SolidDrag
from medviewer.ui.viewport.solid_marks import EdgeLetters, OrientationCube, SolidLegend
from medviewer.ui.viewport.solid_stage import SolidStage, software_rendered, texture_limit

HARDWARE_EDGE, SOFTWARE_EDGE = 512, 128
"""Largest number of voxels along an axis that is drawn, with a graphics card and without."""
MASK_EDGE = 256
"""Largest number of voxels along an axis that surfaces are made from."""
_SETTLE_MS = 250
"""A change is drawn once nothing has changed for so long: 3D is for looking, not for following a brush."""
_REST_MS = 300
"""How long nothing has to move until all details are drawn again."""
_EDGE = 9
_UNDER_LEGEND = 12
_FILLS = 0.8
"""The part of the view that a volume takes at first."""


class VolumeView(QFrame):
    """Implements `VolumePort`: turned with the mouse, drawn coarsely while anything moves.

    Parameters
    ----------
    background
        How surfaces and textures are worked out without holding up the window.
    """

    look_moved = Signal(float, float)
    """The right button was dragged: how far up and wider the look is to go, in parts of its range."""
    menu_requested = Signal(QPoint)
    """The right button was clicked there, on the screen."""
    enlarge_requested = Signal()

    def __init__(self, parent: QWidget | None = None, background: Background = at_once) -> None:
        super().__init__(parent)
        self._background = background
        self._generation = 0
        self.reserved = 0
        """Pixels at the upper right where something else stands."""
        self._unshown = self._drawn_ahead = False
        self.setObjectName("viewport")
        self.setMinimumSize(120, 100)
        self._canvas: NapariCanvas | None = None
        self._stage: SolidStage | None = None
        self._software = False
        self._limit = 0
        self.shown: Scene | None = None
        self._wanted: Scene | None = None
        self._surfaces = Surfaces()
        self._looked_at: object = None
        self._asked: SolidSide = "first"
        self._note = QLabel(self)
        self._note.setObjectName("viewportNote")
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note.setWordWrap(True)
        self._note.move(_EDGE, _EDGE)
        self.letters = EdgeLetters(self)
        self.cube = OrientationCube(self)
        self.cube.clicked.connect(self._look_from)
        self.legend = SolidLegend(self)
        for mark in (self.letters, self.cube, self.legend):
            mark.hide()
        self._timer = self._single_shot(_SETTLE_MS, self.settle)
        self._rest = self._single_shot(_REST_MS, self._come_to_rest)

    def _single_shot(self, wait_ms: int, then: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(wait_ms)
        timer.timeout.connect(then)
        return timer

    def prepare(self) -> bool:
        """Make the canvas before there is a volume, and draw on it; whether that was yet to be done."""
        if self._canvas is None:
            return self.canvas is not None
        if self._drawn_ahead:
            return False
        self._canvas.draw_ahead()
        self._drawn_ahead = True
        return True

    @property
    def canvas(self) -> NapariCanvas:
        """The canvas, made when it is first drawn on: the window's first picture does not wait for it."""
        if self._canvas is None:
            self._canvas = NapariCanvas(self, ndisplay=3)
            self._canvas.camera.events.angles.connect(self._follow_camera)
            self._drag = SolidDrag(self._canvas)
            self._drag.look_moved.connect(self.look_moved)
            self._drag.menu_requested.connect(self.menu_requested)
            self._drag.enlarge_requested.connect(self.enlarge_requested)
            self._drag.moved.connect(self.hasten)
            self._canvas.make_current()
            self._software, self._limit = software_rendered(), texture_limit()
            self._canvas.native.lower()  # under the marks, and under what the window put here before
        return self._canvas

    @property
    def stage(self) -> SolidStage:
        """What is on the graphics card; made with the canvas."""
        if self._stage is None:
            self._stage = SolidStage(self.canvas, self._software)
        return self._stage

    def close_canvas(self) -> None:
        """Let go of the GL widget, if there is one."""
        self._generation += 1  # what is still being worked out comes too late
        self._timer.stop()
        self._rest.stop()
        if self._canvas is not None:
            self._canvas.close()

    # -- what is shown --------------------------------------------------------------------------------------------

    def apply(self, scene: Scene | None) -> None:
        """Show that volume, soon; a hidden view waits until it is seen. Look and box are followed at once."""
        former, self._wanted = self._wanted, scene
        if scene is None:
            self.settle()
            return
        if not self.isVisible():
            return
        drawn = self._stage is not None and self._stage.shown and self.shown is not None
        if drawn and _same_volume(self.shown, scene) and (former is None or _dressed_differently(former, scene)):
            self._dress(scene)
        if _differs(self.shown, scene):
            self._announce(scene)
            self._timer.start()

    def _dress(self, scene: Scene) -> None:
        self.hasten()
        self.stage.dress(scene)
        self._mark(scene)

    def _announce(self, scene: Scene) -> None:
        """Say that a picture is on its way where there is none of that image yet; a film says it only once."""
        if self._stage is None or not self._stage.shown or scene.identity is not self._looked_at:
            self._tell("Working out 3D…")

    def _tell(self, text: str) -> None:
        self._note.setText(tr(text))
        self._place_marks()
        self._note.show()
        self._note.raise_()

    def settle(self) -> None:
        """Work out what was asked for last, in the background, and draw it."""
        self._timer.stop()
        scene = self._wanted
        if scene is not None and not self.isVisible():
            return
        old, self.shown = self.shown, scene
        self._generation += 1
        if scene is None:
            if self._stage is not None:
                self._stage.hide()
            for mark in (self._note, self.letters, self.cube, self.legend):
                mark.hide()
            return
        self._work_out(scene, old is None or not _same_volume(old, scene) or self._unshown)

    def _work_out(self, scene: Scene, fresh: bool) -> None:
        generation, stage = self._generation, self.stage
        self._unshown = fresh
        edge = min(SOFTWARE_EDGE if self._software else HARDWARE_EDGE, self._limit)
        shape = tuple(scene.voxels.shape[axis] for axis in scene.order)
        factors, coarser = factors_for(shape, edge), factors_for(shape, min(edge, MASK_EDGE))
        spacing = tuple(scene.spacing[axis] for axis in scene.order)
        colours = scene.mask.colours if scene.mask is not None else ()
        former = self._surfaces

        def work() -> Solid:
            texture = texture_of(scene, factors) if fresh else None
            # a copy, as the mask may be painted on meanwhile; what that changes is worked out after the stroke
            labels = thin_labels(scene, coarser)
            if labels is None:
                return Solid(texture, None, Surfaces())
            thinned = tuple(mm * f for mm, f in zip(spacing, coarser, strict=True))
            surfaces = former.updated(labels, [label for label, _ in colours], thinned)
            mesh = mesh_of(surfaces, colours, spacing, coarser)
            if mesh is not None:
                _ = mesh.drawable  # here, where it holds up nobody
            return Solid(texture, mesh, surfaces)

        def done(solid: Solid) -> None:
            if generation != self._generation:
                return
            self._surfaces = solid.surfaces
            steps = stage.fill(solid.texture, scene) if solid.texture is not None else iter(())
            self._step(generation, steps, lambda: finish(solid))

        def finish(solid: Solid) -> None:
            self._unshown = False
            newest = self._wanted
            wanted = newest if newest is not None and _same_volume(newest, scene) else scene
            stage.draw_mesh(solid.mesh, wanted)
            stage.dress(wanted)
            if fresh:
                self._look_at(scene, shape, spacing)
            self._tell(notice(shape, factors, self._limit, self._software))
            self._mark(wanted)

        self._background(work, done)

    def _step(self, generation: int, steps: Iterator[None], finish: Callable[[], None]) -> None:
        """Go through what takes long in parts, between which the window answers; pictures wait for all of it."""
        if generation != self._generation:
            return
        for _ in steps:
            if self._background is not at_once:
                QTimer.singleShot(0, self, lambda: self._step(generation, steps, finish))
                return
        finish()

    def _mark(self, scene: Scene) -> None:
        self.legend.show_look(scene.look, scene.names)
        self.cube.lettered = scene.oriented
        self.letters.towards = scene.towards
        self._follow_camera()
        self.letters.setVisible(scene.lettered)
        for mark in (self.cube, self.legend):
            mark.show()
            mark.raise_()
        self._place_marks()

    def reserve(self, width: int) -> None:
        """Leave so many pixels at the upper right to something else."""
        self.reserved = width
        self._place_marks()

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while the view was hidden."""
        super().showEvent(event)
        if self._wanted is None:
            return
        if _differs(self.shown, self._wanted):
            self._announce(self._wanted)
            self._timer.start()
        elif self._stage is not None and self._stage.shown:
            self._dress(self._wanted)  # coarsely, for the first picture: the slices beside it do not wait

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the marks in their corners."""
        super().resizeEvent(event)
        self._place_marks()
        before, now = event.oldSize(), event.size()
        if self._canvas is not None and min(before.width(), before.height()) > 0:
            ratio = min(now.width(), now.height()) / min(before.width(), before.height())
            self._canvas.camera.zoom *= ratio  # as much of the patient as before

    def _place_marks(self) -> None:
        free = self.width() - 2 * _EDGE - self.reserved
        self._note.setFixedWidth(max(60, min(free, self._note.fontMetrics().horizontalAdvance(self._note.text()) + 8)))
        self._note.setFixedHeight(max(self._note.heightForWidth(self._note.width()), 1))
        self.cube.move(_EDGE, self.height() - self.cube.height() - _EDGE)
        self.letters.place(self.rect(), self._note.geometry(), self.cube.geometry(), self.reserved)
        self.legend.fit(self.height() - _UNDER_LEGEND - self.letters.right_letter_ends)
        left, top = self.width() - self.legend.width() - _EDGE, self.height() - self.legend.height() - _UNDER_LEGEND
        self.legend.move(left, top)
        # in a small view they would cover the picture
        small = self.height() < 2 * self.legend.height() or self.width() < 2 * self.legend.width()
        if self._stage is not None and self._stage.shown:
            self.legend.setVisible(not small)

    # -- the camera -----------------------------------------------------------------------------------------------

    def look_from(self, side: SolidSide) -> None:
        """Look from a side of the patient; ``first`` also moves and zooms as at first."""
        if self._stage is None or not self._stage.shown:
            self._asked = side  # for when there is something to see
        view, up = DIRECTIONS[side]
        self.canvas.camera.set_view_direction(view_direction=view, up_direction=up)
        if side == "first" and self.shown is not None:
            order = self.shown.order
            self._look(tuple(self.shown.voxels.shape[a] for a in order), tuple(self.shown.spacing[a] for a in order))
        self._follow_camera()

    def _look_from(self, side: str) -> None:
        for known in DIRECTIONS:
            if known == side:
                self.look_from(known)

    def turn(self, right: float, up: float) -> None:
        """Turn what is seen to the right and upwards, in radians."""
        self.hasten()
        camera = self.canvas.camera
        view, above = rotated(camera.view_direction, camera.up_direction, right, up)
        camera.set_view_direction(view_direction=view, up_direction=above)
        self._follow_camera()

    def hasten(self) -> None:
        """Something moves: draw coarsely until it has come to rest."""
        if self._stage is not None:
            if not self._stage.moving:
                self._stage.set_moving(True)
            self._rest.start()

    def _come_to_rest(self) -> None:
        if self._stage is None:
            return
        if self._drag.held:
            self._rest.start()
            return
        self._stage.set_moving(False)

    def _follow_camera(self, *_: object) -> None:
        if self._canvas is not None:
            camera = self._canvas.camera
            if self._stage is not None:
                self._stage.light()
            self.cube.turn(camera.view_direction, camera.up_direction)
            self.letters.turn(camera.view_direction, camera.up_direction)

    def _look_at(self, scene: Scene, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        """Turn the camera to a new image; another phase of the one that is seen stays as the user turned it."""
        if scene.identity is None or scene.identity is not self._looked_at:
            self._looked_at = scene.identity
            self._look(shape, spacing)

    def _look(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        extent = np.array(shape) * np.array(spacing)
        camera = self.canvas.camera
        camera.center = tuple(extent / 2)
        size = self.size()  # the canvas may be new, and not have its size yet
        camera.zoom = _FILLS * min(size.width(), size.height()) / float(extent.max())
        view, up = DIRECTIONS[self._asked]
        self._asked = "first"
        camera.set_view_direction(view_direction=view, up_direction=up)

    # -- pictures -------------------------------------------------------------------------------------------------

    def picture(self) -> QPixmap:
        """What is seen, with letters, cube and legend, without buttons."""
        with self.uncovered():
            return self.grab()

    @contextmanager
    def uncovered(self) -> Iterator[None]:
        """Draw finely and hide the buttons meanwhile."""
        covering = [w for w in self.findChildren(QWidget) if w.property("overlay") and w.isVisible()]
        for widget in covering:
            widget.hide()
        if self._stage is not None:
            self._stage.set_moving(False)
        try:
            yield
        finally:
            for widget in covering:
                widget.show()


def notice(shape: tuple[int, ...], factors: Factors, limit: int, software: bool) -> str:
    """What the corner of the view says: how much of the resolution is drawn, and why not all of it.

    Parameters
    ----------
    shape
        Voxels to the feet, to posterior and to the left.
    factors
        How many of them became one.
    limit
        The longest edge that the graphics card takes.
    software
        Whether there is no graphics card.
    """
    if max(factors) == 1:
        return "3D, drawn without a graphics card" if software else "3D"
    if len(set(factors)) == 1:
        part = f"1/{factors[0]} of the resolution"
    else:
        names = ("head to feet", "front to back", "side to side")
        parts = [f"1/{f} {name}" for f, name in zip(factors, names, strict=True) if f > 1]
        part = f"{', '.join(parts)} of the resolution"
    if software:
        why = "no graphics card"
    elif limit < HARDWARE_EDGE:
        why = f"the graphics card takes {limit} voxels along an edge"
    else:
        why = f"more than {HARDWARE_EDGE} voxels along an edge"
    return f"3D at {part}: {why}"


def _same_volume(old: Scene | None, new: Scene) -> bool:
    return old is not None and old.voxels is new.voxels and old.padding == new.padding


def _differs(old: Scene | None, new: Scene) -> bool:
    """Whether there is anything to work out: voxels, or surfaces."""
    if old is None or not _same_volume(old, new):
        return True
    if (old.mask is None) != (new.mask is None):
        return True
    if old.mask is None or new.mask is None:
        return False
    return (old.revision, old.mask.labels is new.mask.labels, old.mask.colours) != (
        new.revision,
        True,
        new.mask.colours,
    )


def _dressed_differently(old: Scene, new: Scene) -> bool:
    before = old.look, old.box, old.through, old.limits, old.names, old.lettered
    return before != (new.look, new.box, new.through, new.limits, new.names, new.lettered)
