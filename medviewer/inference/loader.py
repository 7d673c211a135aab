"""A plugin's code and weights, in the child process only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from medviewer.errors import ContractError, ManifestError, MedviewerError, PluginError, WeightsMissingError
from medviewer.plugin_api import Manifest, Plugin
from medviewer.plugin_api.manifest import file_sha256, read_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

_METHODS: dict[str, tuple[str, ...]] = {
    "segment": ("build_network", "normalise", "probabilities"),
    "classify": ("build_network", "normalise", "class_probabilities"),
    "explain": ("explain_layer", "explain_logits"),
    "train": ("loss", "trainable_parameters"),
    "weights.fetch": ("fetch_weights",),
}
"""The methods of `plugin_api.protocols` that each kind needs, by name, so that an error can say which are missing."""
_CACHED_NETWORKS = 2
"""A present version and a candidate to compare it with; more would only hold memory."""


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that is ready to run.

    Parameters
    ----------
    manifest, plugin
        What it declares, and its object.
    network
        With its weights, in evaluation mode, on `device`.
    device
        Torch device string.
    """

    manifest: Manifest
    plugin: Plugin
    network: nn.Module
    device: str


@contextmanager
def plugin_step(name: str, doing: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises into a PluginError of one sentence, with the traceback folded.

    Parameters
    ----------
    name
        The plugin's name.
    doing
        What its code is asked to do, for example ``building its network``.
    """
    try:
        yield
    except MedviewerError:
        raise
    except (Exception, SystemExit) as error:
        kind, text = type(error).__name__, (str(error).strip().splitlines() or [""])[0]
        if kind == "OutOfMemoryError":  # torch's, by name: the mapping must work where torch was never imported
            said, cure = "the GPU's memory ran out", "choose the CPU as device, or close other programs on the GPU"
        else:
            said, cure = f"{kind}: {text}" if text else kind, "tell its author, or choose another plugin"
        raise PluginError(f"{name} failed while {doing} ({said}); {cure}.", traceback.format_exc()) from error


@cache
def load_code(folder: Path) -> tuple[Manifest, Plugin]:
    """Import the package in `folder` and make its plugin object.

    Raises
    ------
    ManifestError
        If plugin.yaml is broken or its entry names something that is not there.
    ContractError
        If the object lacks what its declared kinds need.
    PluginError
        If its code raises.
    """
    manifest = read_manifest(folder)
    module_name, _, attribute = manifest.entry.partition(":")
    package = module_name.partition(".")[0]
    if package != folder.name:
        raise ManifestError(f"{manifest.name}: entry should begin with its folder, {folder.name}, not {package}.")
    with plugin_step(manifest.name, "its code was imported"):
        _import_package(folder)
        module = importlib.import_module(module_name)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            raise ManifestError(f"{manifest.name}: entry should name a class, but {module_name} has no {attribute}.")
        plugin = factory()
    for kind in (*manifest.kinds, *(["weights.fetch"] if manifest.weights.fetch else [])):
        missing = [name for name in _METHODS[kind] if not callable(getattr(plugin, name, None))]
        if missing:
            raise ContractError(
                f"{manifest.name} declares {kind}, which needs {', '.join(missing)}; add it to {attribute}."
            )
    return manifest, plugin


def load_plugin(folder: Path, weights: Path, sha256: str, device: str) -> LoadedPlugin:
    """A plugin with its network ready; the same one again as long as the weights file stays the same.

    Parameters
    ----------
    weights, sha256
        A safetensors file, and what it has to hash to; empty when nobody knows that beforehand.
    device
        Torch device string.

    Raises
    ------
    WeightsMissingError
        If the weights file is not there.
    PluginError
        If it is not the file that the manifest names, or does not fit the network; or the plugin's code raises.
    """
    manifest, plugin = load_code(folder)
    try:
        stat = weights.stat()
    except OSError as error:
        raise WeightsMissingError(f"{manifest.name} needs its weights {weights.name}, which are not there.") from error
    network = _network(folder, weights, sha256, device, (stat.st_mtime_ns, stat.st_size))
    return LoadedPlugin(manifest, plugin, network, device)


def read_state(weights: Path, name: str, sha256: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises
    ------
    PluginError
        If its hash is another than `sha256`, or it is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if sha256 and file_sha256(weights) != sha256:
        raise PluginError(f"{name}: {weights.name} is not the file that the manifest names; install the plugin again.")
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise PluginError(
            f"{name} needs weights in safetensors form, but {weights.name} is not; fetch or install them again.",
            str(error),
        ) from error


@lru_cache(maxsize=_CACHED_NETWORKS)
def _network(folder: Path, weights: Path, sha256: str, device: str, stamp: tuple[int, int]) -> nn.Module:
    """Build and fill the network; `stamp` only makes a rewritten file another entry of the cache."""
    manifest, plugin = load_code(folder)
    with plugin_step(manifest.name, "building its network"):
        network = plugin.build_network()
    state = read_state(weights, manifest.name, sha256)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise PluginError(
            f"{manifest.name}: {weights.name} does not fit the network (names or shapes differ); "
            "choose weights of this plugin's version.",
            str(error),
        ) from error
    with plugin_step(manifest.name, f"moving its network to {device}"):
        return network.to(device).eval()


def _import_package(folder: Path) -> ModuleType:
    """Import exactly the package in that folder, whatever else of its name may lie on the path."""
    name = folder.name
    known = sys.modules.get(name)
    if known is not None and Path(known.__file__ or "").parent == folder:
        return known
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ManifestError(f"A plugin folder needs an __init__.py; {name} has none.")
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
