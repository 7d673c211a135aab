"""The host's side of a prediction: refuse what cannot work, hand over the image, put the result together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.finding import Classification, Detection, Detections
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import DISAGREEMENT, UNCERTAINTY, Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import ManifestError, UntrustedError, WeightsMissingError
from medviewer.inference.device import check_choice, gpu_resource
from medviewer.inference.loader import untrusted_sentence
from medviewer.inference.parameters import checked_parameters
from medviewer.inference.preparing.channels import Channel, further_channels
from medviewer.inference.request import PluginRun, RunOptions, image_to_json
from medviewer.inference.suitability import check_suitable, doubts
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.discovery import DiscoverResult, Origin
from medviewer.plugin_api.fingerprint import stamp

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply

T = TypeVar("T")

SILENCE_S = 120.0
"""A plugin reports before every layer; one that says nothing for so long hangs."""


def submit_prediction(
    runner: Runner,
    image: Image,
    series: Series,
    plugin: DiscoverResult,
    weights: Path,
    model_version: str,
    *,
    device: str = "auto",
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
    others: Mapping[str, Channel] | None = None,
    arrived: Callable[[Segmentation], object] = lambda _: None,
) -> Job[Segmentation] | Job[Classification] | Job[Detections]:
    """Start a prediction in the plugin's child process.

    Parameters
    ----------
    weights, model_version
        The safetensors file of the version to run, and its name; `base_weights` gives the first one.
    device
        ``auto``, ``cpu`` or ``cuda``.
    parameters
        Values for the manifest's parameters; the rest take their defaults.
    options
        How thorough the run is; one pass of one version by default.
    others
        For a plugin that looks at several images together: image and series of each further channel, by its name in
        the manifest.
    arrived
        Called with a mask when it is here, off the home thread, before the job is over.

    Returns
    -------
    A job whose result lies on the image's own grid and carries its provenance: a Segmentation, a Classification for a
    plugin that does not segment, or Detections for one that does neither.

    Raises
    ------
    UnsuitableImageError
        If the plugin must refuse this image.
    WeightsMissingError
        If the weights are not on this machine.
    InputError
        If the device or a parameter is unknown, or a channel is missing or lies in another frame of reference.
    UntrustedError
        If the plugin was installed with code of its own that nobody has trusted.
    ManifestError
        If the plugin is broken, or can neither segment nor classify nor detect.
    """
    manifest = checked_manifest(plugin)
    payload = request_payload(
        plugin, image, series, weights, model_version, device, parameters, options=options, others=others
    )
    arrays = image_arrays(manifest, image, others)
    notes = doubts(manifest, image, series)
    service = "medviewer.inference.service"

    def submit(entry: str, convert: Callable[[WorkerReply], T]) -> Job[T]:
        return runner.submit_process(
            entry,
            payload,
            arrays,
            title=f"{manifest.name}: {series.description or manifest.id}",
            lane=plugin_lane(plugin),
            convert=convert,
            silence_s=SILENCE_S,
            resource=gpu_resource(device, manifest),
            fixed=tuple(arrays),
        )

    if "segment" in manifest.kinds:

        def segmentation(reply: WorkerReply) -> Segmentation:
            made = _provenance(reply, notes)
            maps = _maps_of_doubt(reply, manifest, image.grid, made, series.uid)
            found = Segmentation(reply.arrays["labels"], image.grid, manifest.segments(), made, series.uid, maps)
            arrived(found)
            return found

        return submit(f"{service}:segment", segmentation)
    if "classify" in manifest.kinds:

        def classification(reply: WorkerReply) -> Classification:
            names = [spec.name for spec in manifest.outputs.labels]
            probabilities = dict(zip(names, reply.payload["probabilities"], strict=True))
            made = _provenance(reply, notes)
            return Classification(probabilities, made, series.uid, made.notes, reply.payload["abstained"])

        return submit(f"{service}:classify", classification)
    if "detect" in manifest.kinds:

        def detections(reply: WorkerReply) -> Detections:
            return Detections(_found(reply, manifest), image.grid, _provenance(reply, notes), series.uid)

        return submit("medviewer.inference.detecting.detect:detect", detections)
    raise ManifestError(
        f"{manifest.name} should segment, classify or detect, but its kinds are {', '.join(manifest.kinds)}."
    )


def request_payload(
    plugin: DiscoverResult,
    image: Image,
    series: Series,
    weights: Path,
    model_version: str,
    device: str,
    parameters: Mapping[str, Any] | None,
    *,
    options: RunOptions | None = None,
    others: Mapping[str, Channel] | None = None,
) -> dict[str, Any]:
    """What the child process needs beside the arrays, after everything that can be refused here was."""
    manifest = checked_manifest(plugin)
    check_suitable(manifest, image, series)
    further = further_channels(manifest, series, others or {})
    check_choice(device)
    check_weights(manifest, weights)
    run = plugin_run(plugin, weights, model_version, device, checked_parameters(manifest, parameters or {}))
    return {
        "run": replace(run, options=options or RunOptions()).to_json(),
        "image": image_to_json(image),
        "others": [image_to_json(other) for other, _ in further],
    }


def image_arrays(
    manifest: Manifest, image: Image, others: Mapping[str, Channel] | None = None
) -> dict[str, NDArray[np.generic]]:
    """The voxels of an image and of its further channels, as `pipeline.open_run` looks for them."""
    names = manifest.inputs.channels[1:]
    further = {f"channel-{k}": (others or {})[name][0].voxels for k, name in enumerate(names, start=1)}
    return {"voxels": image.voxels, **further}


def plugin_run(
    plugin: DiscoverResult, weights: Path, model_version: str, device: str, parameters: dict[str, Any]
) -> PluginRun:
    """What the child has to load; the weights that came with the plugin have to hash to what its manifest says.

    Raises
    ------
    UntrustedError
        If the plugin was installed with code of its own that nobody has trusted.
    """
    check_trusted(plugin)
    spec = checked_manifest(plugin).weights
    own = bool(spec.file) and weights == plugin.folder / spec.file
    return PluginRun(
        plugin.folder,
        weights,
        spec.sha256 if own else "",
        model_version,
        device,
        parameters,
        adapter=plugin.adapter,
        fingerprint=plugin.trusted,
        trusted=plugin.may_run,
    )


def base_weights(plugin: DiscoverResult, home: Path) -> Path:
    """Where the first version's weights of a plugin lie, or will lie once they are fetched.

    Parameters
    ----------
    home
        The folder that medviewer keeps its data in.
    """
    manifest = checked_manifest(plugin)
    if manifest.weights.file:
        return plugin.folder / manifest.weights.file
    return home / "weights" / manifest.id / f"weights-{manifest.version}.safetensors"


def check_weights(manifest: Manifest, weights: Path) -> None:
    """Raise WeightsMissingError, with the way to get them, if the weights are not there."""
    if weights.is_file():
        return
    cure = "install the plugin again"
    if manifest.weights.fetch:
        cure = f"press Download weights in the plugin's panel or run: medviewer plugin fetch {manifest.id}"
    raise WeightsMissingError(f"{manifest.name} needs its weights, which are not on this machine yet; {cure}")


def checked_manifest(plugin: DiscoverResult) -> Manifest:
    """The manifest of a healthy plugin; ManifestError for a broken one."""
    if plugin.manifest is None:
        raise ManifestError(plugin.error)
    return plugin.manifest


def check_trusted(plugin: DiscoverResult) -> None:
    """Raise UntrustedError for a plugin with code of its own that nobody answers for.

    One that an adapter runs passes: the adapter says what of it needs trust. Whether the folder still is what was
    trusted is checked in the child, right before its code is imported.
    """
    manifest = checked_manifest(plugin)
    if plugin.adapter is None and not plugin.may_run:
        raise UntrustedError(untrusted_sentence(manifest))


def plugin_lane(plugin: DiscoverResult) -> str:
    """The warm child process that a plugin's jobs share.

    One that was installed or trusted anew, or whose files changed, gets a new process: the former holds the former
    code, and looks at the fingerprint once. So does one that a developer edits. Others do not change while we run.
    """
    if plugin.manifest is None or plugin.origin not in (Origin.INSTALLED, Origin.NAMED):
        return f"plugin:{plugin.id}"
    return f"plugin:{plugin.id}:{stamp(plugin.folder, plugin.manifest)}:{plugin.trusted[:16]}"


def _found(reply: WorkerReply, manifest: Manifest) -> tuple[Detection, ...]:
    names = [spec.name for spec in manifest.outputs.labels]
    rows = zip(*(reply.arrays[name].tolist() for name in ("boxes", "scores", "labels")), strict=True)
    return tuple(
        Detection(names[label], score, (box[0], box[1], box[2]), (box[3], box[4], box[5])) for box, score, label in rows
    )


def _provenance(reply: WorkerReply, notes: tuple[str, ...]) -> Provenance:
    made = Provenance.from_json(reply.payload["provenance"])
    return replace(made, notes=(*notes, *made.notes))


def _maps_of_doubt(
    reply: WorkerReply, manifest: Manifest, grid: Grid, made: Provenance, series_uid: str
) -> tuple[Heatmap, ...]:
    """The maps of doubt that came with a mask."""
    labels = manifest.outputs.labels
    target = labels[0].name if len(labels) == 1 else f"{len(labels)} labels"
    found = ((UNCERTAINTY, reply.arrays.get("entropy")), (DISAGREEMENT, reply.arrays.get("mutual")))
    bare = replace(made, notes=())  # they are said of the mask already
    return tuple(
        Heatmap(values, grid, method, target, bare, series_uid) for method, values in found if values is not None
    )
