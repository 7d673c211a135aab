"""What the child process does: segment, classify, fetch weights, check a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from medviewer.inference.activation import activated
from medviewer.inference.labels import Labels
from medviewer.inference.loader import load_code, plugin_step, read_state
from medviewer.inference.outputs import implausible_volumes
from medviewer.inference.pipeline import OpenedRun, network_input, open_run, run_network
from medviewer.inference.sweep import segmented
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import RunContext, WeightsFetcher


def segment(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Label an image: array ``labels`` on the source grid, and its ``provenance``.

    With uncertainty the arrays ``entropy`` and ``mutual`` are there too, float16 on the source grid.
    """
    opened = open_run(request, context)
    found = segmented(opened)
    notes = (*found.notes, *implausible_volumes(opened.loaded.manifest, found.labels, opened.image))
    provenance = opened.provenance(*notes, steps=found.steps)
    opened.context.progress(1.0, "Done")
    arrays = {"labels": found.labels, "entropy": found.entropy, "mutual": found.mutual}
    return WorkerReply(
        {"provenance": provenance.to_json()}, {name: array for name, array in arrays.items() if array is not None}
    )


def classify(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Name the class of an image: ``probabilities`` in the manifest's order, and the ``provenance``."""
    opened = open_run(request, context)
    probabilities, notes = classify_image(opened)
    provenance = opened.provenance(*notes)
    opened.context.progress(1.0, "Done")
    return WorkerReply({"probabilities": probabilities, "provenance": provenance.to_json()})


def segment_image(opened: OpenedRun) -> tuple[Labels, tuple[str, ...]]:
    """The label map of an opened run's image on its source grid, and notes."""
    found = segmented(opened)
    return found.labels, found.notes


def classify_image(opened: OpenedRun) -> tuple[list[float], tuple[str, ...]]:
    """The probability of each declared class, and notes."""
    values, notes = network_input(opened)
    return activated(opened, run_network(opened, values)).tolist(), notes


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
