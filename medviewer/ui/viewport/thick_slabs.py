"""Slabs that take long: worked out beside the window, while single slices stand for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from medviewer.app.ports.display import Display
from medviewer.ui.viewport.background import Background

T = TypeVar("T")


class Feed(Protocol[T]):
    """Makes a part of what a slab shows."""

    def lacks(self, display: Display) -> bool:
        """Whether making it now would hold up the window."""
        ...

    def work(self, display: Display) -> Callable[[], T] | None:
        """What makes it on another thread; None where there is nothing to make."""
        ...

    def give(self, answer: T) -> None:
        """What that has made."""
        ...

    def forget(self) -> None:
        """No slab is wanted any more."""
        ...


class ThickSlabs:
    """Single slices in place of slabs that take long, until these are worked out.

    What is shown is of the slice that the session is at, always: what is painted, measured and read out lies there. One
    slab is worked out at a time, the one that is wanted then.

    Parameters
    ----------
    feeds
        What makes the parts of the viewport's slabs.
    background
        How they are worked out; None for at once.
    show
        Shows a display.
    """

    def __init__(
        self, feeds: Sequence[Feed[Any]], background: Background | None, show: Callable[[Display], None]
    ) -> None:
        self._feeds, self._background, self._show = tuple(feeds), background, show
        self._newest: Display | None = None
        """What is shown when its slab is there."""
        self._at_work: Display | None = None
        """Whose slab is being worked out."""
        self._failed: Display | None = None
        """Whose slab could not be worked out: it is not tried again before something else was wanted."""

    def instead(self, wanted: Display | None) -> Display | None:
        """What to show now: what is wanted or, until its slab is there, a slice of it."""
        self._newest = None
        if wanted is None or wanted.slab is None:
            for feed in self._feeds:
                feed.forget()
            self._failed = None
            return wanted
        if self._background is None or not self._lacks(wanted):
            return wanted
        self._newest = wanted
        if self._failed is not None and not _same_slab(self._failed, wanted):
            self._failed = None
        if self._at_work is None and self._failed is None:
            self._begin(self._background, wanted)
        over = None if wanted.fused is None else replace(wanted.fused, thick=None)
        return replace(wanted, slab=None, fused=over, corners=wanted.corners.awaiting(wanted.slab.text))

    def settle(self) -> None:
        """Show at once what is being worked out."""
        if self._newest is not None:
            wanted, self._newest = self._newest, None
            self._show(wanted)

    def _lacks(self, wanted: Display) -> bool:
        return any(feed.lacks(wanted) for feed in self._feeds)

    def _begin(self, background: Background, wanted: Display) -> None:
        self._at_work = wanted
        # all parts of it, also one that is at hand: of the slice that is shown meanwhile nobody keeps it
        tasks = [(feed, task) for feed in self._feeds if (task := feed.work(wanted)) is not None]

        def over() -> None:
            self._at_work, self._failed = None, wanted

        def done(answers: Sequence[tuple[Feed[Any], Any]]) -> None:
            self._failed = None
            self._take(background, wanted, answers)

        background(lambda: [(feed, task()) for feed, task in tasks], done, over)

    def _take(self, background: Background, of: Display, answers: Sequence[tuple[Feed[Any], Any]]) -> None:
        newest = self._newest
        if newest is None:
            return  # something else is shown by now
        if _same_slab(of, newest):
            for feed, answer in answers:
                feed.give(answer)
        if self._lacks(newest):
            self._begin(background, newest)
        else:
            self._newest = None
            self._show(newest)


def _same_slab(one: Display, other: Display) -> bool:
    """Whether two slabs are made of the same slices of the same voxels, also of what is laid over."""
    if one.slab is None or other.slab is None or one.voxels is not other.voxels:
        return False
    return _parts(one) == _parts(other)


def _parts(display: Display) -> tuple[object, ...]:
    slab, over = display.slab, display.fused
    assert slab is not None
    laid = None if over is None else (id(over.voxels), over.grid, over.thick)
    return display.plane, slab.mode, slab.padding, slab.slices.start, slab.slices.stop, laid
