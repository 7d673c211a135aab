"""Everything that the user can do, as data: id, title, menu, keys, when it is possible, and the function behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from app_model.expressions import Expr, parse_expression
from app_model.types import Action, KeyBindingRule, MenuRule, SubmenuItem

from medviewer.app.actions.ai import ai_specs
from medviewer.app.actions.catalog import study_specs
from medviewer.app.actions.curved import curved_specs
from medviewer.app.actions.fusion import fusion_specs
from medviewer.app.actions.grey import image_specs
from medviewer.app.actions.habit import habit_specs
from medviewer.app.actions.hanging import hanging_specs
from medviewer.app.actions.layouts import beside_specs, layout_specs
from medviewer.app.actions.looking import view_specs
from medviewer.app.actions.measuring import measure_specs
from medviewer.app.actions.pacs import pacs_specs
from medviewer.app.actions.planes import planes_specs
from medviewer.app.actions.pointed import pointed_specs
from medviewer.app.actions.program import edit_specs, file_specs, help_specs, queue_specs
from medviewer.app.actions.reporting import key_specs, report_specs
from medviewer.app.actions.segmenting import segment_specs
from medviewer.app.actions.solid import solid_specs
from medviewer.app.actions.spec import Spec
from medviewer.app.actions.tools import tools_specs
from medviewer.app.actions.turning import turning_specs
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services

MENUS = {
    "file": "&File",
    "study": "St&udy",
    "edit": "&Edit",
    "view": "&View",
    "image": "&Image",
    "fusion": "Fusi&on",
    "solid": "3&D",
    "curved": "Curved &plane",
    "measure": "&Measure",
    "report": "&Report",
    "segment": "&Segment",
    "ai": "&AI",
    "queue": "&Queue",
    "archive": "Ar&chive",
    "help": "&Help",
}
"""Menu ids and titles, in the order of the menu bar."""

SUBMENUS = {
    "layout": ("view", "&Layout", "1"),
    "hanging": ("view", "&Hanging", "1"),
    "beside": ("view", "Series &beside", "1"),
    "scroll": ("view", "Slices and &phases", "3"),
    "slab": ("view", "&Slab", "3"),
    "oblique": ("view", "&Turned planes", "3"),
    "over": ("view", "&Over the image", "4"),
}
"""Ids of menus within others: the menu that each stands in, its title, and the group there."""


_GROUPS = (
    file_specs,
    study_specs,
    edit_specs,
    habit_specs,
    layout_specs,
    hanging_specs,
    beside_specs,
    view_specs,
    planes_specs,
    solid_specs,
    image_specs,
    turning_specs,
    tools_specs,
    fusion_specs,
    curved_specs,
    measure_specs,
    key_specs,
    report_specs,
    segment_specs,
    ai_specs,
    pointed_specs,
    queue_specs,
    pacs_specs,
    help_specs,
)


def build(services: Services, dialogs: Dialogs, shell: Shell) -> list[Action[..., Any]]:
    """Every action, bound to the running program; what a command raises on purpose becomes a message."""
    specs = [spec for group in _GROUPS for spec in group(services, dialogs, shell)]
    return [_action(services, spec, order) for order, spec in enumerate(specs)]


def titles(translate: Callable[[str], str] = str) -> dict[str, str]:
    """Every menu by its id, as the manual, the sheet of keys and the palette name it: ``View > Hanging``."""
    told = {}
    for menu, title in MENUS.items():
        told[menu] = translate(title).replace("&", "")
        for name, (parent, inner, _) in SUBMENUS.items():
            if parent == menu:
                told[name] = f"{told[menu]} > {translate(inner).replace('&', '')}"
    return told


def submenus(translate: Callable[[str], str]) -> list[tuple[str, SubmenuItem]]:
    """Every menu within another one, with the id of that one, in order."""
    return [
        (parent, SubmenuItem(submenu=name, title=translate(title), group=group, order=-len(SUBMENUS) + number))
        for number, (name, (parent, title, group)) in enumerate(SUBMENUS.items())
    ]


def of_plugins(services: Services, dialogs: Dialogs, shell: Shell) -> list[Action[..., Any]]:
    """The actions of `build` that run, explain by or choose a plugin: they come and go with it."""
    return [action for action in build(services, dialogs, shell) if is_of_plugin(action.id)]


def is_of_plugin(name: str) -> bool:
    """Whether an action of that id comes and goes with a plugin."""
    return name.startswith(("ai.run.", "ai.explain.", "click.use."))


def keys_of(action: Action[..., Any]) -> str:
    """The key that an action comes with; empty where it has none."""
    return str(action.keybindings[0].primary) if action.keybindings else ""


def _action(services: Services, spec: Spec, order: int) -> Action[..., Any]:
    return Action(
        id=spec.id,
        title=spec.title,
        tooltip=spec.help,
        status_tip=spec.help,
        callback=lambda: services.attempt(spec.run),
        menus=[MenuRule(id=spec.menu, group=spec.group, order=order)],
        keybindings=[KeyBindingRule(primary=key) for key in spec.keys] or None,
        enablement=_rule(spec.when),
        toggled=_rule(spec.checked),
    )


@cache
def _rule(text: str | None) -> Expr[Any] | None:
    """A rule, made once for all actions that have it: parsing takes longer than all else of an action."""
    return None if text is None else parse_expression(text)
