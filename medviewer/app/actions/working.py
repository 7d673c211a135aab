"""Actions that change the mask or ask a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.click_plugins import answers_clicks_only, plugins_of
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.services import Services


def segment_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """The mask and the verdict on it."""

    def add() -> None:
        name = dialogs.ask_text("New segment", "Name of the structure")
        if name:
            commands.view.add_segment(services, name)

    def approve() -> None:
        mask = services.session.mask
        if mask is None or mask.base.provenance.plugin_id or _agreed(services, dialogs):
            commands.verdicts.approve_soon(services)

    def reject() -> None:
        note = dialogs.ask_text("Reject mask", "Why (optional)")
        if note is not None:
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


def _agreed(services: Services, dialogs: Dialogs) -> bool:
    """Whether the user wants the plugin to learn that would learn from a mask painted by hand."""
    learner = commands.verdicts.learner_of(services)
    labels = ", ".join(spec.name for spec in learner.outputs.labels)
    text = f"This mask was painted by hand. {learner.name} would learn from it what {labels} looks like."
    return dialogs.confirm("Approve a mask painted by hand", text, f"Approve as {labels}")


def ai_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Run and explain, for every healthy plugin."""

    def run(plugin_id: str) -> Callable[[], Any]:
        return lambda: commands.predict.run(services, plugin_id)

    def why(plugin_id: str) -> Callable[[], Any]:
        return lambda: commands.explain.run(services, plugin_id)

    specs = []
    healthy = [plugin.manifest for plugin in services.plugins if plugin.manifest is not None and plugin.enabled]
    whole = [manifest for manifest in healthy if not answers_clicks_only(manifest)]
    for k, manifest in enumerate(whole, 1):
        key = (f"Ctrl+{k}",) if k < 10 else ()
        specs.append(
            Spec(
                f"ai.run.{manifest.id}",
                f"Run {manifest.name}",
                "ai",
                run(manifest.id),
                manifest.description,
                key,
                "1",
                "image_complete",
            )
        )
        if "explain" in manifest.kinds:
            key = (f"Ctrl+Shift+{k}",) if k < 10 else ()
            text = f"Show by Grad-CAM what moved {manifest.name}"
            specs.append(
                Spec(
                    f"ai.explain.{manifest.id}",
                    f"Explain {manifest.name}",
                    "ai",
                    why(manifest.id),
                    text,
                    key,
                    "2",
                    "image_complete",
                )
            )
    return [
        *specs,
        Spec(
            "ai.next_doubt",
            "Next &doubtful place",
            "ai",
            lambda: commands.doubtful.go_on(services),
            "Put the crosshair where the model was most in doubt, and then where it was next",
            ("U",),
            "3",
            "doubt_open",
        ),
        Spec(
            "ai.next_find",
            "Next &find",
            "ai",
            lambda: commands.detections.step(services, 1),
            "Put the crosshair on the next of the things that a detector found, the surest first",
            ("N",),
            "3",
            "found_any",
        ),
        Spec(
            "ai.switch_heat",
            "S&witch heat map",
            "ai",
            lambda: commands.heatmaps.switch(services),
            "Show the next heat map at hand: the model's reasons, or its doubt",
            ("Alt+G",),
            "3",
            "heats_open",
        ),
        Spec(
            "ai.clear_heat",
            "Clear heat map",
            "ai",
            lambda: commands.heatmaps.clear(services),
            "Take the heat map away",
            ("Shift+G",),
            "3",
            "heat_open",
        ),
        Spec(
            "ai.batch",
            "Run on &all in worklist…",
            "ai",
            shell.show_batch,
            "Run a plugin on every listed study that is like this and that, one after the other",
            ("Shift+F7",),
            "4",
        ),
        Spec(
            "ai.plugins",
            "&Plugins…",
            "ai",
            shell.show_plugins,
            "Install, trust, check and switch plugins",
            ("F7",),
            "4",
        ),
    ]
