"""What measurements come to, worked out once each; large regions off the home thread, so that no drag waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary, ref

import numpy as np
from psygnal import Signal

from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import REGIONS, Measurement, radius_of
from medviewer.domain.measure.values import Value, values_of

Values = tuple[Value, ...]
Background = Callable[[Callable[[], Values], Callable[[Values], None], Callable[[], None]], None]
"""Does a work in a thread; then, on the home thread, calls the third function however it ended, and the second one with
what it returned, if it did."""

_AT_ONCE = 40_000
"""Voxels of a region that are counted at once: some milliseconds."""
_KEPT = 512


class LiveValues:
    """Values of measurements on the images that are open, the main one and those beside it.

    Notes
    -----
    Without a `background` everything is worked out at once, as for pictures without a window. Of regions that are
    asked for while one is worked out, only the newest is worked out next: those in between were dragged past.
    """

    changed = Signal()
    """Values that were asked for have come."""

    def __init__(self) -> None:
        self.background: Background | None = None
        # by image, and weakly: an image that is closed goes, and what is known of it with it
        self._known: WeakKeyDictionary[Image, OrderedDict[Measurement, Values]] = WeakKeyDictionary()
        self._running: Measurement | None = None
        self._waiting: OrderedDict[str, tuple[Measurement, ref[Image]]] = OrderedDict()

    def values(self, m: Measurement, image: Image) -> Values | None:
        """What a measurement comes to on an image (its first phase's object); None while it is worked out."""
        known, key = self._known.setdefault(image, OrderedDict()), bare(m)
        if key in known:
            known.move_to_end(key)
            return known[key]
        if self.background is None or voxels_in(m, image) <= _AT_ONCE:
            return self._keep(key, image, values_of(key, image))
        self._waiting[m.uid] = key, ref(image)
        self._next()
        return None

    def known(self, m: Measurement, image: Image) -> Values | None:
        """What a measurement comes to, if that has been worked out."""
        return self._known.get(image, OrderedDict()).get(bare(m))

    def _keep(self, key: Measurement, image: Image, values: Values) -> Values:
        known = self._known.setdefault(image, OrderedDict())
        known[key] = values
        while len(known) > _KEPT:
            known.popitem(last=False)
        return values

    def _next(self) -> None:
        image = None
        while image is None:
            if self._running is not None or not self._waiting or self.background is None:
                return
            _, (key, held) = self._waiting.popitem(last=False)
            image = held()  # None: it was closed
        self._running = key
        self._count(key, image)

    def _count(self, key: Measurement, image: Image) -> None:
        assert self.background is not None
        wanted = ref(image)

        def over() -> None:
            self._running = None

        def done(values: Values) -> None:
            there = wanted()
            if there is not None:
                self._keep(key, there, values)
                self.changed.emit()
            self._next()

        self.background(lambda: values_of(key, image), done, over)


def bare(m: Measurement) -> Measurement:
    """What its values depend on: a name that it is given changes none of them."""
    return replace(m, uid="", label="", text="", target=False, node=False, author="", created="")


def voxels_in(m: Measurement, image: Image) -> float:
    """About how many voxels have to be looked at for its values."""
    if m.kind not in REGIONS:
        return 1.0
    spacing = np.asarray(image.grid.spacing)
    if m.kind == "sphere":
        sides = np.minimum(2 * radius_of(m) / spacing + 1, image.grid.shape)
        return float(np.prod(sides))
    index = image.grid.world_to_index(m.array)
    sides = np.sort(np.ptp(index, axis=0) + 1)
    return float(sides[1] * sides[2])
