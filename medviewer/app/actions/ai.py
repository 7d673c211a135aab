"""Actions that ask a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.click_plugins import answers_clicks_only
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


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
