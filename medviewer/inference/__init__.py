"""Running plugins: an image goes to a child process, and its result comes back on the source grid.

What is listed here is imported when it is first asked for: the window needs single small modules of this room at once,
and the rest when somebody runs something.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medviewer.inference.acquiring.fetch import submit_fetch
    from medviewer.inference.check import submit_check
    from medviewer.inference.client import base_weights, submit_prediction
    from medviewer.inference.suitability import check_suitable

__all__ = ["base_weights", "check_suitable", "submit_check", "submit_fetch", "submit_prediction"]

_HOMES = {
    "base_weights": "client",
    "check_suitable": "suitability",
    "submit_check": "check",
    "submit_fetch": "acquiring.fetch",
    "submit_prediction": "client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
