"""Maps over an image: which voxels moved a model's answer, and which it was in doubt about."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.provenance import Provenance

UNCERTAINTY = "Uncertainty"
"""Method of a map of how undecided a model is, voxel by voxel: the entropy of its answer over that of no answer."""
DISAGREEMENT = "Disagreement"
"""Method of a map of the part of it that comes from a model's passes or versions contradicting each other."""
DOUBT = (UNCERTAINTY, DISAGREEMENT)
"""Methods of maps that show a model's doubt, and not its reasons."""


@dataclass(frozen=True, eq=False)
class Heatmap:
    """An attribution, or a model's doubt, on the source image's grid.

    Parameters
    ----------
    values
        Shape (z, y, x), float16 or float32, 0..1: an attribution scaled so that its highest value is 1, or the doubt
        as it is.
    grid
        Where its voxels lie.
    method, target
        For example ``Grad-CAM`` and the class that is explained; `UNCERTAINTY` or `DISAGREEMENT` and what was labelled.
    provenance
        The model that is explained.
    series_uid
        The image that was explained.
    """

    values: NDArray[np.float16] | NDArray[np.float32]
    grid: Grid
    method: str
    target: str
    provenance: Provenance = field(default_factory=Provenance)
    series_uid: str = ""

    def __post_init__(self) -> None:
        if self.values.shape != self.grid.shape:
            raise ValueError(f"a heat map of shape {self.values.shape} does not fit a grid of {self.grid.shape}")

    @property
    def is_doubt(self) -> bool:
        """Whether it shows a model's doubt, and not its reasons."""
        return self.method in DOUBT

    @property
    def label(self) -> str:
        """One line for the screen: method, target and model version."""
        return f"{self.method} of {self.target}, {self.provenance.label}"
