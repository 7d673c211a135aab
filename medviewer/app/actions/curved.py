"""Actions about the curved plane."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services

_TURN = 5.0
_WIDER = 1.25


def curved_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Draw a path, turn and widen the plane about it, take it away."""
    session = services.session

    def entry(name: str, title: str, run: Callable[[], object], text: str, key: str) -> Spec:
        return Spec(f"curved.{name}", title, "curved", run, text, (key,), "2", "path_there")

    return [
        Spec(
            "tool.path",
            "&Draw a path",
            "curved",
            lambda: commands.curved.begin(services),
            "Click along a structure, on any slice; a double click or Enter ends it and shows the curved plane",
            ("Ctrl+Alt+D",),
            "1",
            "grey_volume_open",
            "tool == 'path'",
        ),
        Spec(
            "curved.end",
            "&End the path",
            "curved",
            lambda: commands.curved.end(services),
            "The path is whole; a double click or Enter does it too",
            (),
            "1",
            "path_open",
        ),
        entry(
            "remove", "&Remove the path", lambda: commands.curved.remove(services), "Take the path away", "Alt+Delete"
        ),
        entry(
            "turn_on",
            "&Turn about the path",
            lambda: commands.curved.turn(session, _TURN),
            "Turn the curved plane about its path by 5 degrees",
            "Alt+Right",
        ),
        entry(
            "turn_back",
            "Turn &back about the path",
            lambda: commands.curved.turn(session, -_TURN),
            "Turn the curved plane about its path by 5 degrees the other way",
            "Alt+Left",
        ),
        entry(
            "wider",
            "&Wider",
            lambda: commands.curved.widen(session, _WIDER),
            "Show more at both sides of the path",
            "Alt+Up",
        ),
        entry(
            "narrower",
            "&Narrower",
            lambda: commands.curved.widen(session, 1 / _WIDER),
            "Show less at both sides of the path",
            "Alt+Down",
        ),
    ]
