"""Slabs of what is laid over the slices of a viewport: sampled slice by slice, and joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.display import Display, FusedLook
from medviewer.domain.fusing import Sampled, Thickness, join, runs_along, slice_through
from medviewer.ui.viewport.slabs import LONG

_KEPT_BYTES = 96 << 20
_ALONG, _ACROSS = 25, 150
"""How many times as long as a voxel of `LONG` a pixel takes to be sampled, along the volume's axes and across them."""


@dataclass(frozen=True, eq=False)
class Joined:
    """A slab of another series, and of what it is."""

    voxels: NDArray[np.generic]
    of: tuple[object, ...]
    thick: Thickness
    made: Sampled
    slices: Mapping[int, Sampled] = field(default_factory=dict)
    """What it was joined from, where that is not too much to be kept."""


def joined(display: Display, known: Mapping[int, Sampled]) -> Joined:
    """The slab of what is laid over a display; any thread may call it.

    Parameters
    ----------
    known
        Slices that were sampled before.
    """
    look, thick = _look(display)
    slices = {
        k: known[k] if k in known else slice_through(look.voxels, look.grid, display.plane, k)
        for k in range(thick.start, thick.stop)
    }
    made = join(list(slices.values()), thick.mode)
    most = _KEPT_BYTES // (5 * display.plane.shape[0] * display.plane.shape[1])
    return Joined(look.voxels, _of(display, look), thick, made, slices if len(slices) <= most else {})


def _look(display: Display) -> tuple[FusedLook, Thickness]:
    assert display.fused is not None
    assert display.fused.thick is not None
    return display.fused, display.fused.thick


def _of(display: Display, look: FusedLook) -> tuple[object, ...]:
    return look.grid, display.plane


class FusedFeed:
    """Joins slabs for one viewport.

    The slices of a slab are kept as they were sampled while it moves on, so that a step samples only the new one. One
    through the whole volume stays as it is.
    """

    def __init__(self) -> None:
        self._answer: Joined | None = None

    def forget(self) -> None:
        """Let go of what was sampled."""
        self._answer = None

    def take(self, display: Display) -> Sampled:
        """The slab, as `slice_through` has a slice."""
        look, thick = _look(display)
        answer = self._of_same(display, look)
        if answer is None or answer.thick != thick:
            self._answer = answer = joined(display, {} if answer is None else answer.slices)
        return answer.made

    def lacks(self, display: Display) -> bool:
        """Whether `take` would sample so many pixels that the window had to wait for it."""
        if display.slab is None or display.fused is None or display.fused.thick is None:
            return False
        look, thick = _look(display)
        answer = self._of_same(display, look)
        if answer is not None and answer.thick == thick:
            return False
        new = sum(answer is None or k not in answer.slices for k in range(thick.start, thick.stop))
        each = _ALONG if runs_along(look.grid, display.plane) else _ACROSS
        rows, columns = display.plane.shape
        return rows * columns * (each * new + thick.stop - thick.start) > LONG

    def work(self, display: Display) -> Callable[[], Joined] | None:
        """What to do, on any thread; its answer is for `give`. None where nothing thick is laid over."""
        if display.fused is None or display.fused.thick is None:
            return None
        answer = self._of_same(display, _look(display)[0])
        known = {} if answer is None else answer.slices  # nobody writes into them any more
        return lambda: joined(display, known)

    def give(self, answer: Joined) -> None:
        """What `work` has made, for `take`."""
        self._answer = answer

    def _of_same(self, display: Display, look: FusedLook) -> Joined | None:
        """What is here of the same series over the same plane, wherever the slab was."""
        answer = self._answer
        same = answer is not None and answer.voxels is look.voxels and answer.of == _of(display, look)
        return answer if same else None
