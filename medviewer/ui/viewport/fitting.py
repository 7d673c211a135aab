"""How a slice fits its viewport."""

from __future__ import annotations

from medviewer.app.ports.display import Display

_FIT = 0.96
"""Part of the viewport that a fitted slice takes."""


def fitted(display: Display, width: float, height: float) -> tuple[tuple[float, float], float]:
    """Where to look so that a slice fits its viewport.

    Parameters
    ----------
    width, height
        Of the viewport, in its pixels.

    Returns
    -------
    What is in the middle, down and right in mm from the middle of the first pixel, and pixels a mm.
    """
    rows, columns = display.plane.shape
    top, left, bottom, right = (-0.5, -0.5, rows - 0.5, columns - 0.5)
    if display.turned is not None:
        top, left, bottom, right = display.turned.bounds
    row_mm, column_mm = display.plane.spacing
    zoom = _FIT * min(height / ((bottom - top) * row_mm), width / ((right - left) * column_mm))
    zoom = max(zoom, 1e-3)
    across = (left + right) / 2 * column_mm
    if display.side:  # against an edge, as backs face each other
        half = width / 2 / zoom
        across = right * column_mm - half if display.side == "right" else left * column_mm + half
    return ((top + bottom) / 2 * row_mm, across), zoom
