"""Checks of what a user may change about a run: the manifest's `params`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from medviewer.errors import ContractError
from medviewer.plugin_api.manifest import Manifest
from medviewer.plugin_api.protocols import Configurable, Plugin
from medviewer.plugin_api.testing.answers import same_answer
from medviewer.plugin_api.testing.rows import Check
from medviewer.plugin_api.testing.runs import Runs

_MOST_RUNS = 12
"""Of other values than the defaults: each is a run of the network."""


class Settings:
    """Takes the plain image through a plugin with other parameters than the defaults.

    Parameters
    ----------
    runs
        Keeps the answer to the plain image that the defaults gave.
    """

    def __init__(self, manifest: Manifest, plugin: Plugin, runs: Runs) -> None:
        self.manifest, self.plugin, self.runs = manifest, plugin, runs

    def checks(self) -> Iterator[Check]:
        """One check, of a plugin that declares parameters."""
        if self.manifest.params:
            yield "parameters", self.taken

    def taken(self) -> str:
        """The plugin is told its parameters, bears their outermost values, and the defaults come back."""
        names = ", ".join(self.manifest.params)
        if not isinstance(self.plugin, Configurable):
            raise ContractError(
                f"Expected {type(self.plugin).__name__} to have configure(context), for plugin.yaml declares the "
                f"parameters {names}, and without it they change nothing."
            )
        bare = [name for name, spec in self.manifest.params.items() if not _has_default(spec)]
        if bare:
            raise ContractError(f"Expected a default of each parameter, but {', '.join(bare)} has none.")
        first = self.runs.kept("plain", self.runs.plain)
        for parameters in islice(self._others(), _MOST_RUNS):
            self.runs.answer(self.runs.plain, parameters=parameters)
        if not same_answer(first, self.runs.answer(self.runs.plain), self.runs.context.device):
            raise ContractError(
                "Expected the defaults to give the same answer again after a run with other parameters, but it "
                "differs; replace in configure all that the last run left."
            )
        return f"Other values of {names} get a valid answer, and the defaults get theirs again."

    def _others(self) -> Iterator[dict[str, Any]]:
        """Parameters of which one is not its default, but as far from it as its schema says."""
        for name, spec in self.manifest.params.items():
            default = spec["default"]
            values = list(spec.get("enum", ()))
            values += [not default] if isinstance(default, bool) else []
            values += [spec[limit] for limit in ("minimum", "maximum") if limit in spec]
            yield from ({name: value} for value in values if value != default)


def _has_default(spec: Any) -> bool:
    return isinstance(spec, dict) and "default" in spec
