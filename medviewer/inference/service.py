"""What the child process does: segment, classify, fetch weights, check a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.inference.loader import load_code, plugin_step, read_state
from medviewer.inference.outputs import check_probabilities, implausible_volumes
from medviewer.inference.pipeline import OpenedRun, network_input, open_run, run_network
from medviewer.inference.resample import label_map
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import Classifier, RunContext, Segmenter, WeightsFetcher

if TYPE_CHECKING:
    from torch import Tensor

Labels = NDArray[np.uint8] | NDArray[np.uint16]


def segment(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Label an image: array ``labels`` on the source grid, and its ``provenance``."""
    opened = open_run(request, context)
    labels, notes = segment_image(opened)
    provenance = opened.provenance(*notes, *implausible_volumes(opened.loaded.manifest, labels, opened.image))
    opened.context.progress(1.0, "Done")
    return WorkerReply({"provenance": provenance.to_json()}, {"labels": labels})


def classify(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Name the class of an image: ``probabilities`` in the manifest's order, and the ``provenance``."""
    opened = open_run(request, context)
    probabilities, notes = classify_image(opened)
    provenance = opened.provenance(*notes)
    opened.context.progress(1.0, "Done")
    return WorkerReply({"probabilities": probabilities, "provenance": provenance.to_json()})


def segment_image(opened: OpenedRun) -> tuple[Labels, tuple[str, ...]]:
    """The label map of an opened run's image on its source grid, and notes."""
    values, notes = network_input(opened)
    probabilities = segment_probabilities(opened, run_network(opened, values))
    opened.context.progress(0.85, "Resampling the result")
    threshold = opened.loaded.manifest.outputs.threshold
    return label_map(probabilities, opened.image.grid.shape, threshold, opened.context), notes


def segment_probabilities(opened: OpenedRun, output: Tensor) -> Tensor:
    """Checked probabilities (labels, z, y, x) on the network's grid; a picture has one slice."""
    import torch

    manifest = opened.loaded.manifest
    # no_grad and not inference_mode: an explanation masks its score with them.
    with plugin_step(opened.name, "reading its network's output"), torch.no_grad():
        answer = cast(Segmenter, opened.loaded.plugin).probabilities(output)
    shape = (len(manifest.outputs.labels), *manifest.inputs.size)
    checked = check_probabilities(answer, manifest, shape)
    return checked if checked.ndim == 4 else checked[:, None]


def classify_image(opened: OpenedRun) -> tuple[list[float], tuple[str, ...]]:
    """The probability of each declared class, and notes."""
    values, notes = network_input(opened)
    return classifier_probabilities(opened, run_network(opened, values)).tolist(), notes


def classifier_probabilities(opened: OpenedRun, output: Tensor) -> Tensor:
    """Checked probabilities (labels,)."""
    import torch

    manifest = opened.loaded.manifest
    with plugin_step(opened.name, "reading its network's output"), torch.no_grad():
        answer = cast(Classifier, opened.loaded.plugin).class_probabilities(output)
    return check_probabilities(answer, manifest, (len(manifest.outputs.labels),))


def fetch(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Let a plugin fetch its weights into ``partial``, and see that they fit before the host puts them in place."""
    folder, partial = Path(request.payload["folder"]), Path(request.payload["partial"])
    manifest, plugin = load_code(folder)
    with plugin_step(manifest.name, "fetching its weights"):
        cast(WeightsFetcher, plugin).fetch_weights(partial, context)
        network = plugin.build_network()
    with plugin_step(manifest.name, "loading the weights that it fetched"):
        network.load_state_dict(read_state(partial, manifest.name))
    context.progress(1.0, "Done")
    return WorkerReply()


def check(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Run the contract tests on a plugin; ``rows`` of name, ok and text."""
    from medviewer.inference.check import check_rows

    return WorkerReply({"rows": [[row.name, row.ok, row.text] for row in check_rows(request, context)]})
