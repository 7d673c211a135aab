"""A plugin's code and weights, in the child process only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from medviewer.errors import (
    ContractError,
    ManifestError,
    MedviewerError,
    PluginError,
    UntrustedError,
    WeightsMissingError,
)
from medviewer.inference.device import resolve_device
from medviewer.inference.parameters import checked_parameters
from medviewer.inference.request import PluginRun
from medviewer.inference.sources import SourceLoader, only_from_source
from medviewer.plugin_api import Configurable, Manifest, NetworkLoader, Plugin, RunContext
from medviewer.plugin_api.adapters import Adapter, read_adapter
from medviewer.plugin_api.fingerprint import fingerprint
from medviewer.plugin_api.manifest import file_sha256, read_manifest

if TYPE_CHECKING:
    from torch import Tensor, nn

_METHODS: dict[str, tuple[str, ...]] = {
    "own segment": ("probabilities",),
    "own classify": ("class_probabilities",),
    "detect": ("boxes",),
    "interactive": ("encode_prompts",),
    "own interactive": ("probabilities",),
    "explain": ("explain_layer", "explain_logits"),
    "train": ("loss", "trainable_parameters"),
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
        elif isinstance(error, MemoryError) or "can't allocate memory" in text:  # the latter is torch's on the CPU
            said, cure = "memory ran out", "close other programs, or take a smaller image"
        else:
            said, cure = f"{kind}: {text}" if text else kind, "tell its author, or choose another plugin"
        raise PluginError(f"{name} failed while {doing} ({said}); {cure}.", traceback.format_exc()) from error


@cache
def load_code(
    folder: Path, adapter: Path | None = None, expected: str = "", trusted: bool = True
) -> tuple[Manifest, Plugin]:
    """Import the package in `folder` and make its plugin object, or let its adapter make it.

    Parameters
    ----------
    adapter
        The folder of the adapter that runs it, None for a plugin with code of its own.
    expected
        The fingerprint under which the user trusted the folder; empty where no such word is needed.
    trusted
        Whether its code may run at all.

    Raises
    ------
    UntrustedError
        If it has code that nobody trusted, or is not what the user trusted.
    ManifestError
        If plugin.yaml is broken or its entry names something that is not there.
    ContractError
        If the object lacks what its declared kinds need.
    PluginError
        If its code raises.
    """
    manifest = read_manifest(folder)
    if expected and fingerprint(folder) != expected:
        raise UntrustedError(
            f"{manifest.name} changed since it was trusted; look at what changed, and trust it again in Plugins or "
            f"with: medviewer plugin trust {manifest.id}"
        )
    if adapter is None and not trusted:
        raise UntrustedError(untrusted_sentence(manifest))
    only_from_source(folder)
    if adapter is None:
        plugin = _made(folder, manifest.entry, manifest.name)
    else:
        door = load_adapter(adapter)
        with plugin_step(manifest.name, "its adapter opened it"):
            plugin = door.open(folder, manifest, trusted=trusted)
    for kind, names in _missing(manifest, plugin):
        raise ContractError(
            f"{manifest.name} declares {kind}, which needs {', '.join(names)}; add it to {type(plugin).__name__}."
        )
    return manifest, plugin


@cache
def load_adapter(folder: Path) -> Adapter:
    """Import the adapter in `folder` and make its object; errors as in `load_code`."""
    manifest = read_adapter(folder)
    missing = [name for name in manifest.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise PluginError(
            f"{manifest.name} needs {', '.join(missing)}, which this Python does not have; install it with pip and run "
            "again."
        )
    found = _made(folder, manifest.entry, manifest.name)
    absent = [name for name in ("recognises", "install", "open") if not callable(getattr(found, name, None))]
    if absent:
        raise ContractError(f"{manifest.name} is an adapter, which needs {', '.join(absent)}; tell its author.")
    return cast(Adapter, found)


def untrusted_sentence(manifest: Manifest) -> str:
    """Why a plugin's code does not run, and what to do."""
    return (
        f"{manifest.name} brings code that nobody has trusted yet; read where it comes from, and trust it in Plugins "
        f"or with: medviewer plugin trust {manifest.id}"
    )


def _made(folder: Path, entry: str, name: str) -> Any:
    """The object that an entry names, of the package that is exactly that folder."""
    module_name, _, attribute = entry.partition(":")
    package = module_name.partition(".")[0]
    if package != folder.name:
        raise ManifestError(f"{name}: entry should begin with its folder, {folder.name}, not {package}.")
    with plugin_step(name, "its code was imported"):
        _import_package(folder)
        module = importlib.import_module(module_name)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            raise ManifestError(f"{name}: entry should name a class, but {module_name} has no {attribute}.")
        return factory()


def _missing(manifest: Manifest, plugin: object) -> Iterator[tuple[str, list[str]]]:
    """Each declared kind for which the object has no method, with the names of the missing ones."""

    def lacks(*names: str) -> bool:
        return not any(callable(getattr(plugin, name, None)) for name in names)

    if lacks("build_network", "load_network"):
        yield "a network", ["build_network"]
    if manifest.weights.fetch and not manifest.weights.package and lacks("fetch_weights"):
        yield "weights.fetch", ["fetch_weights"]
    own = manifest.outputs.activation == "own"
    for kind in (*manifest.kinds, *(f"own {kind}" for kind in manifest.kinds if own)):
        names = [name for name in _METHODS.get(kind, ()) if lacks(name)]
        if names:
            yield kind.removeprefix("own "), names


def device_of(run: PluginRun) -> str:
    """The torch device string of a run: the user's choice, within what the plugin declares.

    Raises as `load_code` and `device.resolve_device` do.
    """
    manifest, _ = load_code(run.folder, run.adapter, run.fingerprint, run.trusted)
    return resolve_device(run.device, manifest)


def load_plugin(run: PluginRun, device: str) -> LoadedPlugin:
    """A plugin with its network ready; the same one again as long as the weights file stays the same.

    Parameters
    ----------
    run
        Names the folder, the adapter, the weights file and what it has to hash to.
    device
        Torch device string.

    Raises
    ------
    WeightsMissingError
        If the weights file is not there.
    PluginError
        If it is not the file that the manifest names, or does not fit the network; or the plugin's code raises.
    """
    manifest, plugin = load_code(run.folder, run.adapter, run.fingerprint, run.trusted)
    try:
        stat = run.weights.stat()
    except OSError as error:
        name = run.weights.name
        raise WeightsMissingError(f"{manifest.name} needs its weights {name}, which are not there.") from error
    code = (run.folder, run.adapter, run.fingerprint, run.trusted)
    network = _network(code, run.weights, run.sha256, device, (stat.st_mtime_ns, stat.st_size))
    first = next(network.parameters(), None)
    if first is not None and first.device.type != device.partition(":")[0]:
        # A run that ended on the CPU left it there, because the GPU had no room for it any more.
        with plugin_step(manifest.name, f"moving its network to {device}"):
            network.to(device)
    return LoadedPlugin(manifest, plugin, network, device)


def begin_run(manifest: Manifest, plugin: object, chosen: Mapping[str, Any], context: RunContext) -> RunContext:
    """The context of one run with its parameters, which a plugin with a method `configure` is told.

    One plugin object serves all runs of its process, so that this belongs before each of them.

    Parameters
    ----------
    chosen
        Parameters of this run; the defaults of the others are filled in.

    Raises
    ------
    InputError
        If a parameter is not what the manifest declares.
    PluginError
        If the plugin refuses them.
    """
    context = replace(context, parameters=checked_parameters(manifest, chosen))
    if isinstance(plugin, Configurable):
        with plugin_step(manifest.name, "taking its parameters"):
            # a copy: what a plugin changes in it must not reach the provenance
            plugin.configure(replace(context, parameters=deepcopy(context.parameters)))
    return context


def read_state(weights: Path, name: str, sha256: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises
    ------
    PluginError
        If its hash is another than `sha256`, or it is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _check_sha256(weights, sha256, name)
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise PluginError(
            f"{name} needs weights in safetensors form, but {weights.name} is not; fetch or install them again.",
            str(error),
        ) from error


def _check_sha256(weights: Path, sha256: str, name: str) -> None:
    if sha256 and file_sha256(weights) != sha256:
        raise PluginError(f"{name}: {weights.name} is not the file that the manifest names; install the plugin again.")


@lru_cache(maxsize=_CACHED_NETWORKS)
def _network(
    code: tuple[Path, Path | None, str, bool], weights: Path, sha256: str, device: str, stamp: tuple[int, int]
) -> nn.Module:
    """Build and fill the network; `stamp` only makes a rewritten file another entry of the cache."""
    manifest, plugin = load_code(*code)
    if isinstance(plugin, NetworkLoader):
        _check_sha256(weights, sha256, manifest.name)
        with plugin_step(manifest.name, "loading its network"):
            return plugin.load_network(weights, device)
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
    only_from_source(folder)
    first = folder / "__init__.py"
    loader = SourceLoader(name, str(first))
    spec = importlib.util.spec_from_file_location(name, first, loader=loader, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ManifestError(f"A plugin folder needs an __init__.py; {name} has none.")
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
