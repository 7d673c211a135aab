"""Pictures without a person watching: the viewports without the window, on a display of their own if need be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from medviewer.app.state import Session
from medviewer.archive.home import home
from medviewer.errors import MedviewerError, StoreError

_ROUNDS = 12
"""Turns of the event loop in which layout, sizes and slices come to rest."""


class OffscreenScreen:
    """Implements `Screen`. Where a Linux machine has no display, it brings up Xvfb, which ends with the program."""

    def render(self, session: Session, path: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        """Write a PNG of the viewports as the session has them, without the window.

        Raises
        ------
        MedviewerError
            If there is no display and no way to make one.
        StoreError
            If the picture cannot be written.
        """
        ensure_display()
        from PySide6.QtCore import Qt

        from medviewer.ui.main import application, keep_napari_apart

        keep_napari_apart(home())
        app = application()
        from medviewer.ui.viewport_pane import ViewportPane
        from medviewer.ui.widgets.empty_state import EmptyState

        pane = ViewportPane(session, EmptyState())
        pane.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        pane.resize(*size)
        pane.show()
        try:
            for _ in range(_ROUNDS):
                app.processEvents()
                pane.settle()
            if not pane.picture().save(str(path)):
                raise StoreError(f"The picture should be written to {path.name}, but could not be; check the folder.")
        finally:
            pane.close_canvases()
            pane.close()
            pane.deleteLater()
            app.processEvents()


def ensure_display() -> None:
    """Make sure that Qt finds a display.

    Raises
    ------
    MedviewerError
        If there is none and Xvfb is not installed or does not start.
    """
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise MedviewerError(
            "Pictures need a display, and there is neither one nor Xvfb to make one; install the package xvfb."
        )
    reader, writer = os.pipe()
    # -terminate ends the server with its last client, which is this program, however it ends
    command = [program, "-displayfd", str(writer), "-terminate", "-nolisten", "tcp", "-screen", "0", "1600x1200x24"]
    subprocess.Popen(command, pass_fds=(writer,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = stream.readline().strip()
    if not number:
        raise MedviewerError("Pictures need a display, and Xvfb did not start; start it by hand and set DISPLAY.")
    os.environ["DISPLAY"] = f":{number}"
