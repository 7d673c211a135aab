"""What goes over every voxel of a mask that will be opened in a moment, done off the home thread."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.mask import voxel_counts


@dataclass
class _Made:
    copy: NDArray[Any] | None
    counts: NDArray[np.int64]


class MasksAhead:
    """Copies of label maps to paint on, and how many voxels each label has.

    Of a large CT either takes a tenth of a second and more, which the home thread must not wait for. Whoever gets a
    mask in a thread calls `make`; what was not made ahead is made when it is asked for. It goes with the labels.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[int, _Made] = {}

    def make(self, labels: NDArray[Any]) -> None:
        """Make both; any thread may call it. Nobody may write into the labels until their copy was taken.

        Parameters
        ----------
        labels
            The very array of the `Segmentation` that will be opened.
        """
        made = _Made(labels.copy(), voxel_counts(labels))
        with self._lock:
            self._made[id(labels)] = made
        weakref.finalize(labels, self._forget, id(labels))

    def copy(self, labels: NDArray[Any]) -> NDArray[Any]:
        """A copy that is the caller's own."""
        with self._lock:
            made = self._made.get(id(labels))
            copy = None
            if made is not None:
                copy, made.copy = made.copy, None
        return labels.copy() if copy is None else copy

    def count(self, labels: NDArray[Any], label: int) -> int:
        """Voxels with that label."""
        with self._lock:
            made = self._made.get(id(labels))
        if made is None:
            return int(np.count_nonzero(labels == label))
        return int(made.counts[label]) if label < made.counts.size else 0

    def _forget(self, key: int) -> None:
        with self._lock:
            self._made.pop(key, None)
