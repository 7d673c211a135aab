"""What segmenting, classifying and explaining share, in the child process: image in, network output out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.doubt import Doubt
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.errors import ContractError, InputError, UnsuitableImageError
from medviewer.inference.device import describe_device
from medviewer.inference.hashing import InputHash
from medviewer.inference.loader import LoadedPlugin, begin_run, device_of, load_plugin, plugin_step
from medviewer.inference.preparing.arriving import ArrivingValues, made_by_itself
from medviewer.inference.preparing.channels import to_other_frame
from medviewer.inference.preparing.foreground import foreground_box
from medviewer.inference.preparing.frame import NetworkFrame, frame_of
from medviewer.inference.preparing.intensity import adjust, take_source, widened
from medviewer.inference.preparing.pieces import Piece
from medviewer.inference.preparing.resample import to_frame
from medviewer.inference.request import PluginRun, RunOptions, image_from_json
from medviewer.inference.windows.grid import window_grid
from medviewer.jobs import WorkerRequest
from medviewer.plugin_api import Normaliser, RunContext
from medviewer.plugin_api.manifest import file_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

    from medviewer.inference.windows.plan import Values

_LARGEST = 1 << 31
"""Voxels of network input in all its channels, 8 GB: more is a spacing that was never meant for this image."""


@dataclass(frozen=True)
class OpenedRun:
    """One run with everything loaded.

    Parameters
    ----------
    image
        The image, or the first channel of several.
    others
        The images of the further channels, in the order of ``inputs.channels``.
    hashing
        The hash of the input, worked out beside the network once the image is prepared: before, it would take the
        memory's time from what somebody waits for. None works it out when it is asked for.
    """

    run: PluginRun
    loaded: LoadedPlugin
    image: Image
    context: RunContext
    others: tuple[Image, ...] = ()
    hashing: InputHash | None = None

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.loaded.manifest.name

    def provenance(self, *notes: str, steps: tuple[str, ...] = (), doubt: Doubt | None = None) -> Provenance:
        """What made this run's result; the plugin's own notes come first."""
        manifest = self.loaded.manifest
        hashing = self.hashing or InputHash((self.image, *self.others), self.context)
        series = [image.series_uid for image in (self.image, *self.others)]
        channels = {"channels": dict(zip(manifest.inputs.channels, series, strict=True))} if self.others else {}
        return Provenance(
            plugin_id=manifest.id,
            plugin_version=manifest.version,
            model_version=self.run.model_version,
            parameters={**self.context.parameters, **channels, **_thoroughness(self.run)},
            input_hash=hashing.result(),
            author="algorithm",
            device=self.loaded.device,
            notes=(*manifest.notes, *notes),
            steps=steps,
            doubt=doubt or Doubt(),
        )


@dataclass(frozen=True)
class SweepInput:
    """An image as the sliding window wants it.

    Parameters
    ----------
    values
        Shape (channels, z, y, x), float32, on the CPU; a picture has one slice.
    frame
        Where they lie.
    notes
        What has to be read beside the result.
    """

    values: Values
    frame: NetworkFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkInput(SweepInput):
    """An image as the network wants it, all of it made."""

    values: Tensor


def _thoroughness(run: PluginRun) -> dict[str, Any]:
    """What a provenance says of a run that was more than one pass of one version."""
    options = run.options
    if options == RunOptions():
        return {}
    # Paths are this machine's; the registry knows a version by its SHA-256.
    return {"options": {**options.to_json(), "ensemble": [file_sha256(weights) for weights in options.ensemble]}}


def open_run(request: WorkerRequest, context: RunContext) -> OpenedRun:
    """Resolve the device, load the plugin and put the images together again."""
    run = PluginRun.from_json(request.payload["run"])
    image = image_from_json(request.payload["image"], request.arrays["voxels"])
    others = tuple(
        image_from_json(data, request.arrays[f"channel-{k}"])
        for k, data in enumerate(request.payload.get("others", ()), start=1)
    )
    hashing = InputHash((image, *others), context)
    context.progress(0.0, "Loading the plugin")
    device = device_of(run)
    loaded = load_plugin(run, device)
    context = begin_run(loaded.manifest, loaded.plugin, run.parameters, replace(context, device=device))
    return OpenedRun(run, loaded, image, context, others, hashing)


def frame_for(opened: OpenedRun) -> tuple[NetworkFrame, tuple[str, ...]]:
    """Where the network's grid lies in the image, and notes.

    Raises
    ------
    UnsuitableImageError
        If the network wants voxels of a size in mm and the image gives none, or they would be far too many.
    """
    image, inputs = opened.image, opened.loaded.manifest.inputs
    if any(inputs.spacing) and not image.calibrated:
        raise UnsuitableImageError(
            f"{opened.name} needs to know the size of a voxel in mm, which this image does not say; choose another."
        )
    frame = frame_of(inputs, image.grid)
    notes: tuple[str, ...] = ()
    if inputs.foreground is not None:
        box, notes = foreground_box(image, inputs, frame, opened.context)
        frame = frame_of(inputs, image.grid, box)
    if int(np.prod(frame.shape, dtype=object)) * inputs.channel_count * inputs.intensity.repeat > _LARGEST:
        raise UnsuitableImageError(
            f"{opened.name} would look at {' x '.join(map(str, frame.shape))} voxels of this image, more than fit into "
            "memory; cut the image, or choose another plugin."
        )
    return frame, notes


def prepared(opened: OpenedRun) -> NetworkInput:
    """The image as the network wants it: turned, cut, resampled, its values brought into the network's range.

    Held at once: the values in float32, a slab of the source, and one more channel while a channel that lies on
    another grid, or the plugin's own `normalise`, is worked out.

    Raises
    ------
    UnsuitableImageError
        As `frame_for` does, or if the image has no value at all.
    InputError
        If images of further channels are missing.
    ContractError
        If the plugin's `normalise` returns something else, or its mean and std do not fit its channels.
    """
    images = _images(opened)
    return _all_made(opened, images, *frame_for(opened))


def prepared_to_sweep(opened: OpenedRun) -> SweepInput:
    """As `prepared`, for the sliding window: where slices can be made one by one, they are when a window needs them.

    The values are the same to the last bit; less of them is held at once.
    """
    images, inputs = _images(opened), opened.loaded.manifest.inputs
    frame, notes = frame_for(opened)
    if isinstance(opened.loaded.plugin, Normaliser) or not made_by_itself(images, frame, inputs.intensity):
        return _all_made(opened, images, frame, notes)
    values = ArrivingValues(images, frame, inputs.intensity, opened.name, opened.context)
    _begin_hash(opened)
    return SweepInput(values, frame, tuple(dict.fromkeys((*notes, *values.notes))))


def _images(opened: OpenedRun) -> tuple[Image, ...]:
    """The image of each channel."""
    inputs = opened.loaded.manifest.inputs
    images = (opened.image, *opened.others)
    if len(images) != inputs.channel_count:
        raise InputError(
            f"{opened.name} looks at {inputs.channel_count} images together ({', '.join(inputs.channels)}), but "
            f"{len(images)} came; choose a series for each."
        )
    opened.context.progress(0.02, "Preparing the image")
    return images


def _begin_hash(opened: OpenedRun) -> None:
    if opened.hashing is not None:
        opened.hashing.start()


def _all_made(
    opened: OpenedRun, images: tuple[Image, ...], frame: NetworkFrame, notes: tuple[str, ...]
) -> NetworkInput:
    """Network input of the whole image."""
    import torch

    inputs = opened.loaded.manifest.inputs
    values = np.empty((len(images), *frame.shape), np.float32)
    for number, (image, out) in enumerate(zip(images, values, strict=True)):
        if number and not image.grid.matches(frame.source):
            said = to_other_frame(image, frame, out, inputs.interpolation, opened.context)
        else:
            said = to_frame(image, frame, out, inputs.interpolation, opened.loaded.device, opened.context)
        notes += tuple(note for note in said if note not in notes)
        grey = torch.from_numpy(out)
        take_source(grey, image, inputs.intensity.source)
        adjust(grey, inputs.intensity, opened.context)
    ready = widened(torch.from_numpy(values), inputs.intensity, opened.name)
    ready = _normalised(opened, ready, frame)
    _begin_hash(opened)
    return NetworkInput(ready, frame, notes)


def network_batch(opened: OpenedRun, values: Tensor) -> Tensor:
    """Values (channels, z, y, x) as a batch of one on the device; a picture loses its first axis."""
    flat = opened.loaded.manifest.inputs.ndim == 2
    return (values[:, 0] if flat else values)[None].contiguous().to(opened.loaded.device)


def windows_seen(opened: OpenedRun, values: Tensor) -> Iterator[tuple[Piece | None, Tensor]]:
    """What a network that answers for an image sees, one batch of one after the other.

    Parameters
    ----------
    values
        Network input (channels, z, y, x).

    Yields
    ------
    The image itself, with None, or each window of it for a plugin that declares windows, and where that lies.
    """
    windows = opened.loaded.manifest.inputs.windows
    if windows is None:
        yield None, network_batch(opened, values)
        return
    _, z, y, x = values.shape
    grid = window_grid((z, y, x), windows)
    for place in product(*grid.starts):
        z, y, x = (start - before for start, before in zip(place, grid.before, strict=True))
        piece = Piece((z, y, x), grid.roi, grid.roi)
        yield piece, network_batch(opened, piece.cut(values))


def run_network(opened: OpenedRun, values: Tensor, network: nn.Module | None = None) -> Tensor:
    """The raw output of the run's network, or of another, in inference mode; a cancel stops before its next layer.

    Raises
    ------
    ContractError
        If the network returns no tensor.
    """
    import torch

    network = network or opened.loaded.network
    opened.context.progress(0.1, f"Running on {describe_device(opened.loaded.device)}")
    torch.manual_seed(opened.context.seed)
    with torch.inference_mode(), layers_checked(opened, 0.1, 0.85, network):
        return called(opened, network, values)


def called(opened: OpenedRun, network: nn.Module, values: Tensor) -> Tensor:
    """A network's output, whatever it raises mapped.

    Raises
    ------
    ContractError
        If it returns no tensor.
    """
    import torch

    with plugin_step(opened.name, "running its network"):
        output = network(values)
    if not isinstance(output, torch.Tensor):
        kind = type(output).__name__
        raise ContractError(f"{opened.name}: the network should return one tensor, not a {kind}; tell its author.")
    return output


@contextmanager
def layers_checked(
    opened: OpenedRun, start: float, stop: float, network: nn.Module | None = None, *, tell: bool = True
) -> Iterator[None]:
    """Look for a cancel before every layer of the network, and `tell` how many of them have run."""
    layers = [module for module in (network or opened.loaded.network).modules() if not any(module.children())]
    done = 0

    def before(module: Any, arguments: Any) -> None:
        nonlocal done
        done = min(done + 1, len(layers))
        opened.context.check()
        if tell and done % max(1, len(layers) // 10) == 0:
            opened.context.report(start + (stop - start) * done / len(layers), "Running the network")

    handles = [layer.register_forward_pre_hook(before) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _normalised(opened: OpenedRun, values: Tensor, frame: NetworkFrame) -> Tensor:
    """What the plugin's own `normalise` makes of values (channels, z, y, x), checked; the values where it has none."""
    import torch

    plugin, inputs = opened.loaded.plugin, opened.loaded.manifest.inputs
    if not isinstance(plugin, Normaliser):
        return values
    wanted = frame.shape[3 - inputs.ndim :]
    seen: NDArray[np.float32] = values.numpy().reshape(len(values), *wanted)
    with plugin_step(opened.name, "normalising the image"):
        normal = plugin.normalise(seen if len(seen) > 1 else seen[0])
    dtype, shape = getattr(normal, "dtype", None), getattr(normal, "shape", ())
    if dtype != np.float32 or shape[1:] != wanted or not np.isfinite(normal).all():
        expected = f"a float32 array of shape (channels, {', '.join(map(str, wanted))}), all finite"
        came = f"{dtype or type(normal).__name__} of shape {tuple(shape)}"
        raise ContractError(f"{opened.name} should normalise an image to {expected}, not {came}; tell its author.")
    return torch.from_numpy(np.ascontiguousarray(normal).reshape(len(normal), *frame.shape))
