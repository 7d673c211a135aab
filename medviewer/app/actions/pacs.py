"""Actions about the hospital's archive."""

from __future__ import annotations

from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def pacs_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Search, send, set up."""
    return [
        Spec(
            "pacs.query",
            "&Query archive…",
            "archive",
            shell.show_pacs_query,
            "Search the hospital's archive and retrieve studies",
            ("F6",),
        ),
        Spec(
            "pacs.send",
            "&Send to archive…",
            "archive",
            shell.show_pacs_send,
            "Send the mask, the open series or a report to an archive",
            ("Shift+F6",),
            when="study_at_hand",
        ),
        Spec(
            "pacs.nodes",
            "&Nodes…",
            "archive",
            shell.show_pacs_nodes,
            "Set up the archives on the network, and test them",
            ("Ctrl+F6",),
            "2",
        ),
    ]
