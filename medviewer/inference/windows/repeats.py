"""Windows that hold nothing but one value: all of the same value get the same answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Answer = tuple["Tensor", "Tensor | None"]
Value = tuple[float, ...]
"""Of each channel."""

_BYTES = 256 * 2**20
"""Of answers that are remembered."""


@dataclass
class Repeats:
    """Answers to windows of one value: air around a body, clipped, is such a value.

    The network sees nothing of where a window lies, so that the answer is the same as if it had been asked again.
    """

    _answers: dict[Value, Answer] = field(default_factory=dict)

    def value(self, window: Tensor) -> Value | None:
        """The one value of each channel of a window (channels, z, y, x) on the CPU; None if a channel has several."""
        # most windows that hold something show it in five voxels
        corner = window[:, 0, 0, 0]
        z, y, x = (size // 2 for size in window.shape[1:])
        others = (window[:, -1, -1, -1], window[:, z, y, x], window[:, 0, -1, 0], window[:, -1, 0, -1])
        if not all(bool((other == corner).all()) for other in others):
            return None
        same = bool((window == corner[:, None, None, None]).all())
        return tuple(corner.tolist()) if same else None

    def find(self, value: Value) -> Answer | None:
        """What was answered to that value."""
        return self._answers.get(value)

    def keep(self, value: Value, answer: Answer) -> None:
        """Remember an answer, as long as there is room for it."""
        size = sum(part.nbytes for part in answer if part is not None)
        if size * (len(self._answers) + 1) <= _BYTES:
            scores, expected = answer
            self._answers[value] = scores.clone(), None if expected is None else expected.clone()

    def forget(self) -> None:
        """Give the memory back."""
        self._answers.clear()
