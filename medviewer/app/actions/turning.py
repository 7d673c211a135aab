"""Actions about how the picture of a viewport lies, and how large it is."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec, toggle
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def turning_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """How the picture of the active viewport lies, and how large it is."""
    session = services.session

    def row(
        name: str, title: str, run: Callable[[], object], text: str, key: str, when: str, checked: str = ""
    ) -> Spec:
        return Spec(f"image.{name}", title, "image", run, text, (key,), "27", when, checked or None)

    return [
        row(
            "flip",
            "Flip left and ri&ght",
            lambda: commands.panes.turn(session, "flip"),
            "Exchange left and right in the active viewport; the letters follow",
            "H",
            "image_open",
        ),
        row(
            "upend",
            "Flip top and &bottom",
            lambda: commands.panes.turn(session, "upend"),
            "Exchange top and bottom in the active viewport; the letters follow",
            "V",
            "image_open",
        ),
        row(
            "rotate",
            "&Rotate",
            lambda: commands.panes.turn(session, "rotate"),
            "Rotate the active viewport by 90 degrees clockwise; the letters follow",
            "R",
            "image_open",
        ),
        row(
            "unturn",
            "Turn back",
            lambda: commands.panes.turn_back(session),
            "Show every viewport as it was before it was flipped or rotated",
            "Shift+R",
            "turned",
        ),
        row(
            "magnifier",
            "&Magnifier",
            toggle(session.view, "magnifier"),
            "Show a lens at the pointer, with the pixels as they are, or hide it",
            "Y",
            "image_open",
            "magnifier",
        ),
        row(
            "true_size",
            "&True size",
            shell.true_size,
            "Show a centimetre of the patient as a centimetre of the screen",
            "Shift+=",
            "image_open",
        ),
        row(
            "pixel_size",
            "Pi&xel for pixel",
            shell.pixel_size,
            "Show each pixel of the image as one of the screen",
            "Alt+=",
            "image_open",
        ),
    ]
