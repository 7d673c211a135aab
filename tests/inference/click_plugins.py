"""An interactive plugin of a few lines: it answers with what is bright and connected to the clicks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from medviewer.plugin_api.discovery import DiscoverResult, discover
from medviewer.plugin_api.manifest import file_sha256

_CODE = '''
import time
import numpy as np
import torch
from scipy import ndimage
from torch import nn


class Connected(nn.Module):
    """Of channel 0, what exceeds the gain and is connected to a seed of channel 2 and to none of channel 3."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.full((1,), 0.5))
        self.layer = nn.Identity()

    def forward(self, values):
        picture = values.ndim == 4
        image, previous, wanted, unwanted = self.layer(values)[0].detach().cpu().numpy()
        pieces, _ = ndimage.label((image > float(self.gain)) | (previous > 0))
        inside = np.isin(pieces, pieces[wanted > 0]) & ~np.isin(pieces, pieces[unwanted > 0])
        inside |= previous > 0
        inside &= ~np.isin(pieces, pieces[unwanted > 0])
        inside &= pieces > 0
        return torch.from_numpy(np.where(inside, 8.0, -8.0).astype(np.float32))[None, None]


class Clicks:
    def build_network(self):
        return Connected()

    def encode_prompts(self, prompts, previous, zoom):
        channels = np.zeros((3, *previous.shape), np.float32)
        channels[0] = previous
        for mark in prompts.marks:
            last = np.array(previous.shape) - 1
            low, high = (np.clip(np.rint(corner), 0, last).astype(int) for corner in mark.bounds())
            inside = all(-0.5 <= a < n - 0.5 for a, n in zip(mark.at[0], previous.shape))
            if inside or mark.kind == "box":
                place = tuple(slice(a, b + 1) for a, b in zip(low, high))
                channels[1 if mark.positive else 2][place] = 1
        return channels
'''


def write_click_plugin(root: Path, name: str, body: str = "", **inputs: Any) -> DiscoverResult:
    """Write an interactive plugin of that name and find it.

    Parameters
    ----------
    body
        Lines of the class, four spaces deep, that replace what the healthy plugin does.
    inputs
        Fields of the manifest's inputs that differ.
    """
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(_CODE + body)
    weights = folder / "weights.safetensors"
    save_file({"gain": torch.full((1,), 0.5)}, weights)
    manifest = {
        "schema": 1,
        "id": name.replace("_", "-"),
        "name": name.replace("_", " ").capitalize(),
        "version": "1.0.0",
        "description": "Answers clicks in tests.",
        "kinds": ["interactive"],
        "entry": f"{name}.plugin:Clicks",
        "inputs": {"ndim": 3, "windows": {"roi": [12, 20, 24]}, "prompts": ["point", "box"], **inputs},
        "outputs": {"labels": [{"name": "Object"}], "activation": "sigmoid"},
        "weights": {
            "file": weights.name,
            "sha256": file_sha256(weights),
            "source": "this test",
            "licence": "Apache-2.0",
        },
    }
    (folder / "plugin.yaml").write_text(yaml.safe_dump(manifest))
    return discover([folder])[0]
