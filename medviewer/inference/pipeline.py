"""What segmenting, classifying and explaining share, in the child process: image in, network output out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from medviewer.domain.image import Image, Rescale
from medviewer.domain.provenance import Provenance
from medviewer.errors import ContractError
from medviewer.inference.device import describe_device, resolve_device
from medviewer.inference.loader import LoadedPlugin, load_plugin, plugin_step
from medviewer.inference.request import PluginRun, image_from_json, input_hash
from medviewer.inference.resample import to_network
from medviewer.jobs import WorkerRequest
from medviewer.plugin_api import Normaliser, RunContext

if TYPE_CHECKING:
    from torch import Tensor

GREY_LEVELS = 255.0
"""White of the ``display`` intensity: the scale of 8-bit pictures, which such networks were trained on."""


@dataclass(frozen=True)
class OpenedRun:
    """One run with everything loaded."""

    run: PluginRun
    loaded: LoadedPlugin
    image: Image
    context: RunContext

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.loaded.manifest.name

    def provenance(self, *notes: str) -> Provenance:
        """What made this run's result; the plugin's own notes come first."""
        manifest = self.loaded.manifest
        return Provenance(
            plugin_id=manifest.id,
            plugin_version=manifest.version,
            model_version=self.run.model_version,
            parameters=dict(self.context.parameters),
            input_hash=input_hash(self.image),
            author="algorithm",
            device=self.loaded.device,
            notes=(*manifest.notes, *notes),
        )


def open_run(request: WorkerRequest, context: RunContext) -> OpenedRun:
    """Resolve the device, load the plugin and put the image together again."""
    run = PluginRun.from_json(request.payload["run"])
    image = image_from_json(request.payload["image"], request.arrays["voxels"])
    context.progress(0.0, "Loading the plugin")
    device = resolve_device(run.device)
    loaded = load_plugin(run, device)
    context = replace(context, device=device, parameters=run.parameters)
    return OpenedRun(run, loaded, image, context)


def network_input(opened: OpenedRun) -> tuple[Tensor, tuple[str, ...]]:
    """The image as the network wants it, shape (1, channels, ...) on the device, and notes to show with the result.

    Raises
    ------
    ContractError
        If the plugin's `normalise` returns something else.
    """
    import torch

    loaded, image, inputs = opened.loaded, opened.image, opened.loaded.manifest.inputs
    opened.context.progress(0.05, "Resampling the image")
    resampled, notes = to_network(image, inputs.size, inputs.interpolation, loaded.device, opened.context)
    values = _intensity(image, resampled, inputs.intensity.source).cpu().numpy()
    with plugin_step(opened.name, "normalising the image"):
        normal = cast(Normaliser, loaded.plugin).normalise(values)
    dtype, shape = getattr(normal, "dtype", None), getattr(normal, "shape", ())
    if dtype != np.float32 or shape[1:] != tuple(inputs.size) or not np.isfinite(normal).all():
        wanted = f"a float32 array of shape (channels, {', '.join(map(str, inputs.size))}), all finite"
        came = f"{dtype or type(normal).__name__} of shape {tuple(shape)}"
        raise ContractError(f"{opened.name} should normalise an image to {wanted}, not {came}; tell its author.")
    return torch.from_numpy(np.ascontiguousarray(normal))[None].to(loaded.device), notes


def run_network(opened: OpenedRun, values: Tensor) -> Tensor:
    """The network's raw output, in inference mode; a cancelled run stops before its next layer.

    Raises
    ------
    ContractError
        If the network returns no tensor.
    """
    import torch

    opened.context.progress(0.1, f"Running on {describe_device(opened.loaded.device)}")
    torch.manual_seed(opened.context.seed)
    with plugin_step(opened.name, "running its network"), torch.inference_mode(), layers_checked(opened, 0.1, 0.85):
        output = opened.loaded.network(values)
    if not isinstance(output, torch.Tensor):
        kind = type(output).__name__
        raise ContractError(f"{opened.name}: the network should return one tensor, not a {kind}; tell its author.")
    return output


@contextmanager
def layers_checked(opened: OpenedRun, start: float, stop: float) -> Iterator[None]:
    """Look for a cancel before every layer of the network, and report how many of them have run."""
    layers = [module for module in opened.loaded.network.modules() if not any(module.children())]
    done = 0

    def before(module: Any, arguments: Any) -> None:
        nonlocal done
        done = min(done + 1, len(layers))
        opened.context.check()
        if done % max(1, len(layers) // 10) == 0:
            opened.context.report(start + (stop - start) * done / len(layers), "Running the network")

    handles = [layer.register_forward_pre_hook(before) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _intensity(image: Image, values: Tensor, intensity: str) -> Tensor:
    """Real or display values, MONOCHROME1 turned bright-is-dense."""
    if intensity == "real" and not image.inverted:
        return values
    display_ready = image.voxels.dtype == np.uint8 and image.rescale == Rescale()
    low, high = (0.0, GREY_LEVELS) if display_ready else image.auto_window().limits
    if intensity == "real":
        return low + high - values
    grey = ((values - low) * (GREY_LEVELS / (high - low))).clamp(0, GREY_LEVELS)
    return GREY_LEVELS - grey if image.inverted else grey
