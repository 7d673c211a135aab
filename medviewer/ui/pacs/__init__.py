"""Windows about the hospital's archive: nodes, query, send. Each is loaded when it is first opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from medviewer.app.services import Services

if TYPE_CHECKING:
    from medviewer.ui.pacs.nodes_window import NodesWindow
    from medviewer.ui.pacs.query_window import QueryWindow
    from medviewer.ui.pacs.send_dialog import SendDialog


def show_nodes(services: Services, parent: QWidget) -> NodesWindow:
    """Open the settings of the archives, or bring them to the front."""
    from medviewer.ui.pacs.nodes_window import NodesWindow

    window = parent.findChild(NodesWindow) or NodesWindow(services, parent)
    window.show()
    window.raise_()
    window.activateWindow()
    return window


def show_query(services: Services, parent: QWidget, left: Callable[[], object]) -> QueryWindow:
    """Open the search of the archive, or bring it to the front with what it found.

    Parameters
    ----------
    left
        Called when it made way for a study that it retrieved.
    """
    from medviewer.ui.pacs.query_window import QueryWindow

    window = parent.findChild(QueryWindow)
    if window is None:
        window = QueryWindow(services, parent)
        window.left.connect(left)
    window.show()
    window.raise_()
    window.activateWindow()
    return window


def show_send(services: Services, parent: QWidget) -> SendDialog:
    """Ask what to send to which archive."""
    from medviewer.ui.pacs.send_dialog import SendDialog

    dialog = SendDialog(services, parent)
    dialog.open()
    return dialog
