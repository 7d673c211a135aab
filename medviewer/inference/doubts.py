"""How far a result can be trusted: what the model's own doubt, its training set and its manifest say of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.doubt import Doubt
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.inference.reference import Reference, read, reference_path
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from medviewer.inference.pipeline import OpenedRun

_SAMPLE_VOXELS = 500_000
_MIDDLE = (1.0, 99.0)
"""Percentiles between which the middle 98 % of an image's values lie."""


def reference_of(opened: OpenedRun) -> Reference | None:
    """What the training set of a run's version looked like, None if nobody measured that.

    A version's own reference lies beside its weights; the manifest names that of the weights that it brings along.

    Raises
    ------
    PluginError
        If there is one and it cannot be read.
    """
    run, spec = opened.run, opened.loaded.manifest.weights
    beside = reference_path(run.weights)
    if beside.is_file():
        return read(beside)
    if spec.reference and spec.file and run.weights == run.folder / spec.file:
        return read(run.folder / spec.reference)
    return None


def doubt_of(
    opened: OpenedRun,
    *,
    features: NDArray[np.generic] | None = None,
    uncertainty: float | None = None,
    flags: Iterable[str] = (),
) -> Doubt:
    """All that speaks against a result.

    Parameters
    ----------
    features
        What the network saw in the image, shape (d,), None if that was not looked at.
    uncertainty
        How undecided the model is, 0 to 1.
    flags
        What was found already, plausibility for instance.
    """
    manifest = opened.loaded.manifest
    reference = reference_of(opened) if features is not None else None
    distance = reference.distance(features) if reference is not None and features is not None else None
    found = [*out_of_range(manifest, opened.image)]
    if distance is not None and distance > 1:
        found.append(
            f"This image is unlike those that {manifest.name} was trained on "
            f"({_times(distance)} the limit): do not rely on this result."
        )
    return Doubt(uncertainty, distance, (*found, *flags))


def with_doubt(provenance: Provenance, doubt: Doubt, *steps: str) -> Provenance:
    """A provenance that says how far its result can be trusted, in numbers and beside the result."""
    notes = (*provenance.notes, *doubt.flags)
    return replace(provenance, doubt=doubt, notes=notes, steps=(*provenance.steps, *steps))


def abstention(manifest: Manifest, probabilities: NDArray[np.generic], doubt: Doubt) -> str:
    """Why a classifier gives no answer, one sentence; empty if it gives one.

    Parameters
    ----------
    probabilities
        Of the declared labels, shape (labels,).
    """
    highest, least = float(probabilities.max()), manifest.outputs.abstain
    if doubt.outside:
        return f"{manifest.name} gives no answer: the image is unlike those that it knows."
    if highest < least:
        return f"{manifest.name} gives no answer: its highest probability, {highest:.2f}, is below {least:g}."
    return ""


def class_uncertainty(probabilities: NDArray[np.generic], exclusive: bool = True) -> float:
    """How undecided a classification is, 0 to 1: its entropy over the entropy of knowing nothing.

    Parameters
    ----------
    exclusive
        Whether the labels exclude each other; otherwise each is a question of its own, and the most doubtful counts.
    """
    rows = np.asarray(probabilities, np.float64)
    if exclusive and rows.size > 1:
        total = rows / max(rows.sum(), 1e-12)
        return float(_entropy(total).sum() / np.log(rows.size))
    return float((_entropy(rows) + _entropy(1 - rows)).max() / np.log(2))


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-p * np.log(np.maximum(p, 1e-12)))


def out_of_range(manifest: Manifest, image: Image) -> tuple[str, ...]:
    """A sentence if the middle 98 % of an image's values leave the range that the plugin was made for."""
    intensity = manifest.inputs.intensity
    if intensity.expected is None or intensity.source == "display":  # grey values are 0 to 255 of any image
        return ()
    values = _sample(image)
    if not values.size:
        return ()
    low, high = np.percentile(values, _MIDDLE)
    lowest, highest = intensity.expected
    if lowest <= low and high <= highest:
        return ()
    return (
        f"The image's values lie between {low:.4g} and {high:.4g}, out of the range {lowest:g} to {highest:g} that "
        f"{manifest.name} was made for: do not rely on this result.",
    )


def _sample(image: Image) -> NDArray[np.float32]:
    step = max(1, round((image.voxels.size / _SAMPLE_VOXELS) ** (1 / 3)))
    parts = []
    for z in range(0, image.grid.shape[0], step):
        plane: NDArray[Any] = image.voxels[z, ::step, ::step]
        keep = np.isfinite(plane)
        if image.padding is not None:
            keep &= (plane < image.padding[0]) | (plane > image.padding[1])
        parts.append(image.real_of(plane[keep], z))
    return np.concatenate(parts)


def _times(distance: float) -> str:
    return f"{distance:.1f} times" if distance < 100 else "far beyond"
