"""One action, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
