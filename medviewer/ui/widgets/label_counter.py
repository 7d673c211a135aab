"""How many voxels each label has, counted a few slices at a time so that the window never waits."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from medviewer.domain.strokes import Box, Labels

SLICE_OF_TIME_S = 0.008
"""What one go may take: half a frame."""
_PIECE = 1 << 16
"""Voxels that are counted at once."""


class LabelCounter(QObject):
    """Counts the voxels of a label map that is being edited.

    It keeps counts for every slice along z, and counts only those anew that a stroke touched.
    """

    changed = Signal()
    """All counts are up to date again."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._labels: Labels | None = None
        self._slices: list[NDArray[np.int64]] = []
        self._total = np.zeros(1, np.int64)
        self._stale: set[int] = set()
        self._complete = False
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._count_some)

    @property
    def complete(self) -> bool:
        """Whether every slice was counted at least once."""
        return self._complete

    def count(self, label: int) -> int:
        """Voxels with that label, as of the last time that `changed` was emitted or later."""
        return int(self._total[label]) if label < self._total.size else 0

    def start(self, labels: Labels | None) -> None:
        """Count another label map; None counts nothing."""
        self._labels = labels
        self._slices = [np.zeros(0, np.int64)] * (0 if labels is None else len(labels))
        self._total = np.zeros(1, np.int64)
        self._stale = set(range(len(self._slices)))
        self._complete = False
        self.resume()

    def touch(self, box: Box) -> None:
        """Voxels in that box may have changed; `resume` counts them."""
        self._stale.update(range(*box[0].indices(len(self._slices))))

    def resume(self) -> None:
        """Count what is stale, in the pauses of the event loop."""
        if self._stale:
            self._timer.start()
        else:
            self._timer.stop()

    def _count_some(self) -> None:
        end = time.perf_counter() + SLICE_OF_TIME_S
        while self._stale and time.perf_counter() < end:
            self._count_slice(self._stale.pop())
        if not self._stale:
            self._timer.stop()
            self._complete = True
            self.changed.emit()

    def _count_slice(self, z: int) -> None:
        assert self._labels is not None  # no slice is stale otherwise
        counts = _counts(self._labels[z].reshape(-1))
        if counts.size > self._total.size:
            self._total = np.pad(self._total, (0, counts.size - self._total.size))
        before = self._slices[z]
        self._total[: before.size] -= before
        self._total[: counts.size] += counts
        self._slices[z] = counts


def _counts(labels: Labels) -> NDArray[np.int64]:
    """How many voxels there are of each label.

    A piece at a time: numpy makes eight bytes of each label, which for a mammogram are a hundred megabytes.
    """
    pieces = [np.bincount(labels[i : i + _PIECE]) for i in range(0, labels.size, _PIECE)]
    counts = np.zeros(max((piece.size for piece in pieces), default=0), np.int64)
    for piece in pieces:
        counts[: piece.size] += piece
    return counts
