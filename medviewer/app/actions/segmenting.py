"""Actions that change the mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.click_plugins import plugins_of
from medviewer.app.mask_store import MaskStore
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def segment_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """The mask and the verdict on it."""

    def add() -> None:
        name = dialogs.ask_text("New segment", "Name of the structure")
        if name:
            commands.view.add_segment(services, name)

    def approve() -> None:
        mask = services.session.mask
        if mask is None or mask.base.provenance.plugin_id or (_agreed(services, dialogs) and _still(services, mask)):
            commands.verdicts.approve_soon(services)

    def reject() -> None:
        mask = services.session.mask
        note = dialogs.ask_text("Reject mask", "Why (optional)")
        if note is not None and _still(services, mask):
            commands.verdicts.reject_soon(services, note)

    return [
        Spec(
            "segment.smaller",
            "Smaller brush",
            "segment",
            lambda: commands.view.resize_brush(services, 1 / 1.25),
            "Make the brush smaller",
            ("[",),
            "4",
            "image_open",
        ),
        Spec(
            "segment.larger",
            "Larger brush",
            "segment",
            lambda: commands.view.resize_brush(services, 1.25),
            "Make the brush larger",
            ("]",),
            "4",
            "image_open",
        ),
        Spec(
            "segment.clear_clicks",
            "Done with &clicks",
            "segment",
            lambda: commands.interactive.clear(services),
            "Keep what the clicks made, and begin another structure with the next click",
            ("Escape",),
            "4",
            "clicks_open",
        ),
        *_answering_specs(services),
        Spec(
            "segment.new",
            "&New mask",
            "segment",
            lambda: commands.keeping.new_soon(services),
            "Start an empty mask; the present one is kept",
            ("Ctrl+N",),
            "5",
            "image_complete",
        ),
        Spec(
            "segment.add",
            "&Add segment…",
            "segment",
            add,
            "Add a structure to the mask",
            ("Ctrl+Shift+N",),
            "5",
            "image_complete",
        ),
        Spec(
            "segment.keep",
            "&Keep",
            "segment",
            lambda: commands.keeping.keep_soon(services),
            "Keep the mask as a version in the archive",
            ("Ctrl+K",),
            "6",
            "mask_open",
        ),
        Spec(
            "segment.approve",
            "A&pprove",
            "segment",
            approve,
            "Approve the mask: it enters the fine-tuning queue",
            ("Ctrl+Enter",),
            "6",
            "mask_open",
        ),
        Spec(
            "segment.reject",
            "&Reject…",
            "segment",
            reject,
            "Reject the mask: nothing is trained on it",
            ("Ctrl+Backspace",),
            "6",
            "mask_open",
        ),
    ]


def _answering_specs(services: Services) -> list[Spec]:
    """Which plugin answers clicks, where there are several."""

    def use(plugin_id: str) -> Callable[[], Any]:
        return lambda: commands.interactive.choose(services, plugin_id)

    known = plugins_of(services)
    return [
        Spec(
            f"click.use.{plugin.id}",
            f"Clicks by {plugin.manifest.name}",
            "segment",
            use(plugin.id),
            f"Let {plugin.manifest.name} answer clicks",
            (),
            "4",
            "image_complete",
            f"click_plugin == '{plugin.id}'",
        )
        for plugin in known
        if plugin.manifest is not None and len(known) > 1
    ]


def _still(services: Services, mask: MaskStore | None) -> bool:
    """Whether the mask that was asked about is open still: a model may have brought another meanwhile."""
    if services.session.mask is mask:
        return True
    services.session.say("Another mask came while you were asked, so nothing was judged; look at it first.", "warning")
    return False


def _agreed(services: Services, dialogs: Dialogs) -> bool:
    """Whether the user wants the plugin to learn that would learn from a mask painted by hand."""
    learner = commands.verdicts.learner_of(services)
    labels = ", ".join(spec.name for spec in learner.outputs.labels)
    text = f"This mask was painted by hand. {learner.name} would learn from it what {labels} looks like."
    return dialogs.confirm("Approve a mask painted by hand", text, f"Approve as {labels}")
