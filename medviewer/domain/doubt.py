"""How far a result can be trusted, in numbers that stand beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """What speaks against taking a model's answer as it is.

    Parameters
    ----------
    uncertainty
        How undecided the model is, 0 to 1: of a classification, the entropy of its probabilities over the entropy of
        knowing nothing; of a segmentation, the mean of that over the voxels that it labelled or nearly labelled. None
        if it was not measured.
    distance
        How unlike the training set the image is to the network, where 1 is the limit beyond which hardly any image of
        the training set lies. None if nobody measured the training set.
    flags
        Reasons to distrust the result, one sentence each: out of range, out of distribution, implausible volume, count
        or side, no answer.
    """

    uncertainty: float | None = None
    distance: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def outside(self) -> bool:
        """Whether the image lies beyond what the model was trained on."""
        return self.distance is not None and self.distance > 1
