"""``medviewer plugin check``: the contract tests, run on a plugin in its child process."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from medviewer.domain.image import Image
from medviewer.errors import MedviewerError
from medviewer.inference.client import check_weights, checked_manifest, plugin_lane, plugin_run
from medviewer.inference.device import check_choice, gpu_resource
from medviewer.inference.parameters import checked_parameters
from medviewer.inference.request import PluginRun, image_to_json
from medviewer.jobs import WorkerRequest
from medviewer.plugin_api import Prompt, Prompts, RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.interactive import Position
from medviewer.plugin_api.testing import Answer, CheckRow, answer_kind, check_plugin

if TYPE_CHECKING:
    from medviewer.inference.loader import LoadedPlugin
    from medviewer.inference.pipeline import OpenedRun
    from medviewer.jobs import Job, Runner, WorkerReply

_numbers = itertools.count()


def submit_check(runner: Runner, plugin: DiscoverResult, weights: Path, *, device: str = "auto") -> Job[list[CheckRow]]:
    """Run the contract tests of `plugin_api.testing` on a plugin with these weights.

    A failed check is a row, not an error; the job fails only when the plugin takes its process down.

    Raises
    ------
    ManifestError
        If its plugin.yaml is broken.
    WeightsMissingError
        If the weights are not on this machine.
    """
    manifest = checked_manifest(plugin)
    check_weights(manifest, weights)
    run = plugin_run(plugin, weights, "", check_choice(device), manifest.default_parameters())

    def rows(reply: WorkerReply) -> list[CheckRow]:
        return [CheckRow(*row) for row in reply.payload["rows"]]

    return runner.submit_process(
        "medviewer.inference.service:check",
        {"run": run.to_json()},
        {},
        title=f"Checking {manifest.name}",
        lane=plugin_lane(plugin),
        convert=rows,
        resource=gpu_resource(device, manifest),
    )


def check_rows(request: WorkerRequest, context: RunContext) -> list[CheckRow]:
    """The rows of one check, in the child process."""
    from medviewer.inference.loader import device_of, load_code, load_plugin

    run = PluginRun.from_json(request.payload["run"])
    rows = []
    try:
        manifest, _ = load_code(run.folder, run.adapter, run.fingerprint, run.trusted)
        defaults = checked_parameters(manifest, run.parameters)
        rows.append(CheckRow("entry", True, "The code imports and offers what its kinds need."))
        device = device_of(run)
        loaded = load_plugin(run, device)
        rows.append(CheckRow("weights", True, "The weights fit the network."))
    except MedviewerError as error:
        return [*rows, CheckRow("weights" if rows else "entry", False, str(error))]
    context = replace(context, device=device, parameters=defaults)

    def predict(image: Image, context: RunContext) -> Answer:
        return _predict(run, loaded, image, context)

    return [*rows, *check_plugin(loaded.manifest, loaded.plugin, loaded.network, predict, context)]


def _predict(run: PluginRun, loaded: LoadedPlugin, image: Image, context: RunContext) -> Answer:
    """Take an image through the plugin as a run with the context's parameters does; it stands for every channel."""
    from medviewer.inference.loader import begin_run
    from medviewer.inference.pipeline import OpenedRun
    from medviewer.inference.service import classify_image, segment_image

    kind = answer_kind(loaded.manifest)
    run = replace(run, parameters=context.parameters)
    if kind == "interactive":
        return _clicked(run, image, context)
    others = (image,) * (loaded.manifest.inputs.channel_count - 1)
    context = begin_run(loaded.manifest, loaded.plugin, run.parameters, context)
    opened = OpenedRun(run, loaded, image, context, others)
    if kind == "segment":
        return segment_image(opened)[0]
    if kind == "detect":
        return _found(opened)
    return np.array(classify_image(opened)[0])


def _found(opened: OpenedRun) -> Answer:
    """What a detector finds: rows of box (on the image's grid), score and label."""
    from medviewer.inference.detecting.detect import detected, on_source
    from medviewer.inference.pipeline import prepared

    seen = prepared(opened)
    found = detected(opened, seen)
    beside = np.stack([found.scores.numpy(), found.labels.numpy()], axis=1)
    return np.concatenate([on_source(found.boxes.numpy(), seen.frame), beside], axis=1)


def _clicked(run: PluginRun, image: Image, context: RunContext) -> Answer:
    """What an interactive plugin marks after a click into the middle of the image, as a label map."""
    from medviewer.inference.clicking.clicks import respond

    middle = Prompts((Prompt("point", (cast(Position, tuple((n - 1) / 2 for n in image.grid.shape)),)),))
    payload = {
        "run": run.to_json(),
        "image": image_to_json(image),
        "key": f"check-{next(_numbers)}",
        "prompts": middle.to_json(),
        "start": [0, 0, 0],
    }
    arrays = {"voxels": image.voxels, "previous": np.zeros((1, 1, 1), bool)}
    reply = respond(WorkerRequest(payload, arrays, Path()), context)
    labels = np.zeros(image.grid.shape, np.uint8)
    (z, y, x), inside = reply.payload["start"], reply.arrays["inside"]
    depth, rows, columns = inside.shape
    labels[z : z + depth, y : y + rows, x : x + columns] = inside
    return labels
