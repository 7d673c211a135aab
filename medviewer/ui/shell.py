"""What the window can be asked to do by actions that are about the window itself.

Sheets and dialogs are imported when they are first opened: no start waits for what nobody may ask for.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from medviewer.app import actions, settings
from medviewer.app.ports.scene import SolidSide
from medviewer.app.ports.shell import DeidentifyChoice
from medviewer.app.services import Services
from medviewer.domain.document import Document
from medviewer.errors import StoreError
from medviewer.ui import dialogs
from medviewer.ui.menus import Menus
from medviewer.ui.research import Research
from medviewer.ui.tour import Tour
from medviewer.ui.translate import tr
from medviewer.ui.viewport_grid import ViewportGrid
from medviewer.ui.viewport_pane import marked
from medviewer.ui.widgets.fuse_menu import FuseMenu
from medviewer.ui.widgets.hanging_menu import HangingMenu
from medviewer.ui.widgets.mode_tabs import ModeTabs
from medviewer.ui.widgets.palette import Palette
from medviewer.ui.widgets.study_browser import StudyBrowser
from medviewer.ui.widgets.window_menu import WindowMenu

if TYPE_CHECKING:
    from medviewer.ui.panels import Panels
    from medviewer.ui.viewport.slice_view import SliceView

_RECENT_COMMANDS = 12
"""Commands of the palette that come first because they were chosen last."""


class ShellWindow(QMainWindow):
    """Implements `Shell` with the parts that `MainWindow` makes."""

    services: Services
    dialogs: dialogs.QtDialogs
    menus: Menus
    grid: ViewportGrid
    browser: StudyBrowser
    browser_dock: QDockWidget
    panel_dock: QDockWidget
    palette_box: Palette
    modes: ModeTabs
    research: Research
    tour: Tour
    windows: WindowMenu
    fuse_menu: FuseMenu
    hangings: HangingMenu

    @property
    @abstractmethod
    def panel_area(self) -> Panels:
        """The panels on the right."""

    def update_context(self) -> None:
        """Enable and check every action as the session has it now."""
        self.menus.update()

    # -- viewports

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        self.grid.fit()

    def fit_active(self) -> None:
        """Fit the picture of the active viewport."""
        self._active_slices().fit()

    def true_size(self) -> None:
        """Show the picture of the active viewport as large as it is in the patient."""
        self._active_slices().true_size()

    def pixel_size(self) -> None:
        """Show each pixel of the active viewport's picture as one of the screen."""
        self._active_slices().pixel_size()

    def _active_slices(self) -> SliceView:
        return self.grid.slices[self.services.session.view.active]

    def step(self, slices: int) -> None:
        """Scroll the active viewport."""
        self.grid.step(slices)

    def look_from(self, side: SolidSide) -> None:
        """Look at the 3D view from one side of the patient."""
        self.grid.volume.look_from(side)

    def turn_solid(self, right: float, up: float) -> None:
        """Turn what the 3D view shows to the right and upwards, in radians."""
        self.grid.volume.turn(right, up)

    def save_solid(self, path: Path) -> None:
        """Save the 3D view as a PNG."""
        if not marked(self.grid.volume.picture()).save(str(path)):
            raise StoreError(f"The picture should be written to {path}, but could not be; choose another folder.")
        self.services.session.say(f"Saved the 3D picture to {path.name}.", "ok")

    def turn(self, angle: float) -> None:
        """Turn the crosshair's lines in the active viewport, in radians, clockwise."""
        self.grid.turn(self.services.session.view.active, angle)

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        self.grid.next_viewport()

    def show_window_menu(self) -> None:
        """List every window and colour map at the active viewport."""
        viewport = self._active_slices()
        self.windows.popup(viewport.mapToGlobal(viewport.rect().center()))

    def show_fuse_menu(self) -> None:
        """List what may be laid over the open series, at the active viewport."""
        viewport = self._active_slices()
        self.fuse_menu.fill()
        self.fuse_menu.popup(viewport.mapToGlobal(viewport.rect().center()))

    def show_hanging_menu(self) -> None:
        """List every hanging protocol at the active viewport."""
        viewport = self._active_slices()
        self.hangings.popup(viewport.mapToGlobal(viewport.rect().center()))

    def show_hanging_save(self) -> None:
        """Ask what a hanging protocol of the present layout is for, and keep it."""
        from medviewer.ui.widgets.hanging_dialogs import SaveHangingDialog

        dialog = self.findChild(SaveHangingDialog) or SaveHangingDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_hanging_own(self) -> None:
        """List the user's hanging protocols, to rename and remove them."""
        from medviewer.ui.widgets.hanging_dialogs import OwnHangingsDialog

        dialog = self.findChild(OwnHangingsDialog) or OwnHangingsDialog(self.services, self.dialogs, self.reveal, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def screenshot(self, path: Path) -> None:
        """Save the viewports as a PNG."""
        if not self.grid.picture().save(str(path)):
            raise StoreError(f"The picture should be written to {path}, but could not be; choose another folder.")
        self.services.session.say(f"Saved the picture to {path.name}.", "ok")

    def copy_text(self, text: str) -> None:
        """Put a text into the clipboard, and say so."""
        QGuiApplication.clipboard().setText(text)
        self.services.session.say(f"Copied: {text}", "ok")

    # -- parts of the window

    def find_study(self) -> None:
        """Put the keyboard into the search field."""
        self.browser_dock.show()
        self.browser.focus_search()

    def toggle_browser(self) -> None:
        """Show or hide the list of studies."""
        self.browser_dock.setVisible(not self.browser_dock.isVisible())

    def toggle_panels(self) -> None:
        """Show or hide the panels on the right."""
        self.panel_dock.setVisible(not self.panel_dock.isVisible())

    def next_area(self) -> None:
        """Bring the keyboard to the next part of the window that is seen: viewports, panels, studies, tabs."""
        areas: list[tuple[QWidget, QWidget | None]] = [
            (self.grid, self.grid),
            (self.panel_area, _first_control(self.panel_area.widget())),
            (self.browser, self.browser.tree),
            (self.modes, self.modes),
        ]
        seen = [(area, target) for area, target in areas if target is not None and area.isVisible()]
        focus = QApplication.focusWidget()
        now = next((k for k, (area, _) in enumerate(seen) if focus is not None and _holds(area, focus)), -1)
        target = seen[(now + 1) % len(seen)][1]
        if target is not None:
            target.setFocus(Qt.FocusReason.TabFocusReason)

    def show_panel(self, name: str) -> None:
        """Open one of the panels and bring it into view."""
        self.panel_dock.show()
        self.panel_area.bring(name)

    def quit(self) -> None:
        """Close the window."""
        self.close()

    # -- sheets and dialogs

    def show_report(self) -> None:
        """Write the report of the open study."""
        from medviewer.ui.report.window import show_report

        show_report(self.services, self.menus.commands, self)

    def show_corners(self) -> None:
        """Choose which line of text stands in which corner."""
        from medviewer.ui.widgets.corners_dialog import CornersDialog

        dialog = self.findChild(CornersDialog) or CornersDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_window_dialog(self) -> None:
        """Let a window be typed in and kept."""
        from medviewer.ui.widgets.window_dialog import WindowDialog

        dialog = self.findChild(WindowDialog) or WindowDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def reveal(self, folder: Path) -> None:
        """Show a folder in the system's file manager."""
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            raise StoreError(f"The file manager should show {folder}, but this system has none that answers; go there.")

    def show_document(self, document: Document) -> None:
        """Show a report or document of a study."""
        from medviewer.ui.widgets.document_view import show_document

        show_document(self.services, self.dialogs, document, self)

    def ask_deidentify(self, what: str = "") -> DeidentifyChoice | None:
        """Ask where de-identified copies of a study go and what they keep; None when the user thought better of it."""
        from medviewer.ui.widgets.deidentify_dialog import DeidentifyDialog

        dialog = DeidentifyDialog(self, what)
        try:
            return dialog.choice if dialog.exec() else None
        finally:
            dialog.deleteLater()

    def show_manual(self) -> None:
        """Open the manual."""
        dialogs.show_manual(self)

    def show_keys(self) -> None:
        """Open the sheet of keys."""
        dialogs.show_keys(self.menus.keys_in, self, self.menus.keyboard.shortcuts)

    def show_language(self) -> None:
        """Let the language of the window be chosen."""
        from medviewer.ui.widgets.language_dialog import LanguageDialog

        dialog = self.findChild(LanguageDialog) or LanguageDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_tour(self) -> None:
        """Start the tour of three steps."""
        self.tour.start()

    def open_napari(self) -> None:
        """Open the image and its mask as layers in a full napari window."""
        self.research.open()

    def bring_back(self) -> None:
        """Make the Labels layer of the napari window the mask."""
        self.research.bring_back()

    def show_palette(self) -> None:
        """Find a command by its name, and do it."""
        self.menus.update()
        kept = settings.load(self.services.archive.home).palette
        hangings = self.hangings.entries()
        commands = self.menus.commands | {entry.id: action for entry, action in hangings}
        self.palette_box.open([*self.menus.entries(), *(entry for entry, _ in hangings)], commands, kept)

    def _note_chosen(self, name: str) -> None:
        home = self.services.archive.home
        kept = (name, *(other for other in settings.load(home).palette if other != name))
        self.services.attempt(lambda: settings.change(home, palette=kept[:_RECENT_COMMANDS]))

    def show_shortcuts(self) -> None:
        """Show and change the key of every command."""
        from medviewer.ui.widgets.shortcuts_dialog import Named, ShortcutsDialog

        titles = actions.titles(tr)
        named = [
            Named(
                name,
                action.text().replace("&", "").rstrip("…"),
                titles[menu],
                action.statusTip(),
            )
            for name, (menu, action) in self.menus.placed().items()
        ]
        ShortcutsDialog(self.services, self.menus.keyboard.shortcuts, named, self)

    def show_about(self) -> None:
        """Tell version, licence and intended use."""
        dialogs.show_about(self)

    def show_plugins(self) -> None:
        """Install, trust, check and switch plugins."""
        from medviewer.ui.widgets.plugins_dialog import show_plugins

        show_plugins(self.services, self)

    def show_batch(self) -> None:
        """Run a plugin on many studies of the list."""
        from medviewer.ui.widgets.batch_dialog import show_batch

        show_batch(self.services, self)

    def show_pacs_query(self) -> None:
        """Search the hospital's archive."""
        from medviewer.ui import pacs

        pacs.show_query(self.services, self, self._look_at_viewports)

    def _look_at_viewports(self) -> None:
        self.activateWindow()
        self.grid.setFocus()

    def show_pacs_nodes(self) -> None:
        """Set up archives on the network."""
        from medviewer.ui import pacs

        pacs.show_nodes(self.services, self)

    def show_pacs_send(self) -> None:
        """Ask what to send to which archive."""
        from medviewer.ui import pacs

        pacs.show_send(self.services, self)


def _holds(area: QWidget, widget: QWidget) -> bool:
    return area is widget or area.isAncestorOf(widget)


def _first_control(column: QWidget | None) -> QWidget | None:
    """The first widget in the order of the Tab key that takes the keyboard."""
    one = column.nextInFocusChain() if column is not None else None
    while one is not None and one is not column:
        able = one.isVisible() and one.isEnabled() and bool(one.focusPolicy() & Qt.FocusPolicy.TabFocus)
        if able and column is not None and column.isAncestorOf(one):
            return one
        one = one.nextInFocusChain()
    return None
