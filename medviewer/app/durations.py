"""How long something takes, in words."""

from __future__ import annotations


def left_text(seconds: float | None) -> str:
    """Time that is left, for example ``2:10 left`` or ``1 h 05 min left``; empty where nobody knows."""
    if seconds is None:
        return ""
    whole = max(1, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min left"
    return f"{whole // 60}:{whole % 60:02} left"
