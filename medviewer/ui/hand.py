"""The way from the mouse over a viewport to commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from medviewer.app.commands import beside, fusion, interactive, panes, planes, view
from medviewer.app.controllers.fusing import fused_value
from medviewer.app.controllers.pathing import PathTool
from medviewer.app.controllers.placing import Grip, MeasureTool
from medviewer.app.controllers.texts import read_out
from medviewer.app.controllers.turning import turned_read_out
from medviewer.app.hanging.companions import aside, companion_of, looked_at
from medviewer.app.hanging.wearing import look_of, worn
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import EDIT_TOOLS, Focus
from medviewer.domain.plane import Plane
from medviewer.domain.turned import Turned
from medviewer.plugin_api import Prompt
from medviewer.plugin_api.interactive import PromptKind
from medviewer.ui.viewport_pane import ViewportPane

if TYPE_CHECKING:
    from medviewer.ui.viewport.slice_view import SliceView

Place = tuple[float, float]
"""Row and column of a slice, not rounded."""


class Hand(QObject):
    """Turns what the mouse asks for in one viewport into commands.

    Parameters
    ----------
    services
        What the commands work on.
    pane
        Where the viewport is; it knows what each shows.
    number, slice_view
        Which of its viewports.
    measuring
        What the left button does with measurements.
    paths
        What it does with the path of the curved plane.
    """

    read_out = Signal(str)
    """What is under the pointer."""

    def __init__(
        self,
        services: Services,
        pane: ViewportPane,
        number: int,
        slice_view: SliceView,
        measuring: MeasureTool,
        paths: PathTool,
    ) -> None:
        super().__init__(pane)
        self.services, self.number = services, number
        self._pane = pane
        self._slices = slice_view
        self._state = services.session.view
        self._measuring, self._paths = measuring, paths
        self._before: tuple[tuple[int, int, int], Focus | None, Turned | None] | None = None
        self._connect()

    def _connect(self) -> None:
        services, slice_view = self.services, self._slices
        slice_view.set_tool(self._state.tool)
        slice_view.pointed.connect(self._point)
        slice_view.scrolled.connect(self.scroll)
        slice_view.windowed.connect(self._drag_window)
        slice_view.fused_windowed.connect(lambda right, down: fusion.drag_window(services.session, right, down))
        slice_view.turned.connect(self.turn)
        slice_view.stroke_began.connect(self._begin_stroke)
        slice_view.stroke_moved.connect(self._move_stroke)
        slice_view.stroke_ended.connect(lambda: view.end_stroke(self.services))
        slice_view.clicked.connect(self._click)
        slice_view.boxed.connect(self._box)
        slice_view.measure_pressed.connect(self._press_measure)
        slice_view.measure_moved.connect(self._move_measure)
        slice_view.measure_released.connect(self._release_measure)
        slice_view.measure_edited.connect(self._end_measure)
        slice_view.hovered.connect(self._hover)
        slice_view.left.connect(lambda: self.read_out.emit(""))
        slice_view.activated.connect(self._activate)
        slice_view.enlarged.connect(self._enlarge)

    def scroll(self, steps: int) -> None:
        """Go so many slices on; of a turned plane, along its normal."""
        turned = self._turned()
        if turned is not None:
            self._pane.hasten()
        if turned is None or not planes.scroll_turned(self.services, turned.plane.name, steps):
            beside.scroll(self.services, self.number, steps)

    def turn(self, angle: float) -> None:
        """Turn the crosshair's lines, in radians, clockwise."""
        plane, hung = self._plane(), self._state.hung
        if plane is not None:
            # in a picture that is mirrored, the hand goes the other way round
            seen = -angle if self.number < len(hung) and hung[self.number].turn.mirrored else angle
            self._pane.hasten()
            self.services.attempt(lambda: planes.turn(self.services, plane.name, seen))

    # -- what there is

    def _plane(self) -> Plane | None:
        return self._pane.plane(self.number)

    def _turned(self) -> Display | None:
        """What is shown where its plane is turned; None where it is straight."""
        shown = self._slices.shown
        return shown if shown is not None and shown.turned is not None else None

    # -- looking

    def _point(self, row: float, column: float) -> None:
        turned, session = self._turned(), self.services.session
        if turned is not None:
            self._pane.hasten()
            planes.point_turned(self.services, turned.plane, row, column, turned.k)
            return
        shown, index = looked_at(session, self.number), beside.index_at(session, self.number, row, column)
        if index is not None and shown is not None and shown.is_volume:
            beside.move(self.services, self.number, index)

    def _drag_window(self, right: float, down: float) -> None:
        view.drag_window(self.services, right, down, self.number)

    def _hover(self, row: float, column: float) -> None:
        turned, session = self._turned(), self.services.session
        if turned is not None:
            over = fused_value(session, turned.plane, (row, column, turned.k), self.number)
            self.read_out.emit(turned_read_out(session, turned.plane, row, column, turned.k, over))
            return
        companion, planes = companion_of(session, self.number), self._pane.controller.planes
        index = beside.index_at(session, self.number, row, column)
        if index is None or self.number >= len(planes):
            self.read_out.emit("")
        else:
            about = worn(session if companion is None else aside(session, companion), look_of(session, self.number))
            self.read_out.emit(read_out(about, index, planes[self.number], self.number))

    def _note_click(self) -> None:
        self._before = self._state.cursor, self._state.focus, self._state.turned

    def _activate(self) -> None:
        self._note_click()
        self._state.active = self.number

    def _enlarge(self) -> None:
        state, session = self._state, self.services.session
        state.active = self.number
        before, self._before = self._before, None
        if before is not None:  # the first click of the two moved the crosshair
            state.turned = before[2]
            state.cursor, state.focus = before[:2]
        image = session.image
        if image is not None and (image.is_volume or state.arranged.volume is None):
            panes.enlarge(session)

    # -- painting and pointing at structures

    def _refused(self) -> bool:
        """Whether nothing is painted or pointed at here; the user is told why."""
        if companion_of(self.services.session, self.number) is not None:
            beside.refuse(self.services)
            return True
        return self._turned() is not None and planes.refuse_on_turned(self.services)

    def _begin_stroke(self, row: float, column: float) -> None:
        if self._refused():
            return
        view.begin_stroke(self.services)
        self._paint(row, column, row, column)

    def _paint(self, row: float, column: float, to_row: float, to_column: float) -> None:
        plane, state = self._plane(), self._state
        if plane is not None and state.tool in EDIT_TOOLS and self._turned() is None:
            start, end = (row, column), (to_row, to_column)
            self.services.attempt(lambda: view.stroke(self.services, plane, state.cursor[plane.axis], start, end))

    def _move_stroke(self, row: float, column: float, to_row: float, to_column: float) -> None:
        if self._state.tool != "fill":  # fills where it was pressed: a trembling hand must not flood the next region
            self._paint(row, column, to_row, to_column)

    def _click(self, row: float, column: float, wanted: bool) -> None:
        self._ask("point", ((row, column),), wanted)

    def _box(self, row: float, column: float, to_row: float, to_column: float, wanted: bool) -> None:
        if interactive.understands(self.services, "box"):
            self._ask("box", ((row, column), (to_row, to_column)), wanted)
        else:
            self._ask("point", ((row, column),), wanted)

    def _ask(self, kind: PromptKind, places: tuple[Place, ...], wanted: bool) -> None:
        services, plane = self.services, self._plane()
        if services.session.image is None or self._refused() or plane is None:
            return
        low, high = (-0.5, -0.5), tuple(size - 0.51 for size in plane.shape)
        inside = [tuple(float(np.clip(v, a, b)) for v, a, b in zip(p, low, high, strict=True)) for p in places]
        if kind == "point" and inside[0] != places[0]:
            return  # beside the picture
        at = tuple(plane.to_index(row, column, self._state.cursor[plane.axis]) for row, column in inside)
        services.attempt(lambda: interactive.point_at(services, Prompt(kind, at, wanted)))

    # -- measuring

    def _press_measure(self, row: float, column: float, grip: Grip | None) -> None:
        tool = self._paths if self._paths.takes(grip) else self._measuring
        self._on_slice(tool.press, row, column, grip)

    def _move_measure(self, row: float, column: float) -> None:
        tool = self._paths if self._paths.busy else self._measuring
        self._on_slice(tool.move, row, column)

    def _release_measure(self, row: float, column: float, dragged: bool) -> None:
        tool = self._paths if self._paths.busy else self._measuring
        self._on_slice(tool.release, row, column, dragged)

    def _end_measure(self, grip: Grip | None) -> None:
        if not self._paths.end():
            self._measuring.double(grip)

    def _on_slice(self, act: Callable[..., None], row: float, column: float, *what: Any) -> None:
        """The same on the slice that is shown, of whatever series, straight or turned."""
        shown = self._slices.shown
        if shown is not None:
            companion = companion_of(self.services.session, self.number)
            act(shown.plane, shown.k, (row, column), *what, companion=companion)
