"""The tool bar: what a mode has at hand, with its icons."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QToolBar, QToolButton, QWidget

from medviewer.app import modes
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.slab_box import SlabBox

TOOLBAR: tuple[tuple[tuple[str, str], ...], ...] = (
    (("file.open_folder", "open"),),
    (
        ("tool.window", "window"),
        ("tool.pan", "pan"),
        ("tool.zoom", "zoom"),
        ("tool.scroll", "scroll"),
        ("tool.crosshair", "crosshair"),
    ),
    (
        ("tool.length", "length"),
        ("tool.bidirectional", "bidirectional"),
        ("tool.angle", "angle"),
        ("tool.ellipse", "ellipse"),
        ("tool.arrow", "arrow"),
        ("tool.probe", "probe"),
        ("key.mark", "key"),
    ),
    (("tool.brush", "brush"), ("tool.eraser", "eraser"), ("tool.fill", "fill"), ("tool.click", "click")),
    (("edit.undo", "undo"), ("edit.redo", "redo")),
    (("view.mpr", "mpr"), ("view.single", "single"), ("view.fit", "fit"), ("image.invert", "invert")),
    (
        ("image.window_list", "window_list"),
        ("image.flip", "flip"),
        ("image.rotate", "rotate"),
        ("image.magnifier", "magnifier"),
    ),
    (("view.mask", "mask"), ("view.heat", "heat")),
)
"""Actions of the tool bar in groups, each with its icon."""

_MENU_ICONS = {f"tool.{kind}": kind for kind in MEASURE_TOOLS} | {
    "measure.delete": "delete",
    "report.open": "report",
    "tool.path": "path",
}
"""Icons of actions that have no room in the tool bar."""


class ToolBar(QToolBar):
    """Shows the actions of `TOOLBAR` that a mode offers; the rest stays in the menus.

    Parameters
    ----------
    commands
        Every action of the window by its id; they get their icons here.
    """

    def __init__(self, services: Services, commands: Mapping[str, QAction], parent: QWidget) -> None:
        super().__init__(tr("Tools"), parent)
        self.setObjectName("toolBar")
        self.setMovable(False)
        self._commands = commands
        exclusive = QActionGroup(parent)
        pictures = dict(entry for group in TOOLBAR for entry in group) | _MENU_ICONS
        for command, picture in pictures.items():
            commands[command].setIcon(icon(picture))
            if command.startswith("tool."):
                exclusive.addAction(commands[command])
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if more is not None:  # what a narrow window has no room for; Qt's own picture is black
            more.setIcon(icon("more"))
            more.setToolTip(tr("More tools"))
        self.slab_box = SlabBox(services)
        self._slab_box = self.addWidget(self.slab_box)

    def show_mode(self, mode: str) -> None:
        """Have at hand what a mode of `app.modes` needs."""
        for action in self.actions():
            self.removeAction(action)
        for group in TOOLBAR:
            for command, _picture in (entry for entry in group if modes.offers(mode, entry[0])):
                self.addAction(self._commands[command])
            if any(modes.offers(mode, command) for command, _picture in group):
                self.addSeparator()
        self.addAction(self._slab_box)
