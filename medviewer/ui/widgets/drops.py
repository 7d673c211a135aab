"""Files and folders that are dropped on a widget are opened."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDragEnterEvent, QDropEvent

from medviewer.app.commands import study
from medviewer.app.services import Services


class OpensDrops:
    """What the window and its parts share; goes before the Qt class among the bases."""

    services: Services

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.services.attempt(lambda: study.open_paths(self.services, paths))
