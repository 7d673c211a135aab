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
from medviewer.inference.doubting.reference import Reference, read, reference_path
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from torch import Tensor

    from medviewer.inference.pipeline import OpenedRun
    from medviewer.inference.request import PluginRun

_NEARLY = 0.1
"""A voxel that was given a label with at least this probability was nearly labelled."""
_FEW_VOXELS = 100_000
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
    return reference_for(opened.run, opened.loaded.manifest)


def reference_for(run: PluginRun, manifest: Manifest) -> Reference | None:
    """The same for a version that is not loaded."""
    spec = manifest.weights
    beside = reference_path(run.weights)
    if beside.is_file():
        return read(beside)
    if spec.reference and spec.file and run.weights.resolve() == (run.folder / spec.file).resolve():
        return read(run.folder / spec.reference)
    return None


def doubt_of(
    opened: OpenedRun,
    *,
    reference: Reference | None = None,
    features: NDArray[np.generic] | None = None,
    uncertainty: float | None = None,
    flags: Iterable[str] = (),
) -> Doubt:
    """All that speaks against a result.

    Parameters
    ----------
    reference, features
        What the training set looks like to the network, and what it saw in this image, shape (d,); None if that is not
        known.
    uncertainty
        How undecided the model is, 0 to 1.
    flags
        What was found already, plausibility for instance.

    Raises
    ------
    PluginError
        If the reference belongs to another network.
    """
    manifest = opened.loaded.manifest
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


def undecided(manifest: Manifest, probabilities: NDArray[np.generic]) -> tuple[str, ...]:
    """A sentence if the highest probability (labels,) of a classification is too low for an answer."""
    highest, least = float(probabilities.max()), manifest.outputs.abstain
    if highest >= least:
        return ()
    return (f"{manifest.name} gives no answer: its highest probability, {highest:.2f}, is below {least:g}.",)


def abstains(manifest: Manifest, probabilities: NDArray[np.generic], doubt: Doubt) -> bool:
    """Whether a classifier gives no answer: it is too undecided, or the image is unlike those that it knows."""
    return doubt.outside or bool(undecided(manifest, probabilities))


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


class UncertaintyMeter:
    """How undecided a segmentation is: the mean doubt of the voxels that were given a label, or nearly were.

    The rest of an image is left out: a model is sure of the air around a patient, and a mean over that says nothing.

    Parameters
    ----------
    background
        Whether channel 0 of what it is given stands for no label, and channels are scores and exclude each other; else
        they are probabilities, an answer each.
    """

    def __init__(self, background: bool) -> None:
        self._background = background
        self._total = 0.0
        self._voxels = 0

    def add(self, scores: Tensor, entropy: Tensor | None = None, probabilities: bool = False) -> None:
        """Take in a slab.

        Parameters
        ----------
        scores
            Shape (K, z, y, x).
        entropy
            The doubt of its voxels, (z, y, x), where it is known already.
        probabilities
            Whether scores with a background are mean probabilities already.
        """
        step = 2 if scores[0].numel() > _FEW_VOXELS else 1  # a quarter of many voxels says the same
        seen = scores[:, :, ::step, ::step].float()
        shares = seen.softmax(dim=0) if self._background and not probabilities else seen
        nearly = shares[0] < 1 - _NEARLY if self._background else shares.amax(dim=0) > _NEARLY
        if not bool(nearly.any()):
            return
        doubt = entropy[:, ::step, ::step][nearly] if entropy is not None else self._doubt(shares[:, nearly])
        self._total += float(doubt.double().sum())
        self._voxels += int(nearly.sum())

    def _doubt(self, shares: Tensor) -> Tensor:
        """Doubt, 0 to 1, of voxels (K, n)."""
        import torch

        if self._background:
            known: Tensor = torch.special.entr(shares).sum(dim=0) / np.log(len(shares))
            return known
        most: Tensor = (torch.special.entr(shares) + torch.special.entr(1 - shares)).amax(dim=0) / np.log(2)
        return most

    @property
    def value(self) -> float | None:
        """The mean doubt, 0 to 1; None if no voxel comes near a label."""
        return self._total / self._voxels if self._voxels else None


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-p * np.log(np.maximum(p, 1e-12)))


def out_of_range(manifest: Manifest, image: Image) -> tuple[str, ...]:
    """A sentence if the middle 98 % of an image's values leave the range that the plugin was made for."""
    intensity = manifest.inputs.intensity
    if intensity.expected is None:
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
