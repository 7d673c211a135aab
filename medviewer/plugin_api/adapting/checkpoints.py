"""Weights that somebody sent: read as numbers only, and written as safetensors."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Files of weights: safetensors, and state dicts as torch pickles them."""

_STATE_KEYS = ("state_dict", "model_state_dict", "network_weights", "model", "network", "net", "weights")
"""Where training programs put the state inside a checkpoint."""
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.", "_model.")
"""What wrappers put before every name: data parallelism, compilation, training frameworks."""
_SLACK = 64 * 2**20
_MEND = "build the network with the arguments that it was trained with"


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip of TorchScript: it brings a folder of code. Reads the names of its members only."""
    return any("/code/" in name for name in _names(path))


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights; nothing in it runs.

    Pickled files are read with ``weights_only``, which builds tensors and containers and calls nothing else.

    Raises
    ------
    PluginError
        If it is no such file, holds something other than numbers, or stands for more numbers than it has room for.
    """
    if not path.is_file():
        raise PluginError(f"The weights {path.name} should be a file beside their description, but there is none.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if is_torchscript(path):
        raise PluginError(
            f"{path.name} is a TorchScript model, which is code; give it a description and install it as TorchScript."
        )
    state = _tensors(_unpickled(path), path.name)
    room = 2 * path.stat().st_size + _SLACK
    if sum(one.numel() * one.element_size() for one in state.values()) > room:
        raise PluginError(f"{path.name} stands for far more numbers than it has room for; do not use this file.")
    return state


def fitted(state: Mapping[str, Tensor], network: nn.Module, name: str) -> dict[str, Tensor]:
    """The state under the names that the network has, once a wrapper's prefix is taken off.

    Parameters
    ----------
    name
        The file's name, for the error.

    Raises
    ------
    PluginError
        If names or shapes differ; the text names the first one.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    for renamed in _renamed(state):
        if set(renamed) == set(wanted):
            wrong = [key for key, value in renamed.items() if tuple(value.shape) != wanted[key]]
            if not wrong:
                return renamed
            shapes = f"{list(renamed[wrong[0]].shape)} instead of {list(wanted[wrong[0]])}"
            raise PluginError(f"{name} does not fit the network: {wrong[0]} has the shape {shapes}; {_MEND}.")
    missing, extra = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    said = f"{missing[0]} is missing" if missing else f"{extra[0]} is too many"
    raise PluginError(f"{name} does not fit the network: {said}; {_MEND}.")


def write_state(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors as safetensors, each with memory of its own."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().clone().contiguous() for key, value in state.items()}, path, dict(metadata))


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise PluginError(
            f"{path.name} should be a safetensors file, but it is broken or another.", str(error)
        ) from error
    return state


def _unpickled(path: Path) -> Any:
    """What a pickle of numbers holds. torch never compresses: a file that would grow is not torch's."""
    import torch

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                grown = sum(info.file_size for info in opened.infolist())
            if grown > path.stat().st_size + _SLACK:
                raise PluginError(f"{path.name} would grow to {grown / 1e9:.1f} GB when read; do not use this file.")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError) as error:
        raise _not_numbers(path, error) from error
    except (KeyError, TypeError, AttributeError, IndexError, AssertionError, MemoryError, RecursionError) as error:
        raise _not_numbers(path, error) from error  # what a malformed pickle makes torch's reader trip over


def _not_numbers(path: Path, error: BaseException) -> PluginError:
    return PluginError(
        f"{path.name} should hold a plain state dict (numbers only), but it holds objects or is broken; nothing of it "
        "was run; save network.state_dict() with torch.save, or as safetensors.",
        str(error),
    )


def _tensors(data: Any, name: str) -> dict[str, Tensor]:
    """The dictionary of tensors in what a checkpoint holds."""
    import torch

    inner = [data[key] for key in _STATE_KEYS if isinstance(data, Mapping) and isinstance(data.get(key), Mapping)]
    for candidate in (data, *inner):
        if isinstance(candidate, Mapping) and candidate:
            plain = all(
                isinstance(key, str) and type(one) in (torch.Tensor, torch.nn.Parameter)
                for key, one in candidate.items()
            )
            if plain:
                return dict(candidate)
    raise PluginError(
        f"{name} should hold a plain state dict, names and tensors, but it holds something else; save it again with "
        "torch.save(network.state_dict(), ...)."
    )


def _renamed(state: Mapping[str, Tensor]) -> Iterable[dict[str, Tensor]]:
    """The state as it is, and then without each prefix that all its names share."""
    current = dict(state)
    yield current
    while current:
        shared = [prefix for prefix in _PREFIXES if all(key.startswith(prefix) for key in current)]
        if not shared:
            return
        current = {key[len(shared[0]) :]: value for key, value in current.items()}
        yield current


def _names(path: Path) -> list[str]:
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as opened:
            return opened.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []  # no zip that can be read is no TorchScript either
