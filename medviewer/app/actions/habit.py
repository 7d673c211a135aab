"""Actions about how the program is worked with: modes, commands by name, and keys."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app.actions.spec import Spec
from medviewer.app.modes import MODES
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def habit_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """The modes, the command palette, and the keys."""

    def enter(mode: str) -> Callable[[], None]:
        return lambda: setattr(services.session, "mode", mode)

    return [
        *(
            Spec(
                f"mode.{name}",
                f"Mode: {mode.title}",
                "view",
                enter(name),
                mode.tip,
                (f"Ctrl+Alt+{number}",),
                "0",
                checked=f"mode == '{name}'",
            )
            for number, (name, mode) in enumerate(MODES.items(), 1)
        ),
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
        Spec(
            "edit.language",
            "&Language…",
            "edit",
            shell.show_language,
            "Choose the language of the window, from the next start on",
            ("Ctrl+Alt+,",),
            "2",
        ),
        Spec(
            "view.area",
            "Next part of the &window",
            "view",
            shell.next_area,
            "Bring the keyboard from the viewports to the panels, to the list of studies, to the tabs, and back",
            ("Ctrl+Tab",),
            "5",
        ),
        Spec(
            "research.open",
            "Open in &napari",
            "view",
            shell.open_napari,
            "Open the image and its mask as layers in a full napari window, with its console and plugins",
            ("Ctrl+Alt+N",),
            "6",
            "image_complete",
        ),
        Spec(
            "research.bring_back",
            "&Bring back the Labels layer",
            "view",
            shell.bring_back,
            "Make the Labels layer that is chosen in the napari window the mask; undo takes it back",
            ("Ctrl+Alt+B",),
            "6",
            "image_complete",
        ),
    ]
