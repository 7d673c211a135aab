"""Saliency: which voxels moved a model's answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.provenance import Provenance


@dataclass(frozen=True, eq=False)
class Heatmap:
    """An attribution on the source image's grid.

    Parameters
    ----------
    values
        Attribution, shape (z, y, x), float16 or float32, scaled to 0..1.
    grid
        Where its voxels lie.
    method, target
        For example ``Grad-CAM`` and the class that is explained.
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
    def label(self) -> str:
        """One line for the screen: method, target and model version."""
        return f"{self.method} of {self.target}, {self.provenance.label}"
