"""Actions that choose what the left button does."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS, PATH_TOOL, TOOLS

_TOOL_HELP = {
    "window": ("Window/level", "W", "Drag to change contrast and brightness; the right button always does"),
    "pan": ("Pan", "P", "Drag to move the picture; the middle button always does"),
    "zoom": ("Zoom", "Z", "Drag up or down to zoom; Ctrl and the wheel always do"),
    "scroll": ("Scroll", "S", "Drag up or down through the slices; the wheel always does"),
    "crosshair": ("Crosshair", "C", "Click or drag to bring all planes to one point"),
    "brush": ("Brush", "B", "Paint the active segment"),
    "eraser": ("Eraser", "E", "Erase labels"),
    "fill": ("Fill", "F", "Fill the connected region of this slice with the active segment"),
    "turn": (
        "Turn planes",
        "Q",
        "Drag round the crosshair to turn its lines: the two other planes become oblique; Alt and drag always does",
    ),
    "click": (
        "Click segment",
        "T",
        "Click on a structure to segment it by a model; Ctrl and click says what does not belong to it",
    ),
}


def tools_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """What the left button does."""

    def choose(tool: str) -> Callable[[], None]:
        return lambda: commands.view.choose_tool(services, tool)

    specs = []
    for tool in (tool for tool in TOOLS if tool not in (PATH_TOOL, *MEASURE_TOOLS)):
        title, key, text = _TOOL_HELP[tool]
        menu = "segment" if tool in ("brush", "eraser", "fill", "click") else "image"
        specs.append(
            Spec(f"tool.{tool}", title, menu, choose(tool), text, (key,), "3", "image_open", f"tool == '{tool}'")
        )
    specs.append(
        Spec(
            "tool.swap",
            "Swap the last two tools",
            "image",
            lambda: commands.view.swap_tool(services),
            "Go back to the tool before this one",
            ("X",),
            "3",
            "image_open",
        )
    )
    return specs
