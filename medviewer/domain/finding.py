"""What a model or a person says about an image in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from medviewer.domain.geometry import Grid
from medviewer.domain.provenance import Provenance

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Classification:
    """Probabilities of the classes that a model knows.

    Parameters
    ----------
    probabilities
        Class name -> probability in 0..1, in the manifest's order.
    provenance
        What made it.
    series_uid
        The image that was classified.
    notes
        What has to be read beside the numbers, for example that this is a demonstration.
    abstained
        Whether the model gives no answer: its highest probability is too low, or the image is unlike what it knows.
    """

    probabilities: dict[str, float]
    provenance: Provenance = field(default_factory=Provenance)
    series_uid: str = ""
    notes: tuple[str, ...] = ()
    abstained: bool = False

    @property
    def top(self) -> tuple[str, float]:
        """The most probable class and its probability."""
        return max(self.probabilities.items(), key=lambda item: item[1])


@dataclass(frozen=True)
class Detection:
    """One thing that a model found, and the box around it.

    Parameters
    ----------
    label
        What it is: a name of the manifest.
    score
        How sure the model is, 0 to 1.
    low, high
        The box's corners (z, y, x) on the image's grid, edge to edge: voxel k reaches from k to k + 1.
    """

    label: str
    score: float
    low: Corner
    high: Corner

    @property
    def centre(self) -> Corner:
        """Index (z, y, x) of the middle, where whole numbers are middles of voxels."""
        z, y, x = ((low + high - 1) / 2 for low, high in zip(self.low, self.high, strict=True))
        return z, y, x

    def touches(self, axis: int, k: int) -> bool:
        """Whether slice k across an array axis runs through the box."""
        return self.low[axis] < k + 1 and k < self.high[axis]

    def size_mm(self, grid: Grid) -> Corner:
        """Length of the edges along z, y and x in mm."""
        z, y, x = ((high - low) * mm for low, high, mm in zip(self.low, self.high, grid.spacing, strict=True))
        return z, y, x


@dataclass(frozen=True)
class Detections:
    """What a model found in an image, the surest first.

    Parameters
    ----------
    found
        None of a kind is an answer too.
    grid
        The image's grid, on which the boxes lie.
    provenance
        What made it.
    series_uid
        The image that was looked at.
    """

    found: tuple[Detection, ...]
    grid: Grid
    provenance: Provenance = field(default_factory=Provenance)
    series_uid: str = ""
