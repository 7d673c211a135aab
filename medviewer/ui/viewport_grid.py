"""The centre of the window: the viewports, with keyboard, mouse and series that are dragged there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QWidget

from medviewer.app.commands import beside, fusion, listed, measuring
from medviewer.app.controllers.display import visible_panes
from medviewer.app.controllers.pathing import PathTool
from medviewer.app.controllers.placing import Ask, MeasureTool
from medviewer.app.services import Services
from medviewer.domain.measure.values import Value
from medviewer.ui.viewport_pane import ViewportPane
from medviewer.ui.widgets.study_model import SERIES_MIME

if TYPE_CHECKING:
    from medviewer.ui.hand import Hand
    from medviewer.ui.viewport.slice_view import SliceView
    from medviewer.ui.viewport.volume_view import VolumeView

T = TypeVar("T")


class ViewportGrid(ViewportPane):
    """The viewports of the window, each with a `Hand`."""

    volume_made = Signal(object)
    """The 3D view is there."""
    read_out = Signal(str)
    """What is under the pointer, for the status bar."""
    menu_asked = Signal(int, QPointF, object)
    """A right click in a viewport: its number, where in its widget, and what of a measurement is there."""

    def __init__(self, services: Services, empty: QWidget, parent: QWidget | None = None) -> None:
        def in_thread(work: Callable[[], T], done: Callable[[T], None], over: Callable[[], None] | None = None) -> None:
            services.when_done(services.runner.submit(lambda _: work(), title=""), done, over)

        self.services = services  # before the viewports are: those that the layout adds are listened to at once
        self._hands: list[Hand] = []
        self.ask_text: Ask = lambda *_: None
        """Asks for what an arrow or a text says; the window sets it."""
        self.confirm: fusion.Confirm = lambda *_: False
        """Asks a yes-or-no question; the window sets it."""
        self.measuring = MeasureTool(services, lambda *words: self.ask_text(*words))
        self.paths = PathTool(services)
        services.session.live_values.background = self._count_voxels
        super().__init__(services.session, empty, parent, in_thread)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.stills.scrolled.connect(lambda number, steps: beside.scroll(services, number, steps))
        services.session.view.events.tool.connect(self._set_tool)
        services.session.live_values.changed.connect(self._note_values)

    def step(self, slices: int) -> None:
        """Scroll the active viewport."""
        active = self.session.view.active
        if active < len(self._hands):
            self._hands[active].scroll(slices)
        else:  # what stands for the viewports scrolls already
            beside.scroll(self.services, active, slices)

    def turn(self, number: int, angle: float) -> None:
        """Turn the crosshair's lines in a viewport, in radians, clockwise."""
        if self.slices:
            self._hands[number].turn(angle)

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        count = len(self.controller.planes)
        if count:
            self.session.view.active = (self.session.view.active + 1) % count

    def event(self, event: QEvent) -> bool:
        """Escape is about what is half drawn or measured before it is about anything else; Enter ends a path."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.ShortcutOverride and (self.paths.busy or self.measuring.busy):
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress and (self.paths.cancel() or self.measuring.cancel()):
                return True
            return super().event(event)
        entered = isinstance(event, QKeyEvent) and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if entered and event.type() == QEvent.Type.KeyPress and self.paths.end():
            return True
        return super().event(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The key of the menu asks for it in the active viewport; the mouse's click is known from its release."""
        number = self.session.view.active
        if event.reason() == QContextMenuEvent.Reason.Keyboard and number in visible_panes(self.session):
            slices = self.slices[number]
            cross = slices.overlay.state.crosshair
            point = QPointF(*cross) if cross is not None else QPointF(slices.canvas.native.rect().center())
            self.menu_asked.emit(number, point, None)
        event.accept()

    def _count_voxels(
        self,
        work: Callable[[], tuple[Value, ...]],
        done: Callable[[tuple[Value, ...]], None],
        over: Callable[[], None],
    ) -> None:
        self.services.when_done(self.services.runner.submit(lambda _: work(), title=""), done, over)

    def _move_others(self, number: int) -> None:
        """Zoom and move the viewports of other series as this one was, where they are of its modality and plane."""
        session, planes = self.session, self.controller.planes
        if not session.view.sync_zoom or not session.companions:
            return
        row, column, zoom = self._views[number].looking_at
        for other in visible_panes(session):
            place = beside.same_place(session, planes, number, other, (row, column))
            if place is not None and other < len(self._views):
                self._views[other].look_at(*place, zoom)

    # -- series that are dragged here ------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a series of the list."""
        if event.mimeData().hasFormat(SERIES_MIME):
            event.acceptProposedAction()
        else:
            event.ignore()  # the window takes files

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Show where it would go: the viewport under the pointer becomes the active one."""
        number = self._viewport_at(event.position())
        if number is not None:
            self.session.view.active = number
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Show the series in the viewport that it was dropped on; with Shift, lay it over the open one."""
        study_uid, _, uid = bytes(event.mimeData().data(SERIES_MIME).data()).decode().partition("\n")
        number = self._viewport_at(event.position())
        event.acceptProposedAction()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.services.attempt(lambda: listed.fuse(self.services, study_uid, uid, self.confirm))
            return
        self.services.attempt(lambda: listed.open_beside(self.services, study_uid, uid, number))

    def _viewport_at(self, position: QPointF) -> int | None:
        """The number of the viewport there; None over 3D and where nothing is open."""
        for number in visible_panes(self.session):
            slice_view = self._views[number] if number < len(self._views) else None  # it may be on its way
            if slice_view is not None and slice_view.rect().contains(slice_view.mapFrom(self, position.toPoint())):
                return number
        return None

    def _note_values(self) -> None:
        self.services.attempt(lambda: measuring.note_values(self.services))

    def _set_tool(self, tool: str) -> None:
        for slice_view in self._views:
            slice_view.set_tool(tool)

    def added_volume(self, view: VolumeView) -> None:
        """Tell the window, which puts its buttons over it."""
        self.volume_made.emit(view)

    def added(self, number: int, slice_view: SliceView) -> None:
        """Turn what the mouse asks for in a viewport into commands."""
        from medviewer.ui.hand import Hand  # brings what answers clicks

        hand = Hand(self.services, self, number, slice_view, self.measuring, self.paths)
        hand.read_out.connect(self.read_out)
        self._hands.append(hand)
        slice_view.moved.connect(lambda: self._move_others(number))
        slice_view.menu_asked.connect(lambda point, hit: self.menu_asked.emit(number, point, hit))
        slice_view.activated.connect(lambda: self.setFocus(Qt.FocusReason.MouseFocusReason))
