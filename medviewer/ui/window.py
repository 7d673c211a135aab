"""The main window: its parts, where they are, and how it was when it was closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QComboBox,
    QDialog,
    QDockWidget,
    QLabel,
    QSplitter,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from medviewer.app import commands, modes, settings
from medviewer.app.commands import masks, panes, research
from medviewer.app.hanging.in_use import is_hung
from medviewer.app.hanging.layouts import LAYOUTS
from medviewer.app.services import Services
from medviewer.domain.document import Document
from medviewer.errors import MedviewerError
from medviewer.ui import dialogs
from medviewer.ui.menus import Menus
from medviewer.ui.research import Research
from medviewer.ui.right_clicks import RightClicks
from medviewer.ui.shell import ShellWindow
from medviewer.ui.theme import RESEARCH_USE
from medviewer.ui.tool_bar import ToolBar
from medviewer.ui.tour import Tour
from medviewer.ui.translate import tr
from medviewer.ui.viewport_grid import ViewportGrid
from medviewer.ui.widgets.curved_pane import CurvedPane
from medviewer.ui.widgets.drops import OpensDrops
from medviewer.ui.widgets.empty_state import EmptyState
from medviewer.ui.widgets.fuse_menu import FuseMenu
from medviewer.ui.widgets.hanging_menu import HangingButton, HangingMenu
from medviewer.ui.widgets.job_bar import JobBar
from medviewer.ui.widgets.message_strip import MessageStrip
from medviewer.ui.widgets.mode_tabs import ModeTabs
from medviewer.ui.widgets.palette import Palette
from medviewer.ui.widgets.phase_bar import PhaseBar
from medviewer.ui.widgets.recent_menu import RecentMenu
from medviewer.ui.widgets.study_browser import StudyBrowser
from medviewer.ui.widgets.study_rows import origin
from medviewer.ui.widgets.window_menu import WindowMenu

if TYPE_CHECKING:
    from medviewer.ui.panels import Panels
    from medviewer.ui.viewport.volume_view import VolumeView
    from medviewer.ui.widgets.section import Section
    from medviewer.ui.widgets.solid_bar import SolidBar

PANEL_WIDTH, BROWSER_WIDTH = 340, 250

_VIEWPORT_KEYS = ("view.next", "view.slice_up", "view.slice_down", "view.page_up", "view.page_down")
"""Actions whose keys mean something else in lists and panels."""


class MainWindow(OpensDrops, ShellWindow):
    """The window of one running program. It owns the widgets; `services` owns everything else.

    Attributes
    ----------
    before_panels
        Called before what the panels need is imported here.
    """

    drawn = Signal()
    """The window was drawn for the first time."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self._drawn = False
        self.before_panels: Callable[[], None] = lambda: None
        self.setWindowTitle(f"medviewer - {tr(RESEARCH_USE)}")
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.dialogs = dialogs.QtDialogs(self, services.session)
        self.menus = Menus(services, self.dialogs, self, self)
        self.commands = self.menus.commands
        self._corner_label()
        self.recent = RecentMenu(services, self)
        self.menus.insert(self.recent, before="file.open_demo")
        self.windows = WindowMenu(services, self.commands, self)
        self.menus.insert(self.windows, before="image.next_colours")
        self.fuse_menu = FuseMenu(services, self._confirm, self)
        self.hangings = HangingMenu(services, self.commands, self)
        self.menus.insert(self.hangings, before="hang.list")
        self._make_tool_bars()
        self._make_centre()
        self._make_docks()
        self._make_status_bar()
        self.menus.follow()
        services.session.events.series.connect(self._retitle)
        services.session.events.document.connect(self._take_document)
        services.session.events.image.connect(self._focus_viewports)
        self._share_keys()
        self.right_clicks = RightClicks(self)
        for event in (services.session.events.studies, services.session.events.series):
            event.connect(self.complete)
        self.tour = Tour(self)
        self.palette_box = Palette(self)
        self.palette_box.chosen.connect(self._note_chosen)
        self.menus.keyboard.shortcuts.changed.connect(self._apply_keys)
        self.menus.keyboard.offer(self.commands)
        self._restore()
        services.session.events.mode.connect(self._show_mode)
        self._show_mode()
        self.update_context()

    def _confirm(self, title: str, text: str, accept: str) -> bool:
        return self.dialogs.confirm(title, text, accept)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _corner_label(self) -> None:
        label = QLabel(tr(RESEARCH_USE).upper(), self.menus.bar)
        label.setObjectName("researchUse")
        self.menus.bar.setCornerWidget(label)

    def _make_tool_bars(self) -> None:
        tabs = self.mode_bar = QToolBar(tr("Modes"), self)
        tabs.setObjectName("modeBar")
        tabs.setMovable(False)
        self.modes = ModeTabs(self.services.session)
        tabs.addWidget(self.modes)
        self.addToolBar(tabs)
        self.tools = ToolBar(self.services, self.commands, self)
        self.addToolBar(self.tools)

    def _show_mode(self, *_: object) -> None:
        """Have at hand what the mode needs."""
        mode = self.services.session.mode
        self.tools.show_mode(mode)
        if self._panel_area is not None:
            self._panel_area.show_mode()
        self.menus.look_again()

    def _make_centre(self) -> None:
        self.empty = EmptyState()
        self.grid = ViewportGrid(self.services, self.empty)
        self.grid.ask_text = lambda title, text, suggestion: self.dialogs.ask_text(title, text, suggestion)
        self.grid.confirm = self._confirm
        self.phases = PhaseBar(self.services)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.curved = CurvedPane(self.services)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        for part, stretch in ((self.grid, 2), (self.curved, 1)):
            parts.addWidget(part)
            parts.setStretchFactor(parts.indexOf(part), stretch)
        column.addWidget(parts, 1)
        column.addWidget(self.phases)
        self.setCentralWidget(centre)
        self.grid.volume_made.connect(self._make_solid_bar)
        self.messages = MessageStrip(self.services, self.grid)
        self.messages.float_over(self.grid)

    def _make_solid_bar(self, view: VolumeView) -> None:
        from medviewer.ui.widgets.solid_bar import SolidBar  # brings superqt, as the view brought napari

        self._solid_bar = SolidBar(self.services, self.commands, view)
        self._solid_bar.clipping.connect(self._show_clip)

    def _show_clip(self, shown: bool) -> None:
        """The clipping box stands among the panels: over a small 3D view it would hide what it cuts."""
        if shown and not self.panel_area.clips:
            self.panel_dock.show()
        self.panel_area.show_clip(shown)

    @property
    def solid_bar(self) -> SolidBar:
        """What stands over the 3D view, and comes with it."""
        view = self.grid.volume  # made now, where it is not there yet
        assert self._solid_bar.parentWidget() is view
        return self._solid_bar

    def _make_docks(self) -> None:
        self.research = Research(self.services, self)
        self.browser = StudyBrowser(self.services)
        self.browser.commands, self.browser.confirm = self.commands, self._confirm
        self.browser.reason = self.menus.reason
        self.browser_dock = self._dock("Studies", self.browser, Qt.DockWidgetArea.LeftDockWidgetArea, BROWSER_WIDTH)
        self._panel_area: Panels | None = None
        self.panel_dock = self._dock("Panels", QWidget(), Qt.DockWidgetArea.RightDockWidgetArea, PANEL_WIDTH)

    @property
    def panel_area(self) -> Panels:
        """The panels on the right: made when they are first asked for, at the latest when something is to be opened."""
        self.complete()
        assert self._panel_area is not None
        return self._panel_area

    @property
    def panels(self) -> dict[str, Section]:
        """The panels by their names."""
        return self.panel_area.sections

    def complete(self, *_: object) -> None:
        """Make the panels that are not there: they follow the session from before there is anything in it."""
        while self.make_next_panel():
            pass

    def make_next_panel(self) -> bool:
        """Make one panel of those that are not there yet; whether there was one to make."""
        if self._panel_area is None:
            self._make_panel_area()
        assert self._panel_area is not None
        return self._panel_area.make_next()

    def _make_panel_area(self) -> None:
        self.before_panels()
        from medviewer.ui.panels import Panels  # brings the database and what models need

        area = self._panel_area = Panels(self.services, self.commands, self._confirm)
        former = self.panel_dock.widget()
        self.panel_dock.setWidget(area)
        former.deleteLater()
        _leave_focus(area)
        area.made.connect(self._take_panel)

    def _take_panel(self, name: str) -> None:
        area = self._panel_area
        assert area is not None
        _leave_focus(area.sections[name])
        self.right_clicks.add_panel(area, name)
        if name == "measure":
            area.measures.name_keys(self.menus.keyboard.shortcuts.key_of)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea, width: int) -> QDockWidget:
        dock = QDockWidget(tr(title), self)
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
        status.addPermanentWidget(HangingButton(self.services, self.hangings))
        self.read_out = QLabel()
        self.read_out.setObjectName("readOut")
        status.addPermanentWidget(self.read_out)
        status.addPermanentWidget(jobs.gpu)
        self.grid.read_out.connect(self.read_out.setText)
        self.curved.read_out.connect(self.read_out.setText)

    # -- keys -----------------------------------------------------------------------------------------------------

    def _share_keys(self) -> None:
        """Who gets a key: letters act everywhere but in text fields, arrows and Tab only act on the viewports."""
        for command in _VIEWPORT_KEYS:
            action = self.commands[command]
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.grid.addAction(action)
        for part in (self.phases, self.curved):
            _leave_focus(part)
        self.browser.left.connect(self.grid.setFocus)
        self.grid.setFocus()

    def _apply_keys(self) -> None:
        keyboard = self.menus.keyboard
        keyboard.apply(self.commands)
        key_of = keyboard.shortcuts.key_of
        self.empty.name_keys(key_of)
        self.tools.slab_box.name_keys(key_of)
        if self._panel_area is not None and "measure" in self._panel_area.sections:
            self._panel_area.measures.name_keys(key_of)
        self.modes.name_keys({name: key_of(f"mode.{name}") for name in modes.MODES})

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the background, and tell of the first time."""
        super().paintEvent(event)
        if not self._drawn:
            self._drawn = True
            self.drawn.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape that nobody else wanted ends the tour, and else brings the keyboard back to the viewports."""
        if event.key() == Qt.Key.Key_Escape and self.tour.running:
            self.tour.end()
        elif event.key() == Qt.Key.Key_Escape:
            self.grid.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            super().keyPressEvent(event)

    # -- what is open ---------------------------------------------------------------------------------------------

    def _focus_viewports(self, image: object) -> None:
        if image is not None:
            self.grid.setFocus()

    def _retitle(self, *_: object) -> None:
        series = self.services.session.series
        parts = (origin(series.modality, series.reader), series.description) if series else ()
        name = " ".join(part for part in parts if part)
        name = f"{name} - " if name else ""
        self.setWindowTitle(f"{name}medviewer - {tr(RESEARCH_USE)}")

    def _take_document(self, document: Document | None) -> None:
        if document is not None:
            self.services.session.document = None  # so that the same one can be opened again
            self.show_document(document)

    # -- from one start to the next -------------------------------------------------------------------------------

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
            "layout": settings.load(home).layout if is_hung(session) else session.view.base,
            "geometry": _text(self.saveGeometry()),
            "panels": _text(self.saveState()),
        }
        self.services.attempt(lambda: settings.change(home, **kept))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep mask and report, stop the work, let go of the canvases; what cannot be kept is asked about."""
        try:
            commands.verdicts.settle(self.services)
        except MedviewerError as error:
            text = f"{error} The mask is kept; approve or reject it when its series is opened again."
            if not self.dialogs.confirm("The verdict could not be kept", text, "Close all the same"):
                event.ignore()
                return
        try:
            research.settle(self.services)  # napari's window, where it came from, is closed too
            masks.keep(self.services)
        except MedviewerError as error:
            text = f"{error} The strokes are in the journal and come back with the series."
            if not self.dialogs.confirm("The mask could not be kept", text, "Close all the same"):
                event.ignore()
                return
        try:
            self.services.report_saves.flush()
        except MedviewerError as error:
            text = f"{error} What was written last in the report would be lost."
            if not self.dialogs.confirm("The report could not be kept", text, "Close all the same"):
                event.ignore()
                return
        self._remember()
        self.tour.stop()
        self.phases.stop()
        for dialog in self.findChildren(QDialog):
            dialog.close()  # while there still is a runner: what they prepared and nobody agreed to is removed
        self.research.close()
        self.services.runner.shutdown()
        self.grid.close_canvases()
        self.curved.close_canvas()
        super().closeEvent(event)


def _leave_focus(part: QWidget) -> None:
    """Let its buttons and sliders take the focus from the Tab key alone: a click leaves it with the viewports."""
    for kind in (QAbstractButton, QAbstractSlider, QComboBox):
        for widget in part.findChildren(kind):
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)


def _text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode("ascii")
