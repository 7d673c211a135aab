"""Image > Windows and colours: filled when it is opened, for what is open then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby

import numpy as np
from PySide6.QtGui import QAction, QActionGroup, QIcon, QImage, QPixmap
from PySide6.QtWidgets import QMenu, QWidget

from medviewer.app.colours import COLOUR_MAPS, ColourMap
from medviewer.app.commands import looks
from medviewer.app.commands.companion_looks import shown_window
from medviewer.app.hanging.companions import looked_at
from medviewer.app.presets import Choice, listed, same_grey
from medviewer.app.services import Services
from medviewer.domain.image import Window
from medviewer.ui.translate import tr

_HEADS = {"preset": "Presets", "own": "Yours", "file": "Of the file"}
_SWATCH = (16, 12)
"""Width and height of a colour map's picture, in px."""


class WindowMenu(QMenu):
    """Every window that is offered for the open image, with its key and figures, and every colour map.

    Parameters
    ----------
    services
        Its session says what is open, and is changed.
    commands
        The window's actions, of which inverting and typing in stand here too.
    """

    def __init__(self, services: Services, commands: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(tr("&Windows and colours"), parent)
        self._services, self._commands = services, commands
        self._swatches: dict[str, QIcon] = {}
        self.setToolTipsVisible(True)
        self.menuAction().setStatusTip(tr("Every window and colour map for the open image"))
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what is offered now."""
        self.clear()
        session = self._services.session
        image = looked_at(session)
        if image is None or image.is_colour:
            none = "Nothing is open" if image is None else "A picture in colour is shown as it is"
            self.addAction(tr(none)).setEnabled(False)
            return
        chosen = QActionGroup(self)
        for source, choices in groupby(listed(image, session.own_windows), lambda choice: choice.source):
            if source in _HEADS:
                self._head(_HEADS[source])
            for choice in choices:
                self._add_window(choice, chosen, shown_window(session))
        self.addSeparator()
        for name in ("image.window_type", "image.invert"):
            self.addAction(self._commands[name])
        self._head("Colours")
        colours = QActionGroup(self)
        for one in COLOUR_MAPS:
            self._add_colours(one, colours, session.view.colours)

    def _head(self, text: str) -> None:
        self.addSeparator()
        self.addAction(tr(text)).setEnabled(False)

    def _add_window(self, choice: Choice, group: QActionGroup, shown: Window) -> None:
        window = choice.window
        digit = "" if choice.key is None else f"\t{choice.key}"
        action = self.addAction(f"{window.name}  {_figures(window)}".replace("&", "&&") + digit)
        self._wire(action, group, same_grey(window, shown), lambda: looks.choose(self._services, window))

    def _add_colours(self, one: ColourMap, group: QActionGroup, shown: str) -> None:
        action = self.addAction(self._swatch(one.id), tr(one.title))
        action.setToolTip(tr(one.help))
        self._wire(action, group, one.id == shown, lambda: looks.set_colours(self._services, one.id))

    def _wire(self, action: QAction, group: QActionGroup, checked: bool, act: Callable[[], None]) -> None:
        action.setCheckable(True)
        action.setChecked(checked)
        font = action.font()
        font.setBold(checked)  # beside a picture there is no room for a check mark
        action.setFont(font)
        group.addAction(action)
        action.triggered.connect(lambda _=False: self._services.attempt(act))

    def _swatch(self, name: str) -> QIcon:
        if name not in self._swatches:
            self._swatches[name] = QIcon(QPixmap.fromImage(swatch(name, *_SWATCH)))
        return self._swatches[name]


def swatch(name: str, width: int, height: int) -> QImage:
    """A picture of a colour map, from its low end on the left to its high end on the right."""
    # Not at module level: the menus stand before napari, which knows some of the maps, has to be there.
    from medviewer.ui.viewport.tables import colour_table

    colours = colour_table(name, np.linspace(0, 1, width, dtype=np.float32))
    row = np.ascontiguousarray(np.rint(colours * 255).astype(np.uint8))
    pixels = np.ascontiguousarray(np.broadcast_to(row, (height, width, 4)))
    return QImage(pixels.data, width, height, QImage.Format.Format_RGBA8888).copy()


def _figures(window: Window) -> str:
    """Width and level, for a menu."""
    if window.lut is not None:
        return "(table)"
    return f"W {_number(window.width)}  L {_number(window.center)}" + ("" if window.is_linear else "  sigmoid")


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 20 else f"{value:.3g}"
