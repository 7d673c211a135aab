"""Masks: what is labelled, with which meaning, on which grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.provenance import Provenance

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
    (205, 205, 205),
)
"""Okabe and Ito's colour-blind safe set (2008), ordered for dark backgrounds; black is replaced by a grey that is so
light that those who see no green do not take it for the purple."""


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 8.8): value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


TISSUE = Code("85756007", "SCT", "Tissue")
"""Segmented Property Category and Type when a label says nothing better (PS3.16 CID 7150)."""


@dataclass(frozen=True)
class Segment:
    """One labelled structure.

    Parameters
    ----------
    label
        Its value in the label map, 1 or more.
    name
        What the user reads.
    colour
        Red, green, blue, 0 to 255.
    category, code
        Segmented Property Category and Type.
    """

    label: int
    name: str
    colour: Colour = PALETTE[0]
    code: Code = TISSUE
    category: Code = TISSUE


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A label map on a grid.

    Parameters
    ----------
    labels
        Label map, shape (z, y, x), uint8 or uint16; 0 is background.
    grid
        Where its voxels lie.
    segments
        What each label means, sorted by label.
    provenance
        Who or what made it.
    series_uid
        The image series that it labels.
    uncertainty
        Voxel maps of the model's doubt, 0 to 1, where they were asked for; they belong to the model's answer and are
        kept beside the mask, not in it.
    """

    labels: NDArray[np.uint8] | NDArray[np.uint16]
    grid: Grid
    segments: tuple[Segment, ...]
    provenance: Provenance = field(default_factory=Provenance)
    series_uid: str = ""
    uncertainty: tuple[Heatmap, ...] = ()

    def __post_init__(self) -> None:
        if self.labels.shape != self.grid.shape:
            raise ValueError(f"a label map of shape {self.labels.shape} does not fit a grid of {self.grid.shape}")
        if self.labels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"a label map needs uint8 or uint16, not {self.labels.dtype}")

    def segment(self, label: int) -> Segment:
        """The segment with that label; one with a generic name if none was declared."""
        for segment in self.segments:
            if segment.label == label:
                return segment
        return Segment(label, f"Label {label}", PALETTE[(label - 1) % len(PALETTE)])

    def volume_ml(self, label: int) -> float:
        """Volume of one segment in millilitres."""
        return float(np.count_nonzero(self.labels == label)) * self.grid.voxel_ml

    def with_labels(self, labels: NDArray[np.uint8] | NDArray[np.uint16]) -> Segmentation:
        """The same segmentation with another label map."""
        return replace(self, labels=labels)


def voxel_counts(labels: NDArray[Any]) -> NDArray[np.int64]:
    """How many voxels each label of a map has, from 0 to the largest there is; one pass over the voxels."""
    total = np.zeros(1, np.int64)
    for part in labels:  # slice by slice: bincount makes a copy of eight bytes a voxel
        counts = np.bincount(part.reshape(-1), minlength=total.size)
        counts[: total.size] += total
        total = counts.astype(np.int64)
    return total


def empty(grid: Grid, segments: tuple[Segment, ...] = (), series_uid: str = "") -> Segmentation:
    """A segmentation with nothing in it yet, and one segment to paint with."""
    chosen = segments or (Segment(1, "Segment 1"),)
    return Segmentation(np.zeros(grid.shape, np.uint8), grid, chosen, series_uid=series_uid)


def dice(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Dice coefficient of two masks (Dice 1945): 2 |A and B| / (|A| + |B|); 1.0 when both are empty."""
    first, second = np.asarray(a) != 0, np.asarray(b) != 0
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 1.0 if total == 0 else 2 * int(np.count_nonzero(first & second)) / total


@dataclass(frozen=True)
class Correction:
    """A person's verdict on a mask: the unit of the fine-tuning queue.

    Parameters
    ----------
    id
        Its identifier in the archive.
    series_uid, patient_key
        The image that was corrected, and a keyed hash of the patient's ID, by which cases are split.
    plugin_id, model_version
        What made the mask that was corrected.
    verdict
        ``approved`` or ``rejected``.
    author, created
        Who said so, and when (UTC, ISO 8601).
    dice_before
        Dice of the model's mask against the corrected one, 1.0 when nothing was changed; None when no model made one.
    """

    id: str
    series_uid: str
    patient_key: str
    plugin_id: str
    model_version: str
    verdict: str
    author: str
    created: str
    dice_before: float | None = None

    @property
    def dice_text(self) -> str:
        """Dice before, to three places, or a dash."""
        return "–" if self.dice_before is None else f"{self.dice_before:.3f}"
