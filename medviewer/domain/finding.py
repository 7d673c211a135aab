"""What a model or a person says about an image in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from medviewer.domain.provenance import Provenance


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
