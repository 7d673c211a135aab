"""Something that is done with the next turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

PAUSE_MS = 1
"""Between two parts of something long: what the user did meanwhile comes first."""

DRAWN_MS = 30
"""The time in which a picture that is there is drawn."""


def soon(context: QObject, then: Callable[[], object]) -> None:
    """Call something with the next turn of the event loop, if `context` is still there.

    A `QTimer.singleShot` that is given a method of an object which Qt does not know holds no reference to the object,
    and calls it though it is gone: of that, what comes next is a crash somewhere else. This one keeps it until then.
    """
    QTimer.singleShot(0, context, lambda: then())  # the lambda is what holds it
