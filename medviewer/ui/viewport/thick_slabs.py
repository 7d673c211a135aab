"""Slabs that take long: worked out beside the window, and shown as they come."""

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

    def work(self, display: Display) -> Callable[[], T]:
        """What makes it on another thread."""
        ...

    def give(self, answer: T) -> None:
        """What that has made."""
        ...


class ThickSlabs:
    """What one viewport shows until a slab that takes long is worked out, and then that.

    One is worked out at a time: where the slab moves on meanwhile, it is shown as it comes, and the newest begun.

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

    def instead(self, shown: Display | None, wanted: Display | None) -> Display | None:
        """What to show now: what is wanted or, until its slab is there, what is shown already or a single slice."""
        if self._background is None or wanted is None or wanted.slab is None or not self._lacking(wanted):
            self._newest = None
            return wanted
        self._newest = wanted
        if self._at_work is None or not _same_slab(self._at_work, wanted):
            self._begin(self._background, wanted)
        if shown is not None and shown.same_picture(wanted):
            return shown
        over = None if wanted.fused is None else replace(wanted.fused, thick=None)
        return replace(wanted, slab=None, fused=over, corners=wanted.corners.awaiting(wanted.slab.text))

    def settle(self) -> None:
        """Show at once what is being worked out."""
        if self._newest is not None:
            wanted, self._newest = self._newest, None
            self._show(wanted)

    def _lacking(self, wanted: Display) -> tuple[Feed[Any], ...]:
        return tuple(feed for feed in self._feeds if feed.lacks(wanted))

    def _begin(self, background: Background, wanted: Display) -> None:
        self._at_work = wanted
        tasks = [(feed, feed.work(wanted)) for feed in self._lacking(wanted)]

        def over() -> None:
            if self._at_work is wanted:
                self._at_work = None

        background(
            lambda: [(feed, task()) for feed, task in tasks],
            lambda answers: self._take(background, wanted, answers),
            over,
        )

    def _take(self, background: Background, of: Display, answers: Sequence[tuple[Feed[Any], Any]]) -> None:
        newest = self._newest
        if newest is None or not _same_slab(of, newest):
            return  # something else is wanted by now
        for feed, answer in answers:
            feed.give(answer)
        if self._lacking(newest):
            self._begin(background, newest)
            if of.same_picture(newest):
                self._show(of)
        else:
            self._newest = None
            self._show(newest)


def _same_slab(one: Display, other: Display) -> bool:
    """Whether two slabs are of the same kind through the same voxels, wherever they are."""
    if one.slab is None or other.slab is None or one.voxels is not other.voxels:
        return False
    return (one.plane, one.slab.mode, one.slab.padding) == (other.plane, other.slab.mode, other.slab.padding)
