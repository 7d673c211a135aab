"""Actions about a series that is laid over the main one."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def fusion_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Lay over, show, colour, exchange, take away."""
    session = services.session

    def step(steps: int) -> Callable[[], None]:
        return lambda: commands.fusion.step_opacity(session, steps)

    def entry(
        name: str, title: str, run: Callable[[], object], text: str, key: str, group: str, checked: str = ""
    ) -> Spec:
        return Spec(f"fusion.{name}", title, "fusion", run, text, (key,), group, "fused", checked or None)

    return [
        Spec(
            "fusion.with",
            "Fuse &with…",
            "fusion",
            shell.show_fuse_menu,
            "Lay another series over the open one, for example a PET over a CT",
            ("Ctrl+Y",),
            "1",
            "volume_open",
        ),
        entry(
            "remove",
            "&Remove",
            lambda: commands.fusion.remove(services),
            "Take away what is laid over",
            "Ctrl+Shift+Y",
            "1",
        ),
        entry(
            "swap",
            "&Exchange the two",
            lambda: commands.fusion.swap(services),
            "Make what is laid over the main series, and lay the main one over it",
            "Alt+X",
            "1",
        ),
        entry(
            "show",
            "&Show what is laid over",
            lambda: commands.fusion.toggle(session),
            "Show or hide what is laid over",
            "Shift+Y",
            "2",
            "fused_shown",
        ),
        entry(
            "here",
            "Fused in this &viewport",
            lambda: commands.fusion.toggle_here(session),
            "Show or hide what is laid over in the active viewport alone",
            "Alt+Y",
            "2",
            "fused_here",
        ),
        entry("stronger", "S&tronger", step(1), "Show what is laid over a tenth stronger", "Alt+]", "3"),
        entry("weaker", "We&aker", step(-1), "Show what is laid over a tenth weaker", "Alt+[", "3"),
        entry(
            "window",
            "&Next window of what is laid over",
            lambda: commands.fusion.next_window(session),
            "Show what is laid over with its next window; Shift and a right drag changes it freely",
            "Shift+V",
            "3",
        ),
        entry(
            "colours",
            "Next &colours of what is laid over",
            lambda: commands.fusion.next_colours(session),
            "Show what is laid over through the next colour map",
            "Ctrl+Shift+L",
            "3",
        ),
    ]
