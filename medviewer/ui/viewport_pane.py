"""The viewports of a layout, or one of them large: what they show, without what the mouse does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QGridLayout, QStackedLayout, QWidget

from medviewer.app.controllers.display import DisplayController, visible_panes
from medviewer.app.hanging.companions import companion_of
from medviewer.app.hanging.layouts import Cell, Layout
from medviewer.app.hanging.wearing import pane_of
from medviewer.app.state import Session
from medviewer.domain.plane import Plane
from medviewer.ui.soon import DRAWN_MS, PAUSE_MS, soon
from medviewer.ui.stills import Stills
from medviewer.ui.theme import COLOURS, RESEARCH_USE

if TYPE_CHECKING:
    from medviewer.ui.viewport.background import Background
    from medviewer.ui.viewport.slice_view import SliceView
    from medviewer.ui.viewport.volume_view import VolumeView

_NOTICE_ROOM = 26
_EMPTY, _VIEWPORTS, _STILLS = range(3)
"""Pages: nothing is open, the viewports, and what is seen of them before they are there."""
_AT_FIRST = 3
"""Viewports that are made in any case; more come with the first layout that has them."""
_LOOKS = 10
"""How often it is looked whether a picture was drawn: a window that nobody sees draws none."""
_REST_MS = 150
"""How long a hand has to rest until turned planes are drawn in full again."""


class ViewportPane(QWidget):
    """The viewports of the session's layout, or one of them large; behind an empty state.

    The viewports are made when they are first asked for, or by `make_next` one after the other: napari comes with them,
    and a window can be there before.

    Parameters
    ----------
    session
        What is open.
    empty
        What to show while nothing is.
    background
        How what takes long is worked out, as surfaces of the 3D view are; None for at once.
    """

    def __init__(
        self,
        session: Session,
        empty: QWidget,
        parent: QWidget | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._background = background
        self._views: list[SliceView] = []
        self._coming: SliceView | None = None
        """The next viewport, on its way: nobody sees it yet."""
        self._closed = False
        self._seen = self._unveiling = False
        """Whether the viewports were shown already, or will be with the next turn of the event loop."""
        self._solid: VolumeView | None = None
        self.before_making: Callable[[], None] = lambda: None
        """Called before napari is imported here."""
        self.controller = DisplayController(session, [], None, partial(soon, self), self._once_drawn)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.come_to_rest)
        self._next_piece = QTimer(self, singleShot=True)
        self._next_piece.timeout.connect(self._make_some)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._pages = QWidget()
        self._grid = QGridLayout(self._pages)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._placed: Layout | None = None
        self._stack.addWidget(self._pages)
        self.stills = Stills(session)
        """Pictures of what the viewports will show, for the second or two in which napari is on its way."""
        self._stack.addWidget(self.stills)
        session.events.image.connect(self.arrange)
        session.view.events.layout.connect(self.arrange)
        session.view.events.panes.connect(self.arrange)
        session.view.events.active.connect(self.arrange)
        self.arrange()

    # -- the viewports --------------------------------------------------------------------------------------------

    @property
    def slices(self) -> list[SliceView]:
        """The viewports that show slices; they are made where they are not yet."""
        while self.make_next():
            pass
        return self._views

    @property
    def volume(self) -> VolumeView:
        """The viewport that shows 3D; it comes with the others."""
        while self.make_next():
            pass
        assert self._solid is not None
        return self._solid

    def make_next(self) -> bool:
        """Make one viewport of those that are wanted and not there yet; whether there was one to make."""
        if not self._lacks:
            return False
        if self._solid is None:
            self.before_making()
            self._make_solid()
        else:
            self._join(self._coming or self._new_view())
        return True

    @property
    def _lacks(self) -> bool:
        return not self._closed and len(self._views) < max(_AT_FIRST, len(self.session.view.arranged.slices))

    def _make_solid(self) -> None:
        from medviewer.ui.viewport.canvas import load_driver
        from medviewer.ui.viewport.volume_view import VolumeView

        load_driver()
        self._solid = VolumeView(self, self._background) if self._background else VolumeView(self)
        self._solid.hide()
        self.controller.volume = self._solid
        self.added_volume(self._solid)

    def _new_view(self) -> SliceView:
        from medviewer.ui.viewport.slice_view import SliceView

        made = SliceView(self, self._background)
        made.hide()
        return made

    def _join(self, made: SliceView) -> None:
        """A viewport that was made is one of the layout's."""
        self._coming = None
        self._views.append(made)
        self.controller.viewports.append(made)
        self.added(len(self._views) - 1, made)
        if len(self._views) == _AT_FIRST and self.session.image is None:
            self.stills.stop()  # what they showed was closed meanwhile, and nothing takes their place
        self._placed = None
        self.arrange()
        self.controller.request()

    def _call_more(self) -> None:
        """Make the viewports that a layout has more, a piece in each turn of the event loop: each takes a while."""
        if self._lacks and not self._next_piece.isActive():
            self._next_piece.start(PAUSE_MS)

    def _make_some(self) -> None:
        if self.controller.resting or not self.updatesEnabled():  # the first pictures are on their way
            self._next_piece.start(DRAWN_MS)
        elif self.make_piece() or self.prepare_next():
            self._next_piece.start(PAUSE_MS)

    def make_piece(self) -> bool:
        """Make a part of a viewport, for one turn of the event loop; whether there was one to make."""
        if not self._lacks:  # or another layout was chosen meanwhile
            return False
        if self._solid is None:
            self.before_making()
            self._make_solid()
        elif self._coming is None:
            self._coming = self._new_view()
        elif not self._coming.prepare_image():
            self._join(self._coming)
        return True

    def prepare_next(self) -> bool:
        """Make one thing that the first image or result would wait for; whether there was one to make."""
        if self._closed:
            return False
        if any(view.prepare_image() for view in self._views):
            return True
        if self._solid is not None and self._solid.prepare():
            return True
        return any(view.prepare() for view in self._views)

    def _once_drawn(self, then: Callable[[], None]) -> None:
        """Call something once the large picture is drawn that was just put into a viewport.

        It is drawn in a turn of its own: to fill its buffer takes as long.
        """
        waiting = [view.canvas for view in self._views if view.canvas.undrawn]
        for canvas in waiting:
            canvas.native.setUpdatesEnabled(False)

        def let_draw() -> None:
            if self._closed:
                return
            for canvas in waiting:
                canvas.native.setUpdatesEnabled(True)
            look(_LOOKS)

        def look(more: int) -> None:
            if self._closed:
                return
            if more and any(canvas.undrawn and canvas.native.isVisible() for canvas in waiting):
                QTimer.singleShot(DRAWN_MS, self, lambda: look(more - 1))
            else:
                then()

        QTimer.singleShot(PAUSE_MS, self, let_draw)

    def added_volume(self, view: VolumeView) -> None:
        """The 3D view was made; the window listens to it."""

    @property
    def has_picture(self) -> bool:
        """Whether a viewport shows something, and is drawn."""
        return self.updatesEnabled() and any(view.shown is not None and view.isVisible() for view in self._views)

    @property
    def has_image(self) -> bool:
        """Whether something of what is open is to be seen: in a viewport, or in the picture that stands for it."""
        return self.has_picture or self.stills.has_picture

    def added(self, number: int, slice_view: SliceView) -> None:
        """A viewport was made; the window listens to it."""

    def plane(self, number: int) -> Plane | None:
        """The plane of the main series that viewport `number` shows; None where it shows nothing or another series.

        What is painted, measured and pointed at is of the main series.
        """
        planes, pane = self.controller.planes, pane_of(self.session, number)
        if pane is None or pane.is_empty or number >= len(planes) or companion_of(self.session, number) is not None:
            return None
        return planes[number]

    def hasten(self) -> None:
        """A hand turns or moves turned planes: draw them coarsely until it rests."""
        self.controller.coarse = True
        self._rest.start()

    def come_to_rest(self) -> None:
        """No hand moves the planes any more: draw them in full."""
        self._rest.stop()
        if self.controller.coarse:
            self.controller.coarse = False
            self.controller.request()

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        for slice_view in self._views:
            slice_view.fit()

    def arrange(self, *_: object) -> None:
        """Show the viewports that the layout asks for, and give them the room."""
        image, view_state = self.session.image, self.session.view
        awaited = len(self._views) < _AT_FIRST
        if image is not None and awaited:
            self._stack.setCurrentIndex(_STILLS)
            self.stills.arrange()
        elif image is not None and not self._seen:
            if not self._unveiling:
                self._unveiling = True
                QTimer.singleShot(PAUSE_MS, self, self._unveil)
            return
        else:
            self._stack.setCurrentIndex(_EMPTY if image is None else _VIEWPORTS)
        if image is None or self._solid is None:
            return
        if not awaited:
            self._call_more()
        # each change would give all of them another size, and OpenGL takes its time for that
        self._grid.setEnabled(False)
        self._place(view_state.arranged)
        visible = visible_panes(self.session)
        for number, slice_view in enumerate(self._views):
            slice_view.setVisible(number in visible)
            pane = pane_of(self.session, number)
            empty = pane is not None and pane.is_empty
            slice_view.say(pane.note if pane is not None and empty else "", empty and number == view_state.active)
        self._solid.setVisible(self.controller.shows_volume)
        large = len(visible) == 1
        rows, columns = view_state.arranged.rows, view_state.arranged.columns
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, int(row < rows and not large))
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < columns and not large))
        self._grid.setEnabled(True)
        self._grid.activate()

    def _unveil(self) -> None:
        """Show the viewports for the first time, perhaps where their pictures were.

        All of them get their places and sizes at once, and are not drawn before they have their slices. Each takes a
        while, and has a turn of the event loop of its own.
        """
        self._unveiling = False
        if self._seen or self._closed or self.session.image is None:
            return
        self._seen = True
        self.setUpdatesEnabled(False)
        try:
            self.arrange()
            self.stills.stop()
        finally:  # an error is told, and the window is drawn all the same
            QTimer.singleShot(PAUSE_MS, self, self._fill)

    def _fill(self) -> None:
        try:
            self.controller.refresh()
        finally:
            # what a viewport does with its new size comes with the next turn of the event loop
            QTimer.singleShot(PAUSE_MS, self, lambda: self.setUpdatesEnabled(True))

    def _place(self, layout: Layout) -> None:
        """Put every viewport of a layout into its cell; those that it has not stay where nobody sees them."""
        if layout is self._placed or self._solid is None:
            return
        self._placed = layout
        for widget in (*self._views, self._solid):
            self._grid.removeWidget(widget)
        for slice_view, cell in zip(self._views, layout.slices, strict=False):
            self._put(slice_view, cell)
        if layout.volume is not None:
            self._put(self._solid, layout.volume)

    def _put(self, widget: QWidget, cell: Cell) -> None:
        self._grid.addWidget(widget, cell.row, cell.column, cell.row_span, cell.column_span)

    def picture(self) -> QPixmap:
        """What the viewports show, as a picture that says what it may be used for."""
        with self.volume.uncovered():
            made = self._pages.grab()
        return marked(made)

    def settle(self) -> None:
        """Show now what would be shown soon: for pictures."""
        while self.make_next():
            pass
        self._unveil()
        self.come_to_rest()
        for slice_view in self._views:
            slice_view.canvas.native.setUpdatesEnabled(True)  # of which one may be waiting to be drawn
        self.controller.refresh(at_once=True)
        for slice_view in self._views:
            slice_view.settle()
        self.setUpdatesEnabled(True)  # where they have just taken the place of their pictures
        self.volume.settle()

    def close_canvases(self) -> None:
        """Let go of the GL widgets, before the widget itself goes."""
        self._closed = True
        self._rest.stop()
        self._next_piece.stop()
        self.controller.close()
        for viewport in (*self._views, *([self._coming] if self._coming is not None else [])):
            viewport.canvas.close()
        if self._solid is not None:
            self._solid.close_canvas()


def marked(picture: QPixmap) -> QPixmap:
    """The picture with what it may be used for written into it."""
    painter = QPainter(picture)
    painter.setPen(QColor(COLOURS["quiet"]))
    size = picture.deviceIndependentSize()
    place = QRectF(0, 0, size.width(), size.height() - _NOTICE_ROOM)
    painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, RESEARCH_USE)
    painter.end()
    return picture
