"""Actions about how the program is worked with: commands by name, and keys."""

from __future__ import annotations

from medviewer.app.actions.spec import Spec
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.services import Services


def habit_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """The command palette, and the keys."""
    return [
        Spec(
            "edit.palette",
            "&Command palette…",
            "edit",
            shell.show_palette,
            "Find any command by some letters of its name, and do it",
            ("Ctrl+Shift+P",),
            "2",
        ),
        Spec(
            "edit.shortcuts",
            "&Shortcuts…",
            "edit",
            shell.show_shortcuts,
            "Show and change the key of every command",
            ("Ctrl+,",),
            "2",
        ),
    ]
