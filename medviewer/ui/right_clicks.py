"""Where in the window a right click opens a menu, and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QPointF, Qt
from PySide6.QtWidgets import QMenu, QWidget

from medviewer.app.commands import beside
from medviewer.ui.widgets.right_click import RightClick
from medviewer.ui.widgets.section import Section

if TYPE_CHECKING:
    from medviewer.ui.panels import Panels
    from medviewer.ui.viewport.measures import Hit
    from medviewer.ui.window import MainWindow


class RightClicks(QObject):
    """Listens to what was clicked on, and opens the menu there.

    Parameters
    ----------
    window
        The window, with all its parts.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        menus = window.menus
        self.menus = RightClick(
            window.services,
            window,
            window.commands,
            menus.reason,
            menus.layouts,
            window.windows,
        )
        window.grid.menu_asked.connect(self._viewport)
        for bar in (window.modes, window.tools, window.mode_bar):
            self._on(bar)

    def add_panel(self, panels: Panels, name: str) -> None:
        """Listen to a panel too: they come later than the window."""
        section = panels.sections[name]
        section.menu_requested.connect(lambda at: self._panel(section, at))
        if name == "measure":
            panels.measures.menu_requested.connect(lambda at: self._popup(self.menus.measurement, at))
        elif name == "segments":
            panels.segments.menu_requested.connect(lambda at: self._popup(self.menus.segment, at))

    def _on(self, widget: QWidget) -> None:
        """The tabs and the tool bar: without this, Qt would offer to take the tool bar away for good."""
        widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        widget.customContextMenuRequested.connect(
            lambda where: self._popup(self.menus.modes, widget.mapToGlobal(where))
        )

    def _viewport(self, number: int, point: QPointF, hit: Hit | None) -> None:
        services, slices = self._window.services, self._window.grid.slices[number]
        services.session.view.active = number
        where = slices.canvas.native.mapToGlobal(point.toPoint())
        if hit is not None:
            services.session.chosen_measurement = hit.uid
            self._popup(self.menus.measurement, where)
            return
        turned = slices.shown is not None and slices.shown.turned is not None
        index = None if turned else beside.index_at(services.session, number, *slices.to_slice(point))
        self._popup(lambda: self.menus.viewport(number, index), where)

    def _panel(self, section: Section, where: QPoint) -> None:
        others = [one for one in self._window.panels.values() if one is not section and not one.isHidden()]

        def alone() -> None:
            section.expanded = True
            for one in others:
                one.expanded = False

        def unfold() -> None:
            for one in (section, *others):
                one.expanded = True

        own = (
            ("Fold" if section.expanded else "Unfold", lambda: setattr(section, "expanded", not section.expanded)),
            ("Fold all others", alone),
            ("Unfold all", unfold),
        )
        self._popup(lambda: self.menus.panels(own), where)

    def _popup(self, make: Callable[[], QMenu], where: QPoint) -> None:
        self._window.update_context()  # the click has chosen something, and nothing was asked about it yet
        self.menus.popup(make(), where)
