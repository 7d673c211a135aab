"""Volumes as they are written wherever a person reads them."""

from __future__ import annotations

_THIN = "\u202f"
"""A narrow space that no line breaks at: between thousands, and before a unit."""


def millilitres(volume: float) -> str:
    """A volume in ml, for example ``1 420 ml`` or ``3.2 ml``."""
    return f"{_grouped(volume)}{_THIN}ml"


def _grouped(value: float) -> str:
    text = f"{value:.1f}" if 0 < value < 9.95 else f"{value:,.0f}"
    return text.replace(",", _THIN)
