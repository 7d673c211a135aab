"""Runs of plugins that live in the test: a manifest, a network and an image, with no folder and no child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medviewer.domain.image import Image
from medviewer.inference.loader import LoadedPlugin
from medviewer.inference.pipeline import OpenedRun
from medviewer.inference.request import PluginRun, RunOptions
from medviewer.plugin_api import Manifest, RunContext


class Bare:
    """A plugin that leaves everything to the host."""

    def build_network(self) -> nn.Module:
        return nn.Identity()


def manifest_of(inputs: dict[str, Any], outputs: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    """A manifest of a sigmoid segmenter with one label, unless it says something else."""
    weights = {"file": "w.safetensors", "sha256": "0" * 64, "source": "this test", "licence": "Apache-2.0"}
    return Manifest.model_validate(
        {
            "id": "bare", "name": "Bare", "version": "1.0.0", "description": "For tests.", "kinds": ["segment"],
            "entry": "bare.plugin:Bare", "inputs": inputs, "weights": weights,
            "outputs": {"labels": [{"name": "Part"}], "activation": "sigmoid", **(outputs or {})}, **changes,
        }
    )  # fmt: skip


def opened_run(
    manifest: Manifest,
    image: Image,
    network: nn.Module | None = None,
    plugin: Any = None,
    others: tuple[Image, ...] = (),
    options: RunOptions | None = None,
) -> OpenedRun:
    """A run of it on the CPU."""
    loaded = LoadedPlugin(manifest, plugin or Bare(), (network or scaled(1, 1)).eval(), "cpu")
    run = PluginRun(Path("bare"), Path("bare/w.safetensors"), options=options or RunOptions())
    return OpenedRun(run, loaded, image, RunContext(), others)


def scaled(weight: float, bias: float, dims: int = 3) -> nn.Module:
    """A network of one channel whose output is its input times a weight plus a bias."""
    layer = (nn.Conv3d if dims == 3 else nn.Conv2d)(1, 1, 1)
    with torch.no_grad():
        layer.weight.fill_(weight)
        layer.bias.fill_(bias)
    return layer


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    """A rotation about the three axes in turn."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = [k for k in range(3) if k != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
