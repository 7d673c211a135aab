"""One action, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medviewer.app.state import View


@dataclass(frozen=True)
class Spec:
    """One action, before it is bound to a running program."""

    id: str
    title: str
    menu: str
    run: Callable[[], Any]
    help: str
    keys: tuple[str, ...] = ()
    group: str = "1"
    when: str | None = None
    checked: str | None = None


def toggle(view: View, name: str) -> Callable[[], None]:
    """What exchanges yes and no of one of the view's fields."""
    return lambda: setattr(view, name, not getattr(view, name))
