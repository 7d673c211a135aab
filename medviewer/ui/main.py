"""Start the window: Qt's application, the pump that brings answers home, and the wiring."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication

from medviewer.app import settings
from medviewer.app.commands import catalog, study
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.jobs import Runner
from medviewer.ui import theme, translate
from medviewer.ui.ahead import Ahead
from medviewer.ui.soon import DRAWN_MS, PAUSE_MS

log = logging.getLogger(__name__)


PUMP_S = 0.01
"""What other threads have to say may take so long at once; then the window draws and hears its user."""
PATIENCE_MS = 1500
"""How long the import of napari waits for the first picture of what is opened with the window."""
UNSEEN_MS = 1000
"""How long all else waits for a window to be drawn that is not seen, as one that starts minimised."""


class Pump(QObject):
    """Brings what other threads have to say to the Qt thread."""

    _wanted = Signal()

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        # A timer, because Qt makes all posted calls in one go, also those that they post.
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(lambda: runner.pump(PUMP_S))
        self._wanted.connect(self._timer.start, Qt.ConnectionType.QueuedConnection)
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


class Program:
    """One running window with everything behind it.

    Parameters
    ----------
    paths
        What to open at once.
    home
        Folder of the archive; None for the usual one.
    """

    def __init__(self, paths: Sequence[Path] = (), home: Path | None = None) -> None:
        self.app = application()
        self.services = Services.open(home)
        keep_napari_apart(self.services.archive.home)
        translate.install(settings.load(self.services.archive.home).language, self.services.archive.home)
        self._pump = Pump(self.services.runner)
        self._paths, self._closed = list(paths), False
        self._panels_made = self._viewports_due = False
        from medviewer.ui.window import MainWindow

        self.window = MainWindow(self.services)
        self._ahead = Ahead(self.window)
        self.window.before_panels = self._ahead.wait_for_panels
        self.window.grid.before_making = self._ahead.wait
        # Lambdas hold this program: PySide calls a method of a plain object though it is being taken apart. They are
        # queued, for the signals come from another thread.
        queued = Qt.ConnectionType.QueuedConnection
        self._ahead.panels_ready.connect(lambda: self._complete(), queued)
        self._ahead.ready.connect(lambda: self._make_viewports(), queued)
        self._next_panel = self._timer(0, self._complete)
        self._next_piece = self._timer(PAUSE_MS, self._make_viewports)
        # The window answers while all else is imported, but would be drawn later: a thread that imports takes its time.
        self.window.drawn.connect(self._ahead.start, queued)
        QTimer.singleShot(UNSEEN_MS, self._ahead, self._ahead.start)
        self.window.show()
        self.window.tour.offer()

    def _timer(self, interval: int, then: Callable[[], None]) -> QTimer:
        """A timer that is started again and again; unlike a single shot it can be stopped, and dies with the window."""
        timer = QTimer(self._ahead, singleShot=True, interval=interval)
        timer.timeout.connect(lambda: then())
        return timer

    def _complete(self) -> None:
        """Make what nobody waits for to pick a study, then open what was asked for.

        One panel in each turn of the event loop, so that the window answers between.
        """
        if self._closed:
            return
        if self.window.make_next_panel():
            self._next_panel.start()
            return
        self._panels_made = True
        catalog.housekeep(self.services)
        self._open_given()
        if self._viewports_due:
            self._make_viewports()

    def _open_given(self) -> None:
        if not self._paths:
            self._ahead.go_on()
            return
        # napari is imported once the first picture is there, which it would hold up; or while a large study is read
        self.services.session.events.image.connect(self._go_on_soon)
        QTimer.singleShot(PATIENCE_MS, self._ahead, self._ahead.go_on)
        study.open_paths(self.services, self._paths)

    def _go_on_soon(self, *_: object) -> None:
        self.services.session.events.image.disconnect(self._go_on_soon)
        QTimer.singleShot(DRAWN_MS, self._ahead, self._ahead.go_on)

    def _make_viewports(self) -> None:
        """Make them in short turns of the event loop too, after the panels: the Tab key goes in that order."""
        if self._closed:
            return
        if not self._panels_made:  # where all was imported already
            self._viewports_due = True
            return
        if self.window.grid.make_piece() or self.window.grid.prepare_next():
            self._next_piece.start()
            return
        # What lives until now lives to the end: the collector need not walk through it, in the middle of a drag.
        gc.freeze()
        gc.enable()

    def close(self) -> None:
        """Close the window and the archive; what was acknowledged is on disk."""
        self._closed = True
        self._next_panel.stop()
        self._next_piece.stop()
        self._ahead.stop()
        gc.unfreeze()  # who opens a second window, as tests do, wants the first one's memory back
        gc.enable()
        self.window.close()
        self.window.deleteLater()
        self.services.close()


def _teller(services: Services) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """What Qt calls with an error that nobody expected: the user is told, and the window lives."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # without the exception's own text: it may hold a path, and a path a patient's name
        log.error("unexpected %s\n%s", kind.__name__, "".join(traceback.format_tb(trace)))
        text = (
            f"Something failed in a way that medviewer did not expect ({kind.__name__}); what you did before is kept."
        )
        services.session.say(text, "error", "".join(traceback.format_exception(kind, error, trace)))

    return tell


def run(paths: Sequence[Path], demo: bool = False) -> int:
    """Open the window on paths, or on the demo, and stay until it is closed.

    Returns
    -------
    The exit code.
    """
    program = Program([*paths, *([resource("demo")] if demo else [])])
    sys.excepthook = _teller(program.services)
    try:
        return program.app.exec()
    finally:
        program.close()
