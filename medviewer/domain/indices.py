"""Flat indices of voxels: in order, and each once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ascending(where: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same indices, ascending and unique.

    `numpy.unique` hashes whole numbers since NumPy 2.3, and takes seconds for some millions of them; sorting takes
    hundredths, and indices that are in order already need none.
    """
    if bool((where[1:] > where[:-1]).all()):
        return where
    ordered = np.sort(where)
    return ordered[first_of_each(ordered)]


def first_of_each(ordered: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where, in ascending indices of which some come several times, each of them comes first."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))[: ordered.size])
