"""The order of what was done: strokes and measurements are undone each by their own keeper, in one order."""

from __future__ import annotations

from itertools import count

_counter = count(1)


def next_deed() -> int:
    """A number for something that is done now; later ones are larger."""
    return next(_counter)
