"""Right-click menus: made of the window's actions when they open; what is not possible says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QActionGroup, QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from medviewer.app import pointing
from medviewer.app.commands import listed, panes, view
from medviewer.app.controllers.texts import read_out
from medviewer.app.hanging.companions import aside, companion_of
from medviewer.app.hanging.layouts import SliceKind
from medviewer.app.pointing import Below, Entry
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.study import Series, Study
from medviewer.ui.translate import tr
from medviewer.ui.widgets.mirror import mirror
from medviewer.ui.widgets.study_rows import origin

_PLANES: tuple[tuple[str, SliceKind], ...] = (
    ("Axial", "axial"),
    ("Sagittal", "sagittal"),
    ("Coronal", "coronal"),
    ("As acquired", "acquired"),
)
_LONGEST = 48
"""Letters of a series' name that a menu has room for."""

Index = tuple[float, float, float]


class RightClick:
    """Makes the menus.

    Parameters
    ----------
    services
        What is open, and what is changed.
    parent
        The window.
    commands
        Its actions by their id.
    reason
        Why an action is not possible, by its id.
    layouts
        Ids of the actions that lay out the viewports.
    windows
        The menu of windows and colours; it is filled when it opens.
    """

    def __init__(
        self,
        services: Services,
        parent: QWidget,
        commands: Mapping[str, QAction],
        reason: Callable[[str], str],
        layouts: tuple[str, ...],
        windows: QMenu,
    ) -> None:
        self._services, self._parent, self._commands = services, parent, commands
        self._reason, self._layouts, self._windows = reason, layouts, windows

    def viewport(self, number: int, index: Index | None) -> QMenu:
        """The menu of a viewport.

        Parameters
        ----------
        number
            Which viewport.
        index
            The voxel (z, y, x) of its series that was clicked on; None where it was none.
        """
        menu = self._menu()
        parts: dict[str, Callable[[QMenu], object]] = {
            pointing.SHOWS: lambda into: self._add_shown(into, number),
            pointing.WINDOWS: lambda into: into.addMenu(self._windows),
            pointing.LAYOUTS: lambda into: self._fill(into.addMenu(tr("Layout")), self._layouts),
            pointing.HERE: lambda into: self._add_here(into, number, index),
        }
        for entry in pointing.VIEWPORT:
            if isinstance(entry, str) and entry in parts:
                parts[entry](menu)
            else:
                self._add(menu, entry)
        return menu

    def measurement(self) -> QMenu:
        """The menu of the chosen measurement."""
        return self._fill(self._menu(), pointing.MEASUREMENT)

    def segment(self) -> QMenu:
        """The menu of the active segment."""
        return self._fill(self._menu(), pointing.SEGMENT)

    def panels(self, own: Iterable[tuple[str, Callable[[], object]]] = ()) -> QMenu:
        """The menu of what stands around the viewports.

        Parameters
        ----------
        own
            Titles and deeds of what was clicked on; they come first.
        """
        menu = self._menu()
        for title, act in own:
            menu.addAction(tr(title)).triggered.connect(lambda _=False, act=act: act())
        if not menu.isEmpty():
            menu.addSeparator()
        return self._fill(menu, pointing.PANELS)

    def modes(self) -> QMenu:
        """The menu of the tabs of the modes and of the tool bar."""
        modes = tuple(name for name in self._commands if name.startswith("mode."))
        return self._fill(self._menu(), (*modes, "", *pointing.PANELS))

    def popup(self, menu: QMenu, where: QPoint) -> None:
        """Open a menu at a place of the screen; it goes when it closes."""
        menu.aboutToHide.connect(menu.deleteLater)  # deferred: what was chosen is still done
        menu.popup(where)

    # -- parts

    def _menu(self) -> QMenu:
        made = QMenu(self._parent)
        made.setToolTipsVisible(True)
        return made

    def _fill(self, menu: QMenu, entries: Iterable[Entry]) -> QMenu:
        for entry in entries:
            self._add(menu, entry)
        return menu

    def _add(self, menu: QMenu, entry: Entry) -> None:
        if isinstance(entry, Below):
            self._fill(menu.addMenu(tr(entry.title)), entry.entries)
        elif not entry:
            menu.addSeparator()
        elif entry in self._commands:  # what another program's actions have not is left out
            mirror(menu, self._commands[entry], self._reason(entry))

    def _add_shown(self, menu: QMenu, number: int) -> None:
        """Which series and which plane of it stands in the viewport, and what else could."""
        session = self._services.session
        image = session.image
        if image is None or session.series is None:
            return
        companion = companion_of(session, number)
        shown = session.series if companion is None else companion.series
        into = menu.addMenu(tr("Shows"))
        series_group, plane_group = QActionGroup(into), QActionGroup(into)
        for study in _of_patient(session):
            for series in study.series:
                action = into.addAction(_named(series))
                action.setToolTip(tr("Show this series here"))
                series_group.addAction(action)
                _check(action, series.uid == shown.uid, self._hang(study, series, number))
        if image.is_volume and number < len(session.view.hung):
            into.addSeparator()
            now = session.view.hung[number].kind
            for title, kind in _PLANES:
                action = plane_group.addAction(into.addAction(tr(title)))
                _check(action, kind == now, self._turn_to(number, kind))
        into.addSeparator()
        self._fill(into, ("view.beside", "view.link", "view.lines", "view.sync_zoom", "view.sync_window"))

    def _turn_to(self, number: int, kind: SliceKind) -> Callable[[], object]:
        return lambda: panes.show_plane(self._services.session, number, kind)

    def _hang(self, study: Study, series: Series, number: int) -> Callable[[], object]:
        services = self._services
        return lambda: services.attempt(lambda: listed.open_beside(services, study.uid, series.uid, number))

    def _add_here(self, menu: QMenu, number: int, index: Index | None) -> None:
        """What is there, to be copied; and the crosshair to be brought there."""
        session = self._services.session
        companion = companion_of(session, number)
        if index is None:
            return
        text = read_out(session if companion is None else aside(session, companion), index)
        if not text:
            return
        copy = menu.addAction(tr(f"Copy: {text}"))
        copy.setToolTip(tr("Copy this position and value as text"))
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(text))
        if companion is None:
            menu.addAction(tr("Crosshair here")).triggered.connect(lambda: view.move_cursor(self._services, index))


def _of_patient(session: Session) -> list[Study]:
    """The studies at hand of the patient that is looked at; others are in the list of studies."""
    opened = session.study
    if opened is None:
        return []
    return [one for one in session.studies if one is opened or one.patient.same_as(opened.patient)]


def _check(action: QAction, checked: bool, act: Callable[[], object]) -> None:
    action.setCheckable(True)
    action.setChecked(checked)
    action.triggered.connect(lambda *_: act())


def _named(series: Series) -> str:
    name = " ".join(part for part in (origin(series.modality, series.reader), series.description) if part)
    name = name or tr("Series")
    return (name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…").replace("&", "&&")
