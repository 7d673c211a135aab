"""For a plugin's own `make_weights.py`: a checkpoint, read as numbers, under the names that its network has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.errors import PluginError
from medviewer.plugin_api.adapting.checkpoints import fitted, read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["fitted", "load_checkpoint", "read_state", "write_state"]


def load_checkpoint(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a checkpoint; nothing that may hide in the file runs.

    A state dict may lie alone in it, or under ``state_dict``, ``model_state_dict`` and the like beside what else a
    training keeps; a prefix that a wrapper put before every name (``module.``, ``net.``, ...) is taken off.

    Parameters
    ----------
    network
        Changed in place.
    path
        What ``torch.save`` or safetensors wrote.

    Raises
    ------
    PluginError
        If there is no such file, it holds objects, or it does not fit the network; one sentence on what to do.
    """
    if not path.is_file():
        raise PluginError(f"{path} should be a checkpoint, but there is no such file; name another.")
    state: dict[str, Tensor] = read_state(path)
    network.load_state_dict(fitted(state, network, path.name))
