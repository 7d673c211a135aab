"""Start the window: Qt's application, the pump that brings answers home, and the wiring."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

from medviewer.app.commands import study
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.jobs import Runner
from medviewer.ui import theme


class Pump(QObject):
    """Brings what other threads have to say to the Qt thread."""

    _wanted = Signal()

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._wanted.connect(runner.pump, Qt.ConnectionType.QueuedConnection)
        runner.wake = self._wanted.emit


def application() -> QApplication:
    """Make the Qt application, or return the one that runs."""
    running = QCoreApplication.instance()
    if isinstance(running, QApplication):
        return running
    app = QApplication(sys.argv[:1])
    app.setApplicationName("medviewer")
    theme.apply(app)
    return app


def keep_napari_apart(home: Path) -> None:
    """Let napari keep its settings in our folder: the user's own napari is left alone."""
    os.environ.setdefault("NAPARI_CONFIG", str(home / "napari.yaml"))


def run(paths: Sequence[Path], demo: bool = False) -> int:
    """Open the window on paths, or on the demo, and stay until it is closed.

    Returns
    -------
    The exit code.
    """
    app = application()
    services = Services.open()
    keep_napari_apart(services.archive.home)
    pump = Pump(services.runner)
    chosen = [*paths, *([resource("demo")] if demo else [])]
    if chosen:
        # the scan runs beside the import of napari, which takes longer
        study.open_paths(services, chosen)
    from medviewer.ui.window import MainWindow

    window = MainWindow(services)
    window.show()
    QTimer.singleShot(0, services.runner.pump)
    try:
        return app.exec()
    finally:
        services.close()
        del pump
