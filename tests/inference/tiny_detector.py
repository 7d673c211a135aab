"""A detector of one convolution: it fires where a cube of 4 bright voxels an axis fits exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from medviewer.plugin_api.discovery import DiscoverResult, discover
from medviewer.plugin_api.manifest import file_sha256

EDGE = 4
"""Voxels along the edge of what it finds."""

_CODE = '''
import torch
from torch import nn


class Blobs:
    """The mean of 4 voxels an axis is 1 only where all of them are: there lies a blob's lower corner."""

    def build_network(self):
        return nn.Conv{ndim}d(1, 1, 4, bias=False)

    def boxes(self, output):
        low = (output[0, 0] > 0.75).nonzero().float()
        scores = output[0, 0][tuple(low.long().T)].clamp(0, 1)
        labels = (scores < 0.99).long() if {labels} > 1 else torch.zeros(len(low), dtype=torch.long)
        return torch.cat([low, low + 4], dim=1), scores, labels

'''


def write_detector(
    root: Path, name: str = "blobs", body: str = "", ndim: int = 3, labels: int = 1, **changes: Any
) -> DiscoverResult:
    """Write a detector of that name and find it; `body` replaces methods, `changes` fields of the manifest."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(_CODE.replace("{ndim}", str(ndim)).replace("{labels}", str(labels)) + body)
    weights = folder / "weights.safetensors"
    save_file({"weight": torch.full((1, 1, *(EDGE,) * ndim), EDGE**-ndim)}, weights)
    inputs = {"windows": {"roi": [12, 12, 12], "overlap": 0.5}} if ndim == 3 else {"size": [40, 32]}
    manifest: dict[str, Any] = {
        "schema": 1,
        "id": name.replace("_", "-"),
        "name": name.replace("_", " ").capitalize(),
        "version": "1.0.0",
        "description": "Finds bright cubes.",
        "kinds": ["detect"],
        "entry": f"{name}.plugin:Blobs",
        "inputs": {"ndim": ndim, **inputs},
        "outputs": {"labels": [{"name": f"Blob {k + 1}"} for k in range(labels)], "threshold": 0.9},
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
