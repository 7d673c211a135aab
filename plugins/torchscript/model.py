"""A TorchScript module as a plugin."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medviewer.errors import ContractError, PluginError
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.adapting.answers import Answers, as_logits, first_tensor


class ScriptModel:
    """A NetworkLoader. TorchScript hides its layers, so that it is neither explained nor trained."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def build_network(self) -> nn.Module:
        """Always refuses: without the file there is nothing to build."""
        raise ContractError(f"{self._manifest.name} is a TorchScript file, which is loaded and not built.")

    def load_network(self, weights: Path, device: str) -> nn.Module:
        """The file's module on `device`.

        Raises
        ------
        PluginError
            If it is no TorchScript file that this torch can read.
        """
        try:
            with warnings.catch_warnings():
                # torch tells whoever writes TorchScript to move on; whoever was given a file cannot
                warnings.simplefilter("ignore", DeprecationWarning)
                script: nn.Module = torch.jit.load(weights, map_location=device)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise PluginError(
                f"{weights.name} should be a TorchScript file, but torch {torch.__version__} cannot read it; ask for "
                "another form, ONNX for instance.",
                str(error),
            ) from error
        return Script(script, self._manifest).eval()


class Script(nn.Module):
    """The module behind a plain one: its inner layers are not Python's, and take no hooks."""

    def __init__(self, script: nn.Module, manifest: Manifest) -> None:
        super().__init__()
        self._hidden = (script.eval(),)  # in a tuple, where torch does not look for layers
        self._name, self._activation = manifest.name, manifest.outputs.activation
        self._answers: Answers = manifest.settings.get("answers", "logits")

    def forward(self, values: Tensor) -> Tensor:
        """Raw scores of network input (n, c, ...)."""
        output = first_tensor(self._hidden[0](values), self._name)
        return as_logits(output, self._answers, self._activation)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Script:
        """Move or convert the hidden module too."""
        self._hidden[0]._apply(fn)  # type: ignore[no-untyped-call]  # torch annotates neither
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
