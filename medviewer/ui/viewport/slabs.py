"""Slabs of the shared volume for one viewport, quick enough to scroll through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports.display import Display
from medviewer.domain.slab import project, project_stack

_RING_BYTES = 128 << 20
LONG = 60_000_000
"""Voxels that a viewport reduces while the window waits, where they are integers and come in the order of memory."""
_CHECKED = 6
"""How many times as long one takes that has to be looked at first: whether it is a number, or padding."""
_SPREAD = 20
"""How many times as long one takes whose neighbours in the slice are spread over memory."""

Made = tuple[NDArray[np.generic], NDArray[np.bool_] | None]
"""A slab along its axis, and where none of its voxels counted, or None where that cannot be."""


class Ring:
    """Copies of some slices that lie side by side in memory, in whatever order, kept while a slab moves over them.

    Parameters
    ----------
    voxels
        Of what (z, y, x).
    axis
        Along which axis the slices follow each other.
    """

    def __init__(self, voxels: NDArray[np.generic], axis: int) -> None:
        self.voxels, self.axis = voxels, axis
        self._along = np.moveaxis(voxels, axis, 0)
        self._rows: NDArray[np.generic] = np.empty((0, *self._along.shape[1:]), voxels.dtype)
        self._held: list[int] = []

    def lacks(self, wanted: range) -> int:
        """How many slices `take` would have to gather."""
        return sum(k not in self._held for k in wanted)

    def take(self, wanted: range) -> NDArray[np.generic]:
        """Copies of the wanted slices."""
        new = [k for k in wanted if k not in self._held]
        self._make_room(wanted)
        if len(new) > len(wanted) // 2:  # from afar: all at once is quicker
            np.copyto(self._rows[: len(wanted)], self._along[wanted.start : wanted.stop])
            self._held = list(wanted)
            return self._rows[: len(wanted)]
        free = [place for place, k in enumerate(self._held) if k not in wanted]
        for k in new:
            if free:
                place = free.pop()
                self._held[place] = k
            else:
                place = len(self._held)
                self._held.append(k)
            self._rows[place] = self._along[k]
        for place in reversed(free):  # at the ends of the volume the slab is thinner: the last ones close the gaps
            last = len(self._held) - 1
            if place != last:
                self._rows[place] = self._rows[last]
            self._held[place] = self._held[last]
            self._held.pop()
        return self._rows[: len(wanted)]

    def _make_room(self, wanted: range) -> None:
        if len(self._rows) >= len(wanted):
            return
        stay = [place for place, k in enumerate(self._held) if k in wanted]
        rows = np.empty((len(wanted), *self._along.shape[1:]), self._rows.dtype)
        rows[: len(stay)] = self._rows[stay]
        self._rows, self._held = rows, [self._held[place] for place in stay]


@dataclass(frozen=True)
class Reduced:
    """A slab of some voxels, and of what it is."""

    voxels: NDArray[np.generic]
    of: tuple[object, ...]
    made: Made
    ring: Ring | None = None
    """What it was made from, where slices had to be gathered."""


def reduced(display: Display, ring: Ring | None = None) -> Reduced:
    """The slab of a display; any thread may call it that has the ring for itself.

    Parameters
    ----------
    ring
        What holds some of the slices already, or will hold them.
    """
    slab, plane, voxels = display.slab, display.plane, display.voxels
    assert slab is not None
    if gathers(display):
        ring = ring or Ring(voxels, plane.axis)
        rows = ring.take(range(slab.slices.start, slab.slices.stop))
        made = project_stack(rows, slab.mode, None if slab.stored is None else rows, slab.padding)
        return Reduced(voxels, _of(display), made, ring)
    made = project(voxels, plane.axis, slab.slices, display.k, slab.mode, slab.stored, slab.padding)
    return Reduced(voxels, _of(display), made)


def gathers(display: Display) -> bool:
    """Whether copies of a slab's slices are kept while it moves on."""
    slab, voxels = display.slab, display.voxels
    assert slab is not None
    if slab.stored is not None and slab.stored is not voxels:
        return False
    count = slab.slices.stop - slab.slices.start
    size = voxels.nbytes // voxels.shape[display.plane.axis] * count
    return _spread(display) and 1 < count < display.plane.count and size <= _RING_BYTES


def _spread(display: Display) -> bool:
    return display.voxels.strides[display.plane.axis] == min(display.voxels.strides)


def _of(display: Display) -> tuple[object, ...]:
    slab = display.slab
    assert slab is not None
    return display.plane, slab.mode, slab.padding, slab.slices.start, slab.slices.stop


def _is_of(answer: Reduced, display: Display) -> bool:
    return display.slab is not None and answer.voxels is display.voxels and answer.of == _of(display)


class SlabFeed:
    """Reduces slabs for one viewport, and keeps what the next one can be made from.

    Along the axis that lies side by side in memory, a slab's slices are spread over the whole volume, so that gathering
    them takes ten times as long as reducing them. Copies of them are kept while the slab moves on: a step gathers only
    the slice that is new. Along the other axes the volume itself is as quick. 512 x 512 x 600 voxels, 20 mm: a step
    takes some 10 ms of 85.
    """

    def __init__(self) -> None:
        self._ring: Ring | None = None
        self._answer: Reduced | None = None

    def forget(self) -> None:
        """Let go of the copies."""
        self._ring = self._answer = None

    def take(self, display: Display) -> Made:
        """The slab of a display as (rows, columns), and where none of its voxels counted, or None."""
        plane = display.plane
        answer = self._answer
        if answer is None or not _is_of(answer, display):
            self.give(answer := reduced(display, self._ring_of(display)))
        out, nothing = answer.made
        if nothing is not None:  # the same slab has another middle slice where it is the whole volume
            np.copyto(out, np.moveaxis(display.voxels, plane.axis, 0)[display.k], where=nothing, casting="unsafe")
        return plane.turn(out), None if nothing is None else plane.turn(nothing).astype(np.bool_, copy=False)

    def lacks(self, display: Display) -> bool:
        """Whether `take` would go through so many voxels that the window had to wait for it."""
        slab, plane, answer = display.slab, display.plane, self._answer
        if slab is None or (answer is not None and _is_of(answer, display)):
            return False
        wanted = range(slab.slices.start, slab.slices.stop)
        checked = slab.padding is not None or display.voxels.dtype.kind == "f"
        reducing, gathering = len(wanted) * (_CHECKED if checked else 1), 0
        if gathers(display):
            ring = self._ring_of(display)
            gathering = _SPREAD * (len(wanted) if ring is None else ring.lacks(wanted))
        elif _spread(display):
            reducing *= _SPREAD
        return (reducing + gathering) * (display.voxels.size // plane.count) > LONG

    def work(self, display: Display) -> Callable[[], Reduced]:
        """What to do, on any thread; its answer is for `give`."""
        return lambda: reduced(display)  # with copies of its own: those that are here may be written to meanwhile

    def give(self, answer: Reduced) -> None:
        """What `work` has made, for `take`."""
        self._answer, self._ring = answer, answer.ring

    def _ring_of(self, display: Display) -> Ring | None:
        ring = self._ring
        fits = ring is not None and ring.voxels is display.voxels and ring.axis == display.plane.axis
        return ring if fits else None
