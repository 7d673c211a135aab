"""MONAI networks by name, with weights that carry no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medviewer.errors import PluginError
from medviewer.plugin_api import Manifest, Plugin, RunContext
from medviewer.plugin_api.adapting.catalogue import architecture, build, check_plain
from medviewer.plugin_api.adapting.checkpoints import SUFFIXES, fitted, is_torchscript, read_state, write_state
from medviewer.plugin_api.adapting.describe import find_description, read_description, weights_file, write_plugin
from medviewer.plugin_api.adapting.model import NetworkModel, check_channels
from medviewer.plugin_api.adapting.parse import read_mapping

_WEIGHTS = "weights.safetensors"
_SETTINGS = frozenset({"network", "arguments", "layer", "frozen"})
_KINDS = {"segment": ["segment", "explain", "train"], "classify": ["classify", "explain"]}
_NEEDED = "its inputs, its outputs.labels and in settings the network and its arguments"


class MonaiNetwork:
    """The adapter of models that are a network's name, its arguments and its weights."""

    def recognises(self, source: Path) -> bool:
        """A file of weights that is no TorchScript, or a folder whose description names a network."""
        if source.is_file():
            return source.suffix.lower() in SUFFIXES and not is_torchscript(source)
        description = find_description(source)
        if description is None:
            return False
        settings = read_mapping(description).get("settings")
        return isinstance(settings, dict) and "network" in settings

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Check that the weights fit the network, and write both; pickled weights become safetensors.

        Raises
        ------
        PluginError
            If the description is missing or wrong, the weights hold more than numbers, or they do not fit.
        """
        data = read_description(source, _NEEDED)
        settings = _settings(data.get("settings"))
        path = weights_file(source, data, SUFFIXES)
        context.progress(0.1, "Building the network")
        network = build(settings["network"], settings.get("arguments", {}))
        context.progress(0.3, "Reading the weights")
        state = fitted(read_state(path), network, path.name)
        write_state(state, folder / _WEIGHTS, {"source": path.name})
        task = architecture(settings["network"]).task
        defaults = {"name": path.stem, "kinds": _KINDS[task], "outputs": {"activation": "softmax"}}
        manifest = write_plugin(folder, data, adapter="monai-network", weights=_WEIGHTS, defaults=defaults)
        check_channels(manifest, settings.get("arguments", {}))
        self.open(folder, manifest, trusted=False)
        context.progress(1.0, "Done")

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The model; there is no code in it, so that nobody has to trust it."""
        settings = _settings(manifest.settings)
        return NetworkModel(
            manifest,
            settings["network"],
            settings.get("arguments", {}),
            settings.get("layer", ""),
            settings.get("frozen", ()),
        )


def _settings(value: object) -> dict[str, Any]:
    """The settings, once they are what this adapter reads."""
    if not isinstance(value, dict) or not isinstance(value.get("network"), str):
        raise PluginError(
            "settings should name a network, such as network: UNet, and its arguments; mend the description."
        )
    check_plain(value, "The settings")
    unknown = sorted(str(key) for key in set(value) - _SETTINGS)
    if unknown:
        raise PluginError(f"settings should have {', '.join(sorted(_SETTINGS))} only, not {unknown[0]}; mend them.")
    if not isinstance(value.get("arguments", {}), dict) or not isinstance(value.get("frozen", []), list):
        raise PluginError("settings.arguments should be a mapping and settings.frozen a list; mend the description.")
    return value
