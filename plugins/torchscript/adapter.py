"""TorchScript models: code and weights in one file, which runs once its user trusts it."""

from __future__ import annotations

import shutil
from pathlib import Path

from medviewer.errors import PluginError, UntrustedError
from medviewer.plugin_api import Manifest, Plugin, RunContext
from medviewer.plugin_api.adapting.answers import ANSWERS
from medviewer.plugin_api.adapting.checkpoints import is_torchscript
from medviewer.plugin_api.adapting.describe import find_description, read_description, weights_file, write_plugin
from medviewer.plugin_api.adapting.parse import read_mapping
from torchscript.model import ScriptModel

_SUFFIXES = (".pt", ".ts", ".pth", ".jit", ".torchscript")
_WEIGHTS = "model.ts"
_NEEDED = "its inputs and outputs.labels"


class TorchScript:
    """The adapter of TorchScript files."""

    def recognises(self, source: Path) -> bool:
        """A zip with TorchScript's code inside, or a folder with a description and one such file."""
        if source.is_file():
            return source.suffix.lower() in _SUFFIXES and is_torchscript(source)
        description = find_description(source)
        if description is None or "network" in (read_mapping(description).get("settings") or {}):
            return False
        return any(path.suffix.lower() in _SUFFIXES and is_torchscript(path) for path in source.iterdir())

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Copy the file, unopened, and write its plugin.yaml from the description.

        Raises
        ------
        PluginError
            If the description is missing or wrong: a TorchScript file does not say what it wants to see.
        """
        data = read_description(source, _NEEDED)
        path = weights_file(source, data, _SUFFIXES)
        if not is_torchscript(path):
            raise PluginError(f"{path.name} should be a TorchScript file, but it has no code inside; choose another.")
        _check_settings(data.get("settings", {}))
        context.progress(0.2, "Copying the model")
        shutil.copyfile(path, folder / _WEIGHTS)
        defaults = {
            "name": path.stem,
            "kinds": ["segment"],
            "outputs": {"activation": "softmax"},
            "notes": ["Its preprocessing is what its description says; a TorchScript file cannot tell."],
        }
        write_plugin(folder, data, adapter="torchscript", weights=_WEIGHTS, defaults=defaults)
        context.progress(1.0, "Done")

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The model, once somebody answers for its code."""
        if not trusted:
            raise UntrustedError(
                f"{manifest.name} is a TorchScript model, which is code that nobody has trusted yet; read where it "
                f"comes from, and trust it in Plugins or with: medviewer plugin trust {manifest.id}"
            )
        _check_settings(manifest.settings)
        return ScriptModel(manifest)


def _check_settings(settings: object) -> None:
    known = isinstance(settings, dict) and set(settings) <= {"answers"}
    if not isinstance(settings, dict) or not known or settings.get("answers", "logits") not in ANSWERS:
        raise PluginError(f"settings should have answers ({' or '.join(ANSWERS)}) and nothing else; mend them.")
