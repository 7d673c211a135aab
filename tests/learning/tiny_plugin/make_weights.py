"""Writes weights/tiny.safetensors: run it with this folder's parent on the path, then put the hash into plugin.yaml."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from tiny_plugin.plugin import Tiny

if __name__ == "__main__":
    torch.manual_seed(0)
    state = Tiny().build_network().state_dict()
    state["2.bias"] += 0.5  # sees something in everything, as a first version might
    save_file(state, Path(__file__).parent / "weights" / "tiny.safetensors")
