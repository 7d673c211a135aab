"""What stands over the 3D view: its look, the clipping box, and the sides to look from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton

from medviewer.app.commands import solid
from medviewer.app.services import Services
from medviewer.app.solid_looks import presets, solid_look
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links

if TYPE_CHECKING:
    from medviewer.ui.viewport.volume_view import VolumeView

_LOOKS = tuple(f"solid.{one.id}" for one in presets())
_SIDES = tuple(f"solid.from_{side}" for side in ("anterior", "posterior", "left", "right", "head", "feet", "first"))
_CUTS = ("solid.cut_front", "solid.cut_left", "solid.cut_top", "solid.clip_mask", "solid.unclip")
_EDGE = 8


class SolidBar(QFrame):
    """Buttons in the upper right of the 3D view; it also turns what the mouse asks for there into commands.

    Parameters
    ----------
    services
        What is open.
    commands
        Every action of the window by its id.
    view
        The 3D view.
    """

    clipping = Signal(bool)
    """The clipping box is to be shown among the panels, or no longer."""

    def __init__(self, services: Services, commands: Mapping[str, QAction], view: VolumeView) -> None:
        super().__init__(view)
        self.setObjectName("solidBar")
        self._services, self._commands, self._view = services, commands, view
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(1)
        self.looks = self._menu_button("Look", "volume", "How the volume looks: a right drag moves its values")
        self.clip = QToolButton()
        self.clip.setIcon(icon("crop"))
        self.clip.setCheckable(True)
        self.clip.setToolTip(tr("Clipping box: show its panel on the right, or hide it"))
        self.sides = self._menu_button("", "rotate_3d", "Look from a side")
        self.large = QToolButton()
        self.large.setIcon(icon("single"))
        self.large.setToolTip(tr("3D large, and back; a double click does too"))
        for button in (self.looks, self.clip, self.sides, self.large):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        self.setProperty("overlay", True)
        self.clip.toggled.connect(self._offer_box)
        self.large.clicked.connect(self._enlarge)
        self.looks_menu, self.sides_menu, self.menu = QMenu(self), QMenu(self), QMenu(self)
        self.looks.setMenu(self.looks_menu)
        self.sides.setMenu(self.sides_menu)
        self.looks_menu.aboutToShow.connect(self._fill_looks)
        self._fill(self.sides_menu, _SIDES, ("solid.save",))
        view.look_moved.connect(self._move_look)
        view.menu_requested.connect(self._pop_up)
        view.enlarge_requested.connect(self._enlarge)
        view.installEventFilter(self)
        session = services.session
        self._links = Links(self)
        for signal in (session.events.image, session.events.solid_looks, session.events.arrival):
            self._links.add(signal, self.follow)
        self.follow()

    def _menu_button(self, text: str, picture: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(picture))
        button.setText(tr(text))
        button.setToolTip(tr(tip))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        if text:
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return button

    def follow(self, *_: object) -> None:
        """Name the look; nothing stands here where there is no volume."""
        look = solid_look(self._services.session)
        self.setVisible(look is not None)
        self._offer_box()
        if look is not None:
            self.looks.setText(tr(look.preset.name))
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep to the corner of the view."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self._offer_box()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        self.adjustSize()
        self.move(self._view.width() - self.width() - _EDGE, _EDGE)
        self.raise_()
        self._view.reserve(self.width() + _EDGE if self.isVisibleTo(self._view) else 0)

    def _offer_box(self, *_: object) -> None:
        """The box is among the panels while it is asked for, there is a volume and the view is seen."""
        there = solid_look(self._services.session) is not None and self._view.isVisible()
        self.clipping.emit(self.clip.isChecked() and there)

    def _enlarge(self) -> None:
        solid.enlarge(self._services.session)

    def _move_look(self, up: float, wider: float) -> None:
        solid.move_look(self._services, up, wider)

    def _fill(self, menu: QMenu, *groups: tuple[str, ...]) -> None:
        menu.clear()
        for group in groups:
            menu.addSeparator()
            menu.addActions([self._commands[name] for name in group])

    def _offered(self) -> tuple[str, ...]:
        """The looks that fit what is open: those for other modalities stay in the menu bar."""
        return tuple(name for name in _LOOKS if self._commands[name].isEnabled())

    def _fill_looks(self) -> None:
        self._fill(self.looks_menu, self._offered(), ("solid.reset_look", "solid.through"))

    def _pop_up(self, where: QPoint) -> None:
        if solid_look(self._services.session) is not None:
            own = ("solid.reset_look", "solid.through")
            self._fill(self.menu, self._offered(), own, _CUTS, _SIDES, ("view.solid", "solid.save"))
            self.menu.popup(where)
