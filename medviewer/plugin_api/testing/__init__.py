"""The conformance suite that every plugin runs, first-party ones too.

It works on a plugin object that its host has loaded, in the process that runs plugins, and speaks to it as the host
does. Images are synthetic: what is tested is the contract, not whether the answers are good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import Manifest
from medviewer.plugin_api.protocols import Plugin
from medviewer.plugin_api.testing.answers import Answer, answer_kind
from medviewer.plugin_api.testing.network import Powers
from medviewer.plugin_api.testing.rows import CheckRow, row_of
from medviewer.plugin_api.testing.runs import Predict, Runs
from medviewer.plugin_api.testing.settings import Settings

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Answer", "CheckRow", "Predict", "answer_kind", "check_plugin"]


def check_plugin(
    manifest: Manifest, plugin: Plugin, network: nn.Module, predict: Predict, context: RunContext
) -> list[CheckRow]:
    """Run every check that the plugin's kinds and powers call for.

    Parameters
    ----------
    network
        The plugin's network with its weights, on the context's device.
    predict
        Takes an image through the plugin as the host does.

    Returns
    -------
    One row a check; the first failure never hides the next.

    Raises
    ------
    JobCancelled
        If the user cancelled.
    """
    runs = Runs(manifest, network, predict, context)
    settings = Settings(manifest, plugin, runs)
    checks = [*runs.checks(), *settings.checks(), *Powers(manifest, plugin, network, context).checks()]
    rows = []
    for done, (name, check) in enumerate(checks):
        context.progress(done / len(checks), f"Checking: {name}")
        rows.append(row_of(name, check))
    return rows
