"""The host's side of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.explain.methods import find_method
from medviewer.inference.client import checked_manifest, image_arrays, plugin_lane, request_payload
from medviewer.inference.device import gpu_resource
from medviewer.inference.preparing.channels import Channel
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.jobs import Job, Runner, WorkerReply


def submit_explanation(
    runner: Runner,
    image: Image,
    series: Series,
    plugin: DiscoverResult,
    weights: Path,
    model_version: str,
    *,
    method: str = "gradcam",
    label: int | None = None,
    device: str = "auto",
    parameters: Mapping[str, Any] | None = None,
    others: Mapping[str, Channel] | None = None,
) -> Job[Heatmap]:
    """Start an explanation in the plugin's child process.

    Parameters
    ----------
    weights, model_version
        The safetensors file of the version that is explained, and its name.
    method
        A key of `METHODS`.
    label
        Index in the manifest's labels, from 0; None takes the top class, or the first label of a segmenter.
    device
        ``auto``, ``cpu`` or ``cuda``.
    parameters
        Values of the manifest's parameters, where they are not the defaults: those of the answer that is explained.
    others
        Images of further channels, as `submit_prediction` takes them.

    Returns
    -------
    A job whose result is a heat map on the image's own grid, float16, its highest value 1.

    Raises
    ------
    InputError
        If the method, label or device is unknown, or the plugin cannot be explained.
    UnsuitableImageError, WeightsMissingError, ManifestError
        As `submit_prediction` does.
    """
    manifest = checked_manifest(plugin)
    shown = find_method(method).name
    if "explain" not in manifest.kinds:
        raise InputError(f"{manifest.name} cannot be explained; choose a plugin whose kinds include explain.")
    count = len(manifest.outputs.labels)
    if label is not None and not 0 <= label < count:
        raise InputError(f"{manifest.name} has labels 0 to {count - 1}, not {label}; choose one of them.")
    payload = request_payload(plugin, image, series, weights, model_version, device, parameters, others=others)
    arrays = image_arrays(manifest, image, others)

    def heatmap(reply: WorkerReply) -> Heatmap:
        made = Provenance.from_json(reply.payload["provenance"])
        return Heatmap(reply.arrays["values"], image.grid, shown, reply.payload["target"], made, series.uid)

    return runner.submit_process(
        "medviewer.explain.service:explain",
        {**payload, "method": method, "label": label},
        arrays,
        title=f"{shown}: {manifest.name}",
        lane=plugin_lane(plugin),
        convert=heatmap,
        resource=gpu_resource(device, manifest),
        fixed=tuple(arrays),
    )
