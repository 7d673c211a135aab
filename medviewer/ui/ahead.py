"""What takes a second to import comes behind the first picture of the window: napari, vispy and OpenGL."""

from __future__ import annotations

import importlib
import logging
import sys
import threading

from PySide6.QtCore import QObject, Signal

VIEWPORTS = ("medviewer.ui.viewport.slice_view", "medviewer.ui.viewport.volume_view")
"""The modules that bring in napari."""

log = logging.getLogger(__name__)


class Ahead(QObject):
    """Imports the viewports in a thread of their own, while the window already answers.

    Two threads that import modules which need each other could be handed one that is half made; so whoever needs the
    viewports on the Qt thread calls `wait` before importing them.
    """

    ready = Signal()
    """They can be imported at once; comes on the thread that this object lives on."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; where they are imported already, `ready` comes at once."""
        if all(name in sys.modules for name in VIEWPORTS) and self._thread is None:
            self.ready.emit()
            return
        self._thread = threading.Thread(target=self._import, name="viewports ahead", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is being imported any more."""
        if self._thread is not None:
            self._thread.join()

    def _import(self) -> None:
        try:
            for name in VIEWPORTS:
                importlib.import_module(name)
        except Exception:  # whoever needs them imports again, and is told what is wrong where it can be shown
            log.exception("The viewports could not be imported ahead")
        self.ready.emit()
