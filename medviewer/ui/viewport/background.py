"""How a viewport has something worked out that takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Background(Protocol):
    """Runs the first function off the Qt thread and hands what it returns to the second, on the Qt thread."""

    def __call__(
        self, work: Callable[[], T], done: Callable[[T], None], over: Callable[[], None] | None = None
    ) -> None:
        """Do that.

        Parameters
        ----------
        over
            Called on the Qt thread before that, also where the work failed.
        """
        ...


def at_once(work: Callable[[], T], done: Callable[[T], None], over: Callable[[], None] | None = None) -> None:
    """Run all of it here and now: for pictures, which wait for what they show."""
    try:
        made = work()
    finally:
        if over is not None:
            over()
    done(made)
