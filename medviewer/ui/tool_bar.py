"""The tool bar: what a mode has at hand, with its icons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QSize
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QToolBar, QToolButton, QWidget

from medviewer.app import modes
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS
from medviewer.ui.icons import SIZE, icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.slab_box import SlabBox
from medviewer.ui.widgets.tool_menu import ToolMenu


@dataclass(frozen=True)
class Drop:
    """Several actions behind one button, which shows the one that was used last.

    Parameters
    ----------
    title
        What they are about.
    entries
        Each with its icon; the first one stands there at first.
    """

    title: str
    entries: tuple[tuple[str, str], ...]


Entry = tuple[str, str] | Drop
"""An action by its id with its icon, or several behind one button."""

TOOLBAR: tuple[tuple[Entry, ...], ...] = (
    (("file.open_folder", "open"),),
    (
        ("tool.window", "window"),
        ("tool.pan", "pan"),
        ("tool.zoom", "zoom"),
        ("tool.scroll", "scroll"),
        ("tool.crosshair", "crosshair"),
        ("tool.turn", "turn"),
    ),
    (
        ("tool.length", "length"),
        Drop(
            "Diameters and angles",
            (("tool.bidirectional", "bidirectional"), ("tool.angle", "angle"), ("tool.cobb", "cobb")),
        ),
        Drop(
            "Regions",
            (
                ("tool.ellipse", "ellipse"),
                ("tool.rectangle", "rectangle"),
                ("tool.freehand", "freehand"),
                ("tool.sphere", "sphere"),
                ("tool.probe", "probe"),
            ),
        ),
        Drop("Marks", (("tool.arrow", "arrow"), ("tool.text", "text"), ("tool.point", "point"))),
        ("key.mark", "key"),
    ),
    (("tool.brush", "brush"), ("tool.eraser", "eraser"), ("tool.fill", "fill"), ("tool.click", "click")),
    (("edit.undo", "undo"), ("edit.redo", "redo")),
    (
        Drop(
            "Layout of the viewports",
            (
                ("view.mpr", "mpr"),
                ("view.single", "single"),
                ("view.compare", "compare"),
                ("view.2x2", "four"),
                ("view.1x2", "beside"),
                ("view.2x1", "above"),
                ("view.solid", "volume"),
            ),
        ),
        ("view.fit", "fit"),
    ),
    (
        ("image.window_list", "window_list"),
        Drop(
            "How the picture lies",
            (
                ("image.invert", "invert"),
                ("image.flip", "flip"),
                ("image.upend", "upend"),
                ("image.rotate", "rotate"),
                ("image.magnifier", "magnifier"),
            ),
        ),
    ),
    (("view.mask", "mask"), ("view.heat", "heat")),
)
"""Actions of the tool bar in groups, so few that a window of 1280 pixels shows all of them."""

_MENU_ICONS = {"measure.delete": "delete", "report.open": "report", "tool.path": "path"}
"""Icons of actions that have no room in the tool bar."""


def entries_of(entry: Entry) -> tuple[tuple[str, str], ...]:
    """The actions of an entry of the tool bar, each with its icon."""
    return entry.entries if isinstance(entry, Drop) else (entry,)


ICONS = {command: picture for group in TOOLBAR for entry in group for command, picture in entries_of(entry)}
"""Icon of each action of the tool bar."""


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
        self.setIconSize(QSize(SIZE, SIZE))
        self.setMovable(False)
        self._commands = commands
        exclusive = QActionGroup(parent)
        for command, picture in ({f"tool.{kind}": kind for kind in MEASURE_TOOLS} | ICONS | _MENU_ICONS).items():
            commands[command].setIcon(icon(picture))
            if command.startswith("tool."):
                exclusive.addAction(commands[command])
        self.more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        """What a window narrower than 1280 pixels has no room for."""
        if self.more is not None:  # Qt's own picture is black
            self.more.setIcon(icon("more"))
            self.more.setToolTip(tr("More tools"))
        self.slab_box = SlabBox(services)
        self._slab_box = self.addWidget(self.slab_box)
        self.drops = {
            entry.title: ToolMenu(entry.title) for group in TOOLBAR for entry in group if isinstance(entry, Drop)
        }
        self._drops: dict[str, QAction] = {title: self.addWidget(button) for title, button in self.drops.items()}

    def show_mode(self, mode: str) -> None:
        """Have at hand what a mode of `app.modes` needs."""
        for action in self.actions():
            self.removeAction(action)
        for group in TOOLBAR:
            shown = [one for one in (self._shown(entry, mode) for entry in group) if one is not None]
            self.addActions(shown)
            if any(action.isVisible() for action in shown):
                self.addSeparator()
        self.addAction(self._slab_box)

    def _shown(self, entry: Entry, mode: str) -> QAction | None:
        """What stands for an entry in a mode; a list of which the mode has nothing is hidden."""
        offered = [self._commands[command] for command, _ in entries_of(entry) if modes.offers(mode, command)]
        if not isinstance(entry, Drop):
            return offered[0] if offered else None
        if offered:
            self.drops[entry.title].offer(offered)
        action = self._drops[entry.title]  # it stays in the bar, or its button would belong to no window
        action.setVisible(bool(offered))
        return action
