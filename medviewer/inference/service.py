"""What the child process does: segment, classify, check a plugin."""

from __future__ import annotations

from medviewer.inference.answering.labels import Labels
from medviewer.inference.doubting import plausibility
from medviewer.inference.doubting.doubts import (
    abstains,
    class_uncertainty,
    doubt_of,
    reference_of,
    undecided,
    with_doubt,
)
from medviewer.inference.doubting.features import seeing
from medviewer.inference.passes import class_passes, excludes_each_other, steps_of
from medviewer.inference.pipeline import OpenedRun, open_run, prepared, prepared_to_sweep
from medviewer.inference.sweep import segmented
from medviewer.jobs import WorkerReply, WorkerRequest
from medviewer.plugin_api import RunContext


def segment(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Label an image: array ``labels`` on the source grid, and its ``provenance``.

    With uncertainty the array ``entropy`` and, of several passes, ``mutual`` are there too: float16, source grid.
    """
    opened = open_run(request, context)
    reference = reference_of(opened)
    values = prepared_to_sweep(opened)
    temperature = reference.temperature if reference is not None else 1.0
    found, features = seeing(
        opened, values.values, lambda: segmented(opened, values, temperature), wanted=reference is not None
    )
    implausible = plausibility.flags(opened.loaded.manifest, found.labels, opened.image)
    doubt = doubt_of(opened, reference=reference, features=features, uncertainty=found.uncertainty, flags=implausible)
    provenance = with_doubt(opened.provenance(*found.notes, steps=found.steps), doubt)
    opened.context.progress(1.0, "Done")
    arrays = {"labels": found.labels, "entropy": found.entropy, "mutual": found.mutual}
    return WorkerReply(
        {"provenance": provenance.to_json()}, {name: array for name, array in arrays.items() if array is not None}
    )


def classify(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Name the class of an image: ``probabilities`` in the manifest's order, ``abstained``, and the ``provenance``."""
    opened = open_run(request, context)
    manifest, reference = opened.loaded.manifest, reference_of(opened)
    found = prepared(opened)
    passes, features = seeing(
        opened, found.values, lambda: class_passes(opened, found.values, reference), wanted=reference is not None
    )
    mean = passes.mean(axis=0)
    doubt = doubt_of(
        opened,
        reference=reference,
        features=features,
        uncertainty=class_uncertainty(mean, excludes_each_other(manifest, mean)),
        flags=undecided(manifest, mean),
    )
    provenance = with_doubt(opened.provenance(*found.notes, steps=steps_of(opened)), doubt)
    opened.context.progress(1.0, "Done")
    answer = {"probabilities": mean.tolist(), "abstained": abstains(manifest, mean, doubt)}
    return WorkerReply({**answer, "provenance": provenance.to_json()})


def segment_image(opened: OpenedRun) -> tuple[Labels, tuple[str, ...]]:
    """The label map of an opened run's image on its source grid, and notes."""
    found = segmented(opened)
    return found.labels, found.notes


def classify_image(opened: OpenedRun) -> tuple[list[float], tuple[str, ...]]:
    """The probability of each declared class, and notes."""
    found = prepared(opened)
    mean = class_passes(opened, found.values, reference_of(opened)).mean(axis=0)
    return mean.tolist(), found.notes


def check(request: WorkerRequest, context: RunContext) -> WorkerReply:
    """Run the contract tests on a plugin; ``rows`` of name, ok and text."""
    from medviewer.inference.check import check_rows

    return WorkerReply({"rows": [[row.name, row.ok, row.text] for row in check_rows(request, context)]})
