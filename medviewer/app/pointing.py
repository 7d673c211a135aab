"""What right-click menus offer, as data: ids of actions, in groups and below headings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app_model.expressions import Expr
from app_model.types import Action, ToggleRule


@dataclass(frozen=True)
class Below:
    """A menu within a menu.

    Parameters
    ----------
    title
        What it is called.
    entries
        Ids of actions; an empty one is a line between groups.
    """

    title: str
    entries: tuple[str, ...]


Entry = str | Below
"""The id of an action, a line where it is empty, or a menu within the menu."""

SHOWS = "<shows>"
WINDOWS = "<windows>"
LAYOUTS = "<layouts>"
HERE = "<here>"
"""Places for what is not an action: which series and plane is shown, windows and colours, layouts, this very voxel."""

VIEWPORT: tuple[Entry, ...] = (
    SHOWS,
    WINDOWS,
    LAYOUTS,
    Below(
        "Slab",
        (
            "view.slab_none",
            "view.slab_mip",
            "view.slab_minip",
            "view.slab_mean",
            "",
            "view.slab_mm",
            "view.slab_thicker",
            "view.slab_thinner",
        ),
    ),
    Below(
        "Flip, rotate, enlarge",
        (
            "image.flip",
            "image.upend",
            "image.rotate",
            "image.unturn",
            "",
            "view.straight",
            "",
            "image.magnifier",
            "image.true_size",
            "image.pixel_size",
        ),
    ),
    "",
    Below(
        "Measure",
        (
            "tool.length",
            "tool.bidirectional",
            "tool.angle",
            "tool.cobb",
            "",
            "tool.ellipse",
            "tool.rectangle",
            "tool.freehand",
            "tool.sphere",
            "",
            "tool.arrow",
            "tool.text",
            "tool.point",
            "tool.probe",
        ),
    ),
    HERE,
    "key.mark",
    "fusion.with",
    "fusion.here",
    "",
    "image.invert",
    "view.fit",
    "view.reset",
    "",
    "view.text",
    "file.screenshot",
)
"""Over an image."""

MEASUREMENT: tuple[Entry, ...] = (
    "measure.go",
    "measure.copy",
    "",
    "measure.name",
    "measure.text",
    "measure.target",
    "measure.node",
    "measure.organ",
    "measure.text_home",
    "",
    "measure.delete",
)
"""Over a measurement, in the viewport or in the list."""

SEGMENT: tuple[Entry, ...] = (
    "segment.go",
    "segment.rename",
    "",
    "segment.hide",
    "segment.only",
    "segment.all",
    "",
    "segment.add",
    "segment.approve",
    "segment.reject",
    "file.save_mask",
)
"""Over a row of the list of segments."""

STUDY: tuple[Entry, ...] = (
    "study.mark_new",
    "study.mark_read",
    "study.mark_to_correct",
    "study.mark_approved",
    "",
    "study.tag",
    "",
    "file.deidentify",
    "pacs.send",
    "",
    "study.reveal",
    "study.remove",
)
"""Over a row of the list of studies, below what opens it."""

PANELS: tuple[Entry, ...] = ("view.panels", "view.browser", "", "edit.shortcuts")
"""Over the head of a panel, the tabs of the modes or the tool bar, below what is about that."""


def of_layouts(actions: Iterable[Action[..., Any]]) -> tuple[str, ...]:
    """Ids of the actions that lay out the viewports: those that are checked by the layout."""
    found = []
    known: dict[int, bool] = {}  # many actions have one rule, and writing it out takes time
    for action in actions:
        rule = rule_of(action)
        if id(rule) not in known:
            known[id(rule)] = rule is not None and str(rule).startswith("layout ==")
        if known[id(rule)]:
            found.append(action.id)
    return tuple(found)


def rule_of(action: Action[..., Any]) -> Expr[Any] | None:
    """When an action is checked; None for one that never is."""
    rule = action.toggled
    return rule.condition if isinstance(rule, ToggleRule) else rule
