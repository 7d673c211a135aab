"""The modes of the window: what each has at hand. What it hides stays in the menus and the command palette."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """One tab above the viewports.

    Parameters
    ----------
    title
        What stands on it.
    tip
        What it is for, in a sentence.
    panels
        The panels on the right that are shown.
    tools
        The first words of the ids of those actions that only this and other modes which name them have in the tool
        bar; what no mode names, all have.
    """

    title: str
    tip: str
    panels: tuple[str, ...]
    tools: tuple[str, ...] = ()


EDITING = ("tool.brush", "tool.eraser", "tool.fill", "tool.click")
MEASURING = (
    "tool.length",
    "tool.bidirectional",
    "tool.angle",
    "tool.cobb",
    "tool.ellipse",
    "tool.rectangle",
    "tool.freehand",
    "tool.sphere",
    "tool.arrow",
    "tool.text",
    "tool.point",
    "tool.probe",
    "measure.",
    "key.",
)

MODES: dict[str, Mode] = {
    "read": Mode(
        "Read",
        "Look, measure, and let plugins answer",
        ("ai", "segments", "fusion", "measure", "keys", "saliency"),
        MEASURING,
    ),
    "correct": Mode(
        "Correct", "Correct a mask, and look where the model was in doubt", ("segments", "saliency"), EDITING
    ),
    "review": Mode("Review", "The fine-tuning queue and the model versions", ("learning",)),
    "research": Mode("Research", "The image and its mask as layers in a full napari window", ("research",)),
}
"""Every mode by its name, in the order of the tabs; the first is that of a new user."""


def offers(mode: str, action: str) -> bool:
    """Whether the tool bar of a mode has an action."""
    special = {start for one in MODES.values() for start in one.tools if action.startswith(start)}
    return not special or any(action.startswith(start) for start in MODES[mode].tools)
