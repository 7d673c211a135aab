"""What a network sees in an image, in a few numbers: its features, by which a training set is known again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.inference.answering.activation import labels_voxels
from medviewer.inference.loader import LoadedPlugin, plugin_step
from medviewer.inference.pipeline import OpenedRun, run_network, windows_seen
from medviewer.inference.sweep import sweep
from medviewer.inference.windows import Plan, Values
from medviewer.plugin_api import Embedder, Explainable

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

T = TypeVar("T")

_CHANNELS = 8
"""A layer with fewer says too little of an image to know it again."""


class FeatureProbe:
    """Gathers the features of a pass: the mean over windows, and over the voxels of each."""

    def __init__(self) -> None:
        self._total: NDArray[np.float64] | None = None
        self._windows = 0

    def add(self, features: Tensor) -> None:
        """Take in the features of some windows, shape (n, d) or (n, d, ...), whose voxels are averaged."""
        pooled = features.detach().float()
        pooled = pooled.flatten(2).mean(dim=2) if pooled.ndim > 2 else pooled
        if pooled.ndim != 2 or (self._total is not None and self._total.size != pooled.shape[1]):
            return  # the layer serves two purposes in this network; nothing can be said of it
        rows = pooled.sum(dim=0).cpu().numpy().astype(np.float64)
        self._total = rows if self._total is None else self._total + rows
        self._windows += pooled.shape[0]

    @property
    def features(self) -> NDArray[np.float64] | None:
        """The features, shape (d,); None if the network never ran, or has no layer to look at."""
        return None if self._total is None else self._total / self._windows


@contextmanager
def watched(loaded: LoadedPlugin, probe: FeatureProbe) -> Iterator[None]:
    """Have a probe look on while the network runs. The pass must be a plain one: mirrored features are other ones.

    A plugin with an `embed` of its own is looked at through that, window by window; of the others it is the layer that
    Grad-CAM explains, or else the last layer that has more than 8 channels.
    """
    handle = _embedding(loaded, probe) if isinstance(loaded.plugin, Embedder) else _pooling(loaded, probe)
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


def _embedding(loaded: LoadedPlugin, probe: FeatureProbe) -> RemovableHandle:
    plugin, busy = cast(Embedder, loaded.plugin), False

    def before(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        nonlocal busy
        if busy:  # embed runs the network itself
            return
        busy = True
        try:
            with plugin_step(loaded.manifest.name, "saying what its network sees"):
                probe.add(plugin.embed(loaded.network, arguments[0]))
        finally:
            busy = False

    return loaded.network.register_forward_pre_hook(before)


def _pooling(loaded: LoadedPlugin, probe: FeatureProbe) -> RemovableHandle | None:
    import torch

    def after(module: nn.Module, arguments: tuple[Any, ...], output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim > 1:
            probe.add(output)

    layer = feature_layer(loaded)
    return layer.register_forward_hook(after) if layer is not None else None


def seeing(
    opened: OpenedRun, values: Values, work: Callable[[], T], wanted: bool = True
) -> tuple[T, NDArray[np.float64] | None]:
    """Do a run's work, and say what its network saw in the image.

    A plain run is looked on at; one of several passes gets a plain pass more.

    Parameters
    ----------
    values
        Its network input (channels, z, y, x).
    work
        Runs the network, and whatever else.
    wanted
        Whether the features are of any use.
    """
    if not wanted:
        return work(), None
    options = opened.run.options
    if options.tta != "off" or options.samples or options.ensemble:
        return work(), plain_features(opened, values)
    probe = FeatureProbe()
    with watched(opened.loaded, probe):
        done = work()
    return done, probe.features


def plain_features(opened: OpenedRun, values: Values) -> NDArray[np.float64] | None:
    """The features of an image in one plain pass, shape (d,); None if its network has no layer to look at.

    Parameters
    ----------
    values
        Network input (channels, z, y, x) as `pipeline.prepared` makes it.
    """
    loaded, probe = opened.loaded, FeatureProbe()
    resources = loaded.manifest.resources
    with watched(loaded, probe):
        if labels_voxels(loaded.manifest):
            plan = Plan(device=loaded.device, amp=resources.amp, memory_gb=resources.memory_gb)
            with sweep(opened, values, plan) as slabs:
                for _ in slabs:
                    pass  # the probe looks on
        else:
            for _, window in windows_seen(opened, values[:, :]):
                run_network(opened, window)
    return probe.features


def feature_layer(loaded: LoadedPlugin) -> nn.Module | None:
    """The layer whose output stands for what the network sees; None if it has none that can be looked at."""
    if "explain" in loaded.manifest.kinds and isinstance(loaded.plugin, Explainable):
        with plugin_step(loaded.manifest.name, "naming the layer that explains it"):
            return loaded.plugin.explain_layer(loaded.network)
    wide = None
    for layer in loaded.network.modules():
        if _width(layer) > _CHANNELS:
            wide = layer
    return wide


def _width(layer: nn.Module) -> int:
    """How many channels a layer gives out, 0 if it does not say."""
    said = (getattr(layer, name, 0) for name in ("out_channels", "out_features", "num_features", "num_channels"))
    return next((number for number in said if isinstance(number, int) and number), 0)
