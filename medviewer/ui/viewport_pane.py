"""The viewports of a layout, or one of them large: what they show, without what the mouse does."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QGridLayout, QStackedLayout, QWidget

from medviewer.app.controllers.display import DisplayController, visible_panes
from medviewer.app.hanging.companions import companion_of
from medviewer.app.hanging.layouts import Cell, Layout
from medviewer.app.hanging.wearing import pane_of
from medviewer.app.state import Session
from medviewer.domain.plane import Plane
from medviewer.ui.theme import COLOURS, RESEARCH_USE
from medviewer.ui.viewport import SliceView, VolumeView
from medviewer.ui.viewport.volume_view import Background, at_once

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
        for number, slice_view in enumerate(self.slices):
            self.added(number, slice_view)
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
        planes, pane = self.controller.planes, pane_of(self.session, number)
        if pane is None or pane.is_empty or number >= len(planes) or companion_of(self.session, number) is not None:
            return None
        return planes[number]

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
            pane = pane_of(self.session, number)
            empty = pane is not None and pane.is_empty
            slice_view.say(pane.note if pane is not None and empty else "", empty and number == view_state.active)
        self.volume.setVisible(self.controller.shows_volume)
        large = len(visible) == 1
        rows, columns = view_state.arranged.rows, view_state.arranged.columns
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, int(row < rows and not large))
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < columns and not large))

    def added(self, number: int, slice_view: SliceView) -> None:
        """A viewport was made, with the window or with a layout that has more; the window listens to it."""

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
        with self.volume.uncovered():
            made = self._pages.grab()
        return marked(made)

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


def marked(picture: QPixmap) -> QPixmap:
    """The picture with what it may be used for written into it."""
    painter = QPainter(picture)
    painter.setPen(QColor(COLOURS["quiet"]))
    size = picture.deviceIndependentSize()
    place = QRectF(0, 0, size.width(), size.height() - _NOTICE_ROOM)
    painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, RESEARCH_USE)
    painter.end()
    return picture
