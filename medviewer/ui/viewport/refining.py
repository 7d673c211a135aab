"""Turned planes in full, once the hand that moved them rests: worked out off the Qt thread, while they are coarse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medviewer.app.ports.display import Display
from medviewer.ui.viewport.background import Background
from medviewer.ui.viewport.turned import Pixels, block_of, pixels_of, source_of


class Refining:
    """What one viewport shows until all pixels of its plane are there, and then those.

    Parameters
    ----------
    background
        How they are worked out; None for at once.
    show
        Shows a display, whose pixels were worked out.
    """

    def __init__(self, background: Background | None, show: Callable[[Display, Pixels], None]) -> None:
        self._background, self._show = background, show
        self._newest: Display | None = None
        """What is shown in full when its pixels are there."""
        self._of: tuple[object, ...] | None = None
        """What those that are being worked out are made of."""

    def instead(self, shown: Display | None, wanted: Display | None) -> Display | None:
        """What to show now: that which is wanted, or the same as coarse as it is shown while its pixels are made.

        What is shown in full stays so: the plane that a hand turns the others in is not sampled at all.
        """
        if shown is not None and wanted is not None and _is_full_of(shown, wanted):
            wanted = replace(wanted, coarse=False)
        if self._background is None or shown is None or wanted is None or not _refines(shown, wanted):
            self._newest = self._of = None
            return wanted
        self._newest, of = wanted, _made_of(wanted)
        if of != self._of:
            self._of = of
            self._background(lambda: pixels_of(wanted), lambda pixels: self._take(of, pixels))
        return replace(wanted, coarse=True)

    def settle(self) -> None:
        """Show at once what is being worked out."""
        if self._newest is not None and self._of is not None:
            self._take(self._of, pixels_of(self._newest))

    def _take(self, of: tuple[object, ...], pixels: Pixels) -> None:
        newest = self._newest
        if of is self._of and newest is not None:  # else something else is wanted by now
            self._newest = self._of = None
            self._show(newest, pixels)


def _refines(shown: Display, wanted: Display) -> bool:
    """Whether the one is what the other is, but coarse."""
    if block_of(shown) == 1 or block_of(wanted) > 1 or not shown.same_picture(wanted):
        return False
    return source_of(shown) == source_of(replace(wanted, coarse=True))


def _is_full_of(shown: Display, wanted: Display) -> bool:
    """Whether the other, which is coarse, is shown in full already."""
    if block_of(wanted) == 1 or block_of(shown) > 1 or not shown.same_picture(wanted):
        return False
    return _made_of(shown) == _made_of(replace(wanted, coarse=False))


def _made_of(display: Display) -> tuple[object, ...]:
    mask, heat, fused = display.mask, display.heat, display.fused
    return (
        source_of(display),
        None if mask is None else (id(mask.labels), display.revision),
        None if heat is None else id(heat.values),
        None if fused is None else fused.source,
    )
