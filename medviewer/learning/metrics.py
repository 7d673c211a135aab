"""How far a mask is from the approved one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.mask import dice
from medviewer.learning.gate import Score


def score(answer: NDArray[Any], truth: NDArray[Any], grid: Grid, labels: Sequence[int]) -> Score:
    """Mean Dice and mean HD95 over some labels.

    Parameters
    ----------
    answer, truth
        Label maps, shape (z, y, x).
    grid
        Their grid.
    labels
        The values that count.
    """
    pairs = [(answer == label, truth == label) for label in labels]
    return Score(
        float(np.mean([dice(a, b) for a, b in pairs])), float(np.mean([hd95_mm(a, b, grid) for a, b in pairs]))
    )


def hd95_mm(answer: NDArray[np.bool_], truth: NDArray[np.bool_], grid: Grid) -> float:
    """95th percentile of the symmetric surface distance in mm (Huttenlocher 1993, at 95 % instead of the maximum).

    Always a finite number: two empty masks are 0 apart; an empty one and one that is not are as far apart as the grid
    allows, which is its diagonal, so that missing everything never looks better than missing a part.
    """
    filled = bool(answer.any()), bool(truth.any())
    if not all(filled):
        return math.hypot(*grid.size_mm) if any(filled) else 0.0
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    # In a single slice every voxel would touch the outside: a radiograph's surface is its outline.
    kept = [axis for axis in range(3) if grid.shape[axis] > 1] or [0]
    shape = (1, 1, *(grid.shape[axis] for axis in kept))
    first, second = (torch.from_numpy(np.ascontiguousarray(mask)).reshape(shape) for mask in (answer, truth))
    with warnings.catch_warnings():
        # monai 1.6 passes its own function an argument that it deprecates.
        warnings.simplefilter("ignore", FutureWarning)
        distance = compute_hausdorff_distance(
            first, second, include_background=True, percentile=95, spacing=[grid.spacing[axis] for axis in kept]
        )
    return float(distance)
