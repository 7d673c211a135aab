"""What takes long to import comes behind the first picture of the window: the database, the panels, napari."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

PANELS = (
    "medviewer.archive.sessions",
    "medviewer.archive.masks",
    "medviewer.archive.measurements",
    "medviewer.archive.results",
    "medviewer.learning.queue",
    "medviewer.ui.viewport.still",
    "medviewer.ui.panels",
)
"""The modules that bring in SQLAlchemy, what the panels stand on, and what draws the first picture."""
VIEWPORTS = (
    "medviewer.ui.hand",
    "medviewer.ui.viewport.slice_view",
    "medviewer.ui.viewport.volume_view",
    "pandas",
    "scipy.interpolate",
    "scipy.spatial.transform",
    "OpenGL.arrays.ctypesarrays",
    "OpenGL.arrays.ctypespointers",
    "OpenGL.arrays.nones",
    "OpenGL.arrays.numpymodule",
    "OpenGL.arrays.strings",
)
"""The modules that bring in napari, and what it, PyOpenGL and we import with the first layer, turn, frame and path."""

log = logging.getLogger(__name__)


class Ahead(QObject):
    """Imports the panels and then the viewports in a thread of its own, while the window already answers.

    Two threads that import modules which need each other could be handed one that is half made; so whoever needs the
    panels or the viewports on the Qt thread calls `wait_for_panels` or `wait` before importing them.
    """

    panels_ready = Signal()
    """The panels can be imported at once; comes on the thread that this object lives on."""
    ready = Signal()
    """So can the viewports."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._panels, self._go = threading.Event(), threading.Event()
        self._started = self._stopped = False

    def start(self) -> None:
        """Begin with the panels, once; where all is imported already, both signals come at once."""
        if self._started or self._stopped:
            return
        self._started = True
        if all(name in sys.modules for name in (*PANELS, *VIEWPORTS)):
            self.panels_ready.emit()
            self.ready.emit()
            return
        self._thread = threading.Thread(target=self._import, name="imports ahead", daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Import the viewports too: until then all of the processor is for what is shown first."""
        self._go.set()

    def wait_for_panels(self) -> None:
        """Wait until what the panels need is not being imported any more."""
        if self._thread is not None:
            self._panels.wait()

    def stop(self) -> None:
        """The window closes: begin with nothing more, and wait until nothing is being imported."""
        self._stopped = True
        self.wait()

    def wait(self) -> None:
        """Wait until nothing is being imported any more."""
        self._go.set()
        if self._thread is not None:
            self._thread.join()

    def _import(self) -> None:
        _import_all(PANELS)
        self._panels.set()
        self.panels_ready.emit()
        self._go.wait()
        if not self._stopped:
            _import_all(VIEWPORTS)
            _read_ahead(_units)
            _read_ahead(_settings)
            self.ready.emit()


def _import_all(names: tuple[str, ...]) -> None:
    try:
        for name in names:
            importlib.import_module(name)
    except Exception:  # whoever needs them imports again, and is told what is wrong where it can be shown
        log.exception("What the window needs could not be imported ahead")


def _read_ahead(read: Callable[[], object]) -> None:
    try:
        read()
    except Exception:  # as above: the viewports come all the same, and ask again
        log.exception("What the window needs could not be read ahead")


def _units() -> object:
    """Have pint read its table of units, which takes it half a second: napari's first layer asks for one."""
    units = importlib.import_module("pint")  # napari brings it, without types
    return units.get_application_registry().parse_units("pixel")


def _settings() -> object:
    """Have napari read its settings: its first canvas asks for them."""
    return importlib.import_module("napari.settings").get_settings()
