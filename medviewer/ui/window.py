"""The main window: menus from actions, the viewports, the panels, and what the window itself can do."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from app_model import Application
from app_model.backends.qt import QModelMenu, QModelMenuBar
from PySide6.QtCore import QByteArray, QEvent, QObject, QRect, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDesktopServices,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QComboBox,
    QDialog,
    QDockWidget,
    QLabel,
    QMainWindow,
    QScrollArea,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from medviewer.app import actions, context, modes, settings
from medviewer.app.commands import masks, panes
from medviewer.app.hanging.companions import looked_at
from medviewer.app.hanging.layouts import LAYOUTS
from medviewer.app.ports import DeidentifyChoice
from medviewer.app.presets import by_key
from medviewer.app.services import Services
from medviewer.app.shortcuts import Shortcuts
from medviewer.app.state import MEASURE_TOOLS
from medviewer.domain.document import Document
from medviewer.domain.image import Window
from medviewer.errors import MedviewerError, StoreError
from medviewer.ui import dialogs, pacs
from medviewer.ui.icons import icon
from medviewer.ui.keyboard import Keyboard
from medviewer.ui.research import Research, ResearchPanel
from medviewer.ui.viewport import SliceView
from medviewer.ui.viewport_grid import RESEARCH_USE, EmptyState, ViewportGrid
from medviewer.ui.widgets.ai_panel import AiPanel
from medviewer.ui.widgets.batch_dialog import show_batch
from medviewer.ui.widgets.corners_dialog import CornersDialog
from medviewer.ui.widgets.deidentify_dialog import DeidentifyDialog
from medviewer.ui.widgets.document_view import show_document
from medviewer.ui.widgets.drops import OpensDrops
from medviewer.ui.widgets.job_bar import JobBar
from medviewer.ui.widgets.learning_panel import LearningPanel
from medviewer.ui.widgets.measure_panel import MeasurePanel
from medviewer.ui.widgets.message_strip import MessageStrip
from medviewer.ui.widgets.mode_tabs import ModeTabs
from medviewer.ui.widgets.palette import Palette, entries_of
from medviewer.ui.widgets.phase_bar import PhaseBar
from medviewer.ui.widgets.plugins_dialog import show_plugins
from medviewer.ui.widgets.recent_menu import RecentMenu
from medviewer.ui.widgets.saliency_panel import SaliencyPanel
from medviewer.ui.widgets.section import Section
from medviewer.ui.widgets.segments_panel import SegmentsPanel
from medviewer.ui.widgets.shortcuts_dialog import Named, ShortcutsDialog
from medviewer.ui.widgets.slab_box import SlabBox
from medviewer.ui.widgets.study_browser import StudyBrowser
from medviewer.ui.widgets.study_rows import origin
from medviewer.ui.widgets.window_dialog import WindowDialog
from medviewer.ui.widgets.window_menu import WindowMenu

_MESSAGE_WIDTH = 460
_ABOVE_SCALE_BAR = 40
PANEL_WIDTH, BROWSER_WIDTH = 340, 250

_TOOLBAR: tuple[tuple[tuple[str, str], ...], ...] = (
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

_MENU_ICONS = {f"tool.{kind}": kind for kind in MEASURE_TOOLS} | {"measure.delete": "delete"}
"""Icons of actions that have no room in the tool bar."""

_VIEWPORT_KEYS = ("view.next", "view.slice_up", "view.slice_down", "view.page_up", "view.page_down")
"""Actions whose keys mean something else in lists and panels."""

_RECENT_COMMANDS = 12
"""Commands of the palette that come first because they were chosen last."""

_names = count()


class MainWindow(OpensDrops, QMainWindow):
    """The window of one running program. It owns the widgets; `services` owns everything else."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.setWindowTitle(f"medviewer - {RESEARCH_USE}")
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.model = Application(f"medviewer-{next(_names)}")
        self.dialogs = dialogs.QtDialogs(self)
        self.keyboard = Keyboard(self.model, Shortcuts(services.archive.home))
        plugins = actions.of_plugins(services, self.dialogs, self)
        known = {action.id for action in plugins}
        made = actions.build(services, self.dialogs, self)
        self._reasons = {action.id: context.REASONS.get(str(action.enablement or ""), "not now") for action in made}
        self.model.register_actions(self.keyboard.without_keys(action for action in made if action.id not in known))
        self._forget_plugins = self.model.register_actions(self.keyboard.without_keys(plugins))
        self.menus = QModelMenuBar(actions.MENUS, self.model, self)
        self.setMenuBar(self.menus)
        self._corner_label()
        self.commands: dict[str, QAction] = _by_id(self.menus)
        self._add_recent()
        self._add_windows()
        self._make_tool_bar()
        self._make_centre()
        self._make_docks()
        self._make_status_bar()
        self._context_pending = False
        self._context: object = None
        for action in self.commands.values():
            action.triggered.connect(self._after_action)
        for signals in (services.session.events, services.session.view.events):
            signals.connect(self._request_context)
        services.session.events.plugins_revision.connect(self._follow_plugins)
        services.session.events.mask.connect(self._follow_mask)
        services.session.events.series.connect(self._retitle)
        services.session.events.document.connect(self._take_document)
        services.session.events.image.connect(self._focus_viewports)
        self._share_keys()
        self.palette_box = Palette(self)
        self.palette_box.chosen.connect(self._note_chosen)
        self.keyboard.shortcuts.changed.connect(self._apply_keys)
        self.keyboard.offer(self.commands)
        self._restore()
        services.session.events.mode.connect(self._show_mode)
        self._show_mode()
        self.update_context()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _corner_label(self) -> None:
        label = QLabel(RESEARCH_USE.upper(), self.menus)
        label.setObjectName("researchUse")
        self.menus.setCornerWidget(label)

    def _add_recent(self) -> None:
        before = self.commands["file.open_demo"]
        for menu in self.menus.findChildren(QModelMenu):
            if before in menu.actions():
                self.recent = RecentMenu(self.services, self)
                menu.insertMenu(before, self.recent)

    def _add_windows(self) -> None:
        before = self.commands["image.next_colours"]
        for menu in self.menus.findChildren(QModelMenu):
            if before in menu.actions():
                self.windows = WindowMenu(self.services, self.commands, self)
                menu.insertMenu(before, self.windows)

    def _make_tool_bar(self) -> None:
        tabs = QToolBar("Modes", self)
        tabs.setObjectName("modeBar")
        tabs.setMovable(False)
        self.modes = ModeTabs(self.services.session)
        tabs.addWidget(self.modes)
        self.addToolBar(tabs)
        self.tools = bar = QToolBar("Tools", self)
        bar.setObjectName("toolBar")
        bar.setMovable(False)
        exclusive = QActionGroup(self)
        for group in _TOOLBAR:
            for command, picture in group:
                action = self.commands[command]
                action.setIcon(icon(picture))
                if command.startswith("tool."):
                    exclusive.addAction(action)
        more = bar.findChild(QToolButton, "qt_toolbar_ext_button")
        if more is not None:  # what a narrow window has no room for; Qt's own picture is black
            more.setIcon(icon("more"))
            more.setToolTip("More tools")
        self._slab_box = bar.addWidget(SlabBox(self.services))
        for command, picture in _MENU_ICONS.items():
            self.commands[command].setIcon(icon(picture))
            if command.startswith("tool."):
                exclusive.addAction(self.commands[command])
        self.addToolBar(bar)

    def _show_mode(self, *_: object) -> None:
        """Have at hand what the mode needs; the rest stays in the menus."""
        mode = self.services.session.mode
        for action in self.tools.actions():
            self.tools.removeAction(action)
        for group in _TOOLBAR:
            for command, _picture in (entry for entry in group if modes.offers(mode, entry[0])):
                self.tools.addAction(self.commands[command])
            if any(modes.offers(mode, command) for command, _picture in group):
                self.tools.addSeparator()
        self.tools.addAction(self._slab_box)
        for name, section in self.panels.items():
            section.setVisible(name in modes.MODES[mode].panels)
        if mode == "review":
            self.panels["learning"].expanded = True
        self._context = None
        self._request_context()

    def _make_centre(self) -> None:
        self.empty = EmptyState()
        self.grid = ViewportGrid(self.services, self.empty)
        self.grid.ask_text = lambda title, text, suggestion: self.dialogs.ask_text(title, text, suggestion)
        self.phases = PhaseBar(self.services)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.grid, 1)
        column.addWidget(self.phases)
        self.setCentralWidget(centre)
        # the strip floats over the viewports: images must not move when there is something to say
        self.messages = MessageStrip(self.services, self.grid)
        self.messages.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.messages.installEventFilter(self)
        self.grid.installEventFilter(self)

    def _make_docks(self) -> None:
        self.research = Research(self.services)
        self.browser = StudyBrowser(self.services)
        self.browser.commands = self.commands
        self.browser_dock = self._dock("Studies", self.browser, Qt.DockWidgetArea.LeftDockWidgetArea, BROWSER_WIDTH)
        segments = SegmentsPanel(self.services)
        segments.export_requested.connect(self.commands["file.save_mask"].trigger)
        segments.approve_requested.connect(self.commands["segment.approve"].trigger)
        segments.reject_requested.connect(self.commands["segment.reject"].trigger)
        measures = MeasurePanel(self.services)
        measures.delete_requested.connect(self.commands["measure.delete"].trigger)
        panels: dict[str, tuple[str, QWidget, bool]] = {
            "ai": ("AI", AiPanel(self.services), True),
            "segments": ("Segments", segments, True),
            "measure": ("Measurements", measures, True),
            "saliency": ("Saliency", SaliencyPanel(self.services), True),
            "learning": ("Queue and model versions", LearningPanel(self.services), False),
            "research": ("napari", ResearchPanel(self.commands), True),
        }
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.panels: dict[str, Section] = {}
        for name, (title, panel, opened) in panels.items():
            section = Section(title, panel)
            section.expanded = opened
            layout.addWidget(section)
            self.panels[name] = section
        layout.addStretch(1)
        self.panel_area = QScrollArea()
        self.panel_area.setObjectName("panels")
        self.panel_area.setWidgetResizable(True)
        self.panel_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.panel_area.setWidget(column)
        self.panel_dock = self._dock("Panels", self.panel_area, Qt.DockWidgetArea.RightDockWidgetArea, PANEL_WIDTH)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea, width: int) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock{title}")
        dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        dock.setTitleBarWidget(QWidget())
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        self.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
        return dock

    def _make_status_bar(self) -> None:
        status = self.statusBar()
        status.setSizeGripEnabled(False)
        jobs = JobBar(self.services)
        status.addWidget(jobs, 1)
        self.read_out = QLabel()
        self.read_out.setObjectName("readOut")
        status.addPermanentWidget(self.read_out)
        status.addPermanentWidget(jobs.gpu)
        self.grid.read_out.connect(self.read_out.setText)

    def _share_keys(self) -> None:
        """Who gets a key: letters act everywhere but in text fields, arrows and Tab only act on the viewports.

        Buttons and sliders take the focus from the Tab key alone, so that a click on one leaves it with the viewports.
        """
        for command in _VIEWPORT_KEYS:
            action = self.commands[command]
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.grid.addAction(action)
        for kind in (QAbstractButton, QAbstractSlider, QComboBox):
            for widget in (*self.panel_dock.findChildren(kind), *self.phases.findChildren(kind)):
                widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.browser.left.connect(self.grid.setFocus)
        self.grid.setFocus()

    def _apply_keys(self) -> None:
        self.keyboard.apply(self.commands)
        key_of = self.keyboard.shortcuts.key_of
        self.empty.name_keys(key_of)
        self.modes.name_keys({name: key_of(f"mode.{name}") for name in modes.MODES})

    def _restore(self) -> None:
        """Be as the window was when it was closed."""
        kept = settings.load(self.services.archive.home)
        if kept.mode in modes.MODES:
            self.services.session.mode = kept.mode
        if kept.layout in LAYOUTS:
            panes.arrange(self.services.session, kept.layout)
        # Qt itself refuses what it did not write, and leaves the window as it is.
        self.restoreGeometry(QByteArray.fromBase64(kept.geometry.encode()))
        self.restoreState(QByteArray.fromBase64(kept.panels.encode()))

    def _remember(self) -> None:
        """Keep how the window is; that it cannot be kept is not worth a question."""
        home = self.services.archive.home
        session = self.services.session
        kept = {
            "mode": session.mode,
            "layout": session.view.base,
            "geometry": _text(self.saveGeometry()),
            "panels": _text(self.saveState()),
        }
        self.services.attempt(lambda: settings.change(home, **kept))

    def _focus_viewports(self, image: object) -> None:
        if image is not None:
            self.grid.setFocus()

    # -- enablement -----------------------------------------------------------------------------------------------

    def update_context(self) -> None:
        """Enable and check every action as the session has it now."""
        self._context_pending = False
        session = self.services.session
        image = looked_at(session)
        keys = (context.current(session), image, session.own_windows)
        if keys == self._context:
            return  # as with every step of the crosshair
        self._context = keys
        self.menus.update_from_context(keys[0])
        self._name_windows(by_key(image, session.own_windows) if image is not None else {})

    def _name_windows(self, windows: dict[int, Window]) -> None:
        """Say what the keys 1 to 9 choose for the open image, and hide those that choose nothing."""
        for number in range(1, 10):
            action = self.commands[f"image.window_{number}"]
            action.setVisible(number in windows or not windows)
            if number in windows:
                action.setText(f"Window: {windows[number].name}".replace("&", "&&"))

    def _after_action(self, *_: object) -> None:
        """Qt has switched the check mark of what was chosen, also where nothing changed: look again."""
        self._context = None
        self._request_context()

    def _request_context(self, *_: object) -> None:
        if not self._context_pending:
            self._context_pending = True
            QTimer.singleShot(0, self, self.update_context)

    def _follow_plugins(self, *_: object) -> None:
        """A plugin came, went or was switched: the menus offer what there is."""
        self._forget_plugins()
        made = self.keyboard.without_keys(actions.of_plugins(self.services, self.dialogs, self))
        self._reasons |= {action.id: context.REASONS.get(str(action.enablement or ""), "not now") for action in made}
        self._forget_plugins = self.model.register_actions(made)
        former = set(self.commands.values())
        now = _by_id(self.menus)
        self.commands.clear()  # the list of studies has the same
        self.commands.update(now)
        for action in now.values():
            if action not in former:
                action.triggered.connect(self._after_action)
        self.keyboard.offer(now)
        self._context = None
        self.update_context()

    def _follow_mask(self, store: Any) -> None:
        if store is not None:
            store.edited.connect(self._request_context)

    def _retitle(self, *_: object) -> None:
        series = self.services.session.series
        parts = (origin(series.modality, series.reader), series.description) if series else ()
        name = " ".join(part for part in parts if part)
        name = f"{name} - " if name else ""
        self.setWindowTitle(f"{name}medviewer - {RESEARCH_USE}")

    # -- Shell ----------------------------------------------------------------------------------------------------

    def quit(self) -> None:
        """Close the window."""
        self.close()

    def fit(self) -> None:
        """Fit the picture of every viewport."""
        self.grid.fit()

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

    def turn(self, angle: float) -> None:
        """Turn the crosshair's lines in the active viewport, in radians, clockwise."""
        self.grid.turn(self.services.session.view.active, angle)

    def next_viewport(self) -> None:
        """Make the next viewport the active one."""
        self.grid.next_viewport()

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

    def show_panel(self, name: str) -> None:
        """Open one of the panels and bring it into view."""
        self.panel_dock.show()
        section = self.panels[name]
        section.show()  # also where the mode has it not
        section.expanded = True
        QTimer.singleShot(0, self, lambda: self.panel_area.ensureWidgetVisible(section))

    def show_corners(self) -> None:
        """Choose which line of text stands in which corner."""
        dialog = self.findChild(CornersDialog) or CornersDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_window_dialog(self) -> None:
        """Let a window be typed in and kept."""
        dialog = self.findChild(WindowDialog) or WindowDialog(self.services, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    def show_window_menu(self) -> None:
        """List every window and colour map at the active viewport."""
        viewport = self._active_slices()
        self.windows.popup(viewport.mapToGlobal(viewport.rect().center()))

    def screenshot(self, path: Path) -> None:
        """Save the viewports as a PNG."""
        if not self.grid.picture().save(str(path)):
            raise StoreError(f"The picture should be written to {path}, but could not be; choose another folder.")
        self.services.session.say(f"Saved the picture to {path.name}.", "ok")

    def reveal(self, folder: Path) -> None:
        """Show a folder in the system's file manager."""
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            raise StoreError(f"The file manager should show {folder}, but this system has none that answers; go there.")

    def show_document(self, document: Document) -> None:
        """Show a report or document of a study."""
        show_document(self.services, self.dialogs, document, self)

    def ask_deidentify(self, what: str = "") -> DeidentifyChoice | None:
        """Ask where de-identified copies of a study go and what they keep; None when the user thought better of it."""
        dialog = DeidentifyDialog(self, what)
        try:
            return dialog.choice if dialog.exec() else None
        finally:
            dialog.deleteLater()

    def _take_document(self, document: Document | None) -> None:
        if document is not None:
            self.services.session.document = None  # so that the same one can be opened again
            self.show_document(document)

    def show_manual(self) -> None:
        """Open the manual."""
        dialogs.show_manual(self)

    def show_keys(self) -> None:
        """Open the sheet of keys."""
        dialogs.show_keys(self.model, self, self.keyboard.shortcuts)

    def open_napari(self) -> None:
        """Open the image and its mask as layers in a full napari window."""
        self.research.open()

    def bring_back(self) -> None:
        """Make the Labels layer of the napari window the mask."""
        self.research.bring_back()

    def show_palette(self) -> None:
        """Find a command by its name, and do it."""
        self.update_context()
        found = entries_of(actions.MENUS, self._placed(), lambda name: self._reasons.get(name, "not now"))
        kept = settings.load(self.services.archive.home).palette
        self.palette_box.open([entry for entry in found if entry.id != "edit.palette"], self.commands, kept)

    def _placed(self) -> dict[str, tuple[str, QAction]]:
        """Every action with the id of its menu, in the order of the menu bar."""
        return {
            action.objectName(): (menu.objectName(), action)
            for menu in self.menus.findChildren(QModelMenu)
            for action in menu.actions()
            if action.objectName() in self.commands
        }

    def _note_chosen(self, name: str) -> None:
        home = self.services.archive.home
        kept = (name, *(other for other in settings.load(home).palette if other != name))
        self.services.attempt(lambda: settings.change(home, palette=kept[:_RECENT_COMMANDS]))

    def show_shortcuts(self) -> None:
        """Show and change the key of every command."""
        named = [
            Named(
                name,
                action.text().replace("&", "").rstrip("…"),
                actions.MENUS[menu].replace("&", ""),
                action.statusTip(),
            )
            for name, (menu, action) in self._placed().items()
        ]
        ShortcutsDialog(self.services, self.keyboard.shortcuts, named, self)

    def show_about(self) -> None:
        """Tell version, licence and intended use."""
        dialogs.show_about(self)

    def show_plugins(self) -> None:
        """Install, trust, check and switch plugins."""
        show_plugins(self.services, self)

    def show_batch(self) -> None:
        """Run a plugin on many studies of the list."""
        show_batch(self.services, self)

    def show_pacs_query(self) -> None:
        """Search the hospital's archive."""
        pacs.show_query(self.services, self, self._look_at_viewports)

    def _look_at_viewports(self) -> None:
        self.activateWindow()
        self.grid.setFocus()

    def show_pacs_nodes(self) -> None:
        """Set up archives on the network."""
        pacs.show_nodes(self.services, self)

    def show_pacs_send(self) -> None:
        """Ask what to send to which archive."""
        pacs.show_send(self.services, self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the message strip in the lower right of the viewports, over 3D, where it hides no name and no letter."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.LayoutRequest):
            width = min(_MESSAGE_WIDTH, self.grid.width() // 2 - 24)
            wrapped = self.messages.heightForWidth(width)
            height = wrapped if wrapped > 0 else self.messages.sizeHint().height()
            right, bottom = self.grid.width() - 12, self.grid.height() - _ABOVE_SCALE_BAR
            place = QRect(right - width, bottom - height, width, height)
            if self.messages.geometry() != place:
                self.messages.setGeometry(place)
            self.messages.raise_()
        return super().eventFilter(watched, event)

    # -- Qt -------------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the mask, stop the work, let go of the canvases; a mask that cannot be kept is asked about."""
        try:
            masks.keep(self.services)
        except MedviewerError as error:
            text = f"{error} The strokes are in the journal and come back with the series."
            if not self.dialogs.confirm("The mask could not be kept", text, "Close all the same"):
                event.ignore()
                return
        self._remember()
        self.phases.stop()
        for dialog in self.findChildren(QDialog):
            dialog.close()  # while there still is a runner: what they prepared and nobody agreed to is removed
        self.research.close()
        self.services.runner.shutdown()
        self.grid.close_canvases()
        Application.destroy(self.model.name)
        super().closeEvent(event)


def _text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode("ascii")


def _by_id(menus: QModelMenuBar) -> dict[str, QAction]:
    """Every action of the menu bar by its command id."""
    found: dict[str, QAction] = {}
    for menu in menus.findChildren(QModelMenu):
        found |= {action.objectName(): action for action in menu.actions() if action.objectName()}
    return found
