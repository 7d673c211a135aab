"""What the training set looks like to a network, and how far an image is from it.

A reference is made of the features of training images: their mean and covariance (Mahalanobis distance, Lee 2018), or,
where there are too few for a covariance, the features themselves (distance to the nearest ones, Sun 2022). Its unit is
its own limit: the distance, measured on each training image as if it were new, that hardly any of them passes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medviewer.errors import PluginError

SUFFIX = ".reference.safetensors"
Floats = NDArray[np.float32]

_FORMAT = 1
_QUANTILE = 0.99
"""Of the training images' own distances; with fewer than a hundred images that is the largest of them."""
_PER_FEATURE = 2
"""Images a feature that a covariance asks for; with fewer, the features themselves are kept."""
_NEIGHBOUR = 1
"""Which of the nearest training images counts. Sun 2022 takes more of a large bank; banks here are small."""
LEAST_IMAGES = 5
"""Fewer images say nothing about the next one."""
_QUIET = 1e-3
"""A feature that never changes counts as if it did by this part of the others' spread, or any change were endless."""
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of a training set, and the temperature of the version that they belong to.

    Parameters
    ----------
    kind
        ``mahalanobis``, ``nearest``, or ``none`` where only a temperature is known.
    limit
        The distance that counts as 1.
    mean, precision
        Of ``mahalanobis``: shapes (d,) and (d, d); the precision is the inverse of the shrunk covariance.
    bank
        Of ``nearest``: unit vectors, shape (images, d).
    temperature
        What the logits are divided by before they become probabilities (Guo 2017); 1 changes nothing.
    source
        Where the images came from, for people.
    images
        How many there were.
    """

    kind: Literal["none", "mahalanobis", "nearest"] = "none"
    limit: float = 1.0
    mean: Floats | None = None
    precision: Floats | None = None
    bank: Floats | None = None
    temperature: float = 1.0
    source: str = ""
    images: int = 0

    def distance(self, features: NDArray[np.generic]) -> float | None:
        """How far an image with these features, shape (d,), lies from the training set, where 1 is the limit.

        None if this reference holds no features.

        Raises
        ------
        PluginError
            If there are more or fewer of them than the reference has, which is then of another network.
        """
        if self.kind == "none":
            return None
        known = self.bank if self.bank is not None else self.precision
        assert known is not None  # of a kind that has features
        if features.shape != (known.shape[1],):
            raise PluginError(
                f"The reference of this model knows {known.shape[1]} features, but its network gives "
                f"{features.size}; make the reference again for this version."
            )
        if not np.isfinite(features).all():
            return float("inf")
        return self._raw(features.astype(np.float64)) / self.limit

    def with_temperature(self, temperature: float) -> Reference:
        """The same features with another temperature."""
        return replace(self, temperature=temperature)

    def with_images(self, features: NDArray[np.generic]) -> Reference:
        """The same with the features (images, d) of images that the version has learnt from since.

        Those of a covariance stay as they are: a handful of images does not move it, and would be counted as much as
        all that are not here any more.
        """
        if self.bank is None:
            return self
        bank = np.concatenate([self.bank, _unit(np.asarray(features, np.float64)).astype(np.float32)])
        return replace(self, bank=bank, images=self.images + len(features))

    def _raw(self, features: NDArray[np.float64]) -> float:
        if self.bank is not None:
            return _nearest(_unit(features), self.bank)
        assert self.mean is not None
        assert self.precision is not None
        return _mahalanobis(features, self.mean, self.precision)


def build(features: NDArray[np.generic], groups: Sequence[object] = (), source: str = "") -> Reference:
    """The reference of a training set.

    Parameters
    ----------
    features
        One row an image, shape (images, d).
    groups
        What each image belongs to (its patient, the image that it was made from): the limit asks how far an image is
        from those of other groups. Empty, or one group in all: each image for itself.
    source
        Where the images came from.

    Raises
    ------
    PluginError
        If there are fewer than five images or a feature is not a number.
    """
    rows = np.asarray(features, np.float64)
    if rows.ndim != 2 or len(rows) < LEAST_IMAGES or not np.isfinite(rows).all():
        raise PluginError(
            f"A reference needs finite features of at least {LEAST_IMAGES} images, not an array of shape {rows.shape}; "
            "give it more images."
        )
    own: list[object] = list(groups) if len(set(groups)) > 1 else list(range(len(rows)))
    made = _fit(rows)
    members = np.array([own.index(one) for one in own])
    distances = []
    for group in np.unique(members):
        others = _fit(rows[members != group], made.kind)
        distances += [others._raw(row) for row in rows[members == group]]
    limit = max(float(np.quantile(distances, _QUANTILE, method="higher")), _TINY)
    return replace(made, limit=limit, source=source, images=len(rows))


def _fit(rows: NDArray[np.float64], kind: str = "") -> Reference:
    enough = len(rows) >= _PER_FEATURE * rows.shape[1]
    if (kind or ("mahalanobis" if enough else "nearest")) == "nearest":
        return Reference("nearest", bank=_unit(rows).astype(np.float32))
    # Channels differ in size: shrinking them as they are would blow up the spread of the quiet ones.
    spread = rows.std(axis=0)
    spread = np.maximum(spread, max(_QUIET * float(spread.mean()), _TINY))
    precision = np.linalg.inv(shrunk_covariance(rows / spread)) / np.outer(spread, spread)
    return Reference("mahalanobis", mean=rows.mean(axis=0).astype(np.float32), precision=precision.astype(np.float32))


def shrunk_covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance (d, d) of rows (n, d), drawn towards a multiple of the identity (Ledoit and Wolf 2004).

    A little is added to its diagonal, so that a feature that never changes does not make every distance endless.
    """
    count, width = rows.shape
    centred = rows - rows.mean(axis=0)
    sample = centred.T @ centred / count
    scale = float(np.trace(sample)) / width
    off = float(((sample - scale * np.eye(width)) ** 2).sum()) / width
    squares = centred**2
    noise = float((squares.T @ squares / count - sample**2).sum()) / (width * count)
    shrinkage = min(1.0, noise / off) if off > 0 else 1.0
    shrunk = (1 - shrinkage) * sample + shrinkage * scale * np.eye(width)
    return np.asarray(shrunk + max(1e-6 * scale, _TINY) * np.eye(width))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length: NDArray[np.float64] = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(length, _TINY))


def _nearest(unit: NDArray[np.float64], bank: Floats) -> float:
    distances = np.linalg.norm(bank.astype(np.float64) - unit, axis=1)
    return float(np.sort(distances)[min(_NEIGHBOUR, len(distances)) - 1])


def _mahalanobis(features: NDArray[np.float64], mean: Floats, precision: Floats) -> float:
    off = features - mean.astype(np.float64)
    return math.sqrt(max(0.0, float(off @ precision.astype(np.float64) @ off)))


def reference_path(weights: Path) -> Path:
    """Where the reference of a version lies: beside its weights, under their name."""
    return weights.with_name(f"{weights.stem}{SUFFIX}")


def write(path: Path, reference: Reference) -> None:
    """Write a reference as safetensors, whole or not at all. Raises OSError if it cannot be written."""
    from safetensors.numpy import save

    arrays = {name: getattr(reference, name) for name in ("mean", "precision", "bank")}
    kept = {name: np.ascontiguousarray(value) for name, value in arrays.items() if value is not None}
    said: dict[str, Any] = {"format": _FORMAT}
    said |= {name: getattr(reference, name) for name in ("kind", "limit", "temperature", "source", "images")}
    partial = path.with_name(f"partial-{path.name}")
    partial.write_bytes(save(kept, metadata={"reference": json.dumps(said)}))
    partial.replace(path)


def read(path: Path) -> Reference:
    """Read a reference.

    Raises
    ------
    PluginError
        If the file is not one, or was damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as opened:
            said = json.loads((opened.metadata() or {})["reference"])
            arrays = {name: opened.get_tensor(name) for name in ("mean", "precision", "bank") if name in opened.keys()}  # noqa: SIM118  # not a dict
        if said.pop("format") != _FORMAT:
            raise ValueError("of another form")
        return _checked(Reference(**said, **arrays))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise PluginError(
            f"{path.name} should say what the training set of a model looks like, but it cannot be read; "
            "install the plugin or make the reference again.",
            str(error),
        ) from error


def _checked(reference: Reference) -> Reference:
    """The reference, if its parts belong together; ValueError otherwise."""
    wanted = {"none": set(), "mahalanobis": {"mean", "precision"}, "nearest": {"bank"}}[reference.kind]
    arrays = {name: getattr(reference, name) for name in ("mean", "precision", "bank")}
    given = {name for name, value in arrays.items() if value is not None}
    finite = all(np.isfinite(arrays[name]).all() for name in given)
    positive = 0 < reference.limit < np.inf and 0 < reference.temperature < np.inf
    shapes = True
    if reference.mean is not None and reference.precision is not None:
        shapes = reference.precision.shape == (reference.mean.size,) * 2 and reference.mean.ndim == 1
    if reference.bank is not None:
        shapes = reference.bank.ndim == 2 and len(reference.bank) > 0
    if given != wanted or not finite or not positive or not shapes:
        raise ValueError(f"a reference of kind {reference.kind} whose parts do not fit")
    return reference
