"""Numbers as the panels write them: with units, and one width a figure."""

from __future__ import annotations

_THIN = "\u202f"
"""A narrow space that no line breaks at: before a unit."""


def seconds(duration: float) -> str:
    """How long something took, in s, for example ``1.4 s`` or ``2:10 min``."""
    return f"{duration:.1f}{_THIN}s" if duration < 60 else f"{clock(duration)}{_THIN}min"


def clock(duration: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
