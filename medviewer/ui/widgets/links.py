"""Listening to the session: a connection that ends with the widget that made it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from PySide6.QtCore import QObject


class Links:
    """Connections of one widget to psygnal signals.

    psygnal holds bound methods weakly, which is enough when Python frees the widget. When Qt deletes it first, with its
    parent, these connections are cut then, so that no signal reaches a widget that is gone.

    Parameters
    ----------
    owner
        The widget whose methods are connected. It has to keep this object.
    """

    def __init__(self, owner: QObject) -> None:
        self._pairs: list[tuple[SignalInstance, weakref.WeakMethod[Callable[..., Any]]]] = []
        owner.destroyed.connect(self.cut)

    def add(self, signal: SignalInstance, slot: Callable[..., Any]) -> None:
        """Connect a bound method."""
        signal.connect(slot)
        self._pairs.append((signal, weakref.WeakMethod(slot)))

    def cut(self) -> None:
        """Disconnect everything."""
        pairs, self._pairs = self._pairs, []
        for signal, reference in pairs:
            slot = reference()
            if slot is not None:
                signal.disconnect(slot, missing_ok=True)
