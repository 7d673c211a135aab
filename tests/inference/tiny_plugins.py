"""Plugins of a few lines that are written where a test wants them: healthy ones, and one for each way to fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from medviewer.plugin_api.discovery import DiscoverResult, discover
from medviewer.plugin_api.manifest import file_sha256

SIZE = (8, 6, 4)
"""Network size of the segmenters: three different numbers, so that a swapped axis shows."""

_CODE = '''
import os, time
import numpy as np
import torch
from torch import nn


class Tiny:
    """One 1x1x1 convolution; with weight 1 and bias 0 the logit is the value itself."""

    def build_network(self):
        return nn.Sequential(nn.Conv3d(1, {labels}, 1), nn.ReLU(), nn.Conv3d({labels}, {labels}, 1))

    def normalise(self, values):
        return values[None] - np.float32(0.5)

    def probabilities(self, output):
        return (output[0] > 0).float()

    def class_probabilities(self, output):
        return output[0].mean(dim=(1, 2, 3)).softmax(dim=0)

    def explain_layer(self, network):
        return network[1]

    def explain_logits(self, output, label):
        return output[:, label] if {segments} else output[:, label].mean(dim=(1, 2, 3))

    def loss(self, output, target):
        return nn.functional.binary_cross_entropy_with_logits(output, target)

    def trainable_parameters(self, network):
        return network.parameters()

    def fetch_weights(self, destination, context):
        from safetensors.torch import save_file
        context.progress(0.5, "Half")
        save_file(self.build_network().state_dict(), destination)

'''


def tiny_network(labels: int = 1) -> nn.Sequential:
    """The network of the tiny plugins, with weights under which logits rise with the value."""
    network = nn.Sequential(nn.Conv3d(1, labels, 1), nn.ReLU(), nn.Conv3d(labels, labels, 1))
    with torch.no_grad():
        network[0].weight[:, 0, 0, 0, 0] = torch.arange(1, labels + 1)
        network[0].bias.zero_()
        network[2].weight.copy_(torch.eye(labels).reshape(labels, labels, 1, 1, 1))
        network[2].bias.zero_()
    return network


def write_plugin(root: Path, name: str, body: str = "", labels: int = 1, **changes: Any) -> DiscoverResult:
    """Write a plugin of that name and find it.

    Parameters
    ----------
    body
        Lines of the class, four spaces deep, that replace what the healthy plugin does.
    changes
        Fields of the manifest that differ; dictionaries are merged.
    """
    folder = root / name
    folder.mkdir(parents=True)
    kinds = changes.pop("kinds", ["segment", "explain", "train"])
    (folder / "__init__.py").touch()
    code = _CODE.replace("{labels}", str(labels)).replace("{segments}", str("segment" in kinds))
    (folder / "plugin.py").write_text(code + body)
    weights = folder / "weights.safetensors"
    save_file(tiny_network(labels).state_dict(), weights)
    manifest: dict[str, Any] = {
        "schema": 1,
        "id": name.replace("_", "-"),
        "name": name.replace("_", " ").capitalize(),
        "version": "1.2.3",
        "description": "A plugin for tests.",
        "kinds": kinds,
        "entry": f"{name}.plugin:Tiny",
        "inputs": {"modality": ["MR"], "ndim": 3, "size": list(SIZE)},
        "outputs": {"labels": [{"name": f"Part {k + 1}"} for k in range(labels)]},
        "weights": {
            "file": weights.name,
            "sha256": file_sha256(weights),
            "source": "this test",
            "licence": "Apache-2.0",
        },
    }
    for key, value in changes.items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) and key in manifest else value
    (folder / "plugin.yaml").write_text(yaml.safe_dump(manifest))
    return discover([folder])[0]


@dataclass(frozen=True)
class Fault:
    """One way to fail, and words that its one sentence has to hold."""

    body: str
    words: tuple[str, ...]


FAULTS: dict[str, Fault] = {
    "raises": Fault(
        "    def normalise(self, values):\n        raise ValueError('no good')\n",
        ("Raises failed while normalising the image", "ValueError: no good", "choose another plugin"),
    ),
    "raises_in_network": Fault(
        "    def build_network(self):\n"
        "        class Bad(nn.Sequential):\n"
        "            def forward(self, x):\n"
        "                raise RuntimeError('lost')\n"
        "        return Bad(nn.Conv3d(1, 1, 1), nn.ReLU(), nn.Conv3d(1, 1, 1))\n",
        ("failed while running its network", "RuntimeError: lost"),
    ),
    "exits": Fault(
        "    def normalise(self, values):\n        raise SystemExit(3)\n", ("failed while normalising", "SystemExit: 3")
    ),
    "dies": Fault("    def normalise(self, values):\n        os._exit(7)\n", ("worker process", "exit code 7")),
    "wrong_shape": Fault(
        "    def probabilities(self, output):\n        return output[0, :, ::2].sigmoid()\n",
        ("shape (1, 8, 6, 4)", "not (1, 4, 6, 4)", "tell the plugin's author"),
    ),
    "not_a_number": Fault(
        "    def probabilities(self, output):\n        return output[0] * float('nan')\n",
        ("finite probabilities", "not a number"),
    ),
    "logits": Fault(
        "    def probabilities(self, output):\n        return output[0] + 7\n",
        ("probabilities in 0 to 1", "not 7 to 9.28"),
    ),
    "whole_numbers": Fault(
        "    def probabilities(self, output):\n        return (output[0] > 0).long()\n",
        ("floating-point", "torch.int64"),
    ),
    "no_tensor": Fault(
        "    def probabilities(self, output):\n        return output[0].numpy()\n", ("as a tensor, not a ndarray",)
    ),
    "wrong_input": Fault(
        "    def normalise(self, values):\n        return values.astype(np.float64)\n",
        ("a float32 array of shape (channels, 8, 6, 4)", "float64 of shape (8, 6, 4)"),
    ),
    "no_method": Fault("    probabilities = None\n", ("declares segment", "needs probabilities")),
    "breaks_import": Fault("    import no_such_module_at_all\n", ("its code was imported", "ModuleNotFoundError")),
    "other_network": Fault(
        "    def build_network(self):\n        return nn.Conv3d(1, 1, 3)\n",
        ("does not fit the network", "choose weights"),
    ),
}
