"""The centre of the window: the viewports of a layout, or one large; and the way from the mouse to commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from medviewer.app.commands import beside, companion_looks, interactive, listed, measuring, panes, planes, view
from medviewer.app.controllers.display import DisplayController, visible_panes
from medviewer.app.controllers.placing import Ask, MeasureTool
from medviewer.app.controllers.texts import read_out
from medviewer.app.controllers.turning import turned_read_out
from medviewer.app.hanging.companions import aside, companion_of, looked_at
from medviewer.app.hanging.layouts import Cell, Layout
from medviewer.app.ports import Display
from medviewer.app.services import Services
from medviewer.app.state import EDIT_TOOLS, Session
from medviewer.domain.measure.values import Value
from medviewer.domain.plane import Plane
from medviewer.plugin_api import Prompt
from medviewer.plugin_api.interactive import PromptKind
from medviewer.ui.theme import COLOURS
from medviewer.ui.viewport import SliceView, VolumeView
from medviewer.ui.viewport.solid import Solid
from medviewer.ui.viewport.volume_view import Background, at_once
from medviewer.ui.widgets.study_model import SERIES_MIME

RESEARCH_USE = "Research use only, not for diagnosis"
_NOTICE_ROOM = 26
_AT_FIRST = 3
"""Viewports that are made with the window; more come with the first layout that has them."""


class ViewportPane(QWidget):
    """The viewports of the session's layout, or one of them large; behind an empty state.

    Parameters
    ----------
    session
        What is open.
    empty
        What to show while nothing is.
    """

    def __init__(
        self,
        session: Session,
        empty: QWidget,
        parent: QWidget | None = None,
        background: Background = at_once,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.slices: list[SliceView] = [SliceView(self) for _ in range(_AT_FIRST)]
        self.volume = VolumeView(self, background)
        self.controller = DisplayController(
            session, self.slices, self.volume, lambda refresh: QTimer.singleShot(0, self, refresh)
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._pages = QWidget()
        self._grid = QGridLayout(self._pages)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._placed: Layout | None = None
        self._stack.addWidget(self._pages)
        session.events.image.connect(self.arrange)
        session.view.events.layout.connect(self.arrange)
        session.view.events.panes.connect(self.arrange)
        session.view.events.active.connect(self.arrange)
        self._place(session.view.arranged)
        self.arrange()

    def plane(self, number: int) -> Plane | None:
        """The plane of the main series that viewport `number` shows; None where it shows nothing or another series.

        What is painted, measured and pointed at is of the main series.
        """
        planes = self.controller.planes
        return planes[number] if number < len(planes) and companion_of(self.session, number) is None else None

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        for slice_view in self.slices:
            slice_view.fit()

    def arrange(self, *_: object) -> None:
        """Show the viewports that the layout asks for, and give them the room."""
        image, view_state = self.session.image, self.session.view
        self._stack.setCurrentIndex(0 if image is None else 1)
        if image is None:
            return
        self._place(view_state.arranged)
        visible = visible_panes(self.session)
        for number, slice_view in enumerate(self.slices):
            slice_view.setVisible(number in visible)
        self.volume.setVisible(self.controller.shows_volume)
        large = len(visible) == 1
        rows, columns = view_state.arranged.rows, view_state.arranged.columns
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, int(row < rows and not large))
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < columns and not large))

    def added(self, number: int, slice_view: SliceView) -> None:
        """A viewport was made after the others; the window listens to it."""

    def _place(self, layout: Layout) -> None:
        """Put every viewport of a layout into its cell; those that it has not stay where nobody sees them."""
        if layout is self._placed:
            return
        self._placed = layout
        while len(self.slices) < len(layout.slices):
            self.slices.append(SliceView(self))
            self.controller.viewports.append(self.slices[-1])
            self.added(len(self.slices) - 1, self.slices[-1])
        for widget in (*self.slices, self.volume):
            self._grid.removeWidget(widget)
        for slice_view, cell in zip(self.slices, layout.slices, strict=False):
            self._put(slice_view, cell)
        if layout.volume is not None:
            self._put(self.volume, layout.volume)

    def _put(self, widget: QWidget, cell: Cell) -> None:
        self._grid.addWidget(widget, cell.row, cell.column, cell.row_span, cell.column_span)

    def picture(self) -> QPixmap:
        """What the viewports show, as a picture that says what it may be used for."""
        made = self._pages.grab()
        painter = QPainter(made)
        painter.setPen(QColor(COLOURS["quiet"]))
        place = self._pages.rect().adjusted(0, 0, 0, -_NOTICE_ROOM)
        painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, RESEARCH_USE)
        painter.end()
        return made

    def settle(self) -> None:
        """Show now what would be shown soon: for pictures."""
        self.controller.refresh()
        self.volume.settle()

    def close_canvases(self) -> None:
        """Let go of the GL widgets, before the widget itself goes."""
        self.controller.close()
        for viewport in self.slices:
            viewport.canvas.close()
        self.volume.close_canvas()


class ViewportGrid(ViewportPane):
    """The viewports of the window: it turns what the mouse asks for into commands."""

    read_out = Signal(str)
    """What is under the pointer, for the status bar."""

    def __init__(self, services: Services, empty: QWidget, parent: QWidget | None = None) -> None:
        def in_thread(work: Callable[[], Solid], done: Callable[[Solid], None]) -> None:
            services.when_done(services.runner.submit(lambda _: work(), title=""), done)

        self.services = services  # before the viewports are: those that the layout adds are listened to at once
        self._before_click = services.session.view.cursor, services.session.view.focus
        self._before_turned = services.session.view.turned
        self.ask_text: Ask = lambda *_: None
        """Asks for what an arrow or a text says; the window sets it."""
        self.measuring = MeasureTool(services, lambda *words: self.ask_text(*words))
        services.session.live_values.background = self._count_voxels
        super().__init__(services.session, empty, parent, in_thread)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        for number, slice_view in enumerate(self.slices[:_AT_FIRST]):
            self.added(number, slice_view)
        services.session.view.events.tool.connect(self._set_tool)
        services.session.live_values.changed.connect(self._note_values)

    def step(self, slices: int) -> None:
        """Scroll the active viewport."""
        self._scroll(self.session.view.active, slices)

    def _scroll(self, number: int, steps: int) -> None:
        turned = self._turned(number)
        if turned is None or not planes.scroll_turned(self.services, turned.plane.name, steps):
            beside.scroll(self.services, number, steps)

    def turn(self, number: int, angle: float) -> None:
        """Turn the crosshair's lines in a viewport, in radians, clockwise."""
        plane, hung = self.plane(number), self.session.view.hung
        if plane is not None:
            # in a picture that is mirrored, the hand goes the other way round
            seen = -angle if number < len(hung) and hung[number].turn.mirrored else angle
            self.services.attempt(lambda: planes.turn(self.services, plane.name, seen))

    def _turned(self, number: int) -> Display | None:
        """What a viewport shows where its plane is turned; None where it is straight."""
        shown = self.slices[number].shown if number < len(self.slices) else None
        return shown if shown is not None and shown.turned is not None else None

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        count = len(self.controller.planes)
        if count:
            self.session.view.active = (self.session.view.active + 1) % count

    def event(self, event: QEvent) -> bool:
        """Escape is about what is half measured before it is about anything else."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.ShortcutOverride and self.measuring.busy:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress and self.measuring.cancel():
                return True
        return super().event(event)

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
        row, column, zoom = self.slices[number].looking_at
        for other in visible_panes(session):
            place = beside.same_place(session, planes, number, other, (row, column))
            if place is not None:
                self.slices[other].look_at(*place, zoom)

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
        """Show the series in the viewport that it was dropped on."""
        study_uid, _, uid = bytes(event.mimeData().data(SERIES_MIME).data()).decode().partition("\n")
        number = self._viewport_at(event.position())
        event.acceptProposedAction()
        self.services.attempt(lambda: listed.open_beside(self.services, study_uid, uid, number))

    def _viewport_at(self, position: QPointF) -> int | None:
        """The number of the viewport there; None over 3D and where nothing is open."""
        for number in visible_panes(self.session):
            slice_view = self.slices[number]
            if slice_view.rect().contains(slice_view.mapFrom(self, position.toPoint())):
                return number
        return None

    def _note_values(self) -> None:
        self.services.attempt(lambda: measuring.note_values(self.services))

    def _set_tool(self, tool: str) -> None:
        for slice_view in self.slices:
            slice_view.set_tool(tool)

    def added(self, number: int, slice_view: SliceView) -> None:
        """Turn what the mouse asks for in a viewport into commands."""
        slice_view.set_tool(self.session.view.tool)
        services = self.services
        state = services.session.view

        def pointed(row: float, column: float) -> None:
            turned = self._turned(number)
            if turned is not None:
                planes.point_turned(services, turned.plane, row, column, turned.k)
                return
            shown, index = looked_at(services.session, number), beside.index_at(services.session, number, row, column)
            if index is not None and shown is not None and shown.is_volume:
                beside.move(services, number, index)

        def windowed(right: float, down: float) -> None:
            companion = companion_of(services.session, number)
            if companion is None:
                view.drag_window(services, right, down)
            else:
                companion_looks.drag_window(services.session, companion, right, down)

        def began(row: float, column: float) -> None:
            if self._turned(number) and planes.refuse_on_turned(services):
                return
            view.begin_stroke(services)
            painted(row, column, row, column)

        def painted(row: float, column: float, to_row: float, to_column: float) -> None:
            plane = self.plane(number)
            if plane is not None and state.tool in EDIT_TOOLS and self._turned(number) is None:
                start, end = (row, column), (to_row, to_column)
                services.attempt(lambda: view.stroke(services, plane, state.cursor[plane.axis], start, end))

        def moved(row: float, column: float, to_row: float, to_column: float) -> None:
            if state.tool != "fill":  # fills where it was pressed: a trembling hand must not flood the next region
                painted(row, column, to_row, to_column)

        def clicked(row: float, column: float, wanted: bool) -> None:
            ask("point", ((row, column),), wanted)

        def boxed(row: float, column: float, to_row: float, to_column: float, wanted: bool) -> None:
            if interactive.understands(services, "box"):
                ask("box", ((row, column), (to_row, to_column)), wanted)
            else:
                ask("point", ((row, column),), wanted)

        def ask(kind: PromptKind, places: tuple[tuple[float, float], ...], wanted: bool) -> None:
            plane, image = self.plane(number), services.session.image
            if plane is None or image is None or (self._turned(number) and planes.refuse_on_turned(services)):
                return
            low, high = (-0.5, -0.5), tuple(size - 0.51 for size in plane.shape)
            inside = [tuple(float(np.clip(v, a, b)) for v, a, b in zip(p, low, high, strict=True)) for p in places]
            if kind == "point" and inside[0] != places[0]:
                return  # beside the picture
            at = tuple(plane.to_index(row, column, state.cursor[plane.axis]) for row, column in inside)
            services.attempt(lambda: interactive.point_at(services, Prompt(kind, at, wanted)))

        def hovered(row: float, column: float) -> None:
            turned = self._turned(number)
            if turned is not None:
                self.read_out.emit(turned_read_out(services.session, turned.plane, row, column, turned.k))
                return
            companion, plane = companion_of(services.session, number), self.controller.planes[number]
            index = beside.index_at(services.session, number, row, column)
            if index is not None:
                about = services.session if companion is None else aside(services.session, companion)
                self.read_out.emit(read_out(about, index, plane))

        def activated() -> None:
            self._before_click = state.cursor, state.focus
            self._before_turned = state.turned
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            state.active = number

        def enlarged() -> None:
            state.active = number
            state.turned = self._before_turned
            state.cursor, state.focus = self._before_click  # the first click of the two moved the crosshair
            image = services.session.image
            if image is not None and (image.is_volume or state.arranged.volume is None):
                panes.enlarge(services.session)

        slice_view.pointed.connect(pointed)
        slice_view.scrolled.connect(lambda steps: self._scroll(number, steps))
        slice_view.windowed.connect(windowed)
        slice_view.moved.connect(lambda: self._move_others(number))
        slice_view.turned.connect(lambda angle: self.turn(number, angle))
        slice_view.stroke_began.connect(began)
        slice_view.stroke_moved.connect(moved)
        slice_view.stroke_ended.connect(lambda: view.end_stroke(services))
        slice_view.clicked.connect(clicked)
        slice_view.boxed.connect(boxed)

        def measured(act: Callable[..., None]) -> Callable[..., None]:
            def on_slice(row: float, column: float, *what: Any) -> None:
                plane = self.plane(number)
                if plane is not None and self._turned(number) is None:
                    act(plane, state.cursor[plane.axis], (row, column), *what)
                elif plane is not None and act == self.measuring.press:
                    planes.refuse_on_turned(services)

            return on_slice

        slice_view.measure_pressed.connect(measured(self.measuring.press))
        slice_view.measure_moved.connect(measured(self.measuring.move))
        slice_view.measure_released.connect(measured(self.measuring.release))
        slice_view.measure_edited.connect(self.measuring.double)
        slice_view.hovered.connect(hovered)
        slice_view.left.connect(lambda: self.read_out.emit(""))
        slice_view.activated.connect(activated)
        slice_view.enlarged.connect(enlarged)


class EmptyState(QWidget):
    """What the centre says while nothing is open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("emptyState")
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        self._text = QLabel()
        for name, label in (("emptyTitle", QLabel("Drop a folder, files or a ZIP here")), ("emptyText", self._text)):
            label.setObjectName(name)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        layout.addStretch(1)

    def name_keys(self, key_of: Callable[[str], str]) -> None:
        """Say which keys open something, as they are now."""
        folder, demo = (key_of(name) for name in ("file.open_folder", "file.open_demo"))
        ways = (
            "or open a folder" + (f" with {folder}" if folder else ""),
            "or the demo" + (f" with {demo}" if demo else ""),
        )
        self._text.setText(", ".join(ways))
