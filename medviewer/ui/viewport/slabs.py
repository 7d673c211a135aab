"""Slabs of the shared volume for one viewport, quick enough to scroll through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medviewer.app.ports import Display
from medviewer.domain.slab import project, project_stack
from medviewer.ui.viewport.background import Background

_RING_BYTES = 128 << 20
_LONG = 8_000_000
"""Voxels of a volume that three viewports cannot reduce while the window waits."""


@dataclass(frozen=True)
class Whole:
    """The slab through all slices of some voxels, and of what it is."""

    voxels: NDArray[np.generic]
    of: tuple[object, ...]
    out: NDArray[np.generic]
    nothing: NDArray[np.bool_] | None


def whole(display: Display) -> Whole:
    """The slab through all slices; any thread may call it."""
    slab, plane, voxels = display.slab, display.plane, display.voxels
    assert slab is not None
    out, nothing = project(voxels, plane.axis, slab.slices, display.k, slab.mode, slab.stored, slab.padding)
    return Whole(voxels, (plane, slab.mode, slab.padding), out, nothing)


def _is_of(answer: Whole, display: Display) -> bool:
    slab = display.slab
    return (
        slab is not None and answer.voxels is display.voxels and answer.of == (display.plane, slab.mode, slab.padding)
    )


class SlabFeed:
    """Reduces slabs along the axis that lies side by side in memory from copies of their slices.

    Such slices are spread over the whole volume, so that gathering them takes ten times as long as reducing them. They
    are kept while the slab moves on: a step gathers only the slice that is new. Along the other axes the volume itself
    is as quick. 512 x 512 x 600 voxels, 20 mm: a step takes some 10 ms of 85.
    """

    def __init__(self) -> None:
        self._ring: NDArray[np.generic] | None = None
        self._held: list[int] = []
        self._of: object = None
        self._answer: Whole | None = None

    def forget(self) -> None:
        """Let go of the copies."""
        self._ring = self._of = self._answer = None
        self._held = []

    def take(self, display: Display) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """The slab of a display as (rows, columns), and where none of its voxels counted, or None."""
        slab, plane, voxels = display.slab, display.plane, display.voxels
        assert slab is not None
        if slab.slices == slice(0, plane.count):
            return self._whole(display)
        self._answer = None
        if not self._gathers(display):
            self.forget()
            out, nothing = project(voxels, plane.axis, slab.slices, display.k, slab.mode, slab.stored, slab.padding)
        else:
            ring = self._gathered(voxels, plane.axis, range(slab.slices.start, slab.slices.stop))
            out, nothing = project_stack(ring, slab.mode, None if slab.stored is None else ring, slab.padding)
            if nothing is not None:
                np.copyto(out, np.moveaxis(voxels, plane.axis, 0)[display.k], where=nothing, casting="unsafe")
        return plane.turn(out), None if nothing is None else plane.turn(nothing).astype(np.bool_, copy=False)

    def _whole(self, display: Display) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """All slices: the same wherever the crosshair is, but where no voxel counted, so that it is made once."""
        slab, plane, voxels = display.slab, display.plane, display.voxels
        assert slab is not None
        self._ring = self._of = None
        self._held = []
        made = self._answer
        if made is None or not _is_of(made, display):
            made = self._answer = whole(display)
        out, nothing = made.out, made.nothing
        if nothing is not None:
            np.copyto(out, np.moveaxis(voxels, plane.axis, 0)[display.k], where=nothing, casting="unsafe")
        return plane.turn(out), None if nothing is None else plane.turn(nothing).astype(np.bool_, copy=False)

    def lacks(self, display: Display) -> bool:
        """Whether `take` would go through so many voxels that the window had to wait for it."""
        slab = display.slab
        if slab is None or slab.slices != slice(0, display.plane.count) or display.voxels.size < _LONG:
            return False
        return self._answer is None or not _is_of(self._answer, display)

    def give(self, answer: Whole) -> None:
        """What `whole` has worked out, for `take`."""
        self._answer = answer

    @staticmethod
    def _gathers(display: Display) -> bool:
        slab, voxels = display.slab, display.voxels
        assert slab is not None
        if slab.stored is not None and slab.stored is not voxels:
            return False
        count = slab.slices.stop - slab.slices.start
        size = voxels.nbytes // voxels.shape[display.plane.axis] * count
        return voxels.strides[display.plane.axis] == min(voxels.strides) and count > 1 and size <= _RING_BYTES

    def _gathered(self, voxels: NDArray[np.generic], axis: int, wanted: range) -> NDArray[np.generic]:
        """Copies of the wanted slices, in whatever order."""
        along = np.moveaxis(voxels, axis, 0)
        if self._ring is None or self._of is not voxels or len(self._held) != len(wanted):
            self._ring, self._of = np.empty((len(wanted), *along.shape[1:]), voxels.dtype), voxels
            self._held = [-1] * len(wanted)
        free = [place for place, k in enumerate(self._held) if k not in wanted]
        new = [k for k in wanted if k not in self._held]
        if len(new) > len(wanted) // 2:  # from afar: all at once is quicker
            np.copyto(self._ring, along[wanted.start : wanted.stop])
            self._held = list(wanted)
            return self._ring
        for place, k in zip(free, new, strict=True):
            self._ring[place] = along[k]
            self._held[place] = k
        return self._ring


class ThickSlabs:
    """What one viewport shows until a slab through all of a large volume is worked out, and then that.

    Parameters
    ----------
    feed
        Of the viewport.
    background
        How it is worked out; None for at once.
    show
        Shows a display.
    """

    def __init__(self, feed: SlabFeed, background: Background | None, show: Callable[[Display], None]) -> None:
        self._feed, self._background, self._show = feed, background, show
        self._newest: Display | None = None
        """What is shown when its slab is there."""
        self._at_work: Display | None = None
        """Whose slab is being worked out."""

    def instead(self, shown: Display | None, wanted: Display | None) -> Display | None:
        """What to show now: what is wanted or, until its slab is there, what is shown already or a single slice."""
        if self._background is None or wanted is None or not self._feed.lacks(wanted):
            self._newest = None
            return wanted
        self._newest = wanted
        if self._at_work is None or not _same_slab(self._at_work, wanted):
            self._at_work = wanted
            self._background(lambda: whole(wanted), lambda answer: self._take(wanted, answer))
        if shown is not None and shown.same_picture(wanted):
            return shown
        assert wanted.slab is not None  # it lacks one
        return replace(wanted, slab=None, corners=wanted.corners.awaiting(wanted.slab.text))

    def settle(self) -> None:
        """Show at once what is being worked out."""
        if self._newest is not None:
            self._take(self._newest, whole(self._newest))

    def _take(self, of: Display, answer: Whole) -> None:
        if self._at_work is not None and _same_slab(self._at_work, of):
            self._at_work = None
        newest = self._newest
        if newest is not None and _is_of(answer, newest):  # else something else is wanted by now
            self._newest = None
            self._feed.give(answer)
            self._show(newest)


def _same_slab(one: Display, other: Display) -> bool:
    if one.slab is None or other.slab is None or one.voxels is not other.voxels:
        return False
    return (one.plane, one.slab.mode, one.slab.padding) == (other.plane, other.slab.mode, other.slab.padding)
