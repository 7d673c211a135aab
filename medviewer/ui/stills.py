"""The viewports of the session's layout as pictures, for the second or two in which napari is on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from medviewer.app.controllers.display import DisplayController, visible_panes
from medviewer.app.hanging.layouts import Cell, Layout
from medviewer.app.state import Session
from medviewer.ui.soon import soon
from medviewer.ui.translate import tr

if TYPE_CHECKING:
    from medviewer.ui.viewport.still import Still


class Stills(QWidget):
    """Stands where the viewports will stand, and shows what they will show; 3D says that it is awaited.

    Parameters
    ----------
    session
        What is open.
    """

    scrolled = Signal(int, int)
    """The number of a viewport, and by how many slices it should go on."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._views: list[Still] = []
        self._controller: DisplayController | None = None
        self._placed: tuple[Layout, tuple[int, ...]] | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._solid = QLabel(tr("3D follows in a moment"), self, alignment=Qt.AlignmentFlag.AlignCenter)
        self._solid.setObjectName("viewportNote")
        self._solid.hide()

    @property
    def has_picture(self) -> bool:
        """Whether a slice is to be seen."""
        return any(view.has_picture and view.isVisible() for view in self._views)

    def arrange(self) -> None:
        """Show the viewports that the layout asks for."""
        session, layout = self._session, self._session.view.arranged
        if self._controller is None:
            self._controller = DisplayController(session, [], None, self._soon)
        controller = self._controller
        while len(self._views) < len(layout.slices):
            self._add(controller)
        visible = visible_panes(session)
        if self._placed != (layout, visible):
            self._placed = layout, visible
            self._place(layout, visible, controller.shows_volume)
        controller.request()

    def stop(self) -> None:
        """The viewports are there: follow nothing and hold nothing any more."""
        if self._controller is None:
            return
        self._controller.close()
        self._controller = None
        for view in self._views:
            view.apply(None)

    def _soon(self, refresh: Callable[[], None]) -> None:
        soon(self, refresh)

    def _add(self, controller: DisplayController) -> None:
        from medviewer.ui.viewport.still import Still  # with the first image: no start waits for it

        number, made = len(self._views), Still(self)
        made.scrolled.connect(lambda steps: self.scrolled.emit(number, steps))
        self._views.append(made)
        controller.viewports.append(made)

    def _place(self, layout: Layout, visible: tuple[int, ...], solid: bool) -> None:
        cells = dict(enumerate(layout.slices))
        for number, view in enumerate(self._views):
            self._put(view, cells.get(number), number in visible)
        self._put(self._solid, layout.volume, solid)
        large = len(visible) == 1
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, int(row < layout.rows and not large))
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < layout.columns and not large))

    def _put(self, widget: QWidget, cell: Cell | None, visible: bool) -> None:
        self._grid.removeWidget(widget)
        if cell is not None:
            self._grid.addWidget(widget, cell.row, cell.column, cell.row_span, cell.column_span)
        widget.setVisible(visible and cell is not None)
